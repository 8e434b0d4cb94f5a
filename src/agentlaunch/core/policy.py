"""What the user's policy says, as data: which upstreams serve which requests, what may leave, what may be spent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["main", "background", "long_context", "thinking", "image", "subagent"]
"""What a request is for, as core/roles.py tells it."""

Privacy = Literal["local-only", "prefer-local", "any"]
"""Where requests may go: to this machine alone, to it first, or wherever the routes say."""

OverBudget = Literal["local", "stop"]
"""What happens once a budget is spent: upstreams with a price are left out, or nothing is sent any more."""

LOCAL = "local"
"""How a policy names the launch's own model on this machine."""

DEFAULT_LONG_CONTEXT_TOKENS = 60_000

MARK = "@"
"""Between a model's name and the role that an agent asks for it in."""


@dataclass(frozen=True)
class RouteMatch:
    """Which requests a route takes: all that is set must hold. Both numbers of tokens belong to the range; `model` is a
    glob on the name that the client asked for, empty for any."""

    role: Role | None = None
    min_prompt_tokens: int | None = None
    max_prompt_tokens: int | None = None
    model: str = ""


@dataclass(frozen=True)
class Route:
    """The requests of `match` go to the first of `use` that can take them: `local`, `NAME` or `NAME/MODEL`."""

    name: str
    match: RouteMatch
    use: tuple[str, ...]


@dataclass(frozen=True)
class Caps:
    """What may not leave this machine: globs of paths, regular expressions of texts, and secrets of well-known form."""

    paths: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    built_in_secrets: bool = True


@dataclass(frozen=True)
class Policy:
    """One policy. Budgets are in US dollars, None for no limit; a prompt of `long_context_tokens` or more is long."""

    name: str = "default"
    privacy: Privacy = "local-only"
    routes: tuple[Route, ...] = ()
    fallbacks: tuple[str, ...] = ()
    budget_day_usd: float | None = None
    budget_session_usd: float | None = None
    over_budget: OverBudget = "local"
    caps: Caps = field(default_factory=Caps)
    long_context_tokens: int = DEFAULT_LONG_CONTEXT_TOKENS


def with_role(model: str, role: Role) -> str:
    """The name under which an agent asks for `model` in this role, as in `qwen3-coder@background`."""
    return f"{model}{MARK}{role}"
