"""What the policy that holds here would do with a given request; nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from agentlaunch.app.policy import policy_in_force
from agentlaunch.core.policy import LOCAL, Role
from agentlaunch.core.routing import Decision, RequestFacts, Spent, UpstreamFacts, decide
from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agentlaunch.app.upstream_store import StoredUpstream
    from agentlaunch.app.world import World
    from agentlaunch.core.policy import Policy
    from agentlaunch.core.policy_settings import PolicyInForce
    from agentlaunch.system.dirs import Dirs


@dataclass(frozen=True)
class ExplainOrder:
    """A request as the user describes it. None: the default policy; the role that the rest suggests; the agent's first
    prompt, in tokens. `model` is the name that the client asks for, which may carry a role (`NAME@background`)."""

    policy: str | None = None
    role: str | None = None
    prompt_tokens: int | None = None
    model: str = ""
    has_images: bool = False
    agent: str | None = None


@dataclass(frozen=True)
class Target:
    """Where a candidate's bytes would go: `model` and `url` are empty where the launch decides them."""

    upstream: str
    why: str
    model: str = ""
    url: str = ""
    is_local: bool = True
    is_last_resort: bool = False
    needs_consent: bool = False


@dataclass(frozen=True)
class Explained:
    """The request as it was understood, the decision, and where the bytes would go, in the order of the attempts."""

    in_force: PolicyInForce
    facts: RequestFacts
    decision: Decision
    targets: tuple[Target, ...]


def explain(order: ExplainOrder, world: World) -> Explained:
    """What the policy does with such a request, every upstream being well and nothing spent. Raises UserError."""
    from agentlaunch.app.upstreams import known_upstreams

    in_force = policy_in_force(order.policy, world)
    stored = known_upstreams(world)
    facts = _facts(order, in_force.policy)
    known = routed_upstreams(stored, world.dirs)
    decision = decide(in_force.policy, facts, LOCAL, known, Spent(), lambda _name: False)
    by_name = {upstream.name: upstream for upstream in stored}
    return Explained(in_force, facts, decision, tuple(_targets(decision, known, by_name)))


def routed_upstreams(stored: Iterable[StoredUpstream], dirs: Dirs) -> dict[str, UpstreamFacts]:
    """What a decision must know of each upstream that was added, and of the launch's own model as `local`."""
    from agentlaunch.app.upstreams import facts_of
    from agentlaunch.core.addresses import is_loopback

    known = {LOCAL: UpstreamFacts(LOCAL, is_local=True)}
    for upstream in stored:
        facts = facts_of(upstream, upstream.model, dirs)
        known[upstream.name] = UpstreamFacts(
            name=upstream.name,
            is_local=is_loopback(upstream.url),
            context_window=facts.context_window,
            takes_images=facts.takes_images,
            is_priced=facts.prices is not None and (facts.prices.input_usd > 0 or facts.prices.output_usd > 0),
        )
    return known


def _facts(order: ExplainOrder, policy: Policy) -> RequestFacts:
    from agentlaunch.core.roles import strip_role

    tokens = order.prompt_tokens if order.prompt_tokens is not None else _first_prompt(order.agent)
    model, named = strip_role(order.model)
    if order.role is not None:
        role, why = _role(order.role), "as --role says"
    elif named is not None:
        role, why = named, "as the model's name says"
    elif order.has_images:
        role, why = "image", "as --image says"
    elif tokens >= policy.long_context_tokens:
        role, why = "long_context", f"{policy.long_context_tokens:,} prompt tokens or more"
    else:
        role, why = "main", "nothing says otherwise"
    return RequestFacts(role, tokens, model, order.has_images, why)


def _first_prompt(agent: str | None) -> int:
    from agentlaunch.app.agents import find_agent
    from agentlaunch.app.prompts import DEFAULT_AGENT

    return find_agent(agent or DEFAULT_AGENT).prompt_tokens.full


def _role(word: str) -> Role:
    for known in get_args(Role):
        if word == known:
            found: Role = known
            return found
    raise UserError("unknown-role", f"there is no role `{word}`", f"known: {', '.join(get_args(Role))}")


def _targets(
    decision: Decision, known: Mapping[str, UpstreamFacts], stored: Mapping[str, StoredUpstream]
) -> Iterable[Target]:
    for candidate in decision.candidates:
        upstream = stored.get(candidate.upstream)
        is_local = known[candidate.upstream].is_local
        yield Target(
            upstream=candidate.upstream,
            why=candidate.why,
            model=candidate.model or ("" if upstream is None else upstream.model),
            url="" if upstream is None else upstream.url,
            is_local=is_local,
            is_last_resort=candidate.is_last_resort,
            needs_consent=not is_local and upstream is not None and not upstream.may_leave,
        )
