"""A call's arguments held to the tool's schema: what the model meant, where that is plain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from agentlaunch.core.filters.json_repair import Json, Repaired, Unrepairable, Whole, json_text, repaired, strict
from agentlaunch.core.filters.json_schema import Schema, type_of
from agentlaunch.core.filters.known_keys import folded, meant, respelled
from agentlaunch.core.filters.mending import Mend

_MAX_DEPTH = 32
"""Levels of a value that are compared with the schema."""

_PREFIX = re.compile(r"\s*(?:<\|\w+\|>)*(?:```[\w-]*|json(?=\s*[\n{\[<]))?(?:<\|\w+\|>)*\s*(?:\{\s*(?=\{))?")
_MEMBERS = re.compile(r"\"[\w.-]{1,100}\"\s*:")
"""The opening brace was lost."""
_OVER_ESCAPED = re.compile(r"\s*\{\s*\\\"|(?<!\\)\"\s*:\s*\\\"")
"""A quotation mark that begins a key or a value is escaped itself (langchain-gradient #31)."""
_LONGEST_PREFACE = 200
_SUFFIX = re.compile(r"\s*(?:```)?\s*\Z")
_WRAPPERS = ("arguments", "parameters", "args", "input", "kwargs", "params", "tool_input", "properties")
_BESIDE_WRAPPERS = ("name", "type", "tool_name", "function", "tool", "recipient_name", "id", "call_id", "index")
"""What models repeat of the call or of the schema around the arguments."""

_FOLDED_WRAPPERS = frozenset(name.replace("_", "") for name in _WRAPPERS)

_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
_NULLS = ("", "null", "none")
_LEFT_OUT = (*_NULLS, "undefined")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,20})(?:\.\d{1,20})?(?:[eE][-+]?\d{1,2})?")


@dataclass(frozen=True)
class Arguments:
    """Arguments for one call and more, when a model ran several together. `whole` false: they broke off.

    Then `texts` holds what the model wrote, unchanged.
    """

    texts: tuple[str, ...]
    kinds: tuple[Mend, ...] = ()
    whole: bool = True


@dataclass
class _Mender:
    """One walk over one value; `kinds` collects what was done."""

    kinds: list[Mend] = field(default_factory=list)

    def note(self, kind: Mend) -> None:
        if kind not in self.kinds:
            self.kinds.append(kind)


def mended(text: str, schema: Schema) -> Arguments:
    """The arguments that `text` means. Total; text that needs nothing comes back as it is.

    A string that never closes is a call cut off, whatever the upstream calls its end (field report B124).
    """
    if not text.strip():
        return Arguments(("{}",), (Mend.EMPTY,))
    found = strict(text)
    if found is not None and not text[found[1] :].strip():
        return _of_value(text, found[0], schema, [])
    mender = _Mender()
    values = _meant_values(text, mender, schema)
    if values is None:
        return Arguments((text,), (Mend.CUT_OFF,), whole=False)
    results = [_of_value("", value, schema, mender.kinds) for value in values]
    kinds = tuple(dict.fromkeys(kind for result in results for kind in result.kinds))
    return Arguments(tuple(text for result in results for text in result.texts), kinds)


def _meant_values(text: str, mender: _Mender, schema: Schema) -> list[Json] | None:
    """The objects in broken text, as it stands or as it was meant; None when it was cut off or is no JSON at all."""
    try:
        values = _repaired_values(text, mender, schema)
    except Unrepairable:
        values = None
    if values is not None:
        return values
    for candidate in _readings(text):
        found = _parsed(candidate)
        if isinstance(found, dict):
            mender.kinds[:] = [Mend.JSON]
            return [found]
    return None


def _readings(text: str) -> Iterator[str]:
    """Other texts that may be meant: with one level of escapes less, and without a preface."""
    if _OVER_ESCAPED.search(text) is not None:
        yield text.replace('\\"', '"').replace("\\\\", "\\")
    preface, brace, rest = text.partition("{")
    if brace and preface.strip() and len(preface) <= _LONGEST_PREFACE and not any(mark in preface for mark in "\"'[}"):
        yield brace + rest


