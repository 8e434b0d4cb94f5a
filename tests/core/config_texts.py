"""Random configuration files as people write them: comments, blanks, trailing commas, every spelling of a value."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(["model", "env", "provider", "features", "a", "b.c", "ä ö", "", "x-y", "agent", "options"])
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    st.sampled_from(["// none", "/* none */", 'say "hi"', "*.{ts,}", "C:\\new", "#", "\ttab", "'", "a\nb", "[x]"]),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)
DOCUMENTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(WORDS, VALUES, max_size=5)

NO_NULL = SCALARS.filter(lambda value: value is not None)
WANTED_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(NO_NULL, st.lists(TEXTS, max_size=2)), lambda inner: st.dictionaries(WORDS, inner, min_size=1, max_size=3)
)
WANTED: st.SearchStrategy[dict[str, Any]] = st.dictionaries(WORDS, WANTED_VALUES, max_size=4)


@st.composite
def jsonc_files(draw: st.DrawFn) -> bytes:
    """A whole file; its line ends, comments, trailing commas and byte order mark vary."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    blanks = st.sampled_from(
        [
            "",
            "",
            "",
            " ",
            "\t",
            newline,
            f"{newline}  ",
            f"{newline}{newline}",
            f" // 27\" it's, {{{newline}",
            " /* , */ ",
        ]
    )

    def write(value: object) -> str:
        if isinstance(value, dict):
            return _joined([f"{_key(key)}{draw(blanks)}:{draw(blanks)}{write(v)}" for key, v in value.items()], "{}")
        if isinstance(value, list):
            return _joined([write(item) for item in value], "[]")
        return json.dumps(value, ensure_ascii=draw(st.booleans()))

    def _key(key: str) -> str:
        return json.dumps(key, ensure_ascii=draw(st.booleans()))

    def _joined(parts: list[str], ends: str) -> str:
        trailing = "," if parts and draw(st.booleans()) else ""
        inner = ",".join(f"{draw(blanks)}{part}{draw(blanks)}" for part in parts)
        return f"{ends[0]}{inner}{trailing}{draw(blanks)}{ends[1]}"

    document = draw(DOCUMENTS)
    if not document and draw(st.booleans()):
        body = draw(blanks)
    elif draw(st.booleans()):
        body = json.dumps(document, indent=draw(st.sampled_from([None, 1, 2, 4, "\t"]))).replace("\n", newline)
    else:
        body = f"{draw(blanks)}{write(document)}{draw(blanks)}"
    return _whole(draw, body, newline)


@st.composite
def toml_files(draw: st.DrawFn) -> bytes:
    """A whole file with bare, quoted and dotted keys, tables, inline tables, arrays of tables and comments."""
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    comments = st.sampled_from(["", "", '  # mine, "quoted" [x]', " #", "\t# ä"])
    lines: list[str] = []

    def pairs(names: list[str]) -> None:
        for name in names:
            if draw(st.integers(0, 5)) == 0:
                lines.append(draw(st.sampled_from(["", "# a comment", "  # [not.a.table]", "   "])))
            indent = draw(st.sampled_from(["", "", "  "]))
            if draw(st.integers(0, 6)) == 0:  # a dotted key
                below = draw(st.sampled_from(["a", "plugins", '"é"']))
                lines.append(f"{indent}{_toml_key(draw, name)}.{below}= 1")
            else:
                equals = draw(st.sampled_from([" = ", "=", "   =  "]))
                lines.append(f"{indent}{_toml_key(draw, name)}{equals}{_toml_value(draw, 2)}{draw(comments)}")

    names = draw(st.lists(WORDS, unique=True, max_size=8))
    cut = draw(st.integers(0, len(names)))
    pairs(names[:cut])
    for name in names[cut:]:
        key = _toml_key(draw, name)
        kind = draw(st.sampled_from(["table", "table", "nested", "array"]))
        header = {"table": f"[{key}]", "nested": f"[{key}.deeper]", "array": f"[[{key}]]"}[kind]
        lines.append(draw(st.sampled_from(["", "# above the table"])))
        lines.append(f"{header}{draw(comments)}")
        pairs(draw(st.lists(WORDS, unique=True, max_size=3)))
        if kind == "array" and draw(st.booleans()):
            lines.append(header)
            pairs(draw(st.lists(WORDS, unique=True, max_size=2)))
    body = newline.join(lines) + draw(st.sampled_from(["", newline, newline * 2]))
    return _whole(draw, body, newline)


def _toml_key(draw: st.DrawFn, name: str) -> str:
    if name.replace("-", "").isalnum() and name.isascii() and draw(st.integers(0, 3)):
        return name
    return json.dumps(name, ensure_ascii=False)


def _toml_value(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.sampled_from(["text", "literal", "long", "int", "float", "bool", "date", "list", "inline"]))
    match kind:
        case "text":
            return json.dumps(draw(TEXTS.filter(lambda t: "\x7f" not in t)), ensure_ascii=False)
        case "literal":
            return "'C:\\new'"
        case "long":
            return draw(st.sampled_from(['"""\nlines\n  of "text" \\\n  # none"""', "'''\n[x]\n'''"]))
        case "int":
            return draw(st.sampled_from(["1", "-17", "1_000", "0xff", "0o7", "+3"]))
        case "float":
            return draw(st.sampled_from(["1.0", "-3e5", "inf", "nan", "6.02_2e+2"]))
        case "bool":
            return draw(st.sampled_from(["true", "false"]))
        case "date":
            return draw(st.sampled_from(["2026-11-24", "2026-11-24T10:00:00Z", "10:00:00", "2026-11-24 10:00:00.5"]))
        case "list":
            items = [_toml_value(draw, 0) for _ in range(draw(st.integers(0, 2)))] if depth else ["1"]
            return (
                draw(st.sampled_from(["[{}]", "[ {} ]", "[\n  {}, # why\n]"])).format(", ".join(items))
                if items
                else "[]"
            )
        case _:
            names = draw(st.lists(st.sampled_from(["a", "plugins", "b"]), unique=True, max_size=2)) if depth else []
            return "{" + ", ".join(f"{name} = {_toml_value(draw, 0)}" for name in names) + "}"


def _whole(draw: st.DrawFn, body: str, newline: str) -> bytes:
    mark = draw(st.sampled_from(["", "", "", "\ufeff"]))
    return (mark + body.replace("\r\n", "\n").replace("\n", newline)).encode()
