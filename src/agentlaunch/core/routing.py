"""Which upstreams a request may be sent to, in which order, and why not the others: the policy's decision, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from agentlaunch.core.ir import ChatRequest
from agentlaunch.core.policy import DEFAULT_LONG_CONTEXT_TOKENS, LOCAL, Policy, Role, Route, RouteMatch
from agentlaunch.core.roles import has_images, role_of, strip_role

NO_ROUTE = "primary"
"""The name of the decision's route when no route of the policy takes the request."""


@dataclass(frozen=True)
class RequestFacts:
    """What a decision looks at. `model` is the name asked for, without its role; `why` is what told the role."""

    role: Role
    prompt_tokens: int
    model: str
    has_images: bool = False
    why: str = ""


@dataclass(frozen=True)
class UpstreamFacts:
    """One upstream: `is_local` when its address is this machine's own, `is_priced` when its answers cost money.

    `context_window` in tokens and `takes_images` are None when nobody knows.
    """

    name: str
    is_local: bool
    context_window: int | None = None
    takes_images: bool | None = None
    is_priced: bool = False


@dataclass(frozen=True)
class Spent:
    """US dollars spent so far: today, and in this session."""

    day_usd: float = 0.0
    session_usd: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """An upstream to try. `model` is another one than its usual, empty for that one.

    `is_last_resort`: something speaks against it (`why` tells), and there is nothing better; it is tried all the same.
    """

    upstream: str
    why: str
    model: str = ""
    is_last_resort: bool = False


@dataclass(frozen=True)
class Skipped:
    """An upstream that the request does not go to, and why."""

    upstream: str
    why: str
    model: str = ""


@dataclass(frozen=True)
class Decision:
    """`candidates` in the order to try them. Without any, `refusal` says why, and what to do about it.

    `preferred` is the upstream that the policy would take if nothing were put aside: whoever answers in its place is
    told to the user.
    """

    route: str
    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...] = ()
    refusal: str = ""
    preferred: str = ""


class _Wish(NamedTuple):
    """An upstream that the policy names for a request, as `reference` writes it, and why."""

    reference: str
    upstream: str
    model: str
    why: str


_RESTING = (0, 0)
"""The rank of what has only failed."""


class _Doubt(NamedTuple):
    """Why a wish is put aside while there are others. The lowest rank is the first to be tried after all."""

    rank: tuple[int, int]
    why: str


def facts_of(
    request: ChatRequest, prompt_tokens: int, long_context_tokens: int = DEFAULT_LONG_CONTEXT_TOKENS
) -> RequestFacts:
    """The facts of a decoded request whose prompt counts `prompt_tokens`."""
    told = role_of(request, prompt_tokens, long_context_tokens)
    return RequestFacts(
        role=told.role,
        prompt_tokens=prompt_tokens,
        model=strip_role(request.model)[0],
        has_images=has_images(request.messages),
        why=told.why,
    )


def decide(
    policy: Policy,
    facts: RequestFacts,
    primary: str,
    upstreams: Mapping[str, UpstreamFacts],
    spent: Spent,
    is_open: Callable[[str], bool],
) -> Decision:
    """Where the request may go. `primary` is what the launch itself runs, `is_open` asks an upstream's circuit breaker.

    The first route that takes the request names the upstreams, then come the policy's fallbacks, then `primary`. What
    privacy or a spent budget forbids is left out for good. What has failed a moment ago comes last: it may be back when
    all others fail. What is put aside for its window or for images is tried when nothing else is left: the one that
    answers then says best what is wrong, and an overflow is what makes an agent compact its conversation.
    """
    route = _route_for(policy.routes, facts)
    name = NO_ROUTE if route is None else route.name
    over = _over_budget(policy, spent)
    if over and policy.over_budget == "stop":
        hint = "raise it in [policy] of config.toml, or see `agentlaunch usage`"
        return Decision(name, (), refusal=f"{over}, and the policy `{policy.name}` then stops: {hint}")
    candidates: list[Candidate] = []
    skipped: list[Skipped] = []
    doubted: list[tuple[_Wish, _Doubt]] = []
    preferred = ""
    for wish in _wishes(policy, route, primary, upstreams):
        known = upstreams.get(wish.upstream)
        against = _unknown(wish) if known is None else _forbidden(policy, known, over)
        if known is None or against:
            skipped.append(Skipped(wish.upstream, against, wish.model))
            continue
        preferred = preferred or wish.reference
        doubt = _doubt(known, wish, facts, is_open)
        if doubt is None:
            candidates.append(Candidate(wish.upstream, wish.why, wish.model))
        else:
            doubted.append((wish, doubt))
    candidates.extend(_resting(doubted))
    if not candidates and doubted:
        candidates.append(_last_resort(doubted))
    skipped.extend(Skipped(wish.upstream, doubt.why, wish.model) for wish, doubt in doubted)
    refusal = "" if candidates else _refusal(policy, skipped)
    return Decision(name, tuple(candidates), tuple(skipped), refusal, preferred)