def _repaired_values(text: str, mender: _Mender, schema: Schema) -> list[Json] | None:
    """The objects in broken text, equal ones once; None when it was cut off. Raises Unrepairable."""
    text = text.lstrip("\ufeff \t\r\n")
    text = text[_PREFIX.match(text).end() :]  # type: ignore[union-attr]
    text = text[: _SUFFIX.search(text).start()]  # type: ignore[union-attr]
    if not text:
        mender.note(Mend.EMPTY)
        return [{}]
    if _MEMBERS.match(text):
        text = "{" + text
    values: list[Json] = []
    rest = 0
    while rest < len(text):
        try:
            found = _next(text, rest)
        except Unrepairable:
            if not values:
                raise
            break  # what follows a whole object is rubbish (field report B136)
        if not _is_whole(found, schema):
            return values or None
        mender.note(Mend.UNTERMINATED if found.whole is not Whole.YES else Mend.JSON)
        if isinstance(found.value, dict | list) and found.value not in values:
            values.append(found.value)
        rest = found.end
    if not values:
        raise Unrepairable("no object")
    # Servers begin with an empty object and then send the real one.
    values = [value for value in values if value] or values
    if len(values) > 1:
        mender.note(Mend.SPLIT)
    return values


def _next(text: str, start: int) -> Repaired:
    found = strict(text, start)
    return repaired(text, start) if found is None else Repaired(*found, Whole.YES)


def _is_whole(found: Repaired, schema: Schema) -> bool:
    """Whether nothing but brackets is missing: a key that the tool requires must not be."""
    if found.whole is Whole.YES:
        return True
    if found.whole is Whole.CUT or not isinstance(found.value, dict):
        return False
    return schema.required() <= found.value.keys()


def _of_value(text: str, value: Json, schema: Schema, kinds: list[Mend]) -> Arguments:
    """Arguments for a value that was read; `text` is what it was read from, empty when that was broken."""
    mender = _Mender(list(kinds))
    held = _object(value, schema, mender)
    if held is None:
        return Arguments((text or json_text(value),), tuple(mender.kinds))
    result = _value(held, schema, mender, 0)
    if not mender.kinds and text:
        return Arguments((text,))
    try:
        return Arguments((json_text(result),), tuple(mender.kinds))
    except ValueError:  # a number beyond what JSON holds
        return Arguments((text or "{}",), tuple(mender.kinds))


def _object(value: Json, schema: Schema, mender: _Mender) -> dict[str, Json] | None:
    """The object in whatever stands in its place; None where there is none."""
    for _ in range(4):
        match value:
            case None:
                mender.note(Mend.EMPTY)
                return {}
            case str() as text:
                inner = _decoded(text)
                if inner is None and text.strip().lower() not in _NULLS:
                    return None
                mender.note(Mend.DOUBLE_ENCODED)
                value = inner
            case [_, *_] if (key := _only_list(value, schema)) is not None:
                mender.note(Mend.JSON)
                return {key: value}
            case [dict() as only]:
                mender.note(Mend.JSON)
                value = only
            case []:
                mender.note(Mend.EMPTY)
                return {}
            case dict():
                inside = _unwrapped(value, schema)
                if inside is None:
                    return value
                mender.note(Mend.DOUBLE_ENCODED)
                value = inside
            case _:
                return None
    return value if isinstance(value, dict) else None


def _only_list(value: list[Json], schema: Schema) -> str | None:
    """The one key that the tool requires, when it takes a list of such items and of nothing else."""
    known = schema.properties()
    keys = [key for key in schema.required() if key in known and known[key].types() == {"array"}]
    if len(schema.required()) != 1 or not keys:
        return None
    items = known[keys[0]].items()
    fits = all(_fits(item, items) and (not isinstance(item, dict) or items.required() <= item.keys()) for item in value)
    return keys[0] if fits else None


def _decoded(text: str) -> Json:
    """The object, array or string that a string encodes; None when there is none."""
    inner = _parsed(text)
    if inner is not None:
        return inner
    found = strict(text)
    return found[0] if found is not None and isinstance(found[0], str) else None


def _parsed(text: str) -> Json:
    """The object or array in a string; None when there is none."""
    try:
        found = repaired(text.strip())
    except Unrepairable:
        return None
    whole = found.whole is Whole.YES and found.end == len(text.strip())
    return found.value if whole and isinstance(found.value, dict | list) else None


def _unwrapped(value: dict[str, Json], schema: Schema) -> Json:
    """What stands under `arguments` and the like, where the tool itself has no such key; None when nothing does."""
    known = schema.properties()
    keys = [key for key in value if key not in _BESIDE_WRAPPERS or key in known]
    if len(keys) != 1 or folded(keys[0]) not in _FOLDED_WRAPPERS or keys[0] in known or not known:
        return None
    match value[keys[0]]:
        case dict() as inner:
            return inner
        case [dict() as only]:
            return only
        case str() as text:
            return _parsed(text)
        case _:
            return None


# --- one value against its schema --------------------------------------------------------------------------------


def typed(text: str, schema: Schema) -> Json:
    """The value that `text` stands for in markup without types. Text where the schema allows it or says nothing."""
    types = schema.types()
    if not types or "string" in types:
        return text
    mender = _Mender()
    return _value(text.strip(), schema, mender, 0)


