"""Circuit breakers: which upstreams are left alone for a while since they failed, and who may try them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias, assert_never

BreakerName = Literal["closed", "open", "half-open"]


class FailureKind(StrEnum):
    """How an upstream failed. What is a request's own fault (400, 413, an overflow) is none of these: not reported."""

    REFUSED = "refused"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    STALLED = "stalled"
    BROKEN = "broken"


@dataclass(frozen=True)
class BreakerRules:
    """When a breaker opens, in failures in a row, and for how long, in seconds.

    Each opening out of a failed probe lasts twice as long as the one before, up to `longest_open_s`. A 401 or 403 ends
    only when a person has done something. A Retry-After is believed up to `longest_retry_after_s`.
    """

    failures: int = 3
    refusals: int = 2
    open_s: float = 5.0
    longest_open_s: float = 120.0
    forbidden_open_s: float = 300.0
    longest_retry_after_s: float = 3600.0


@dataclass(frozen=True)
class Closed:
    """Requests pass. `failures` and `refusals` (connections refused) are those in a row; `open_s` is how long the next
    opening lasts where the last one has not been made good by a whole answer, 0: as long as any first one.
    """

    failures: int = 0
    refusals: int = 0
    open_s: float = 0.0


@dataclass(frozen=True)
class Open:
    """No request passes before `until_s`; then one may probe. `open_s` is how long this opening lasts."""

    until_s: float
    open_s: float


@dataclass(frozen=True)
class Probing:
    """One request is under way to find out; `open_s` is how long the opening before it lasted."""

    open_s: float


Breaker: TypeAlias = Closed | Open | Probing


@dataclass(frozen=True)
class BreakerStatus:
    """A breaker for display: `tried_again_in_s` is 0 unless it is open."""

    upstream: str
    state: BreakerName
    failures: int = 0
    tried_again_in_s: float = 0.0
    last_failure: FailureKind | None = None


_NEW = Closed()


class Health:
    """The breakers of all upstreams by name. `clock` is monotonic, in seconds. Nothing here waits or sends."""

    def __init__(self, clock: Callable[[], float], rules: BreakerRules | None = None) -> None:
        self._clock = clock
        self._rules = rules or BreakerRules()
        self._breakers: dict[str, Breaker] = {}
        self._last: dict[str, FailureKind] = {}

    def is_open(self, name: str) -> bool:
        """Whether a request should go elsewhere: while it is open, and while a probe is under way."""
        breaker = self._breakers.get(name)
        if breaker is None or isinstance(breaker, Closed):
            return False
        return isinstance(breaker, Probing) or breaker.until_s > self._clock()

    def allows(self, name: str) -> bool:
        """Whether a request may go there now. Half-open, the first who asks takes the probe's place.

        Whoever took it says `began`, `answered`, `failed` or `released`, or nobody ever probes again.
        """
        breaker = self._breakers.get(name, _NEW)
        match breaker:
            case Closed():
                return True
            case Probing():
                return False
            case Open():
                if breaker.until_s > self._clock():
                    return False
                self._breakers[name] = Probing(breaker.open_s)
                return True
            case _:
                assert_never(breaker)

    def began(self, name: str) -> None:
        """The first word of an answer came: requests pass, and one more failure before a whole answer opens it again.

        Earlier failures stay counted, or an upstream that breaks off each answer in its middle would never be left.
        """
        breaker = self._breakers.get(name, _NEW)
        match breaker:
            case Closed():
                if breaker.refusals:
                    self._breakers[name] = Closed(breaker.failures, 0, breaker.open_s)
            case Probing() | Open():
                longer_s = min(breaker.open_s * 2, self._rules.longest_open_s)
                self._breakers[name] = Closed(self._rules.failures - 1, 0, longer_s)
            case _:
                assert_never(breaker)

    def finished(self, name: str) -> None:
        """An answer is whole, which makes good the failures before it.

        One that is open stays so: the answer may have begun before the upstream asked to be left alone.
        """
        if isinstance(self._breakers.get(name), Closed):
            self.answered(name)

    def answered(self, name: str) -> None:
        """It is well, and has said at once what is wrong with the request. That closes the breaker in any state."""
        if name in self._breakers:
            del self._breakers[name]
            self._last.pop(name, None)

    def failed(self, name: str, kind: FailureKind, retry_after_s: float | None = None) -> None:
        """The upstream failed in this way. `retry_after_s` is what a 429 or 503 asked for."""
        now = self._clock()
        self._last[name] = kind
        breaker = self._breakers.get(name, _NEW)
        asked_s = self._asked_s(kind, retry_after_s)
        match breaker:
            case Closed():
                refusals = breaker.refusals + 1 if kind is FailureKind.REFUSED else 0
                counted = Closed(breaker.failures + 1, refusals, breaker.open_s)
                full = counted.failures >= self._rules.failures or counted.refusals >= self._rules.refusals
                if asked_s is None and not full:
                    self._breakers[name] = counted
                    return
                open_s = breaker.open_s or self._rules.open_s
                self._breakers[name] = Open(now + (open_s if asked_s is None else asked_s), open_s)
            case Probing():
                open_s = min(breaker.open_s * 2, self._rules.longest_open_s)
                self._breakers[name] = Open(now + max(open_s, asked_s or 0.0), open_s)
            case Open():  # a request from before it opened, or one that had nowhere else to go: no reason to double
                if asked_s is not None:
                    self._breakers[name] = Open(max(breaker.until_s, now + asked_s), breaker.open_s)
            case _:
                assert_never(breaker)

    def released(self, name: str) -> None:
        """The probe ended without a word about the upstream (its client went away): the next may probe at once."""
        breaker = self._breakers.get(name)
        if isinstance(breaker, Probing):
            self._breakers[name] = Open(self._clock(), breaker.open_s)

    def states(self) -> tuple[BreakerStatus, ...]:
        """The breakers of upstreams that have failed since they last answered, by name."""
        now = self._clock()
        return tuple(self._status(name, breaker, now) for name, breaker in sorted(self._breakers.items()))

    def _asked_s(self, kind: FailureKind, retry_after_s: float | None) -> float | None:
        """How long to leave it alone at once, in seconds; None when this failure alone is no reason to."""
        match kind:
            case FailureKind.AUTHENTICATION | FailureKind.PERMISSION:
                return self._rules.forbidden_open_s
            case FailureKind.RATE_LIMITED | FailureKind.SERVER_ERROR if retry_after_s is not None:
                return min(max(retry_after_s, 0.0), self._rules.longest_retry_after_s)
            case _:
                return None

    def _status(self, name: str, breaker: Breaker, now: float) -> BreakerStatus:
        last = self._last.get(name)
        match breaker:
            case Closed():
                return BreakerStatus(name, "closed", breaker.failures, 0.0, last)
            case Probing():
                return BreakerStatus(name, "half-open", 0, 0.0, last)
            case Open():
                left_s = breaker.until_s - now
                state: BreakerName = "open" if left_s > 0 else "half-open"
                return BreakerStatus(name, state, 0, max(left_s, 0.0), last)
            case _:
                assert_never(breaker)
