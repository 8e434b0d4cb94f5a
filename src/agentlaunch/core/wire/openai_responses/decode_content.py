"""What the content of an item is decoded to: text, images, documents, refusals."""

from __future__ import annotations

from collections.abc import Iterator

from agentlaunch.core.ir import DocumentPart, ImagePart, RefusalPart, TextPart
from agentlaunch.core.media import IMAGE_TYPES, split_data_url, text_in
from agentlaunch.core.wire.base import ProtocolError
from agentlaunch.core.wire.openai_responses.types import Content, ContentPart, ImageUrl

_TEXT_TYPES = ("input_text", "output_text", "text", "summary_text", "reasoning_text")


def content_parts(
    content: Content, *, is_result: bool = False
) -> Iterator[TextPart | ImagePart | DocumentPart | RefusalPart]:
    """The parts of a content, text that is empty left out. Raises ProtocolError naming a part's unknown type.

    A tool may return anything, so what is not known is named in the text of its result.
    """
    if isinstance(content, str):
        content = [ContentPart("input_text", content)]
    for index, part in enumerate(content or ()):
        decoded = _part(part, index, is_result=is_result)
        if decoded != _EMPTY:
            yield decoded


_EMPTY = TextPart("")


def content_text(content: Content) -> str:
    """Whatever text a content carries, for items whose other parts nobody can read."""
    if isinstance(content, str):
        return content
    return "\n\n".join(part.text for part in content or () if part.text)


def _part(part: ContentPart, index: int, *, is_result: bool) -> TextPart | ImagePart | DocumentPart | RefusalPart:
    match part.type:
        case "refusal":
            return RefusalPart(part.refusal or part.text or "")
        case "input_image" | "image_url":
            return _image(part)
        case "input_file":
            return _document(part)
        case kind if kind in _TEXT_TYPES or part.text is not None:
            return TextPart(part.text or "")
        case kind if is_result:
            return TextPart(f"[content of type `{kind}` left out]")
        case kind:
            raise ProtocolError(f"content part of unknown type `{kind}` - at `$.content[{index}].type`")


def _image(part: ContentPart) -> TextPart | ImagePart:
    url = part.image_url.url if isinstance(part.image_url, ImageUrl) else part.image_url or ""
    if not url:
        return TextPart(f"[image {part.file_id or 'without data'} left out: it is not in the request]")
    if not url.startswith("data:"):
        return ImagePart(url=url)
    media_type, data = split_data_url(url) or ("", "")
    if media_type.lower() not in IMAGE_TYPES or not data:
        return TextPart(f"[image of type {media_type or 'unknown'} left out: not supported]")
    return ImagePart(media_type.lower(), data)


def _document(part: ContentPart) -> TextPart | DocumentPart:
    title = part.filename or ""
    if part.file_data:
        media_type, data = split_data_url(part.file_data) or ("", part.file_data)
        if text := text_in(media_type, data):
            return DocumentPart(media_type, text=text, title=title)
        return DocumentPart(media_type or "application/pdf", data, title=title)
    if part.file_url:
        return DocumentPart(url=part.file_url, title=title)
    return TextPart(f"[file {part.file_id or title or 'without data'} left out: it is not in the request]")
