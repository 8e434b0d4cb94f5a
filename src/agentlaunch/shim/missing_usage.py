"""Token counts that an upstream leaves out, by estimate: agents compact their conversation by them, or never."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import msgspec

from agentlaunch.core.estimate import CHARACTERS_PER_TOKEN
from agentlaunch.core.ir import (
    ChatEvent,
    Failed,
    Finished,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from agentlaunch.shim.translation import EventFilter


class MissingUsage:
    """What `inner` makes of an answer, with counts before its end where the upstream has counted nothing.

    KoboldCpp and LocalAI count nothing in a stream with tools (koboldcpp #2480, LocalAI #9927), others nothing at all.
    `prompt_tokens` is asked only then. Counts that have come are never changed.
    """

    def __init__(self, prompt_tokens: Callable[[], int], inner: EventFilter) -> None:
        self._prompt_tokens = prompt_tokens
        self._inner = inner
        self._characters = 0
        self._usage: Usage | None = None

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        for told in self._inner.feed(event):
            yield from self._counted(told)

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended."""
        for told in self._inner.finish():
            yield from self._counted(told)

    def _counted(self, event: ChatEvent) -> Iterator[ChatEvent]:
        match event:
            case TextDelta(text) | ThinkingDelta(text) | RefusalDelta(text) | ToolCallDelta(text):
                self._characters += len(text)
            case UsageReport(usage):
                self._usage = usage
                return
            case Finished():
                yield UsageReport(self._whole(self._usage or Usage()))
            case Failed() if self._usage is not None:
                yield UsageReport(self._usage)
            case _:
                pass
        yield event

    def _whole(self, usage: Usage) -> Usage:
        return msgspec.structs.replace(
            usage,
            input_tokens=usage.input_tokens or self._prompt_tokens(),
            output_tokens=usage.output_tokens or math.ceil(self._characters / CHARACTERS_PER_TOKEN),
        )
