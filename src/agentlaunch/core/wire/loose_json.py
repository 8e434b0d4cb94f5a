"""JSON that is nearly of a wire, made to fit its types: what clients and servers write in other spellings.

Only what the strict decoder has refused comes here, so nothing that is of the wire pays for it or is changed by it.
What is kept as written (arguments, schemas) keeps its bytes. Nothing that says something is left out: a request is
refused as before when a value has no clear meaning, and an answer loses only what is beside its content, such as odd
token counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec
from msgspec import Raw, inspect

Fitted: TypeAlias = object
"""What `msgspec.json.encode` can write."""


class Unfit(ValueError):
    """A value that no type takes, however read."""


_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_ARRAY = msgspec.json.Decoder(list[Raw])
_TEXT = msgspec.json.Decoder(str)
_RAW = msgspec.json.Decoder(Raw)
_NOTHING = frozenset({b"null", b"false", b'""', b"0", b"[]", b"{}"})

_EMPTY_IF_NULL = frozenset({"text", "thinking", "content", "title", "data"})
"""Required texts where null can only mean that there is none."""
_ANY_AS_TEXT = frozenset({"content", "output"})
_ARGUMENTS = frozenset({"arguments", "input", "partial_json"})
_JSON_AS_TEXT = _ANY_AS_TEXT | _ARGUMENTS
"""Texts in whose place tools and clients put the value itself."""
_BESIDE = frozenset({"cache_control", "metadata", "user"})
"""Fields of a request that change nothing about what is asked."""
_TELLING = frozenset(
    {"arguments", "choices", "content", "content_block", "custom", "delta", "error", "function", "function_call"}
    | {"input", "item", "message", "name", "output", "partial_json", "reasoning", "reasoning_content", "refusal"}
    | {"text", "thinking", "tool_calls"}
)
"""Fields of an answer that are never left out: what they say would be lost."""
_PART_KEYS = frozenset({"type", "text", "role", "function"})
"""Keys that tell a part, a message or a call from any other object."""
_TEXT_KEYS = ("text", "content", "thinking", "summary", "output")
_ANY_WAY = "adaptive"
"""Stands for every way to think that is newer than we are: Anthropic adds words to `thinking.type`, and Claude Code
sends them with each request."""
_STATE = frozenset({"browser_state", "compaction", "connector_text", "fallback", "mcp_tool_listing", "mid_conv_system"})
"""Parts of Anthropic's that hold its service's state; without text there is nothing in them for another model. Claude
Code 2.1.331 replays them with the rest of a conversation that began there."""
_ANY_RESULT = "mcp_tool_result"
"""The result of a call that the vendor ran whose content may be anything."""


def fitted(body: bytes, form: object, *, is_answer: bool) -> bytes:
    """`body` as the type `form` takes it. Raises Unfit where it has no clear meaning, and msgspec's own errors."""
    return msgspec.json.encode(_Fitting(is_answer).fit(Raw(body.strip()), _info(form), ""))


def standard_json(body: bytes) -> bytes:
    """`body` as strict JSON: bare control characters in texts and `NaN`, which some servers write, are understood.

    Raises ValueError for what is no JSON even so.
    """
    return msgspec.json.encode(json.loads(body, strict=False))


def bare_schema(written: Raw) -> Raw:
    """A schema that a client has put into a string, as its JSON; any other as it is written."""
    if not bytes(written).startswith(b'"'):
        return written
    try:
        text = _TEXT.decode(written)
        return _RAW.decode(text) if text.lstrip().startswith("{") else written
    except (ValueError, RecursionError):  # msgspec's errors among them
        return written


@lru_cache(maxsize=64)
def _info(form: object) -> inspect.Type:
    return inspect.type_info(form)


