"""Which of the user's variables hold upstreams' keys: the agent, and whatever it runs, does without them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from agentlaunch.app.upstream_store import KeyVariable, read_store
from agentlaunch.core.pasted import pasted_key
from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from agentlaunch.app.world import World

SHORTEST_KEY = 16
"""Characters. What is shorter may be a word (`dummy`, `1`), and other variables have words for their values, too."""


def key_variables(ordered: str, keys: Iterable[str], world: World) -> tuple[str, ...]:
    """The variables that are set and hold a key, sorted: the one `ordered` by --upstream-key-env, those of stored
    upstreams, and any other one whose value is one of `keys`, those that the shim presents for this launch.

    A prompt that makes an agent run `env` then finds the session's own token and no key that costs money (report B317).
    """
    named = {ordered}
    with suppress(UserError):  # whoever needs an unreadable file of upstreams says so; here none of them is used
        named |= {stored.key.name for stored in read_store(world.dirs) if isinstance(stored.key, KeyVariable)}
    held = {key for key in keys if len(key) >= SHORTEST_KEY}
    return tuple(
        sorted(name for name, value in world.environment.items() if name in named or pasted_key(value) in held)
    )
