"""Notices in mid-conversation for servers that know no role `system` among the messages."""

from __future__ import annotations

import msgspec

from agentlaunch.core.filters.plain_turns import as_notice
from agentlaunch.core.ir import ChatRequest, Message, Role, TextPart


def told_by_the_user(request: ChatRequest) -> ChatRequest:
    """The request with each later `system` message as the user's text, in its place: moving it to the system prompt
    would change the prefix that the server has cached, as `core.filters.plain_turns` does for the chat wires."""
    leading = next(
        (place for place, message in enumerate(request.messages) if message.role is not Role.SYSTEM),
        len(request.messages),
    )
    later = tuple(_told(message) for message in request.messages[leading:])
    return msgspec.structs.replace(request, messages=request.messages[:leading] + later)


def _told(message: Message) -> Message:
    if message.role is not Role.SYSTEM:
        return message
    text = "\n\n".join(part.text for part in message.parts if isinstance(part, TextPart) and part.text)
    return Message(Role.USER, (TextPart(as_notice(text)),) if text else ())
