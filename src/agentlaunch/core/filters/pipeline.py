"""Every filter that mends an answer, in the order in which they must stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from agentlaunch.core.context import Expectation
from agentlaunch.core.filters.call_ids import FreshCallIds
from agentlaunch.core.filters.calls import CallMender
from agentlaunch.core.filters.empty_answer import EmptyAnswerGuard
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.opened_thinking import OpenedThinking
from agentlaunch.core.filters.parser_failures import ParserFailures
from agentlaunch.core.filters.repeats import RepeatGuard, RunawayNote
from agentlaunch.core.filters.respelled import Respelled
from agentlaunch.core.filters.silent_truncation import SilentTruncation
from agentlaunch.core.filters.think import ThinkSplitter
from agentlaunch.core.filters.tool_calls import TextCalls
from agentlaunch.core.filters.turn_ends import TurnEnds
from agentlaunch.core.ir import ChatEvent, ChatRequest, Failed, Finished, Ping, TextDelta, ThinkingDelta, ToolCallDelta

_DELTAS = frozenset({TextDelta, ThinkingDelta, ToolCallDelta, Ping})
_PASSED_BY: Mapping[type, frozenset[type]] = {FreshCallIds: _DELTAS, RunawayNote: _DELTAS}
"""What a filter always gives on as it came: it is not asked then. Deltas are most of an answer."""


class EventFilter(Protocol):
    """Events to events, one instance an answer; keeps the grammar of `core.ir`."""

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        ...

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended: give what is held back."""
        ...


class AnswerFilter(EventFilter, Protocol):
    """A filter that counts what it has mended."""

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind (`core.filters.mending`); a snapshot."""
        ...


def answer_filters(
    request: ChatRequest, expected: Expectation | None = None, opened: OpenedThinking | None = None
) -> list[AnswerFilter]:
    """The filters for one answer to `request`, which is the lowered one with the client's own schemas.

    `expected` is what the prompt should count, for a wire that does not look itself whether it was cut. `opened` looks
    for reasoning that began in the prompt.

    They stand before the restorer of `tool_forms`. What the engine's parser gave up is saved first, runaways are
    looked for in what the upstream sends, single families' marks are written anew, reasoning is split off before calls
    are looked for, and arguments and ids are mended when all calls are known.
    """
    guard = RepeatGuard()
    offered = OfferedTools(request.tools)
    filters: list[AnswerFilter] = [
        ParserFailures(request, offered),
        guard,
        Respelled(),
        TurnEnds(),
        *([opened] if opened else []),
        ThinkSplitter(),
    ]
    if offered and not (request.tool_choice is not None and request.tool_choice.mode == "none"):
        calls = TextCalls(request, offered)
        filters += [calls, CallMender(request, offered, calls.written)]
    first = [SilentTruncation(expected)] if expected is not None and expected.may_be_cut else []
    return [*first, *filters, FreshCallIds(request), RunawayNote(guard), EmptyAnswerGuard()]


class FilterChain:
    """Several filters as one, `last` behind the others. Nothing is told after the end of the answer."""

    def __init__(self, filters: Sequence[AnswerFilter], last: EventFilter | None = None) -> None:
        self._counting = tuple(filters)
        self._filters: tuple[EventFilter, ...] = (*filters, last) if last else tuple(filters)
        self._stages = tuple((each.feed, _PASSED_BY.get(type(each), frozenset())) for each in self._filters)
        self._has_ended = False

    @property
    def mended(self) -> Mapping[str, int]:
        """What all of them have mended so far, by kind; a snapshot."""
        counts: Counter[str] = Counter()
        for each in self._counting:
            counts.update(each.mended)
        return MappingProxyType(dict(counts))

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        return self._through(0, (event,))

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended: each filter gives what it holds to those behind it."""
        for number, each in enumerate(self._filters, 1):
            yield from self._through(number, each.finish())

    def _through(self, first: int, events: Iterator[ChatEvent] | tuple[ChatEvent, ...]) -> Iterator[ChatEvent]:
        current: list[ChatEvent] = list(events)
        for feed, passed in self._stages[first:]:
            if not current:
                return
            # Nearly always one event, and this is done for each delta of every answer.
            if len(current) > 1:
                current = [out for event in current for out in feed(event)]
            elif type(current[0]) not in passed:
                current = [*feed(current[0])]
        for event in current:
            if not self._has_ended:
                self._has_ended = isinstance(event, Finished | Failed)
                yield event
