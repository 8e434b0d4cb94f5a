"""The form that a client wants its answer in."""

from __future__ import annotations

import msgspec

from agentlaunch.core.ir import JsonFormat
from agentlaunch.core.wire.base import ProtocolError, decode_json
from agentlaunch.core.wire.openai_chat.types import EMPTY, JsonSchemaFormat, ResponseFormat

_schemas = msgspec.json.Decoder(JsonSchemaFormat)
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])

_TEXT = "text"
_OBJECTS = ("json_object", "json")


def json_format_of(wanted: ResponseFormat | str | None) -> JsonFormat | None:
    """The JSON that is asked for; a mere word is the type. Raises ProtocolError for a type that nobody here knows."""
    given = ResponseFormat(wanted) if isinstance(wanted, str) else wanted
    if given is None or given.type == _TEXT:
        return None
    if given.type in _OBJECTS:
        return JsonFormat(_given(given.schema))
    if given.type != "json_schema" or not (_given(given.schema) or _given(given.json_schema)):
        raise ProtocolError(f"`response_format.type` is `{given.type}`, not one of text, json_object, json_schema")
    if not _given(given.json_schema):
        return JsonFormat(given.schema, given.name, given.strict)
    inner = decode_json(bytes(given.json_schema), _schemas)
    if _given(inner.schema):
        return JsonFormat(inner.schema, inner.name, inner.strict)
    return JsonFormat(_bare_schema(given.json_schema), inner.name, inner.strict)


def _bare_schema(raw: msgspec.Raw) -> msgspec.Raw:
    """The schema that stands where its description should; empty where there is no word of a schema."""
    fields = decode_json(bytes(raw), _objects)
    return raw if not {"type", "properties", "anyOf", "oneOf", "allOf", "$ref"}.isdisjoint(fields) else EMPTY


def _given(raw: msgspec.Raw) -> msgspec.Raw:
    return EMPTY if bytes(raw) == b"null" else raw
