"""How many tokens a request may take, told from its bytes alone: no engine is asked."""

from __future__ import annotations

from itertools import takewhile

import msgspec

from agentlaunch.core.ir import ChatRequest, Message, Role

BODY_BYTES_A_TOKEN = 3
"""Of a request's JSON; agents' first requests have four (agents/base.py: bytes / 4 comes within 12 %)."""


def body_tokens(body: bytes) -> int:
    """About what a whole request takes, rather more than less."""
    return len(body) // BODY_BYTES_A_TOKEN


def most_tokens(message: Message) -> int:
    """No fewer tokens than the message takes: a token is seldom shorter than two bytes of JSON."""
    return len(msgspec.json.encode(message)) // 2


def most_new_tokens(request: ChatRequest) -> int:
    """No fewer tokens than what has come since the model's last answer takes."""
    new = takewhile(lambda message: message.role is not Role.ASSISTANT, reversed(request.messages))
    return sum(map(most_tokens, new))
