"""What a message says, as the one text and the images that Ollama takes."""

from __future__ import annotations

from collections.abc import Iterable

from agentlaunch.core.filters import plain_text
from agentlaunch.core.ir import ImagePart, Part
from agentlaunch.core.media import IMAGE_TYPES, split_data_url


def shows(part: ImagePart) -> bool:
    """Whether Ollama can be shown this image: it fetches nothing, and its decoders know few types."""
    return bool(_image_data(part))


def texts(parts: Iterable[Part]) -> list[str]:
    """The non-empty texts among `parts`, a note for each image that cannot be shown."""
    return plain_text.texts(part for part in parts if not (isinstance(part, ImagePart) and shows(part)))


def images_of(parts: Iterable[Part]) -> list[str]:
    """The base64 data of the images among `parts` that can be shown."""
    return [data for part in parts if isinstance(part, ImagePart) and (data := _image_data(part))]


def _image_data(part: ImagePart) -> str:
    """The image's base64 data, empty for one that Ollama could not read."""
    media_type, data = (part.media_type, part.data) if part.data else split_data_url(part.url) or ("", "")
    return data if media_type.lower() in IMAGE_TYPES else ""
