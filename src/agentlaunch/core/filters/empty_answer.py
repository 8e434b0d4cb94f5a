"""An answer never ends with nothing for the user: agents show a blank, and the history gets an empty message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.ir import (
    ChatEvent,
    Failed,
    Finished,
    RefusalDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallStart,
    UsageReport,
)

NO_ANSWER = "[The model gave no answer.]"
ONLY_THOUGHT = "[The model gave no answer beyond its reasoning, which ends:]\n\n"

_LONGEST_EXCERPT = 4_000
"""Characters of reasoning that are shown: its last paragraph is what comes nearest to an answer."""


class EmptyAnswerGuard:
    """Adds a text to an answer that ended by itself without text, refusal and call (field reports B129, B130, B137)."""

    def __init__(self) -> None:
        self._has_content = False
        self._thought: list[str] = []
        self._usage: list[UsageReport] = []
        self._count = MendCount()

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind."""
        return self._count.snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case UsageReport() if not self._has_content:
                self._usage.append(event)
                return
            case TextDelta(text):
                self._has_content = self._has_content or not text.isspace()
            case ToolCallStart() | RefusalDelta():
                self._has_content = True
            case ThinkingDelta(text) if not self._has_content:
                self._thought.append(text)
            case Finished() | Failed():
                if event == Finished(StopReason.END_TURN) and not self._has_content:
                    self._count.add([Mend.EMPTY_ANSWER])
                    yield TextDelta(self._text())
                yield from self._usage
            case _:
                pass
        yield event

    def finish(self) -> Iterator[ChatEvent]:
        """Nothing is held back but counts of an answer that never ended."""
        yield from ()

    def _text(self) -> str:
        thought = "".join(self._thought).strip()
        if not thought:
            return NO_ANSWER
        return ONLY_THOUGHT + thought.rpartition("\n\n")[2][-_LONGEST_EXCERPT:]