def _value(value: Json, schema: Schema, mender: _Mender, depth: int) -> Json:
    """`value`, in the type that the schema wants where that takes no guessing."""
    if depth > _MAX_DEPTH:
        return value
    types = schema.types()
    own = type_of(value)
    if types and own not in types and not (own == "integer" and "number" in types):
        value, changed = _converted(value, types, schema)
        if changed:
            mender.note(Mend.TYPE)
    match value:
        case dict():
            return _members(value, schema, mender, depth)
        case list():
            items = schema.items()
            return [_value(item, items, mender, depth + 1) for item in value]
        case str():
            return _choice(value, schema, mender)
        case _:
            return value


def _converted(value: Json, types: frozenset[str], schema: Schema) -> tuple[Json, bool]:
    """The value in one of `types`, and whether there was a plain way."""
    match value:
        case str() as text:
            return _from_text(text, types, schema)
        case float() if "integer" in types and value.is_integer():
            return int(value), True
        case 0 | 1 if "boolean" in types and "string" not in types:
            return bool(value), True
        case dict() if "array" in types and (items := _items(value, schema)) is not None:
            return items, True
        case bool() | int() | float() if "string" in types:
            return _written(value), True
        case dict() | list() if "string" in types and "array" not in types:
            return _written(value), True
        case [only] if "object" in types and isinstance(only, dict):
            return only, True
        case _ if "array" in types and value is not None and _fits(value, schema.items()):
            return [value], True
        case _:
            return value, False


def _items(value: dict[str, Json], schema: Schema) -> list[Json] | None:
    """The list inside an object that stands in its place: under its only key, or numbered."""
    if value and list(value) == [str(number) for number in range(len(value))]:
        return list(value.values())
    match list(value.items()):
        case [(str() as key, list() as inner)] if key not in schema.items().properties():
            return inner
        case _:
            return None


def _from_text(text: str, types: frozenset[str], schema: Schema) -> tuple[Json, bool]:
    bare = text.strip()
    if types & {"integer", "number"} and _NUMBER.fullmatch(bare):
        number = float(bare)
        if number.is_integer() and ("integer" in types or bare.lstrip("-").isdigit()):
            return (int(bare) if bare.lstrip("-").isdigit() else int(number)), True
        if "number" in types:
            return number, True
    if "boolean" in types and bare.lower() in _BOOLEANS:
        return _BOOLEANS[bare.lower()], True
    if types & {"array", "object"}:
        inner = _parsed(bare)
        if inner is not None and type_of(inner) in types:
            return inner, True
        if isinstance(inner, dict) and "array" in types and _fits(inner, schema.items()):
            return [inner], True
    if bare.lower() in _NULLS and "null" in types:
        return None, True
    if "array" in types and bare and _fits(text, schema.items()):
        return [text], True
    return text, False


def _fits(value: Json, schema: Schema) -> bool:
    return type_of(value) in schema.types()


def _written(value: Json) -> str:
    """A value as the text that belongs in its place: models write the content of a JSON file as an object."""
    try:
        return json_text(value)
    except ValueError:
        return str(value)


def _choice(value: str, schema: Schema, mender: _Mender) -> str:
    """One of the schema's words in another case."""
    choices = schema.choices()
    if not choices or value in choices:
        return value
    said = folded(value.strip(" \"'`"))
    same = [choice for choice in choices if folded(choice) == said]
    if len(same) != 1:
        return value
    mender.note(Mend.TYPE)
    return same[0]


def _members(value: dict[str, Json], schema: Schema, mender: _Mender, depth: int) -> Json:
    known = schema.properties()
    if not known:
        return value
    required = schema.required()
    value, changed = respelled(value, known.keys(), required)
    if changed:
        mender.note(Mend.KEY)
    found: dict[str, Json] = {}
    for key, member in value.items():
        if key not in known:
            found[key] = member
            continue
        inner = known[key]
        types = inner.types()
        if key not in required and types and "null" not in types and _is_left_out(member, types):
            mender.note(Mend.NULL)
            continue
        plain = meant(key, member, types)
        if plain != member:
            mender.note(Mend.VALUE)
        found[key] = _value(plain, inner, mender, depth + 1)
    # With a required key missing, the unknown one may be what is left of it: then the agent's message tells the model.
    if schema.is_closed() and required <= found.keys() and not found.keys() <= known.keys():
        mender.note(Mend.EXTRA)
        return {key: member for key, member in found.items() if key in known}
    return found


def _is_left_out(member: Json, types: frozenset[str]) -> bool:
    """Whether a model says with `member` that it has no such value."""
    if isinstance(member, str) and not types & {"string", "array"}:
        return member.strip().lower() in _LEFT_OUT
    return member is None
