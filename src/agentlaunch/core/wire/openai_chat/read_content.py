"""What a client's content arrays hold: this wire's parts, and those of other vendors' APIs and of MCP."""

from __future__ import annotations

from collections.abc import Iterator

from agentlaunch.core.ir import DocumentPart, ImagePart, Part, RefusalPart, TextPart, ThinkingPart
from agentlaunch.core.media import bare_data, image_type_of, split_data_url, text_in
from agentlaunch.core.wire.base import ProtocolError
from agentlaunch.core.wire.openai_chat.types import ContentPart, FileContent, Source


def content_of(content: str | list[ContentPart] | None, where: str, *, is_result: bool) -> Iterator[Part]:
    """The parts of a message's content. A tool may return anything, so what is not known is named there.

    Raises ProtocolError, which names the part, for what no upstream of ours can take.
    """
    if isinstance(content, str):
        if content:
            yield TextPart(content)
        return
    for place, part in enumerate(content or ()):
        yield from _part(part, f"{where}.content[{place}]", is_result=is_result)


def _part(part: ContentPart, where: str, *, is_result: bool) -> Iterator[Part]:
    hint = bytes(part.cache_control) not in (b"", b"null")
    match part.type:
        case "text" | "input_text" | "output_text" | "refusal" | "thinking" | "reasoning":
            yield from _words(part, hint=hint)
        case "image_url" | "input_image":
            yield _image(part, where, hint=hint)
        case "image" if (image := _other_image(part, hint=hint)) is not None:
            yield image
        case "file" | "input_file":
            yield _file(part, where, hint=hint)
        case "document" if part.source is not None:
            yield _document(part, part.source, hint=hint)
        case "resource" if part.resource is not None and part.resource.text:
            yield DocumentPart(text=part.resource.text, title=part.resource.uri, cache_hint=hint)
        case _ if part.text:
            yield TextPart(part.text, hint)
        case _ if is_result:
            yield TextPart(f"[content of type `{part.type}` left out]")
        case _:
            raise ProtocolError(f"`{where}.type` is `{part.type}`, which no upstream of ours can take")


def _words(part: ContentPart, *, hint: bool) -> Iterator[TextPart | RefusalPart | ThinkingPart]:
    """What a part of words says; nothing where it is empty."""
    said = part.refusal or part.thinking or part.text
    if not said:
        return
    match part.type:
        case "refusal":
            yield RefusalPart(said)
        case "thinking" | "reasoning":
            yield ThinkingPart(said)
        case _:
            yield TextPart(said, hint)


def _image(part: ContentPart, where: str, *, hint: bool) -> ImagePart:
    if part.image_url is None:
        raise ProtocolError(f"`{where}.image_url` is missing")
    return _image_at(part.image_url if isinstance(part.image_url, str) else part.image_url.url, hint=hint)


def _image_at(url: str, *, hint: bool) -> ImagePart:
    """An image at an address, which may be a data URL, or mere base64 of a type that its first bytes tell."""
    media_type, data = split_data_url(url) or (image_type_of(url), url)
    return (
        ImagePart(media_type, data, cache_hint=hint)
        if media_type or data != url
        else ImagePart(url=url, cache_hint=hint)
    )


def _other_image(part: ContentPart, *, hint: bool) -> ImagePart | None:
    """An image in the forms of Anthropic, MCP and the AI SDK; None for none of them."""
    if part.source is not None:
        return ImagePart(part.source.media_type, part.source.data, part.source.url, hint)
    if part.data:
        return ImagePart(*bare_data(part.mime_type or image_type_of(part.data), part.data), cache_hint=hint)
    return _image_at(part.image, hint=hint) if part.image else None


def _file(part: ContentPart, where: str, *, hint: bool) -> DocumentPart:
    """A file, its fields in the part itself on the Responses wire."""
    file = part.file or FileContent(part.file_data, None, part.filename)
    if part.type == "file" and part.file is None:
        raise ProtocolError(f"`{where}.file` is missing")
    title = file.filename or file.file_id or ""
    media_type, data = split_data_url(file.file_data or "") or ("", file.file_data or "")
    text = text_in(media_type, data)
    return DocumentPart(media_type, "" if text else data, text, part.file_url or "", title, hint)


def _document(part: ContentPart, source: Source, *, hint: bool) -> DocumentPart:
    """A document in Anthropic's form."""
    text = source.data if source.type == "text" else ""
    data = "" if text else source.data
    return DocumentPart(source.media_type, data, text, source.url, part.title or "", hint)
