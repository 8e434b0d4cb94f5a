"""An answer never ends with nothing for the user: agents show a blank, and the history gets an empty message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ErrorKind,
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
    """Adds a text to an answer that ended by itself without text, refusal and call (field reports B129, B130, B137).

    One that ended for want of room before its first token is told as the overflow that it is: Z.ai and older vLLM call
    it an answer (oh-my-pi #638; vLLM #525, #13209).
    """

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
            case Finished() if not self._has_content and self._had_no_room(event):
                yield from self._usage
                yield Failed(self._overflow())
                return
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

    def _had_no_room(self, end: Finished) -> bool:
        """Whether the prompt left no room for a single token of an answer: then it is what has to be shorter."""
        if self._thought:
            return False
        counted = [report.usage.output_tokens for report in self._usage]
        return end.reason is StopReason.CONTEXT_FULL or (end.reason is StopReason.MAX_TOKENS and counted[-1:] == [0])

    def _overflow(self) -> ChatFault:
        prompt = self._usage[-1].usage.input_tokens if self._usage else None
        return ChatFault(ErrorKind.CONTEXT_OVERFLOW, "the prompt fills the context and leaves no room", prompt or None)

    def _text(self) -> str:
        thought = "".join(self._thought).strip()
        if not thought:
            return NO_ANSWER
        return ONLY_THOUGHT + thought.rpartition("\n\n")[2][-_LONGEST_EXCERPT:]
