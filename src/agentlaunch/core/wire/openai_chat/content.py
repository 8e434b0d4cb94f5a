"""A user message's content, and the images that an upstream on this wire can be shown."""

from __future__ import annotations

from collections.abc import Sequence

from agentlaunch.core.filters.plain_text import text_of
from agentlaunch.core.ir import ImagePart, Part
from agentlaunch.core.media import IMAGE_TYPES, data_url, split_data_url
from agentlaunch.core.wire.openai_chat.types import ImageUrl
from agentlaunch.core.wire.openai_chat.written_types import OutImage, OutPart, OutText


def content_of(parts: Sequence[Part]) -> str | list[OutPart]:
    """A user message's content: a string, which every server takes, unless there is an image to show."""
    content: list[OutPart] = []
    for part in parts:
        if isinstance(part, ImagePart) and (url := _shown_url(part)):
            content.append(OutImage(ImageUrl(url)))
            continue
        text = text_of(part)
        if not text:
            continue
        if content and isinstance(content[-1], OutText):
            content[-1] = OutText(f"{content[-1].text}\n{text}")
        else:
            content.append(OutText(text))
    match content:
        case []:
            return ""
        case [OutText(text)]:
            return text
        case _:
            return content


def is_shown(part: ImagePart) -> bool:
    """Whether an upstream can be shown this image."""
    return bool(_shown_url(part))


def _shown_url(part: ImagePart) -> str:
    """The image's address as the upstream takes it; empty for an image that it could not read."""
    if not part.data and not part.url.startswith("data:"):
        return part.url
    media_type, data = (part.media_type, part.data) if part.data else split_data_url(part.url) or ("", "")
    return data_url(media_type, data) if media_type.lower() in IMAGE_TYPES else ""
