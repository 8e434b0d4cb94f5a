"""The live side of metering: every request from its beginning to its row, and what the shim shows of it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from time import monotonic, time
from typing import Protocol

from agentlaunch.core.endpoint import Endpoint, Prices
from agentlaunch.core.ir import (
    ChatEvent,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.metering import FREE, OK, RequestRecord, decode_rate, list_cost_usd, plausible
from agentlaunch.core.traffic_totals import TrafficTotals
from agentlaunch.shim.live_status import ActiveRequest, EngineActivity, Flow, LiveStatus, SessionTraffic
from agentlaunch.shim.session import Session
from agentlaunch.system.usage_recorder import UsageRecorder, local_day

_CONTENT = frozenset({TextDelta, ThinkingDelta, RefusalDelta, ToolCallStart, ToolCallDelta})
"""What a reader of the answer waits for; the first of them is the answer's first byte."""

SESSIONS_SHOWN = 200
"""Sessions that are remembered; the ones used least lately are forgotten first."""


class Recorder(Protocol):
    """Where finished requests go; no call waits or raises."""

    @property
    def lost(self) -> int:
        """Rows that could not be kept."""
        ...

    def put(self, record: RequestRecord) -> None:
        """Keep a row."""
        ...

    def refresh(self) -> None:
        """Look up again, soon, what other processes have spent."""
        ...

    def others_usd(self, day: str) -> float:
        """US dollars of that local day that are none of this process's."""
        ...


@dataclass
class _SessionSums:
    """A session's sums so far; `context_window` in tokens. `engine` is set for an engine of ours."""

    agent: str
    model: str
    context_window: int
    engine: Endpoint | None
    project: str = ""
    requests: int = 0
    active: int = 0
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    context_tokens: int = 0
    cost_usd: float = 0.0
    decode_tok_s: float | None = None
    last_at: float = 0.0

    def add(self, record: RequestRecord) -> None:
        self.requests += 1
        self.tokens_in += record.tokens_in
        self.tokens_cached += record.tokens_cached
        self.tokens_out += record.tokens_out
        self.context_tokens = (record.tokens_in + record.tokens_out) or self.context_tokens
        self.cost_usd += record.cost_usd or 0.0
        self.decode_tok_s = record.decode_tok_s or self.decode_tok_s


@dataclass
class _FlowSums:
    """One way's sums so far."""

    requests: int = 0
    failed: int = 0
    tokens: int = 0


_Way = tuple[str, str, str, str]
"""Agent, route, upstream, model."""


