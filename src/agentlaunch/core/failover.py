"""Which upstream is asked next when one fails: a pure state machine, failures in, effects out; one a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias, assert_never

import msgspec

from agentlaunch.core.ir import ChatFault, ErrorKind

MAX_REVIVALS = 3
"""How often one request waits for its engine of ours to come back: a fourth crash is the request's own doing."""

RETRY_PAUSES_S = (0.3, 0.7, 1.5, 2.5)
"""The length of each round in which the upstreams that have answered before and are not there now are asked again, one
after the other and nobody else being left: a server that restarts is back within seconds, and not every agent asks
again by itself."""

LONGEST_AWAITED_S = 2.0
"""The longest Retry-After of an upstream that is asked again within one request."""


@dataclass(frozen=True)
class Choice:
    """One upstream that may be asked. `context_window` in tokens, None when unknown.

    `is_revived`: an engine of ours, which is started again when it has crashed. `has_answered`: it did so before, so a
    refused connection is likely a restart. `stall_s`: silence after which it counts as stalled, None: never, since a
    local prefill takes minutes.
    """

    name: str
    context_window: int | None = None
    is_revived: bool = False
    has_answered: bool = False
    stall_s: float | None = None


@dataclass(frozen=True)
class Ask:
    """Ask the choice number `index`, `after_s` seconds from now; with `revive` once its engine is back.

    `stall_s` is how long it may be silent before `failed` is due with a timeout, None: as long as it takes.
    """

    index: int
    after_s: float = 0.0
    revive: bool = False
    stall_s: float | None = None


@dataclass(frozen=True)
class GiveUp:
    """Nobody is left to be asked: what the client is told."""

    fault: ChatFault


Effect: TypeAlias = Ask | GiveUp


class Cause(Enum):
    """What ended an attempt: an ANSWER of the upstream; its CONNECTION, refused or broken; or OURSELVES, before
    anything was asked.
    """

    ANSWER = auto()
    CONNECTION = auto()
    OURSELVES = auto()


@dataclass(frozen=True)
class Failure:
    """How an attempt ended."""

    fault: ChatFault
    cause: Cause = Cause.ANSWER

    @property
    def is_away(self) -> bool:
        """Whether the upstream may only be restarting: a lost connection, or a 503 that asks for no long wait."""
        waits_s = self.fault.retry_after_s or 0.0
        is_lost = self.cause is Cause.CONNECTION
        return is_lost or (self.fault.kind is ErrorKind.UNAVAILABLE and waits_s <= LONGEST_AWAITED_S)


class Failover:
    """Feed it each failure that came before anything of the answer went out; obey the effect.

    At most one attempt is alive: the caller ends one before it begins the next. No choice is asked a second time for
    the same reason, so the number of attempts is bounded by the choices, revivals and pauses.
    """

    def __init__(self, choices: Sequence[Choice]) -> None:
        if not choices:
            raise ValueError("no upstream to ask")
        self._choices = tuple(choices)
        self._asked: set[int] = set()
        self._failures: list[tuple[int, Failure]] = []
        self._index = 0
        self._revivals = 0
        self._retries = 0
        self.attempts = 0

    @property
    def has_others(self) -> bool:
        """Whether there is a choice that was not asked yet."""
        return len(self._asked) < len(self._choices)

    def begin(self) -> Ask:
        """Ask the first."""
        return self._ask(0)

    def again(self) -> Ask:
        """Ask the same once more: what it was asked is another thing now."""
        return self._ask(self._index)

    def failed(self, failure: Failure) -> Effect:
        """The attempt that was asked for last has failed."""
        choice = self._choices[self._index]
        if failure.cause is Cause.CONNECTION and choice.is_revived and self._revivals < MAX_REVIVALS:
            self._revivals += 1
            return self._ask(self._index, revive=True)
        self._failures.append((self._index, failure))
        match failure.fault.kind:
            case ErrorKind.BAD_REQUEST if failure.cause is not Cause.OURSELVES:  # every other would refuse it as well
                return GiveUp(failure.fault)
            case ErrorKind.CONTEXT_OVERFLOW:
                longer = self._longer(failure.fault)
                return GiveUp(failure.fault) if longer is None else self._ask(longer)
            case (
                ErrorKind.BAD_REQUEST  # this one's wire cannot say it; another's may
                | ErrorKind.AUTHENTICATION
                | ErrorKind.PERMISSION
                | ErrorKind.NOT_FOUND
                | ErrorKind.TOO_LARGE
                | ErrorKind.RATE_LIMITED
                | ErrorKind.OVERLOADED
                | ErrorKind.UNAVAILABLE
                | ErrorKind.TIMEOUT
                | ErrorKind.INTERNAL
            ):
                return self._next()
            case never:
                assert_never(never)

    def _ask(self, index: int, *, after_s: float = 0.0, revive: bool = False) -> Ask:
        self._index = index
        self._asked.add(index)
        self.attempts += 1
        return Ask(index, after_s, revive, self._choices[index].stall_s if self.has_others else None)

    def _next(self) -> Effect:
        """The next that was not asked; else, in rounds, those that have answered before and are away; else nobody."""
        for index in range(len(self._choices)):
            if index not in self._asked:
                return self._ask(index)
        away = list(dict.fromkeys(index for index, failure in self._failures if failure.is_away))
        away = [index for index in away if self._choices[index].has_answered]
        if self._retries >= len(RETRY_PAUSES_S) * len(away):
            return GiveUp(self._told())
        number, place = divmod(self._retries, len(away))
        self._retries += 1
        return self._ask(away[place], after_s=RETRY_PAUSES_S[number] / len(away))

    def _longer(self, fault: ChatFault) -> int | None:
        """The next choice with a longer window than the one that has overflowed; unknown windows are not longer."""
        own = fault.context_window or self._choices[self._index].context_window or 0
        needed = max(own, fault.prompt_tokens or 0)
        for index, choice in enumerate(self._choices):
            if index not in self._asked and (choice.context_window or 0) > needed:
                return index
        return None

    def _told(self) -> ChatFault:
        """The fault to tell: the one that the agent can do most about, with what each upstream said."""
        told = min((failure.fault for _, failure in self._failures), key=_rank)
        said: dict[str, str] = {}
        for index, failure in self._failures:
            said[self._choices[index].name] = failure.fault.message
        if len(said) == 1:
            return told
        each = "; ".join(f"`{name}`: {message}" for name, message in said.items())
        return msgspec.structs.replace(told, message=f"no upstream has answered. {each}")


_USEFUL = (
    ErrorKind.CONTEXT_OVERFLOW,  # the agent compacts
    ErrorKind.RATE_LIMITED,  # it waits, with the time to wait where there is one
    ErrorKind.OVERLOADED,
    ErrorKind.UNAVAILABLE,
    ErrorKind.TIMEOUT,
    ErrorKind.INTERNAL,
)


def _rank(fault: ChatFault) -> tuple[int, float]:
    """Small for what an agent can act on, so that it tries again where that may help."""
    place = _USEFUL.index(fault.kind) if fault.kind in _USEFUL else len(_USEFUL)
    return place, fault.retry_after_s or 0.0
