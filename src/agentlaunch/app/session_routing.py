"""The routing that a launch or `serve` hands to the shim: the policy in force, and the upstreams that it may use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentlaunch.app.offline import refuse_far_offline
from agentlaunch.core.addresses import is_loopback
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.offline import is_offline
from agentlaunch.core.policy import LOCAL
from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from agentlaunch.app.models import ModelTarget
    from agentlaunch.app.orders import ModelOrder
    from agentlaunch.app.world import World
    from agentlaunch.core.policy import Policy
    from agentlaunch.core.policy_settings import PolicyInForce
    from agentlaunch.shim.session import SessionRouting


@dataclass(frozen=True)
class Routing:
    """The launch's own target under the policy, what the shim routes by (None: everything goes to the target), and
    sentences for the user about upstreams that are left out."""

    target: ModelTarget
    session: SessionRouting | None
    notes: tuple[str, ...] = ()


def choose_routing(order: ModelOrder, target: ModelTarget, world: World) -> Routing:
    """What `--policy`, `--fallback` and the settings say for this launch.

    A policy that says `local-only` itself is kept against the command line, which raises UserError `privacy`. Where
    nobody has said anything, an upstream that this very command names may be used: naming it is the consent that the
    question (`--yes`, `upstream add`) has asked for; what only a policy names stays out.

    Raises UserError for what the settings or `--fallback` name wrongly.
    """
    from agentlaunch.app.policy import policy_in_force

    in_force = policy_in_force(order.policy or None, world)
    named = tuple(_named(name, world) for name in order.fallbacks)
    policy = _permitted(in_force, [*_far((target.target,)), *_far(named)])
    policy = replace(policy, fallbacks=(*(_reference(each) for each in order.fallbacks), *policy.fallbacks))
    others, notes = _from_policy(policy, {endpoint.name for endpoint in named}, world)
    if in_force.policy.privacy == "local-only" or is_offline(world.environment):
        others = tuple(endpoint for endpoint in others if is_loopback(endpoint.base_url))
    own = target.target
    if isinstance(own, Endpoint):
        target = replace(target, target=_capped(own, policy))
    if not (policy.routes or policy.fallbacks or _has_budget(policy)):
        return Routing(target, None, notes)
    from agentlaunch.shim.session import SessionRouting

    upstreams = tuple(_capped(endpoint, policy) for endpoint in (*named, *others))
    return Routing(target, SessionRouting(policy, upstreams), notes)


def _permitted(in_force: PolicyInForce, far: list[Endpoint]) -> Policy:
    """The policy, opened for what the command itself names unless somebody wrote `local-only` down."""
    policy = in_force.policy
    if not far or policy.privacy != "local-only":
        return policy
    source = in_force.sources["privacy"]
    if source != "default":
        raise UserError(
            "privacy",
            f"`{far[0].name}` is not on this machine, and {source} says `local-only`",
            'change it to privacy = "any" there, or leave the upstream away',
        )
    return replace(policy, privacy="any")


def _from_policy(policy: Policy, named: set[str], world: World) -> tuple[tuple[Endpoint, ...], tuple[str, ...]]:
    """The endpoints of what routes and fallbacks name; one that cannot be used is told and left out."""
    from agentlaunch.app.upstreams import endpoint_named

    found: dict[str, Endpoint] = {}
    notes: dict[str, str] = {}
    for reference in (*(use for route in policy.routes for use in route.use), *policy.fallbacks):
        name = reference.partition("/")[0]
        if name == LOCAL or name in named or name in found or name in notes:
            continue
        try:
            found[name] = endpoint_named(reference, world)
        except UserError as error:
            notes[name] = f"the policy's `{name}` is left out: {error.message} ({error.hint})"
    return tuple(found.values()), tuple(notes.values())


def _named(reference: str, world: World) -> Endpoint:
    """The endpoint of `--fallback NAME[/MODEL]`. Raises UserError, also when its bytes may not leave."""
    from agentlaunch.app.upstreams import endpoint_named

    endpoint = endpoint_named(reference, world)
    refuse_far_offline(endpoint.name, endpoint.base_url, world)
    if not (endpoint.may_leave or is_loopback(endpoint.base_url)):
        raise UserError(
            "consent-needed",
            f"`{endpoint.name}` is not on this machine, and you have not agreed that bytes go there",
            f"agentlaunch upstream rm {endpoint.name} --yes, then add it again with --yes",
        )
    return endpoint


def _reference(fallback: str) -> str:
    """A fallback as the policy names it: its model is already in the endpoint."""
    return fallback.partition("/")[0]


def _far(targets: Iterable[object]) -> list[Endpoint]:
    return [each for each in targets if isinstance(each, Endpoint) and not is_loopback(each.base_url)]


def _capped(endpoint: Endpoint, policy: Policy) -> Endpoint:
    """What may never leave is checked where the bytes leave, by the endpoint's own caps."""
    return endpoint if is_loopback(endpoint.base_url) else replace(endpoint, caps=policy.caps)


def _has_budget(policy: Policy) -> bool:
    return policy.budget_day_usd is not None or policy.budget_session_usd is not None
