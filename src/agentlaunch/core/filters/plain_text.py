"""What a message says, in plain text: for upstreams whose chat templates take text and images and nothing else.

What such an upstream cannot take is named, never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias, assert_never

from agentlaunch.core.filters.history import now_available
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
from agentlaunch.core.media import media_type_of

Shows: TypeAlias = Callable[[ImagePart], bool]
"""Whether the upstream can be shown an image."""


def texts(parts: Iterable[Part]) -> list[str]:
    """The non-empty texts among `parts`, a note for each image; thinking, calls and results not."""
    return [text for part in parts if (text := text_of(part))]


def thinking_of(parts: Iterable[Part]) -> str:
    """The reasoning of an earlier answer."""
    return "\n".join(part.text for part in parts if isinstance(part, ThinkingPart) and part.text)


def text_of(part: Part) -> str:
    """The text of one part; for an image that is not shown, a note."""
    match part:
        case TextPart(text) | RefusalPart(text):
            return text
        case DocumentPart():
            return _document(part)
        case ImagePart():
            return _unseen_image(part)
        case ThinkingPart() | ToolCallPart() | ToolResultPart():
            return ""
        case _:
            assert_never(part)


def result_text(result: ToolResultPart, shows: Shows) -> str:
    """A result's content: an image leaves a note here and follows in a user's message (report B048)."""
    text = "\n".join(said for part in result.content if (said := _result_text_of(part, shows)))
    # These wires have no mark for a failed tool; most agents say it in the text themselves.
    if result.is_error and "error" not in text[:64].lower():
        return f"Error: {text}"
    return text


def result_images(result: ToolResultPart, shows: Shows) -> list[Part]:
    """The images of a result that can be shown, each with a word on where it comes from."""
    images: list[Part] = []
    for part in result.content:
        if isinstance(part, ImagePart) and shows(part):
            images += [TextPart(f"[image from the result of tool call {result.call_id}]"), part]
    return images


def _result_text_of(part: ResultContent, shows: Shows) -> str:
    match part:
        case ToolReferencePart():
            return now_available(part)
        case ImagePart() if shows(part):
            return "[image: in the user message below]"
        case _:
            return text_of(part)


def _document(part: DocumentPart) -> str:
    title = f' "{part.title}"' if part.title else ""
    if part.text:
        return f"[document{title}]\n{part.text}" if title else part.text
    where = f" at {part.url}" if part.url and not part.url.startswith("data:") else ""
    kind = f" of type {part.media_type}" if part.media_type else ""
    return f"[document{title}{kind}{where}, whose content cannot be shown]"


def _unseen_image(part: ImagePart) -> str:
    if part.url and not part.url.startswith("data:"):
        return f"[image at {part.url}, which cannot be shown]"
    media_type = media_type_of(part.url) or part.media_type
    return f"[image of type {media_type.lower() or 'unknown'}, which cannot be shown]"
