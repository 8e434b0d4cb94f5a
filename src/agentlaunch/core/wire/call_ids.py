"""The ids of calls: each its own within an answer, and in a request such as its receiver takes."""

from __future__ import annotations

import hashlib
import re

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
CHAT_ID_LENGTH = 40
"""OpenAI refuses a longer `tool_calls[].id` on the Chat wire ("string too long, expected maximum length 40")."""
RESPONSES_ID_LENGTH = 64
"""The same for `call_id` on the Responses wire."""


def plain_id(call_id: str) -> str:
    """`call_id` as Anthropic's API takes it, whose pattern is `^[a-zA-Z0-9_-]+$`; Kimi's models say `functions.bash:0`.

    A conversation may go on there, with calls that another model has made.
    """
    return call_id if _PLAIN.fullmatch(call_id) else _made_of(call_id)


def short_id(call_id: str, longest: int) -> str:
    """`call_id` of at most `longest` characters."""
    return call_id if len(call_id) <= longest else _made_of(call_id)


def _made_of(call_id: str) -> str:
    """An id that fits everywhere, the same one each time: a call and its result go on belonging together, and the
    prompt's cached prefix stays good."""
    return "call_" + hashlib.sha256(call_id.encode("utf-8", "replace")).hexdigest()[:24]


class CallIds:
    """One instance an answer. Clients match a result to its call by the id alone, and vendors refuse doubled ids."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def fresh(self, wanted: str, prefix: str, number: int) -> str:
        """The upstream's id; `PREFIX_NUMBER`, or the next free number, where it is missing or taken by another call."""
        while not wanted or wanted in self._taken:
            wanted = f"{prefix}_{number}"
            number += 1
        self._taken.add(wanted)
        return wanted
