"""Parts to blocks of the wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from agentlaunch.core.filters.plain_text import text_of
from agentlaunch.core.ir import (
    DocumentPart,
    ImagePart,
    Part,
    RefusalPart,
    ResultContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReferencePart,
    ToolResultPart,
)
from agentlaunch.core.media import is_readable, vendors_type
from agentlaunch.core.wire.anthropic_messages.calls import free_text_input, input_of, wire_name
from agentlaunch.core.wire.anthropic_messages.types import (
    Base64Source,
    Block,
    CacheControl,
    DocumentBlock,
    ImageBlock,
    PlainTextSource,
    RedactedThinkingBlock,
    ResultBlock,
    TextBlock,
    ThinkingBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from agentlaunch.core.wire.call_ids import plain_id

_EPHEMERAL = CacheControl()


def mark(cache_hint: bool) -> CacheControl | None:
    """The cache breakpoint for a part's hint."""
    return _EPHEMERAL if cache_hint else None


def blocks_of(parts: Iterable[Part]) -> list[Block]:
    """The blocks for one message. Empty text is left out (B003)."""
    return [block for part in parts for block in _blocks(part)]


def sent_blocks_of(parts: Iterable[Part]) -> list[Block]:
    """The blocks for one message of a request. Blank text is left out, too: the vendor refuses it."""
    return blocks_of(part for part in parts if not isinstance(part, (TextPart, RefusalPart)) or part.text.strip())


def _blocks(part: Part) -> Iterator[Block]:
    match part:
        case TextPart():
            if part.text:
                yield TextBlock(part.text, mark(part.cache_hint))
        case RefusalPart():
            if part.text:
                yield TextBlock(part.text)
        case ImagePart():
            yield _image(part)
        case DocumentPart():
            yield _document(part)
        case ThinkingPart():
            yield from signed_thinking(part)
        case ToolCallPart():
            yield tool_use(part)
        case ToolResultPart():
            content = [_result_content(inner) for inner in part.content if not _is_blank(inner)]
            yield ToolResultBlock(plain_id(part.call_id), content, part.is_error or None, mark(part.cache_hint))
        case _:
            assert_never(part)


def signed_thinking(part: ThinkingPart) -> Iterator[Block]:
    """Reasoning that the vendor can verify; reasoning without a signature would be refused, so it is left out."""
    if part.signature:
        yield ThinkingBlock(part.text, part.signature)
    if part.encrypted:
        yield RedactedThinkingBlock(part.encrypted)


def tool_use(part: ToolCallPart) -> ToolUseBlock:
    """The call; a custom tool's free text becomes the argument `input`."""
    block_input = free_text_input(part.arguments) if part.kind == "custom" else input_of(part.arguments)
    return ToolUseBlock(plain_id(part.id), wire_name(part.name, part.namespace), block_input, mark(part.cache_hint))


def _is_blank(part: ResultContent) -> bool:
    return isinstance(part, TextPart) and not part.text.strip()


def _image(part: ImagePart) -> ImageBlock | TextBlock:
    """The image, or a note for one of a type that fails this request and every later one (report B105)."""
    if not part.url and not is_readable(part.media_type):
        return TextBlock(text_of(part), mark(part.cache_hint))
    source = UrlSource(part.url) if part.url else Base64Source(vendors_type(part.media_type), part.data)
    return ImageBlock(source, mark(part.cache_hint))


def _document(part: DocumentPart) -> DocumentBlock:
    """The source is whichever of data, text and URL there is, in this order."""
    source: Base64Source | UrlSource | PlainTextSource
    if part.data:
        source = Base64Source(part.media_type, part.data)
    elif part.url and not part.text:
        source = UrlSource(part.url)
    else:
        source = PlainTextSource(part.text)
    return DocumentBlock(source, part.title or None, cache_control=mark(part.cache_hint))


def _result_content(part: ResultContent) -> ResultBlock:
    match part:
        case TextPart():
            return TextBlock(part.text, mark(part.cache_hint))
        case ImagePart():
            return _image(part)
        case DocumentPart():
            return _document(part)
        case ToolReferencePart():
            return ToolReferenceBlock(part.tool_name)
        case _:
            assert_never(part)
