"""The schemas of a request as the engine gets them; the client's own are kept for mending the arguments."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.simple_schema import Root, simplified
from agentlaunch.core.ir import NO_PARAMETERS, ChatRequest, FunctionTool, JsonFormat, Tool

_ANTHROPIC_WIRE = "anthropic_messages"

_MANAGED = frozenset({"anthropic", "openrouter"})
"""Kinds of upstream that are a vendor's service wherever they are reached."""

_IMITATED = "openai"
"""A kind that many local servers imitate: a vendor's service only where bytes leave this machine."""

_WANTS_A_SCHEMA = "lmstudio"
"""A kind that answers `json_object` with a 400: it takes schemas alone (lmstudio-bug-tracker #169)."""
_ANY_OBJECT = msgspec.Raw(b'{"type":"object"}')

_REMEMBERED = 1_024
"""Schemas kept simplified: a hundred tools of some sessions, since agents send the same ones with every request."""


def for_engine(request: ChatRequest, endpoint: Endpoint) -> ChatRequest:
    """`request` with schemas that the inference engine behind `endpoint` takes; the same object where nothing changes.

    Vendors' services get the schemas as the client wrote them. Only what goes upstream may be this request: the
    arguments are mended against the client's schemas (`answer_filters`). Equal schemas always give equal bytes, so
    the prompt's cached prefix stays.
    """
    if takes_every_schema(endpoint):
        return request
    tools = tuple(map(_tool, request.tools))
    json_format = _format(request.json_format, is_schema_needed=endpoint.kind == _WANTS_A_SCHEMA)
    if tools == request.tools and json_format == request.json_format:
        return request
    return msgspec.structs.replace(request, tools=tools, json_format=json_format)


def takes_every_schema(endpoint: Endpoint) -> bool:
    """Whether a vendor's service stands behind `endpoint`, and not an engine that turns schemas into grammars."""
    if endpoint.wire == _ANTHROPIC_WIRE or endpoint.kind in _MANAGED:
        return True
    return endpoint.kind == _IMITATED and endpoint.may_leave


def _tool(tool: Tool) -> Tool:
    if not isinstance(tool, FunctionTool):
        return tool
    written = bytes(tool.parameters)
    parameters = _simplified(written, Root.ARGUMENTS)
    return tool if parameters == written else msgspec.structs.replace(tool, parameters=msgspec.Raw(parameters))


def _format(json_format: JsonFormat | None, *, is_schema_needed: bool) -> JsonFormat | None:
    if json_format is None:
        return None
    if not (written := bytes(json_format.schema)):
        return msgspec.structs.replace(json_format, schema=_ANY_OBJECT) if is_schema_needed else json_format
    schema = _simplified(written, Root.ANYTHING)
    return json_format if schema == written else msgspec.structs.replace(json_format, schema=msgspec.Raw(schema))


@lru_cache(maxsize=_REMEMBERED)
def _simplified(written: bytes, root: Root) -> bytes:
    """The simplified document, `written` itself where that says the same. What is no JSON allows everything."""
    try:
        document = msgspec.json.decode(written)
    except (ValueError, RecursionError):
        return bytes(NO_PARAMETERS) if root is Root.ARGUMENTS else b"{}"
    result = simplified(document, root)
    return written if result == document else msgspec.json.encode(result)
