"""Images for a model that takes none: a note stands where each one was."""

from __future__ import annotations

import msgspec

from agentlaunch.core.ir import ChatRequest, ImagePart, Message, Part, ResultContent, TextPart, ToolResultPart

OMITTED = "[image omitted: the model takes no images]"
"""The same for every image, so that the prompt's cached prefix does not depend on what was in it."""


def without_images(request: ChatRequest) -> ChatRequest:
    """The request with `OMITTED` in the place of each image, in tool results as well."""
    return msgspec.structs.replace(request, messages=tuple(map(_message, request.messages)))


def _message(message: Message) -> Message:
    if not any(isinstance(part, ImagePart | ToolResultPart) for part in message.parts):
        return message
    return Message(message.role, tuple(map(_part, message.parts)))


def _part(part: Part) -> Part:
    match part:
        case ImagePart():
            return _note(part)
        case ToolResultPart():
            return msgspec.structs.replace(part, content=tuple(map(_result_content, part.content)))
        case _:
            return part


def _result_content(part: ResultContent) -> ResultContent:
    return _note(part) if isinstance(part, ImagePart) else part


def _note(image: ImagePart) -> TextPart:
    return TextPart(OMITTED, image.cache_hint)