class _Fitting:
    """One body. `name` is everywhere the field that a value stands in, or the list's field for an element."""

    def __init__(self, is_answer: bool) -> None:
        self._is_answer = is_answer

    def fit(self, raw: Raw, info: inspect.Type, name: str) -> Fitted:
        match info:
            case inspect.RawType() | inspect.AnyType() | inspect.DictType():
                return raw
            case inspect.UnionType(types=types):
                return self._union(raw, types, name)
            case inspect.StructType():
                return self._struct(raw, [info], name)
            case inspect.ListType(item_type=item):
                return self._list(raw, item, name)
            case inspect.StrType():
                return self._text(raw, name)
            case _:
                return _scalar(raw, info)

    def _union(self, raw: Raw, types: Sequence[inspect.Type], name: str) -> Fitted:
        """The alternative of the value's own kind, else the first that it can be read as."""
        if bytes(raw) == b"null" and any(isinstance(info, inspect.NoneType) for info in types):
            return None
        structs = [info for info in types if isinstance(info, inspect.StructType)]
        others = [info for info in types if not isinstance(info, inspect.StructType | inspect.NoneType)]
        own_kind = _kind(raw)
        if own_kind == "object" and structs:
            try:
                return self._struct(raw, structs, name)
            except Unfit:
                structs = []
        for info in sorted(others, key=lambda info: (_takes(info) != own_kind, not isinstance(info, inspect.ListType))):
            try:
                return self.fit(raw, info, name)
            except Unfit:
                if own_kind == "array" and isinstance(info, inspect.ListType):
                    raise  # its elements have types, and one of them is not understood
        if structs:
            return self._struct(raw, structs, name)
        raise Unfit(name)

    def _list(self, raw: Raw, item: inspect.Type, name: str) -> Fitted:
        """An element alone stands for a list of it; null among the elements is none."""
        match _kind(raw):
            case "array":
                elements = [element for element in _ARRAY.decode(raw) if bytes(element) != b"null"]
            case "object" if _takes(item) == "object" and not _PART_KEYS.isdisjoint(_OBJECT.decode(raw)):
                elements = [raw]
            case "string" if _takes(item) == "string" or any(map(_is_text_part, _structs(item))):
                elements = [raw]
            case _:
                raise Unfit(name)
        return [self._element(element, item, name) for element in elements]

    def _element(self, raw: Raw, item: inspect.Type, name: str) -> Fitted:
        """A text among parts is a part of text."""
        if _kind(raw) == "string" and any(map(_is_text_part, _structs(item))):
            return {"type": "text", "text": raw}
        return self.fit(raw, item, name)

    def _text(self, raw: Raw, name: str) -> Fitted:
        kind = _kind(raw)
        if kind == "string":
            return raw
        if self._is_answer and name not in _ARGUMENTS and (text := _text_of(raw)):
            return text
        if kind in ("object", "array") and name in _JSON_AS_TEXT:
            return bytes(raw).decode("utf-8", "replace")
        named = name.endswith("id") or name in ("user", "prompt_cache_key")
        is_any = name in _ANY_AS_TEXT and not (kind == "bool" and self._is_answer)
        if (kind == "number" and (named or self._is_answer)) or (kind in ("number", "bool") and is_any):
            return bytes(raw).decode()
        raise Unfit(name)

    # --- objects ----------------------------------------------------------------------------------------------

    def _struct(self, raw: Raw, structs: Sequence[inspect.StructType], name: str) -> Fitted:
        if _kind(raw) == "string":
            return _chosen(raw, structs, name)
        if _kind(raw) != "object":
            raise Unfit(name)
        fields = _OBJECT.decode(raw)
        tag_field = structs[0].tag_field
        if tag_field is None or (len(structs) == 1 and tag_field not in fields):
            return self._fields(fields, structs[0])
        tag = _TEXT.decode(fields[tag_field]) if _kind(fields.get(tag_field, Raw(b""))) == "string" else ""
        known = {info.tag for info in structs}
        if tag.endswith("_tool_result") and tag not in known and _ANY_RESULT in known:
            tag = _ANY_RESULT
        if tag == "image" and "source" not in fields and "data" in fields:
            fields = {**fields, "source": _source_of(fields)}
        for info in structs:
            if info.tag == tag or (not tag and info.tag == "text" and "text" in fields):
                try:
                    return {tag_field: info.tag, **self._fields(fields, info)}
                except Unfit:
                    break
        return _described(tag, fields, structs, name)

    def _fields(self, fields: dict[str, Raw], info: inspect.StructType) -> dict[str, Fitted]:
        made: dict[str, Fitted] = {}
        for field in info.fields:
            name = field.encode_name
            raw = fields.get(name)
            if raw is None or (bytes(raw) == b"null" and not _is_nullable(field.type)):
                if field.required:
                    made[name] = _missing(name, field.type, is_null=raw is not None)
                continue
            try:
                made[name] = self.fit(raw, field.type, name)
            except Unfit:
                if _is_way_to_think(field.type) and _kind(raw) == "string":
                    made[name] = _ANY_WAY
                elif field.required or not self._may_go(raw, name):
                    raise
        return made

    def _may_go(self, raw: Raw, name: str) -> bool:
        """Whether a field that fits nothing may be left out."""
        if self._is_answer:
            return name not in _TELLING or bytes(raw) in _NOTHING
        return name in _BESIDE


