"""Random JSON Schemas, each with a value that is valid for it, and a check of values against simplified schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Json = Any
Case = tuple[Json, Json]
"""A schema and a valid value."""

KEYS = st.sampled_from(["a", "b", "path", "new key", "type", "properties", "$ref", "items", "\u00e4"])
WORDS = st.text(st.characters(codec="utf-8"), max_size=6)
LARGE = st.sampled_from([0, 1, 5, 64, 255, 2_000, 65_536, 10**12, 10**20])

PATTERNS = [
    ("^[a-z]+$", "abc"),
    (r"^\d{4}-\d{2}$", "2026-11"),
    (r"^\w+$", "a_1"),
    ("^(?:a|b)x?$", "b"),
    ("^(?!x)[a-z]+$", "abc"),
    (r"^(a)\1$", "aa"),
    ("^a$|^b$", "b"),
    ("x", "axb"),
    (r"^\p{L}+$", "abc"),
    (r"^[\w.-]+@[\w.-]+$", "a@b"),
    ("^a{1,5000}$", "aa"),
    ("^(a$", "whatever"),
]
FORMATS = [
    ("date", "2026-11-25"),
    ("date-time", "2026-11-25T03:04:05Z"),
    ("uuid", "123e4567-e89b-42d3-a456-426614174000"),
    ("uri", "https://schemas.example/x"),
    ("regex", "x"),
    ("int64", "5"),
]
NOISE: list[Json] = [
    {},
    {},
    {"title": "T"},
    {"description": "What it is."},
    {"description": None},
    {"default": {"x": 1}},
    {"examples": []},
    {"$comment": "x"},
    {"x-own": [1]},
    {"not": False},
    {"if": True, "then": True},
    {"deprecated": True},
    {"allOf": [{"description": "more"}]},
]


@st.composite
def _texts(draw: st.DrawFn) -> Case:
    kind = draw(st.integers(0, 3))
    if kind == 0:
        pattern, value = draw(st.sampled_from(PATTERNS))
        return {"type": "string", "pattern": pattern}, value
    if kind == 1:
        format_, value = draw(st.sampled_from(FORMATS))
        return {"type": "string", "format": format_}, value
    value = draw(WORDS)
    schema: Json = {"type": draw(st.sampled_from(["string", "STRING", "str", ["string", "null"]]))}
    if draw(st.booleans()):
        schema["maxLength"] = len(value) + draw(LARGE)
    if draw(st.booleans()):
        schema["minLength"] = draw(st.integers(0, len(value)))
    return schema, value


@st.composite
def _numbers(draw: st.DrawFn) -> Case:
    value = draw(st.integers(-(10**20), 10**20) | st.integers(-9, 9))
    schema: Json = {"type": draw(st.sampled_from(["integer", "number", "int", ["integer", "string"]]))}
    low, high = draw(LARGE), draw(LARGE)
    schema |= draw(
        st.sampled_from(
            [
                {},
                {"minimum": value - low},
                {"maximum": value + high},
                {"minimum": value - low, "maximum": value + high},
                {"exclusiveMinimum": value - low - 1, "exclusiveMaximum": value + high + 1},
                {"minimum": value - 0.5} if abs(value) < 100 else {},
                {"minimum": value, "exclusiveMinimum": False},
                {"multipleOf": 1},
            ]
        )
    )
    return schema, value


SCALARS: st.SearchStrategy[Case] = (
    _texts()
    | _numbers()
    | st.booleans().map(lambda value: ({"type": "boolean"}, value))
    | st.just(({"type": "null"}, None))
    | st.sampled_from([(True, 5), ({}, "x"), ({"type": []}, "x"), ({"enum": []}, 1), ({"type": "any"}, [1])])
    | st.lists(WORDS | st.integers(-5, 5) | st.none(), min_size=1, max_size=4).map(lambda v: ({"enum": v}, v[-1]))
    | st.sampled_from([5, "x", None, {"a": [1]}]).map(lambda value: ({"const": value}, value))
    | WORDS.map(lambda value: ({"type": "string", "nullable": True}, value))
    | st.just(({"type": "string", "nullable": True}, None))
)


@st.composite
def _arrays(draw: st.DrawFn, inner: st.SearchStrategy[Case]) -> Case:
    if draw(st.booleans()):
        places = draw(st.lists(inner, min_size=1, max_size=3))
        schemas, values = [schema for schema, _ in places], [value for _, value in places]
        form = draw(st.sampled_from(["prefixItems", "items"]))
        closed = draw(st.sampled_from([{}, {"items": False} if form == "prefixItems" else {"additionalItems": False}]))
        return {"type": "array", form: schemas, **closed}, values
    schema, value = draw(inner)
    values = [value] * draw(st.integers(0, 3))
    limits = draw(
        st.sampled_from(
            [{}, {"minItems": len(values)}, {"maxItems": len(values) + draw(LARGE)}, {"uniqueItems": False}]
        )
    )
    return {"type": "array", "items": schema, **limits}, values


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[Case]) -> Case:
    members = draw(st.dictionaries(KEYS, inner, max_size=4))
    present = [key for key in members if draw(st.booleans())]
    value = {key: members[key][1] for key in present}
    schema: Json = {
        "type": "object",
        "properties": {key: member for key, (member, _) in members.items()},
        "required": [key for key in present if draw(st.booleans())],
    }
    schema |= draw(
        st.sampled_from(
            [
                {},
                {"additionalProperties": False},
                {"additionalProperties": {}},
                {"minProperties": len(value)},
                {"anyOf": [{"required": [key]} for key in present]} if present else {},
                {"oneOf": [{"required": present}, False]},
                {"anyOf": [{"required": [*members, "gone"]}, {"type": "object", "properties": {"gone": {"const": 1}}}]},
                {"properties": {**schema["properties"], "never": False}},
                {"additionalProperties": False, "patternProperties": {"^x-(?!y)": {"type": "integer"}}},
            ]
        )
    )
    if "patternProperties" in schema:
        value["x-1"] = 5
    if draw(st.booleans()):
        del schema[draw(st.sampled_from(["type", "required"]))]
    return schema, value


def _wrapped(inner: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    """Alternatives, conjunctions and references around a schema."""
    forms: list[Callable[[Json, Json], Json]] = [
        lambda one, other: {"anyOf": [other, one]},
        lambda one, other: {"oneOf": [one, False]},
        lambda one, other: {"allOf": [one, {"description": "x"}]},
        lambda one, other: {"allOf": [True, one], "title": "T"},
        lambda one, other: {"$ref": "#/$defs/x~1y", "$defs": {"x/y": one}},
        lambda one, other: {"$ref": "#/definitions/x", "definitions": {"x": one}, "description": "beside"},
        lambda one, other: {"$ref": "https://schemas.example/far"},
    ]
    return st.builds(lambda one, other, form: (form(one[0], other[0]), one[1]), inner, inner, st.sampled_from(forms))


def _noisy(case: Case, noise: Json) -> Case:
    schema, value = case
    return ({**noise, **schema} if isinstance(schema, dict) else schema), value


_CASES: st.SearchStrategy[Case] = st.recursive(
    SCALARS,
    lambda inner: st.builds(_noisy, _arrays(inner) | _objects(inner) | _wrapped(inner), st.sampled_from(NOISE)),
    max_leaves=8,
)


@st.composite
def argument_cases(draw: st.DrawFn) -> Case:
    """A schema of a tool's arguments and valid arguments. References point into the whole document."""
    schema, value = draw(_objects(_CASES))
    schema |= draw(st.sampled_from([{}, {"$schema": "http://json-schema.org/draft-07/schema#"}, {"type": "OBJECT"}]))
    if draw(st.booleans()):
        schema["properties"]["again"] = {"$ref": "#"}
        if draw(st.booleans()):
            value["again"] = json.loads(json.dumps(value))
    return _hoisted(schema), value


