"""What `policy` found, as data and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from agentlaunch.cli.canvas import Canvas
from agentlaunch.core.routing import NO_ROUTE

if TYPE_CHECKING:
    from agentlaunch.app.policy_explain import Explained, Target
    from agentlaunch.core.policy import Caps, Policy, Route
    from agentlaunch.core.policy_settings import PolicyInForce
    from agentlaunch.core.routing import RequestFacts

_LABEL = 20
_DEFAULT = "default"


def policy_data(held: PolicyInForce) -> dict[str, object]:
    """The keys of `policy show --json`: those of the settings file, each with its source."""
    policy = held.policy
    values: dict[str, object] = {
        "privacy": policy.privacy,
        "route": [_route_data(route) for route in policy.routes],
        "fallback": list(policy.fallbacks),
        "budget_day_usd": policy.budget_day_usd,
        "budget_session_usd": policy.budget_session_usd,
        "over_budget": policy.over_budget,
        "long_context_tokens": policy.long_context_tokens,
        "never_send": {
            "paths": list(policy.caps.paths),
            "patterns": list(policy.caps.patterns),
            "secrets": policy.caps.built_in_secrets,
        },
    }
    return {"name": policy.name, "values": values, "sources": dict(held.sources)}


def policy_text(held: PolicyInForce, canvas: Canvas) -> str:
    """The values, routes below each other. The title names who said them; a value that another one said tells it."""
    said = [source for source in held.sources.values() if source != _DEFAULT]
    usual = max(said, key=said.count, default="")
    lines = canvas.wrap(f"policy {held.policy.name}{usual and ', as written in '}{usual}", "")
    for key, text in _values(held.policy):
        source = held.sources[key]
        lines += canvas.field(key, text if source == usual else f"{text} ({source})", _LABEL)
    lines.append("")
    lines += canvas.wrap("What a request would meet: agentlaunch policy explain --help", "")
    return "\n".join(lines)


def explained_data(found: Explained) -> dict[str, object]:
    """The keys of `policy explain --json`."""
    facts = asdict(found.facts)
    return {
        "policy": found.in_force.policy.name,
        "privacy": found.in_force.policy.privacy,
        "request": facts,
        "route": found.decision.route,
        "candidates": [asdict(target) for target in found.targets],
        "skipped": [asdict(skipped) for skipped in found.decision.skipped],
        "refusal": found.decision.refusal,
    }


def explained_text(found: Explained, canvas: Canvas) -> str:
    """The request, the route, where it would go and in which order, and where it would not."""
    policy, decision = found.in_force.policy, found.decision
    lines = [
        *canvas.field("request", _request(found.facts), _LABEL),
        *canvas.field("policy", f"{policy.name}, {policy.privacy}", _LABEL),
        *canvas.field("route", "none takes it" if decision.route == NO_ROUTE else decision.route, _LABEL),
    ]
    if decision.refusal:
        lines += ["", *canvas.wrap(decision.refusal, f"{canvas.paint('refused', 'bad')}: ", " " * 9)]
        return "\n".join(lines)
    lines += ["", canvas.paint("tried in this order", "title")]
    for number, target in enumerate(found.targets, 1):
        lines += canvas.field(f"{number}. {target.upstream}", _target(target), _LABEL)
    if decision.skipped:
        lines += ["", canvas.paint("not asked", "title")]
        for skipped in decision.skipped:
            name = f"{skipped.upstream}/{skipped.model}" if skipped.model else skipped.upstream
            lines += canvas.field(name, skipped.why, _LABEL)
    if any(not target.is_local for target in found.targets):
        lines += ["", *canvas.field("never leaves", _caps(policy.caps), _LABEL)]
    return "\n".join(lines)


def _values(policy: Policy) -> list[tuple[str, str]]:
    routes = [("route", _route(route)) for route in policy.routes] or [("route", "none: what the launch itself runs")]
    return [
        ("privacy", policy.privacy),
        *routes,
        ("fallback", ", then ".join(policy.fallbacks) or "none"),
        ("budget_day_usd", _dollars(policy.budget_day_usd)),
        ("budget_session_usd", _dollars(policy.budget_session_usd)),
        ("over_budget", policy.over_budget),
        ("long_context_tokens", f"{policy.long_context_tokens:,}"),
        ("never_send", _caps(policy.caps)),
    ]


def _route(route: Route) -> str:
    match = route.match
    conditions = [
        f"role {match.role}" if match.role else "",
        f"from {match.min_prompt_tokens:,} prompt tokens" if match.min_prompt_tokens is not None else "",
        f"up to {match.max_prompt_tokens:,} prompt tokens" if match.max_prompt_tokens is not None else "",
        f"model {match.model}" if match.model else "",
    ]
    taken = ", ".join(condition for condition in conditions if condition) or "every request"
    named = "" if route.name == match.role else f"{route.name}: "
    return f"{named}{taken} -> {', then '.join(route.use)}"


def _route_data(route: Route) -> dict[str, object]:
    conditions = {key: value for key, value in asdict(route.match).items() if value not in (None, "")}
    return {"name": route.name, **conditions, "use": list(route.use)}


def _dollars(budget: float | None) -> str:
    return "no limit" if budget is None else f"${budget:.2f}"


def _caps(caps: Caps) -> str:
    kept = ["secrets of well-known form"] if caps.built_in_secrets else []
    kept += [f"paths {', '.join(caps.paths)}"] if caps.paths else []
    kept += [f"texts {', '.join(caps.patterns)}"] if caps.patterns else []
    return "; ".join(kept) or "everything may leave"


def _request(facts: RequestFacts) -> str:
    asked = f" for {facts.model}" if facts.model else ""
    images = ", with images" if facts.has_images else ""
    return f"{facts.role}{asked}, {facts.prompt_tokens:,} prompt tokens{images} ({facts.why})"


def _target(target: Target) -> str:
    model = target.model or ("the launch's own model" if not target.url else "the model that was asked for")
    if target.is_local:
        where = f"at {target.url}, on this machine" if target.url else "on this machine"
    else:
        where = f"at {target.url}, which is NOT on this machine"
    consent = "; you have not agreed to that yet: `may_leave = true` in upstreams.toml" if target.needs_consent else ""
    return f"{model} {where} ({target.why}){consent}"