def _kind(raw: Raw) -> str:
    match bytes(memoryview(raw)[:1]):
        case b"{":
            return "object"
        case b"[":
            return "array"
        case b'"':
            return "string"
        case b"t" | b"f":
            return "bool"
        case b"n" | b"":
            return "null"
        case _:
            return "number"


_TAKES = {
    inspect.StrType: "string",
    inspect.LiteralType: "string",
    inspect.ListType: "array",
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.BoolType: "bool",
}


def _takes(info: inspect.Type) -> str:
    """The kind of JSON that is a type's own."""
    return _TAKES.get(type(info), "object")


_SCALARS: dict[type[inspect.Type], type] = {
    inspect.IntType: int,
    inspect.FloatType: float,
    inspect.BoolType: bool,
}


def _scalar(raw: Raw, info: inspect.Type) -> Fitted:
    """Numbers and booleans that stand in quotes, whole numbers with a point; words of a closed list as they are."""
    form = _SCALARS.get(type(info), Literal[info.values] if isinstance(info, inspect.LiteralType) else None)
    try:
        return msgspec.json.decode(raw, type=form, strict=False)
    except msgspec.ValidationError as error:
        raise Unfit from error


def _is_nullable(info: inspect.Type) -> bool:
    if isinstance(info, inspect.UnionType):
        return any(isinstance(each, inspect.NoneType) for each in info.types)
    return isinstance(info, inspect.NoneType | inspect.RawType | inspect.AnyType)


def _is_way_to_think(info: inspect.Type) -> bool:
    return isinstance(info, inspect.LiteralType) and _ANY_WAY in info.values


def _missing(name: str, info: inspect.Type, *, is_null: bool) -> Fitted:
    """What a required field holds that is missing or null. A message or an output without `content` is none."""
    if name == "input" and isinstance(info, inspect.RawType):
        return {}
    if name in _EMPTY_IF_NULL and (is_null or name != "content"):
        return ""
    raise Unfit(name)


def _structs(info: inspect.Type) -> list[inspect.StructType]:
    alternatives = info.types if isinstance(info, inspect.UnionType) else (info,)
    return [each for each in alternatives if isinstance(each, inspect.StructType)]


def _is_text_part(info: inspect.StructType) -> bool:
    return info.tag == "text" or (info.tag is None and any(field.encode_name == "text" for field in info.fields))


def _chosen(raw: Raw, structs: Iterable[inspect.StructType], name: str) -> Fitted:
    """A word where an object of that `type` is wanted."""
    for info in structs:
        for field in info.fields:
            if field.encode_name == "type" and isinstance(field.type, inspect.LiteralType):
                return {"type": _scalar(raw, field.type)}
    raise Unfit(name)


def _source_of(fields: dict[str, Raw]) -> Raw:
    """The source of an image in MCP's form, whose data stands beside its `mimeType`."""
    media_type = fields.get("mimeType", Raw(b'""'))
    return Raw(msgspec.json.encode({"type": "base64", "media_type": media_type, "data": fields["data"]}))


def _described(tag: str, fields: dict[str, Raw], structs: Iterable[inspect.StructType], name: str) -> Fitted:
    """A part of a type that is not known: its text, or in a tool's result, which may hold anything, a word about it.
    A vendor's own state without text is no text."""
    tags = {info.tag for info in structs}
    text = _text_in(fields)
    if "text" not in tags or not (text or "tool_result" not in tags or tag in _STATE):
        raise Unfit(name)
    if text or tag in _STATE:
        return {"type": "text", "text": text}
    where = f": {_TEXT.decode(uri)}" if _kind(uri := fields.get("uri", Raw(b""))) == "string" else ""
    return {"type": "text", "text": f"[content of type `{tag or 'unknown'}` left out{where}]"}


def _text_of(raw: Raw) -> str:
    """The text that an object carries, or those of an array of objects and texts."""
    match _kind(raw):
        case "object":
            return _text_in(_OBJECT.decode(raw))
        case "array":
            return "".join(
                _TEXT.decode(each) if _kind(each) == "string" else _text_of(each) for each in _ARRAY.decode(raw)
            )
        case _:
            return ""


def _text_in(fields: dict[str, Raw]) -> str:
    """The text that an object of an unknown type carries, also one level down (MCP's `resource`)."""
    for name in _TEXT_KEYS:
        if (raw := fields.get(name)) is not None and _kind(raw) == "string":
            return _TEXT.decode(raw)
    for raw in fields.values():
        if _kind(raw) == "object" and (text := _text_in({k: v for k, v in _OBJECT.decode(raw).items() if k == "text"})):
            return text
    return ""
