"""docs/wire-mapping.md against the types: every field of every wire has its fate, and nothing that is gone has one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import msgspec
import pytest

from agentlaunch.core import wire
from agentlaunch.core.wire.base import WIRES

PAGE = Path(__file__).parents[3] / "docs" / "wire-mapping.md"
FATES = ("kept", "renamed", "shape", "made", "dropped", "refused")

Fields = dict[tuple[str, str], tuple[str, ...]]
"""Module as in `openai_chat/types.py`, and type: the names of its fields on the wire."""


@dataclass(frozen=True)
class Row:
    """A row of the page."""

    module: str
    struct: str
    fields: tuple[str, ...]
    fate: str
    is_read: bool


def wire_fields(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """The names on the wire, renamed ones by their new name, the tag's field first."""
    config = struct.__struct_config__
    tag = (config.tag_field,) if config.tag is not None and config.tag_field else ()
    return (*tag, *(field.encode_name for field in msgspec.structs.fields(struct)))


def structs_of(module_name: str) -> Iterator[type[msgspec.Struct]]:
    module = import_module(module_name)
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == module_name:
            yield value


def typed_fields() -> Fields:
    """What the modules of types say, `types` and everything that ends so."""
    found: Fields = {}
    for name in WIRES:
        package = f"{wire.__name__}.{name}"
        for module in iter_modules(import_module(package).__path__):
            if module.name.endswith("types"):
                for struct in structs_of(f"{package}.{module.name}"):
                    found[f"{name}/{module.name}.py", struct.__name__] = wire_fields(struct)
    return found


def rows_of(page: str) -> list[Row]:
    rows: list[Row] = []
    module, is_read = "", True
    for line in page.splitlines():
        if heading := re.match(r"### `([^`]+)`(, known and not read)?$", line):
            module, is_read = heading[1], heading[2] is None
        elif row := re.match(r"\| `(\w+)` \| (`[^|]+`) \| (.+) \|$", line):
            rows.append(Row(module, row[1], tuple(re.findall(r"`([^`]+)`", row[2])), row[3], is_read))
    return rows


def differences(rows: list[Row], types: Fields) -> list[str]:
    """What is wrong with the page, a line each; empty when it is true."""
    listed: dict[tuple[str, str, str], int] = {}
    for row in rows:
        for field in row.fields:
            if row.is_read:
                listed[row.module, row.struct, field] = listed.get((row.module, row.struct, field), 0) + 1
    there = {(module, struct, field) for (module, struct), fields in types.items() for field in fields}
    wrong = [f"not listed: {'.'.join(key)}" for key in sorted(there - listed.keys())]
    wrong += [f"gone: {'.'.join(key)}" for key in sorted(listed.keys() - there)]
    wrong += [f"listed twice: {'.'.join(key)}" for key, times in listed.items() if times > 1]
    for row in rows:
        if not row.is_read:
            read = set(row.fields) & set(types.get((row.module, row.struct), row.fields))
            wrong += [f"read after all: {row.module}.{row.struct}.{field}" for field in sorted(read)]
        if not row.fate.startswith(FATES):
            wrong.append(f"no fate: {row.module}.{row.struct} `{row.fate}`")
        if row.fate == "dropped":
            wrong.append(f"dropped without a reason: {row.module}.{row.struct}")
    return wrong


def test_every_field_of_every_wire_is_listed_once_with_its_fate() -> None:
    assert differences(rows_of(PAGE.read_text("utf-8")), typed_fields()) == []


def test_the_page_has_a_row_for_every_line_of_its_tables() -> None:
    page = PAGE.read_text("utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows_of(page)) == len(lines) > 300


class Sample(msgspec.Struct, rename={"inner": "__inner"}, tag="sample", tag_field="type"):
    """A type to test the test with."""

    kept: str
    inner: int = 0


SAMPLE: Fields = {("w/types.py", "Sample"): wire_fields(Sample)}
TRUE_PAGE = """
### `w/types.py`
| `Sample` | `type`, `kept`, `__inner` | kept: all of it |
### `w/types.py`, known and not read
| `Sample` | `other` | dropped: nobody wants it |
"""


def test_names_on_the_wire_are_what_counts() -> None:
    assert wire_fields(Sample) == ("type", "kept", "__inner")
    assert differences(rows_of(TRUE_PAGE), SAMPLE) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("`kept`, ", "", "not listed: w/types.py.Sample.kept"),
        ("`__inner`", "`__inner`, `gone`", "gone: w/types.py.Sample.gone"),
        ("`__inner`", "`inner`", "not listed: w/types.py.Sample.__inner"),
        ("`type`, ", "`type`, `type`, ", "listed twice: w/types.py.Sample.type"),
        ("`other`", "`kept`", "read after all: w/types.py.Sample.kept"),
        ("kept: all", "lovely: all", "no fate: w/types.py.Sample `lovely: all of it`"),
        ("kept: all of it", "dropped", "dropped without a reason: w/types.py.Sample"),
        ("### `w/types.py`\n", "### `v/types.py`\n", "gone: v/types.py.Sample.kept"),
    ],
)
def test_a_page_that_is_not_true_fails(old: str, new: str, told: str) -> None:
    assert told in differences(rows_of(TRUE_PAGE.replace(old, new, 1)), SAMPLE)
