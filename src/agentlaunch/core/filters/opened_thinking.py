"""Reasoning whose opening tag stood in the prompt: the answer begins inside it, and only its end is in the text.

Templates of Qwen3, DeepSeek R1 and others write `<think>` themselves (vLLM without a reasoning parser, mlx-lm,
llama.cpp with `--reasoning-format none`: llama.cpp #12107 and #23320, LocalAI #11790, SwiftLM #115).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto

from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.filters.tool_text.markdown import CodeLines
from agentlaunch.core.ir import (
    ChatEvent,
    Ping,
    Started,
    TextDelta,
    ThinkingDelta,
)

DELTAS_A_PING = 32
"""While text is held back the client hears this."""

_TAGS = ("</think>", "</mm:think>", "</seed:think>", "[/THINK]", "<channel|>", "<|END_THINKING|>")
_WORDS = ("</thinking>", "</reasoning>", "</thought>")
"""May be somebody's XML, so they count only beside a line break."""

_CLOSE = re.compile("|".join(map(re.escape, (*_TAGS, *_WORDS))))
_LONGEST_CLOSE = 20
_OPENINGS = (
    *("<think", "<thought", "<reasoning", "<mm:think", "<seed:think", "[think]", "<|start_thinking|>", "<|channel"),
    *("<|start|>", "<|begin_of_thought|>", "\u25c1think"),
)
_LEAD = "thought\n"
"""Gemma's name of the channel, whose tokens a server has dropped (omlx #1028)."""

_ALWAYS_THINKS = re.compile(r"thinking|reasoner|\br1\b|qwq", re.IGNORECASE)


class Opening(Enum):
    """What is known of where an answer begins."""

    UNKNOWN = auto()
    """Text is told as it comes; that it was reasoning is learnt for the next answer."""
    HELD = auto()
    """The client waits for the whole answer anyway: the text waits until it is known what it is."""
    LIKELY = auto()
    """Text is told as reasoning as it comes; as text, too, when that never ends."""


def opening_of(*, is_streamed: bool, has_begun_inside: bool, model: str) -> Opening:
    """Where the answer of `model` probably begins; `has_begun_inside`: an earlier one has."""
    if has_begun_inside or (is_streamed and _ALWAYS_THINKS.search(model) is not None):
        return Opening.LIKELY if is_streamed else Opening.HELD
    return Opening.UNKNOWN if is_streamed else Opening.HELD


class OpenedThinking:
    """Tells what stands before a closing tag without an opening one as reasoning, as long as it can still be told.

    An answer that opens its reasoning itself, or whose server has split it off, passes as it is.
    """

    def __init__(self, opening: Opening = Opening.UNKNOWN, learn: Callable[[], None] | None = None) -> None:
        self._opening = opening
        self._learn = learn
        self._text: list[str] = []
        self._has_begun = False
        self._told = 0
        self._is_decided = False
        self._skips_breaks = False
        self._count = MendCount()

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind."""
        return self._count.snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case TextDelta(text) if self._skips_breaks:
                yield from self._behind(text)
            case _ if self._is_decided:
                yield event
            case TextDelta(text):
                yield from self._watched(text, event)
            case Ping() | Started():
                yield event
            case _:
                yield from self._released()
                yield event

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended."""
        yield from self._released()

    def _watched(self, text: str, event: TextDelta) -> Iterator[ChatEvent]:
        tail = "".join(self._text[-_LONGEST_CLOSE:])[-_LONGEST_CLOSE:]
        self._text.append(text)
        if not self._has_begun:
            begun = "".join(self._text).lstrip().lower()
            self._has_begun = bool(begun) and not any(mark.startswith(begun) for mark in _OPENINGS)
            if begun.startswith(_OPENINGS):
                yield from self._released(event)
                return
        end = self._end() if self._has_begun and _CLOSE.search(tail + text) is not None else None
        if end is not None:
            yield from self._closed(*end)
        elif self._opening is Opening.UNKNOWN:
            yield event
        elif self._opening is Opening.LIKELY and self._has_begun:
            yield from self._thought()
        elif len(self._text) % DELTAS_A_PING == 0:
            yield Ping()

    def _end(self) -> tuple[str, int, int] | None:
        """The text, and where in it the tag stands that ends the reasoning."""
        text = "".join(self._text)
        for found in _CLOSE.finditer(text):
            code = CodeLines()
            code.add(text[: found.start()])
            is_alone = "\n" in (text[: found.start()][-1:], text[found.end() :].lstrip("\r")[:1])
            if not code.is_code and (is_alone or found[0] in _TAGS):
                return text, found.start(), found.end()
        return None

    def _closed(self, text: str, start: int, end: int) -> Iterator[ChatEvent]:
        """The reasoning has ended. What was told of it as text cannot be taken back."""
        self._is_decided = True
        if self._learn is not None:
            self._learn()
        if self._opening is Opening.UNKNOWN:
            yield TextDelta(self._text[-1])
            return
        self._count.add([Mend.THINKING])
        told = max(self._told, len(_LEAD) if text.startswith(_LEAD) else 0)
        if told < start:
            yield ThinkingDelta(text[told:start])
        self._skips_breaks = True
        yield from self._behind(text[end:])

    def _behind(self, text: str) -> Iterator[ChatEvent]:
        """The answer behind its reasoning, without the line breaks before it."""
        text = text.lstrip("\r\n")
        if text:
            self._skips_breaks = False
            yield TextDelta(text)

    def _thought(self) -> Iterator[ChatEvent]:
        """Tell as reasoning what is surely before the end of it."""
        text = "".join(self._text)
        self._text = [text]
        if _LEAD.startswith(text):
            return
        self._told = max(self._told, len(_LEAD) if text.startswith(_LEAD) else 0)
        last = range(max(0, len(text) - _LONGEST_CLOSE), len(text))
        end = next((at for at in last if _may_close(text, at)), len(text))
        if end > self._told:
            yield ThinkingDelta(text[self._told : end])
            self._told = end

    def _released(self, event: TextDelta | None = None) -> Iterator[ChatEvent]:
        """It is the answer itself: what was held, or told as reasoning, is text. `event` is what has just come."""
        if not self._is_decided and self._opening is not Opening.UNKNOWN and self._text:
            yield TextDelta("".join(self._text))
        elif event is not None:
            yield event
        self._is_decided = True


def _may_close(text: str, start: int) -> bool:
    """Whether from `start` on stands a tag that ends reasoning, or the beginning of one."""
    return text[start] in "<[" and any(tag.startswith(text[start:]) for tag in (*_TAGS, *_WORDS))
