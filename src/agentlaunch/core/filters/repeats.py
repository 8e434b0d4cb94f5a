"""Output that repeats itself without end is cut: a local model would go on to its limit, for minutes or hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.ir import (
    ChatEvent,
    Finished,
    RefusalDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)

NOTE = "\n\n[Output stopped: the model was repeating itself.]"


@dataclass(frozen=True)
class RepeatLimits:
    """What counts as running away: the same block, at most `longest_block` characters, at least `times` times and for
    `span` characters in one run, with no other character in between.

    Tables, lists and code differ somewhere in a block; only what is the same to the letter counts. Arguments may be a
    file of zeros, so their span is `arguments_span`.
    """

    times: int = 12
    span: int = 8_000
    arguments_span: int = 32_000
    longest_block: int = 4_000
    every: int = 2_000
    """Characters between two looks."""


class RepeatGuard:
    """Watches text, reasoning and arguments as the upstream sends them, and ends the answer when they run away.

    A call that ran away is closed where it is: its JSON is broken, and MAX_TOKENS tells later filters that it was
    cut. Nothing is told after the end. The answer is the same however it was cut into deltas.
    """

    def __init__(self, limits: RepeatLimits | None = None) -> None:
        self._limits = limits or RepeatLimits()
        self._kind: type[ChatEvent] | None = None
        self._window: list[str] = []
        self._length = 0
        self._until_look = self._limits.every
        self._is_in_call = False
        self._count = MendCount()
        self.has_cut = False

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind."""
        return self._count.snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        if self.has_cut:
            return
        match event:
            case TextDelta(text) | ThinkingDelta(text) | RefusalDelta(text) | ToolCallDelta(text):
                self._watch(type(event))
                if len(text) < self._until_look:
                    self._until_look -= len(text)
                    self._window.append(text)
                    yield event
                else:
                    yield from self._look(event, text)
            case ToolCallStart():
                self._is_in_call = True
                yield event
            case ToolCallEnd():
                self._is_in_call = False
                self._watch(None)
                yield event
            case _:
                yield event

    def finish(self) -> Iterator[ChatEvent]:
        """Nothing is held back."""
        yield from ()

    def _watch(self, kind: type[ChatEvent] | None) -> None:
        """Another kind of output begins a new run."""
        if kind is not self._kind:
            self._kind = kind
            self._window.clear()
            self._until_look = self._limits.every

    def _look(self, event: TextDelta | ThinkingDelta | RefusalDelta | ToolCallDelta, text: str) -> Iterator[ChatEvent]:
        """Look at every multiple of `every` characters, wherever the deltas end."""
        told = 0
        while len(text) - told >= self._until_look:
            end = told + self._until_look
            self._window.append(text[told:end])
            told = end
            self._until_look = self._limits.every
            if self._runs_away():
                yield type(event)(text[:told])
                yield from self._cut()
                return
        self._until_look -= len(text) - told
        if told < len(text):
            self._window.append(text[told:])
        yield event

    def _cut(self) -> Iterator[ChatEvent]:
        self.has_cut = True
        self._count.add([Mend.RUNAWAY])
        if self._is_in_call:
            yield ToolCallEnd()
        yield Finished(StopReason.MAX_TOKENS)

    def _runs_away(self) -> bool:
        limits = self._limits
        span = limits.arguments_span if self._kind is ToolCallDelta else limits.span
        longest = max(span, limits.longest_block * limits.times)
        window = "".join(self._window)[-longest - limits.longest_block :]
        self._window = [window]
        if len(window) < span:
            return False
        probe = window[-limits.every // 4 :]
        block = len(window) - len(probe) - window.rfind(probe, 0, len(window) - 1)
        if block > limits.longest_block:
            return False
        run = max(span, block * limits.times)
        return len(window) >= run and window[-run:-block] == window[block - run :]


class RunawayNote:
    """The other end of the filters: says why an answer of `guard` ends, and that it is the end of the turn.

    MAX_TOKENS would make Claude Code ask the model to go on, which repeats itself again (facts/agents.md 4.3), and a
    failure would make every agent ask again (4.1). A call that was cut keeps MAX_TOKENS: the agent tells the model.
    """

    def __init__(self, guard: RepeatGuard) -> None:
        self._guard = guard
        self._has_call = False

    @property
    def mended(self) -> Mapping[str, int]:
        """Nothing beyond what the guard counts."""
        return {}

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case ToolCallStart():
                self._has_call = True
                yield event
            case Finished() if self._guard.has_cut and not self._has_call:
                yield TextDelta(NOTE)
                yield Finished(StopReason.END_TURN)
            case _:
                yield event

    def finish(self) -> Iterator[ChatEvent]:
        """Nothing is held back."""
        yield from ()