class Traffic:
    """All requests of the shim's life. For the event loop's thread alone.

    `clock` is monotonic and `wall` Unix, both in seconds; `reference` are the list prices of the managed model that
    `usage` compares with, None for no comparison.
    """

    def __init__(
        self,
        recorder: Recorder,
        clock: Callable[[], float],
        wall: Callable[[], float],
        reference: Prices | None = None,
    ) -> None:
        self.totals = TrafficTotals()
        self.reference = reference
        self._recorder = recorder
        self._clock = clock
        self._wall = wall
        self._started_at = wall()
        self._numbers = count(1)
        self._active: dict[int, RequestTrace] = {}
        self._sessions: dict[str, _SessionSums] = {}
        self._flows: dict[_Way, _FlowSums] = {}
        self._day_usd = (local_day(self._started_at), 0.0)
        self._session_usd: dict[str, float] = {}

    @property
    def active(self) -> int:
        """Requests that run now."""
        return len(self._active)

    @property
    def lost(self) -> int:
        """Rows that the meter could not keep."""
        return self._recorder.lost

    def begin(self, session: Session, project: str) -> RequestTrace:
        """A request of this session has come; `project` is its folder, empty if unknown."""
        self._recorder.refresh()
        sums = self._sessions.pop(session.id, None)
        if sums is None:
            sums = _SessionSums(session.agent, session.model, session.context_window, None)
        sums.engine = None if session.engine is None else session.endpoint  # moves when the engine is started again
        self._sessions[session.id] = sums  # at the end: used last
        sums.project = project or sums.project
        sums.active += 1
        sums.last_at = self._wall()
        self._forget_sessions()
        number = next(self._numbers)
        trace = RequestTrace(self, number, _origin(session, project, sums.last_at), self._clock)
        self._active[number] = trace
        return trace

    def engine_endpoints(self) -> tuple[Endpoint, ...]:
        """The engines of ours that serve a request now."""
        busy = (sums.engine for sums in self._sessions.values() if sums.active and sums.engine is not None)
        return tuple({endpoint.base_url: endpoint for endpoint in busy}.values())

    def spent_day_usd(self) -> float:
        """US dollars of today, the local calendar day, with those of other processes as last seen."""
        day = local_day(self._wall())
        own_day, own = self._day_usd
        return self._recorder.others_usd(day) + (own if own_day == day else 0.0)

    def spent_session_usd(self, session_id: str) -> float:
        """US dollars of one session since it began."""
        return self._session_usd.get(session_id, 0.0)

    def snapshot(self, engines: tuple[EngineActivity, ...] = ()) -> LiveStatus:
        """The picture of this moment, with what the engines do as it was asked of them."""
        return LiveStatus(
            at=self._wall(),
            started_at=self._started_at,
            active=tuple(trace.shown() for trace in self._active.values()),
            sessions=tuple(_session_shown(name, sums) for name, sums in reversed(self._sessions.items())),
            flows=self._flows_shown(),
            engines=engines,
            requests=self.totals.requests.total(),
            spent_day_usd=self.spent_day_usd(),
            lost=self._recorder.lost,
        )

    def end(self, number: int, record: RequestRecord) -> None:
        """A trace has finished: count it everywhere and keep its row."""
        self._active.pop(number, None)
        self.totals.add(record)
        sums = self._sessions.get(record.session)
        if sums is not None:
            sums.active -= 1
            sums.add(record)
        flow = self._flows.setdefault((record.agent, record.route, record.upstream, record.model), _FlowSums())
        flow.requests += 1
        flow.failed += record.status != OK
        flow.tokens += record.tokens_in + record.tokens_out
        self._spend(record.session, record.cost_usd or 0.0)
        self._recorder.put(record)

    def _spend(self, session_id: str, usd: float) -> None:
        self._session_usd[session_id] = self._session_usd.get(session_id, 0.0) + usd
        day = local_day(self._wall())
        own_day, own = self._day_usd
        self._day_usd = (day, usd + (own if own_day == day else 0.0))

    def _flows_shown(self) -> tuple[Flow, ...]:
        running: dict[_Way, int] = {}
        for trace in self._active.values():
            running[trace.way] = running.get(trace.way, 0) + 1
        ways = dict.fromkeys((*self._flows, *running))
        nothing = _FlowSums()
        return tuple(
            Flow(*way, running.get(way, 0), sums.requests, sums.failed, sums.tokens)
            for way, sums in ((way, self._flows.get(way, nothing)) for way in ways)
        )

    def _forget_sessions(self) -> None:
        if len(self._sessions) > SESSIONS_SHOWN:
            oldest = next((name for name, sums in self._sessions.items() if not sums.active), None)
            if oldest is not None:
                del self._sessions[oldest]


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a request comes from; `time` is its start in Unix seconds. `engine` names the session's own, if any."""

    session: str
    agent: str
    project: str
    time: float
    engine: str


def _origin(session: Session, project: str, now: float) -> _Origin:
    engine = "" if session.engine is None else session.endpoint.name
    return _Origin(session.id, session.agent, project, now, engine)


