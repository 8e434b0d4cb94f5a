"""What a message says, as the one text and the images that Ollama takes; what it cannot take is named, not dropped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

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
from agentlaunch.core.wire.media import IMAGE_TYPES, split_data_url

_ERROR_PREFIX = "Error: "


def texts(parts: Iterable[Part]) -> list[str]:
    """The non-empty texts among `parts`, documents and refusals included; thinking, images, calls and results not."""
    return [text for part in parts if (text := _text_of(part))]


def images_of(parts: Iterable[Part]) -> list[str]:
    """The base64 data of the images among `parts` that can be shown."""
    return [data for part in parts if isinstance(part, ImagePart) and (data := _image_data(part))]


def thinking_of(parts: Sequence[Part]) -> str:
    """The reasoning of an earlier answer."""
    return "\n".join(part.text for part in parts if isinstance(part, ThinkingPart) and part.text)


def result_text(result: ToolResultPart) -> str:
    """A tool message's content: an image leaves a note here and follows in a user's message (report B048)."""
    text = "\n".join(said for part in result.content if (said := _result_text_of(part)))
    # The wire has no mark for a failed tool; most agents say it in the text themselves.
    if result.is_error and "error" not in text[:64].lower():
        return f"{_ERROR_PREFIX}{text}"
    return text


def result_images(result: ToolResultPart) -> list[Part]:
    """The images of a result that can be shown, each with a word on where it comes from."""
    images: list[Part] = []
    for part in result.content:
        if isinstance(part, ImagePart) and _image_data(part):
            images += [TextPart(f"[image from the result of tool call {result.call_id}]"), part]
    return images


def _result_text_of(part: ResultContent) -> str:
    match part:
        case ToolReferencePart():
            return now_available(part)
        case ImagePart() if _image_data(part):
            return "[image: in the user message below]"
        case _:
            return _text_of(part)


def _text_of(part: Part) -> str:
    match part:
        case TextPart(text) | RefusalPart(text):
            return text
        case DocumentPart():
            return _document(part)
        case ImagePart():
            return "" if _image_data(part) else _unseen_image(part)
        case ThinkingPart() | ToolCallPart() | ToolResultPart():
            return ""
        case _:
            assert_never(part)


def _document(part: DocumentPart) -> str:
    title = f' "{part.title}"' if part.title else ""
    if part.text:
        return f"[document{title}]\n{part.text}" if title else part.text
    where = f" at {part.url}" if part.url and not part.url.startswith("data:") else ""
    kind = f" of type {part.media_type}" if part.media_type else ""
    return f"[document{title}{kind}{where}, whose content cannot be shown]"


def _unseen_image(part: ImagePart) -> str:
    """Ollama fetches nothing, and its decoders know few types."""
    if part.url and not part.url.startswith("data:"):
        return f"[image at {part.url}, which cannot be shown]"
    media_type = part.media_type or (split_data_url(part.url) or ("",))[0]
    return f"[image of type {media_type or 'unknown'}, which cannot be shown]"


def _image_data(part: ImagePart) -> str:
    """The image's base64 data, empty for one that Ollama could not read."""
    media_type, data = (part.media_type, part.data) if part.data else split_data_url(part.url) or ("", "")
    return data if media_type.lower() in IMAGE_TYPES else ""