def _route_for(routes: Iterable[Route], facts: RequestFacts) -> Route | None:
    return next((route for route in routes if _takes(route.match, facts)), None)


def _takes(match: RouteMatch, facts: RequestFacts) -> bool:
    if match.role is not None and match.role != facts.role:
        return False
    if match.min_prompt_tokens is not None and facts.prompt_tokens < match.min_prompt_tokens:
        return False
    if match.max_prompt_tokens is not None and facts.prompt_tokens > match.max_prompt_tokens:
        return False
    return not match.model or fnmatchcase(facts.model, match.model)


def _wishes(
    policy: Policy, route: Route | None, primary: str, upstreams: Mapping[str, UpstreamFacts]
) -> Iterable[_Wish]:
    """What the policy names, each once, at its first place.

    `prefer-local` puts this machine first within what a route names, and within the rest: a route that says `hpc` for
    long prompts means it.
    """
    own = (primary, "what this launch runs")
    fallbacks = [(reference, "fallback") for reference in policy.fallbacks]
    if route is None:
        groups = [[own, *fallbacks]]
    else:
        groups = [[(reference, f"route `{route.name}`") for reference in route.use], [*fallbacks, own]]
    found: dict[str, _Wish] = {}
    for group in groups:
        wishes = [_Wish(reference, *_named(reference), why) for reference, why in group]
        if policy.privacy == "prefer-local":
            wishes.sort(key=lambda wish: not _is_local(upstreams.get(wish.upstream)))
        for wish in wishes:
            found.setdefault(wish.reference, wish)
    return found.values()


def _named(reference: str) -> tuple[str, str]:
    upstream, _, model = reference.partition("/")
    return upstream, model


def _is_local(known: UpstreamFacts | None) -> bool:
    return known is not None and known.is_local


def _unknown(wish: _Wish) -> str:
    if wish.upstream == LOCAL:
        return "this launch runs no model on this machine"
    return f"there is no upstream `{wish.upstream}`: agentlaunch upstream list"


def _forbidden(policy: Policy, known: UpstreamFacts, over: str) -> str:
    """Why nothing may go there at all, empty when it may."""
    if policy.privacy == "local-only" and not known.is_local:
        return f"not on this machine, and the policy `{policy.name}` is local-only"
    if over and known.is_priced:
        return f"it costs money, and {over}"
    return ""


def _doubt(known: UpstreamFacts, wish: _Wish, facts: RequestFacts, is_open: Callable[[str], bool]) -> _Doubt | None:
    """The gravest thing that speaks against it. Another model than its usual has a window that nobody knows here."""
    window = None if wish.model else known.context_window
    if facts.has_images and known.takes_images is False and not wish.model:
        return _Doubt((2, 0), "its model takes no images")
    if window is not None and facts.prompt_tokens >= window:
        why = f"the prompt has {facts.prompt_tokens:,} tokens, and its window is {window:,}"
        return _Doubt((1, -window), why)
    if is_open(wish.upstream):
        return _Doubt(_RESTING, "it failed a moment ago and is left alone for now")
    return None


def _resting(doubted: list[tuple[_Wish, _Doubt]]) -> list[Candidate]:
    """Takes those that only failed out of `doubted`, in their order."""
    resting = [entry for entry in doubted if entry[1].rank == _RESTING]
    for entry in resting:
        doubted.remove(entry)
    return [
        Candidate(wish.upstream, f"when nothing else answers: {doubt.why}", wish.model, is_last_resort=True)
        for wish, doubt in resting
    ]


def _last_resort(doubted: list[tuple[_Wish, _Doubt]]) -> Candidate:
    """Takes the best of them out of `doubted`: the longest window."""
    best = min(doubted, key=lambda entry: entry[1].rank)
    doubted.remove(best)
    wish, doubt = best
    return Candidate(wish.upstream, f"nothing else is left, though {doubt.why}", wish.model, is_last_resort=True)


def _over_budget(policy: Policy, spent: Spent) -> str:
    """Which budget is spent, as a clause; empty while none is."""
    if policy.budget_day_usd is not None and spent.day_usd >= policy.budget_day_usd:
        return f"the day's budget of ${policy.budget_day_usd:.2f} is spent (${spent.day_usd:.2f})"
    if policy.budget_session_usd is not None and spent.session_usd >= policy.budget_session_usd:
        return f"the session's budget of ${policy.budget_session_usd:.2f} is spent (${spent.session_usd:.2f})"
    return ""


def _refusal(policy: Policy, skipped: Sequence[Skipped]) -> str:
    reasons = "; ".join(f"`{entry.upstream}`: {entry.why}" for entry in skipped)
    return f"the policy `{policy.name}` leaves no upstream for this request ({reasons}): agentlaunch policy explain"
