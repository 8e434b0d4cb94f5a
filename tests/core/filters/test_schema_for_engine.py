"""Schemas as engines get them: what is refused is gone, what is valid stays valid, and vendors get theirs untouched."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.filters.answers import call, filtered, tool
from tests.core.filters.schema_cases import argument_cases, is_valid
from tests.core.strategies import json_object_texts

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.schema_for_engine import for_engine
from agentlaunch.core.filters.simple_bounds import ALL_REPEATS, MOST_REPEATS
from agentlaunch.core.filters.simple_schema import Root, simplified
from agentlaunch.core.ir import ChatRequest, CustomTool, FunctionTool, HostedTool, JsonFormat, ToolCallDelta

Json = Any

ENGINE = Endpoint("e", "openai_chat", "http://127.0.0.1:8080", "m", kind="llamacpp")
VENDORS = [
    Endpoint("a", "anthropic_messages", "https://api.example", "m", kind="anthropic", may_leave=True),
    Endpoint("o", "openai_chat", "https://api.example", "m", kind="openai", may_leave=True),
    Endpoint("r", "openai_chat", "https://router.example", "m", kind="openrouter", may_leave=True),
]
ENGINES = [
    ENGINE,
    Endpoint("own", "openai_chat", "http://127.0.0.1:8081", "m", counting="llama_cpp"),
    Endpoint("imitation", "openai_chat", "http://127.0.0.1:1", "m", kind="openai"),
    *(Endpoint(kind, "openai_chat", "http://127.0.0.1:1", "m", kind=kind) for kind in ("vllm", "lmstudio", "litellm")),
    Endpoint("ollama", "ollama_chat", "http://127.0.0.1:11434", "m", kind="ollama"),
]

S = {"type": "string"}
N = {"type": "null"}
ANY = {"type": "object", "properties": {}, "additionalProperties": True}
NONE = {"type": "object", "properties": {}}


def of(part: Json) -> Json:
    """A schema of arguments with one key."""
    return {"type": "object", "properties": {"a": part}}


def object_of(*required: str, **keys: Json) -> Json:
    schema = {"type": "object", "properties": keys}
    return {**schema, "required": list(required)} if required else schema


PARTS: dict[str, tuple[Json, Json]] = {
    "a small bound": ({**S, "maxLength": 100, "minLength": 1}, {**S, "maxLength": 100, "minLength": 1}),
    "a huge maxLength": ({**S, "maxLength": 1_000_000}, S),
    "a maxLength beyond 64 bits": ({**S, "maxLength": 10**20}, S),
    "a huge minLength": ({**S, "minLength": 5_000}, {**S, "minLength": 1}),
    "a bound as a text": ({**S, "maxLength": "5"}, S),
    "a bound with a point": ({**S, "maxLength": 5.0}, {**S, "maxLength": 5}),
    "a negative bound": ({**S, "minLength": -1}, S),
    "a bound of true": ({**S, "minLength": True}, S),
    "bounds that leave nothing": ({**S, "minLength": 5, "maxLength": 2}, S),
    "a huge maxItems": ({"type": "array", "items": S, "maxItems": 5_000}, {"type": "array", "items": S}),
    "a plain pattern": ({**S, "pattern": "^[a-z]+$"}, {**S, "pattern": "^[a-z]+$"}),
    "classes by letter": ({**S, "pattern": r"^\d{4}-\w+$"}, {**S, "pattern": "^[0-9]{4}-[A-Za-z0-9_]+$"}),
    "a lookahead": ({**S, "pattern": "^(?!x)[a-z]+$"}, S),
    "a lookbehind": ({**S, "pattern": "^a(?<=a)b$"}, S),
    "a back reference": ({**S, "pattern": r"^(a)\1$"}, S),
    "an unanchored pattern": ({**S, "pattern": "[a-z]+"}, S),
    "anchors inside": ({**S, "pattern": "^a$|^b$"}, S),
    "a unicode class": ({**S, "pattern": r"^\p{L}+$"}, S),
    "a pattern that is none": ({**S, "pattern": "^(a$"}, S),
    "a class that is none": ({**S, "pattern": "^[z-a]$"}, S),
    "a pattern that is a number": ({**S, "pattern": 5}, S),
    "a pattern with huge repeats": ({**S, "pattern": "^a{1,99}b{1,99}c{1,99}$"}, S),
    "a very long pattern": ({**S, "pattern": f"^{'a' * 500}$"}, S),
    "a format that engines know": ({**S, "format": "date-time"}, {**S, "format": "date-time"}),
    "any other format": ({**S, "format": "uri"}, S),
    "a format that is none": ({**S, "format": 5}, S),
    "a range": ({"type": "integer", "minimum": 0, "maximum": 9}, {"type": "integer", "minimum": 0, "maximum": 9}),
    "a range beyond 64 bits": ({"type": "integer", "minimum": -(10**20), "maximum": 2**63}, {"type": "integer"}),
    "an empty range": ({"type": "integer", "minimum": 9, "maximum": 1}, {"type": "integer"}),
    "a range without a whole number": (
        {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
        {"type": "integer"},
    ),
    "draft 4's exclusive": (
        {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        {"type": "integer", "minimum": 0},
    ),
    "a limit as a text": ({"type": "integer", "minimum": "0"}, {"type": "integer"}),
    "multipleOf": ({"type": "number", "multipleOf": 0.5, "minimum": 0.5}, {"type": "number", "minimum": 0.5}),
    "true": (True, {}),
    "null for a schema": (None, {}),
    "a type for a schema": ("string", S),
    "no type at all": ({"type": []}, {}),
    "a type of another language": ({"type": "STRING"}, S),
    "a type that says nothing": ({"type": "any"}, {}),
    "a list of types": ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
    "nullable": ({**S, "nullable": True}, {"type": ["string", "null"]}),
    "a nullable enum": (
        {**S, "nullable": True, "enum": ["x"]},
        {"type": ["string", "null"], "enum": ["x", None]},
    ),
    "an enum": ({"enum": ["x", 1, True, 1]}, {"enum": ["x", 1, True]}),
    "an enum of texts": ({"enum": ["x"]}, {**S, "enum": ["x"]}),
    "an empty enum": ({**S, "enum": []}, S),
    "an enum that is a text": ({**S, "enum": "x"}, S),
    "const": ({"const": 5, "description": "d"}, {"const": 5, "description": "d"}),
    "alternatives": ({"anyOf": [S, N]}, {"anyOf": [S, N]}),
    "oneOf": ({"oneOf": [S, N, False]}, {"oneOf": [S, N]}),
    "no alternatives": ({"anyOf": []}, {}),
    "alternatives that are no list": ({"anyOf": {}}, {}),
    "an alternative that allows everything": ({"anyOf": [S, True]}, {}),
    "allOf": (
        {"allOf": [object_of("b", b=S), object_of("c", c=S)]},
        object_of("b", "c", b=S, c=S),
    ),
    "allOf of a key": (
        {"allOf": [object_of(b=S), object_of(b={"maxLength": 5})]},
        object_of(b={**S, "maxLength": 5}),
    ),
    "allOf of closed objects": (
        {"allOf": [object_of(b=S), {**object_of(c=S), "additionalProperties": False}]},
        object_of(b=S, c=S),
    ),
    "keys that go together": (
        {**object_of(b=S, c=S), "anyOf": [{"required": ["b"]}, {"required": ["c", "b"]}]},
        object_of("b", b=S, c=S),
    ),
    "alternatives of keys": (
        {**object_of(), "oneOf": [object_of("k", k={"const": 1}), object_of("k", "v", k={"const": 2}, v=S), N]},
        object_of("k", k={"anyOf": [{"const": 1}, {"const": 2}]}, v=S),
    ),
    "patternProperties": (
        {**object_of(b=S), "patternProperties": {"^x": N}, "additionalProperties": False},
        {**object_of(b=S), "additionalProperties": N},
    ),
    "several patternProperties": (
        {"type": "object", "patternProperties": {"^x": S, "^(?!y)": N}},
        {"type": "object", "additionalProperties": True},
    ),
    "propertyNames": ({"type": "object", "propertyNames": {"pattern": "^(?!x)"}}, {"type": "object"}),
    "additionalProperties of anything": (
        {**object_of(b=S), "additionalProperties": {}},
        {**object_of(b=S), "additionalProperties": True},
    ),
    "additionalProperties that are none": ({**object_of(b=S), "additionalProperties": None}, object_of(b=S)),
    "a key that may not be": (object_of("b", b=False, c=S), object_of(c=S)),
    "properties that are none": ({"type": "object", "properties": None}, {"type": "object"}),
    "a required key that is unknown": (object_of("b", "b", "z", b=S), object_of("b", b=S)),
    "required in a property": (object_of(b={**S, "required": True}), object_of(b=S)),
    "an object without its type": ({"properties": {"b": S}}, object_of(b=S)),
    "items by place": (
        {"type": "array", "prefixItems": [S, N, S], "items": False},
        {"type": "array", "items": {"anyOf": [S, N]}},
    ),
    "items by place and more": ({"type": "array", "prefixItems": [S]}, {"type": "array", "items": {}}),
    "draft 4's items by place": (
        {"items": [S], "additionalItems": False},
        {"type": "array", "items": S},
    ),
    "items of any kind": ({"type": "array", "items": True}, {"type": "array"}),
    "contains and uniqueItems": ({"type": "array", "contains": S, "uniqueItems": True}, {"type": "array"}),
    "what only a validator knows": (
        {**S, "not": {"const": "x"}, "if": {}, "then": {}, "$comment": "c", "contentEncoding": "base64"},
        S,
    ),
    "a description that is none": ({**S, "description": None, "title": 5, "default": 1}, {**S, "default": 1}),
    "a reference to another document": ({"$ref": "https://far.example/x", "description": "d"}, {"description": "d"}),
    "a reference to nothing": ({"$ref": "#/$defs/gone"}, {}),
    "a reference that is a number": ({"$ref": 5, **S}, S),
    "a reference to itself": ({"$ref": "#/properties/a"}, {}),
    "a reference to the root": ({"$ref": "#"}, object_of(a={"type": "object"})),
}  # fmt: skip


@pytest.mark.parametrize(("written", "expected"), PARTS.values(), ids=PARTS)
def test_what_an_engine_refuses_is_left_out_and_the_rest_stays(written: Json, expected: Json) -> None:
    assert simplified(of(written), Root.ARGUMENTS) == of(expected)


ROOTS: dict[str, tuple[Json, Json]] = {
    "true": (True, ANY),
    "null": (None, ANY),
    "a list": ([], ANY),
    "nothing": ({}, ANY),
    "no parameters": (NONE, NONE),
    "only the dialect": ({"$schema": "http://json-schema.org/draft-07/schema#"}, ANY),
    "a list of types": ({"type": ["object", "null"], "properties": {"a": S}}, of(S)),
    "no type": ({"properties": {"a": S}}, of(S)),
    "an array": ({"type": "array", "items": S}, ANY),
    "a reference": ({"$ref": "#/$defs/x", "$defs": {"x": of(S)}}, of(S)),
    "alternatives": (
        {"anyOf": [object_of("a", "c", a=S, c=S), object_of("a", a=N, b=S), {"type": "null"}]},
        object_of("a", a={"anyOf": [S, N]}, c=S, b=S),
    ),
    "closed alternatives": (
        {"oneOf": [{**of(S), "additionalProperties": False}, {**of(S), "additionalProperties": False}]},
        {**of(S), "additionalProperties": False},
    ),
    "other keys of a kind": ({**of(S), "additionalProperties": S}, {**of(S), "additionalProperties": True}),
    "recursion": (
        {**of({"$ref": "#/$defs/node"}), "$defs": {"node": object_of("v", v=S, next={"$ref": "#/$defs/node"})}},
        of(object_of("v", v=S, next={"type": "object"})),
    ),
    "references in a circle": (
        {**of({"$ref": "#/$defs/x"}), "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}}},
        of({}),
    ),
    "an escaped reference": ({**of({"$ref": "#/$defs/a~1b"}), "$defs": {"a/b": S}}, of(S)),
}


@pytest.mark.parametrize(("written", "expected"), ROOTS.values(), ids=ROOTS)
def test_a_tools_arguments_are_an_object_whatever_the_client_wrote(written: Json, expected: Json) -> None:
    assert simplified(written, Root.ARGUMENTS) == expected


def test_lm_studio_gets_a_schema_where_any_object_is_wanted() -> None:
    request = ChatRequest("m", (), json_format=JsonFormat(name="n"))
    studio = Endpoint("s", "openai_chat", "http://127.0.0.1:1", "m", kind="lmstudio")
    assert for_engine(request, studio).json_format == JsonFormat(msgspec.Raw(b'{"type":"object"}'), "n")
    assert for_engine(request, ENGINE) is request


def test_an_answers_schema_may_be_anything() -> None:
    for schema in ({"type": "array", "items": S}, {"anyOf": [S, N]}, {"type": "object"}, S):
        assert simplified(schema, Root.ANYTHING) == schema


def test_a_schema_spends_a_bounded_number_of_repetitions() -> None:
    many = {f"k{number}": {**S, "maxLength": MOST_REPEATS} for number in range(20)}
    kept = simplified({"type": "object", "properties": many}, Root.ARGUMENTS)["properties"]
    assert sum("maxLength" in part for part in kept.values()) == ALL_REPEATS // MOST_REPEATS


def list_of(items: Json, **bounds: int) -> Json:
    return {"type": "array", "items": items, **bounds}


@pytest.mark.report("B069")
@pytest.mark.parametrize("bound", [MOST_REPEATS + 1, 1_999, 2_000, 2_001, 65_536])
def test_a_bound_at_which_llama_cpp_refuses_is_left_out_and_so_are_those_around_it(bound: int) -> None:
    for part in ({**S, "maxLength": bound}, list_of(S, maxItems=bound), {**S, "pattern": f"^a{{0,{bound}}}$"}):
        assert simplified(of(part), Root.ARGUMENTS) == of({key: part[key] for key in ("type", "items") if key in part})


@pytest.mark.report("B069")
def test_the_bounds_of_lists_in_lists_are_kept_as_long_as_their_product_is_small() -> None:
    small = list_of(list_of({**S, "maxLength": 5}, maxItems=5), maxItems=5)
    assert simplified(of(small), Root.ARGUMENTS) == of(small)
    big = list_of(list_of({**S, "maxLength": 100}, maxItems=50), maxItems=50)
    assert simplified(of(big), Root.ARGUMENTS) == of(list_of(list_of(S), maxItems=50))
    keys = list_of(object_of(a={**S, "maxLength": 200, "minLength": 1}), minItems=20)
    assert simplified(of(keys), Root.ARGUMENTS) == of(list_of(object_of(a={**S, "minLength": 1}), minItems=20))


def test_references_that_multiply_end_in_bounded_size() -> None:
    levels: Json = {
        f"x{n}": {"type": "object", "properties": {key: {"$ref": f"#/$defs/x{n + 1}"} for key in "abcd"}}
        for n in range(20)
    }
    document = {"type": "object", "properties": {"a": {"$ref": "#/$defs/x0"}}, "$defs": {**levels, "x20": S}}
    assert len(json.dumps(simplified(document, Root.ARGUMENTS))) < 200_000


def test_a_schema_of_endless_depth_ends() -> None:
    node: Json = S
    for _ in range(200):
        node = {"type": "object", "properties": {"a": node}}
    found = simplified(node, Root.ARGUMENTS)
    assert json.dumps(found).count('"properties"') == 24
    chain: Json = {f"x{n}": {"$ref": f"#/$defs/x{n + 1}"} for n in range(50)}
    assert simplified({**of({"$ref": "#/$defs/x0"}), "$defs": {**chain, "x50": S}}, Root.ARGUMENTS) == of({})


@given(argument_cases())
def test_what_was_valid_stays_valid_and_nothing_is_left_to_simplify(case: tuple[Json, Json]) -> None:
    schema, value = case
    found = simplified(schema, Root.ARGUMENTS)
    assert is_valid(value, found)
    assert simplified(found, Root.ARGUMENTS) == found


@given(json_object_texts)
def test_whatever_stands_for_a_schema_becomes_one(text: str) -> None:
    found = simplified(json.loads(text), Root.ARGUMENTS)
    assert found["type"] == "object"
    assert isinstance(found["properties"], dict)


# --- requests -----------------------------------------------------------------------------------------------------

HUGE = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"string","maxLength":65536}},"required":["a"]}')
SMALL = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}')
REQUEST = ChatRequest(
    "m",
    (),
    tools=(FunctionTool("Write", "d", HUGE, strict=True), CustomTool("c"), HostedTool("h", msgspec.Raw(b"{}"))),
    json_format=JsonFormat(HUGE, "answer", True),
)


@pytest.mark.parametrize("endpoint", ENGINES, ids=lambda endpoint: endpoint.name)
def test_an_engine_gets_simple_schemas_and_nothing_else_changes(endpoint: Endpoint) -> None:
    expected = msgspec.structs.replace(
        REQUEST,
        tools=(FunctionTool("Write", "d", SMALL, strict=True), *REQUEST.tools[1:]),
        json_format=JsonFormat(SMALL, "answer", True),
    )
    assert for_engine(REQUEST, endpoint) == expected


@pytest.mark.parametrize("endpoint", VENDORS, ids=lambda endpoint: endpoint.name)
def test_a_vendors_service_gets_the_schemas_as_they_were_written(endpoint: Endpoint) -> None:
    assert for_engine(REQUEST, endpoint) is REQUEST


def test_simple_schemas_keep_their_bytes_and_a_request_without_others_is_the_same_object() -> None:
    spaced = msgspec.Raw(b'{ "required": ["a"],\n"properties": {"a": {"type": "string"}}, "type": "object" }')
    for request in (
        ChatRequest("m", (), tools=(FunctionTool("f", "", spaced), FunctionTool("g"))),
        ChatRequest("m", (), json_format=JsonFormat()),
        ChatRequest("m", ()),
    ):
        assert for_engine(request, ENGINE) is request


def test_what_is_no_json_allows_everything() -> None:
    broken = msgspec.Raw(b"{broken")
    request = ChatRequest("m", (), tools=(FunctionTool("f", "", broken),), json_format=JsonFormat(broken))
    found = for_engine(request, ENGINE)
    assert found.tools == (FunctionTool("f"),)
    assert found.json_format == JsonFormat(msgspec.Raw(b"{}"))


@given(st.lists(argument_cases(), max_size=4))
def test_equal_schemas_give_equal_bytes(cases: list[tuple[Json, Json]]) -> None:
    def request() -> ChatRequest:
        schemas = [msgspec.Raw(json.dumps(schema).encode()) for schema, _ in cases]
        return ChatRequest("m", (), tools=tuple(FunctionTool(f"f{n}", "", raw) for n, raw in enumerate(schemas)))

    first, second = (for_engine(request(), ENGINE) for _ in range(2))
    assert msgspec.json.encode(first) == msgspec.json.encode(second)


def test_arguments_are_mended_against_the_clients_schema() -> None:
    written = tool("f", count={"$ref": "#/$defs/n"}, word={"enum": ["Read"], "maxLength": 9_999})
    request = ChatRequest("m", (), tools=(written,))
    assert for_engine(request, ENGINE) != request
    events, mended = filtered(call('{"word": "read"}', "f"), request=request)
    assert [event for event in events if isinstance(event, ToolCallDelta)] == [ToolCallDelta('{"word": "Read"}')]
    assert mended == {"type": 1}