def _hoisted(schema: Json) -> Json:
    """The document with the definitions of its parts at its root, under names of their own."""
    known: dict[str, Json] = {}

    def walk(node: Json) -> Json:
        if isinstance(node, list):
            return [walk(part) for part in node]
        if not isinstance(node, dict):
            return node
        node = {key: walk(part) for key, part in node.items()}
        reference = node.get("$ref")
        for place in ("$defs", "definitions"):
            if isinstance(reference, str) and isinstance(node.get(place), dict):
                [target] = node.pop(place).values()
                name = f"{reference.rpartition('/')[2]}{len(known)}"
                known[name.replace("~1", "/")] = target
                node["$ref"] = f"#/$defs/{name}"
        return node

    whole = walk(schema)
    return {**whole, "$defs": known} if known else whole


def is_valid(value: Json, schema: Json) -> bool:
    """Whether a value is valid for a simplified schema, whose few keywords are all that is known here."""
    if "anyOf" in schema or "oneOf" in schema:
        parts = schema.get("anyOf", schema.get("oneOf"))
        if not any(is_valid(value, part) for part in parts):
            return False
    if "const" in schema and not _same(schema["const"], value):
        return False
    if "enum" in schema and not any(_same(choice, value) for choice in schema["enum"]):
        return False
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    own = _type(value)
    if types and own not in types and not (own == "integer" and "number" in types):
        return False
    match value:
        case bool() | None:
            return True
        case str():
            return _is_valid_text(value, schema)
        case int() | float():
            return _is_in_range(value, schema)
        case list():
            fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
            return fits and all(is_valid(item, schema.get("items", {})) for item in value)
        case _:
            return _is_valid_object(value, schema)


def _is_valid_text(value: str, schema: Json) -> bool:
    fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    return fits and re.search(schema.get("pattern", ""), value) is not None


def _is_in_range(value: float, schema: Json) -> bool:
    return (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )


def _is_valid_object(value: dict[str, Json], schema: Json) -> bool:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", {})
    return set(schema.get("required", [])) <= value.keys() and all(
        is_valid(member, known[key])
        if key in known
        else others is True or (isinstance(others, dict) and is_valid(member, others))
        for key, member in value.items()
    )


def _same(one: Json, other: Json) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _type(value: Json) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
