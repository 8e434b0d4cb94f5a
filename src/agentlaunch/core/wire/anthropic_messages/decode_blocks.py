"""Blocks of a message to parts, and one message of the wire to the messages of the representation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

import msgspec

from agentlaunch.core.ir import (
    DocumentPart,
    ImagePart,
    Message,
    Part,
    ResultContent,
    Role,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReferencePart,
    ToolResultPart,
)
from agentlaunch.core.media import bare_data, text_in
from agentlaunch.core.wire.anthropic_messages.calls import arguments_of
from agentlaunch.core.wire.anthropic_messages.signature import known_signature
from agentlaunch.core.wire.anthropic_messages.tool_change_types import ToolAdditionBlock, ToolRemovalBlock
from agentlaunch.core.wire.anthropic_messages.tool_changes import told
from agentlaunch.core.wire.anthropic_messages.types import (
    Base64Source,
    BashResultBlock,
    Block,
    CodeExecutionResultBlock,
    ContentSource,
    DocumentBlock,
    EditorResultBlock,
    ImageBlock,
    McpResultBlock,
    McpToolUseBlock,
    PlainTextSource,
    RedactedThinkingBlock,
    ResultBlock,
    SearchResultBlock,
    ServerResultBlock,
    ServerToolUseBlock,
    TextBlock,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolSearchResultBlock,
    ToolUseBlock,
    UrlSource,
    WebFetchResultBlock,
    WebSearchResultBlock,
    WireMessage,
)
from agentlaunch.core.wire.base import ProtocolError

_ANYTHING = msgspec.json.Decoder(object)
_BILLING = re.compile(r"^x-anthropic-billing-header:[^\n]*(?:\n+|\Z)", re.MULTILINE)
"""A line of the system prompt whose hash changes with every conversation and that no model needs (B166); Claude Code
sends it as a block of its own, and who joins the blocks makes it a line among others."""


def system_parts(system: str | list[TextBlock] | None) -> tuple[Part, ...]:
    """The system prompt without empty blocks and without the billing line."""
    blocks = [TextBlock(system)] if isinstance(system, str) else system or []
    texts = [(_BILLING.sub("", block.text), block.cache_control is not None) for block in blocks]
    return tuple(TextPart(text, cached) for text, cached in texts if text)


def messages_of(message: WireMessage) -> Iterator[Message]:
    """The messages that `message` stands for; none when it is empty (B003, B079).

    Tool results come before what the user says beside them, as the vendor requires of clients. A call that the
    vendor's server ran inside an assistant message becomes a call and a `tool` message between the two halves.
    """
    role = Role.SYSTEM if message.role == "developer" else Role(message.role)
    if isinstance(message.content, str):
        if message.content:
            yield Message(role, (TextPart(message.content),))
        return
    parts = [part for block in message.content for part in _parts(block)]
    if message.role == "assistant":
        yield from _split_in_order(parts)
        return
    results = tuple([part for part in parts if isinstance(part, ToolResultPart)])
    rest = tuple([part for part in parts if not isinstance(part, ToolResultPart)]) if results else tuple(parts)
    if any([isinstance(part, ToolCallPart) for part in rest]):  # noqa: C419 - a list costs half of a generator here
        raise ProtocolError(f"messages: `tool_use` stands only in messages of role `assistant`, not `{message.role}`")
    if results:
        yield Message(Role.TOOL, results)
    if rest:
        yield Message(role, rest)


def _split_in_order(parts: list[Part]) -> Iterator[Message]:
    run: list[Part] = []
    role = Role.ASSISTANT
    for part in parts:
        wanted = Role.TOOL if isinstance(part, ToolResultPart) else Role.ASSISTANT
        if run and wanted is not role:
            yield Message(role, tuple(run))
            run = []
        role = wanted
        run.append(part)
    if run:
        yield Message(role, tuple(run))


def _parts(block: Block) -> Iterator[Part]:
    match block:
        case TextBlock() | ImageBlock() | DocumentBlock() | SearchResultBlock():
            yield from _content(block)
        case ToolUseBlock(cache_control=mark):
            yield ToolCallPart(block.id, block.name, arguments_of(block.input), cache_hint=mark is not None)
        case ToolResultBlock():
            yield _tool_result(block)
        case ThinkingBlock():
            signature = known_signature(block.signature)
            if block.thinking or signature:
                yield ThinkingPart(block.thinking, signature)
        case RedactedThinkingBlock():
            yield ThinkingPart("", encrypted=block.data)
        case ServerToolUseBlock() | McpToolUseBlock():
            yield ToolCallPart(block.id, block.name, arguments_of(block.input))
        case ToolAdditionBlock() | ToolRemovalBlock():
            yield told(block)
        case ToolReferenceBlock():
            raise ProtocolError("`tool_reference` stands only in the content of a `tool_result`")
        case _:
            yield _server_result(block)


def _content(
    block: TextBlock | ImageBlock | DocumentBlock | SearchResultBlock,
) -> Iterator[TextPart | ImagePart | DocumentPart]:
    marked = block.cache_control is not None
    match block:
        case TextBlock():
            if block.text:
                yield TextPart(block.text, marked)
        case ImageBlock():
            yield _image(block)
        case DocumentBlock():
            yield from _document(block)
        case SearchResultBlock():
            text = "\n".join(part.text for part in block.content)
            yield DocumentPart("text/plain", text=text, url=block.source, title=block.title, cache_hint=marked)
        case _:
            assert_never(block)


def _image(block: ImageBlock) -> ImagePart:
    marked = block.cache_control is not None
    match block.source:
        case Base64Source(media_type=media_type, data=data):
            return ImagePart(*bare_data(media_type, data), cache_hint=marked)
        case UrlSource(url=url):
            return ImagePart(url=url, cache_hint=marked)
        case _:
            assert_never(block.source)


def _document(block: DocumentBlock) -> Iterator[TextPart | ImagePart | DocumentPart]:
    """The document, after what the client says about it; images inside a document follow it."""
    if block.context:
        yield TextPart(block.context)
    title = block.title or ""
    marked = block.cache_control is not None
    match block.source:
        case Base64Source(media_type=media_type, data=data):
            named, bare = bare_data(media_type, data)
            text = text_in(named, bare)
            yield DocumentPart(named, "" if text else bare, text, title=title, cache_hint=marked)
        case PlainTextSource(data=text, media_type=media_type):
            yield DocumentPart(media_type, text=text, title=title, cache_hint=marked)
        case UrlSource(url=url):
            yield DocumentPart(url=url, title=title, cache_hint=marked)
        case ContentSource(content=content):
            inner = [TextBlock(content)] if isinstance(content, str) else content
            text = "\n".join(part.text for part in inner if isinstance(part, TextBlock))
            yield DocumentPart("text/plain", text=text, title=title, cache_hint=marked)
            yield from (_image(part) for part in inner if isinstance(part, ImageBlock))
        case _:
            assert_never(block.source)


def _tool_result(block: ToolResultBlock) -> ToolResultPart:
    content: list[ResultContent] = []
    if isinstance(block.content, str):
        content = [TextPart(block.content)] if block.content else []
    else:
        for inner in block.content or []:
            content.extend(_result_content(inner))
    marked = block.cache_control is not None
    return ToolResultPart(block.tool_use_id, tuple(content), block.is_error or False, cache_hint=marked)


def _result_content(block: ResultBlock) -> Iterator[ResultContent]:
    if isinstance(block, ToolReferenceBlock):
        yield ToolReferencePart(block.tool_name)
    else:
        yield from _content(block)


def _server_result(block: ServerResultBlock) -> ToolResultPart:
    match block:
        case ToolSearchResultBlock():
            found = tuple(ToolReferencePart(tool.tool_name) for tool in block.content.tool_references)
            return ToolResultPart(block.tool_use_id, found)
        case McpResultBlock(is_error=is_error):
            return ToolResultPart(block.tool_use_id, (TextPart(_readable(block.content)),), is_error)
        case (
            WebSearchResultBlock()
            | WebFetchResultBlock()
            | CodeExecutionResultBlock()
            | BashResultBlock()
            | EditorResultBlock()
        ):
            return ToolResultPart(block.tool_use_id, (TextPart(_readable(block.content)),))
        case _:
            assert_never(block)


def _readable(content: msgspec.Raw) -> str:
    """JSON text without what only the vendor can read."""
    return msgspec.json.encode(_without_encrypted(_ANYTHING.decode(content))).decode()


def _without_encrypted(value: object) -> object:
    match value:
        case dict():
            return {key: _without_encrypted(inner) for key, inner in value.items() if not key.startswith("encrypted_")}
        case list():
            return [_without_encrypted(inner) for inner in value]
        case _:
            return value