class RequestTrace:
    """One request, told step by step. Every call costs microseconds and none raises."""

    __slots__ = (
        "_attempts",
        "_clock",
        "_deltas",
        "_first_at",
        "_is_over",
        "_last_at",
        "_model",
        "_number",
        "_origin",
        "_prices",
        "_prompt_tokens",
        "_route",
        "_started",
        "_traffic",
        "_upstream",
        "_usage",
    )

    def __init__(self, traffic: Traffic, number: int, origin: _Origin, clock: Callable[[], float]) -> None:
        self._traffic = traffic
        self._number = number
        self._origin = origin
        self._clock = clock
        self._started = clock()
        self._route = ""
        self._upstream = ""
        self._model = ""
        self._prices: Prices | None = None
        self._prompt_tokens = 0
        self._attempts = 0
        self._deltas = 0
        self._first_at: float | None = None
        self._last_at = 0.0
        self._usage: Usage | None = None
        self._is_over = False

    @property
    def way(self) -> _Way:
        """How it flows, as far as it is decided."""
        return self._origin.agent, self._route, self._upstream, self._model

    def routed(self, route: str, candidates: int, prompt_tokens: int = 0) -> None:  # noqa: ARG002 - see docstring
        """The policy has chosen `route` with so many upstreams to try.

        `prompt_tokens` is an estimate: what an answer is charged that breaks off before its usage is told.
        """
        self._route = route
        self._prompt_tokens = prompt_tokens

    def attempt(self, upstream: str, model: str, prices: Prices | None) -> None:
        """An upstream is asked, again or for the first time. `prices` None: unknown; an engine of ours is free."""
        self._attempts += 1
        self._upstream = upstream
        self._model = model
        self._prices = FREE if prices is None and upstream == self._origin.engine else prices

    def event(self, event: ChatEvent) -> None:
        """A piece of the answer has come."""
        kind = type(event)
        if kind in _CONTENT:
            now = self._clock()
            if self._first_at is None:
                self._first_at = now
            self._last_at = now
            self._deltas += 1
        elif kind is UsageReport:
            self._usage = event.usage  # type: ignore[union-attr]  # the type was compared, which isinstance would cost

    def finish(self, status: str, mended: int) -> None:
        """It is over: `OK`, an ErrorKind's value or `CANCELLED`. A second call says nothing."""
        if self._is_over:
            return
        self._is_over = True
        now = self._clock()
        usage = self._final_usage()
        first = self._first_at
        decode_s = 0.0 if first is None else self._last_at - first
        reference = self._traffic.reference
        record = RequestRecord(
            time=self._origin.time,
            session=self._origin.session,
            agent=self._origin.agent,
            project=self._origin.project,
            route=self._route,
            upstream=self._upstream,
            model=self._model,
            attempts=self._attempts,
            status=str(status),
            tokens_in=usage.input_tokens,
            tokens_cached=usage.cached_tokens,
            tokens_out=usage.output_tokens,
            first_byte_ms=None if first is None else (first - self._started) * 1000,
            total_ms=(now - self._started) * 1000,
            mended=mended,
            cost_usd=self._cost_usd(usage),
            reference_cost_usd=None if reference is None else list_cost_usd(usage, reference),
            decode_tok_s=decode_rate(usage.output_tokens, decode_s),
        )
        self._traffic.end(self._number, record)

    def shown(self) -> ActiveRequest:
        """As the live view shows it."""
        now = self._clock()
        tokens = self._deltas if self._usage is None else max(self._deltas, self._usage.output_tokens)
        first = self._first_at
        return ActiveRequest(
            number=self._number,
            session=self._origin.session,
            agent=self._origin.agent,
            project=self._origin.project,
            route=self._route,
            upstream=self._upstream,
            model=self._model,
            attempts=self._attempts,
            phase="waiting" if first is None else "answering",
            seconds=now - self._started,
            tokens_out=tokens,
            decode_tok_s=None if first is None else decode_rate(tokens, self._last_at - first),
        )

    def _cost_usd(self, usage: Usage) -> float | None:
        """What the upstream says that it charges, else what its prices say."""
        if usage.cost_usd is not None or self._prices is None:
            return usage.cost_usd
        return list_cost_usd(usage, self._prices)

    def _final_usage(self) -> Usage:
        """What the upstream has told; else an estimate, once it has begun to answer: a piece is about a token."""
        if self._usage is not None:
            return plausible(self._usage)
        if self._first_at is None:
            return Usage()
        return Usage(input_tokens=self._prompt_tokens, output_tokens=self._deltas)


def _session_shown(name: str, sums: _SessionSums) -> SessionTraffic:
    return SessionTraffic(
        session=name,
        agent=sums.agent,
        model=sums.model,
        project=sums.project,
        requests=sums.requests,
        active=sums.active,
        tokens_in=sums.tokens_in,
        tokens_cached=sums.tokens_cached,
        tokens_out=sums.tokens_out,
        context_tokens=sums.context_tokens,
        context_window=sums.context_window,
        cost_usd=sums.cost_usd,
        decode_tok_s=sums.decode_tok_s,
        last_at=sums.last_at,
    )


def unmetered() -> Traffic:
    """Traffic that is shown while it runs and not kept."""
    return Traffic(UsageRecorder(None), monotonic, time)
