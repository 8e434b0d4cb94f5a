"""A client's body of `POST /api/chat` to a request."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agentlaunch.core.ir import (
    NO_PARAMETERS,
    ChatRequest,
    FunctionTool,
    HostedTool,
    ImagePart,
    JsonFormat,
    Message,
    Reasoning,
    Role,
    Sampling,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from agentlaunch.core.media import bare_data, image_type_of
from agentlaunch.core.wire.base import ProtocolError, decode_json
from agentlaunch.core.wire.loose_json import bare_schema
from agentlaunch.core.wire.ollama_chat.arguments import arguments_text
from agentlaunch.core.wire.ollama_chat.types import (
    ChatMessage,
    FunctionDefinition,
    Options,
    RequestBody,
    ToolCall,
    ToolDefinition,
)

_bodies = msgspec.json.Decoder(RequestBody)
_tools = msgspec.json.Decoder(ToolDefinition)
_functions = msgspec.json.Decoder(FunctionDefinition)
_EFFORTS = ("low", "medium", "high", "max")
_MORE_EFFORTS = ("minimal", "xhigh")
"""OpenAI's, which clients of both APIs send."""
_SWITCHES = {"true": True, "on": True, "false": False, "off": False, "none": False}
_WORDS = ("text", "input_text", "output_text")
_SYSTEM_ROLES = ("system", "developer")
_RESULT_ROLES = ("tool", "function")


def decode_request(body: bytes) -> ChatRequest:
    """The request. Raises ProtocolError naming the field; fields that are not known are ignored."""
    wire = decode_json(body, _bodies)
    if not wire.model:
        raise ProtocolError("model is required")
    options = wire.options or Options()
    stop = (options.stop,) if isinstance(options.stop, str) else tuple(options.stop or ())
    limit = options.num_predict
    request = ChatRequest(
        model=wire.model,
        messages=tuple(_Conversation().messages(wire.messages or [])),
        tools=tuple(_tool(raw, place) for place, raw in enumerate(wire.tools or ())),
        max_output_tokens=limit if limit is not None and limit > 0 else None,  # -1 and -2 mean without end
        stop=tuple(filter(None, stop)),
        sampling=Sampling(
            options.temperature,
            options.top_p,
            options.top_k,
            options.seed,
            options.presence_penalty,
            options.frequency_penalty,
        ),
        reasoning=_reasoning(wire.think),
        json_format=_format(wire.format),
        stream=wire.stream is not False,
    )
    if not request.messages:
        # Ollama loads the model at this; a session's is loaded, and llama.cpp would answer nobody's question at length.
        raise ProtocolError("messages: at least one message is required, since the session's model is loaded already")
    return request


class _Conversation:
    """Messages with an id for every call: clients of this wire name a result's tool and often no id."""

    def __init__(self) -> None:
        self._unanswered: list[tuple[str, str]] = []
        self._calls = 0

    def messages(self, messages: list[ChatMessage]) -> Iterator[Message]:
        """The messages; neighbouring tool messages are the results of one turn."""
        results: list[ToolResultPart] = []
        for place, message in enumerate(messages):
            if message.role in _RESULT_ROLES:
                results.append(self._result(message))
                continue
            if results:
                yield Message(Role.TOOL, tuple(results))
                results = []
            yield self._message(message, f"messages[{place}]")
        if results:
            yield Message(Role.TOOL, tuple(results))

    def _message(self, message: ChatMessage, where: str) -> Message:
        match message.role:
            case role if role in _SYSTEM_ROLES:
                return Message(Role.SYSTEM, tuple(_said(message)))
            case "user":
                return Message(Role.USER, (*_said(message), *map(_image, message.images or ())))
            case "assistant":
                thought = (ThinkingPart(message.thinking),) if message.thinking else ()
                return Message(Role.ASSISTANT, (*thought, *_said(message), *self._made(message, where)))
            case _:
                raise ProtocolError(f"`{where}.role` is `{message.role}`, which this API does not know")

    def _made(self, message: ChatMessage, where: str) -> Iterator[ToolCallPart]:
        for place, call in enumerate(message.tool_calls or ()):
            part = self._call(call, f"{where}.tool_calls[{place}]")
            self._unanswered.append((part.id, part.name))
            yield part

    def _call(self, call: ToolCall, where: str) -> ToolCallPart:
        function = call.called()
        if function is None or not function.name:
            raise ProtocolError(f"`{where}.function.name` is missing")
        self._calls += 1
        id_ = "" if call.id is None else str(call.id)
        return ToolCallPart(id_ or f"call_{self._calls}", function.name, arguments_text(function.arguments))

    def _result(self, message: ChatMessage) -> ToolResultPart:
        given = "" if message.tool_call_id is None else str(message.tool_call_id)
        call_id = given or self._oldest(message.tool_name or message.name or "")
        self._unanswered = [call for call in self._unanswered if call[0] != call_id]
        images = tuple(map(_image, message.images or ()))
        return ToolResultPart(call_id, (*_said(message), *images))

    def _oldest(self, tool_name: str) -> str:
        """The first call without a result, of this tool where one is named; empty for none."""
        return next((id_ for id_, name in self._unanswered if tool_name in ("", name)), "")


def _said(message: ChatMessage) -> list[TextPart | ImagePart]:
    """The text; texts and images in order where the client sends OpenAI's array (report B080)."""
    if not isinstance(message.content, list):
        return [TextPart(message.content)] if message.content else []
    said: list[TextPart | ImagePart] = []
    for part in message.content:
        if part.text:
            said.append(TextPart(part.text))
        if url := part.image_url if isinstance(part.image_url, str) else part.image_url and part.image_url.url:
            said.append(_image(url))
        elif not part.text and part.type not in _WORDS:
            said.append(TextPart(f"[content of type `{part.type}` left out]"))
    return said


def _image(given: str) -> ImagePart:
    """An image of bare base64, whose type its first bytes tell; or of a data URL or an address, as in other APIs."""
    if given.startswith(("http://", "https://")):
        return ImagePart(url=given)
    named, data = bare_data("", given)
    return ImagePart(named or image_type_of(data) or "image/png", data)


def _tool(raw: msgspec.Raw, place: int) -> Tool:
    tool = decode_json(bytes(raw), _tools)
    if tool.type != "function":
        return HostedTool(tool.type, raw)
    if tool.function is None and not tool.name:
        raise ProtocolError(f"`tools[{place}].function` is missing")
    function = tool.function or decode_json(bytes(raw), _functions)
    given = (schema for schema in (function.parameters, function.input_schema) if bytes(schema) not in (b"", b"null"))
    return FunctionTool(function.name, function.description or "", next(given, NO_PARAMETERS))


def _reasoning(think: bool | str | None) -> Reasoning | None:
    match think:
        case None | "":
            return None
        case bool():
            return Reasoning(enabled=think)
        case str() if think in _SWITCHES:
            return Reasoning(enabled=_SWITCHES[think])
        case str() if think in _EFFORTS or think in _MORE_EFFORTS:
            return Reasoning(enabled=True, effort=think)
        case _:
            raise ProtocolError(f"`think` is `{think}`, not one of true, false, {', '.join(_EFFORTS)}")


def _format(raw: msgspec.Raw) -> JsonFormat | None:
    text = bytes(raw)
    if text in (b"", b"null", b'""'):
        return None
    if text == b'"json"':
        return JsonFormat()
    schema = bare_schema(raw)
    if not bytes(schema).lstrip().startswith(b"{"):
        raise ProtocolError("`format` is neither `json` nor a JSON schema")
    return JsonFormat(schema)
