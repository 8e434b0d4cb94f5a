"""What needs the network says so at once, where the user has ordered offline or the machine has no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentlaunch.core.addresses import is_loopback
from agentlaunch.core.launch_environment import has_proxy
from agentlaunch.core.offline import OFFLINE_VARIABLE, is_offline
from agentlaunch.errors import RemoteError

if TYPE_CHECKING:
    from agentlaunch.app.world import World


def refuse_offline(what: str, later: str, world: World) -> None:
    """`what` would leave this machine; `later` is the command for when it may. Raises RemoteError `offline`."""
    if is_offline(world.environment):
        raise RemoteError("offline", f"{what}, and --offline or {OFFLINE_VARIABLE} keeps us here", f"online: {later}")


def refuse_far_offline(name: str, url: str, world: World) -> None:
    """As `refuse_offline`, for the server `name` at `url`, unless that is on this machine."""
    if not is_loopback(url):
        refuse_offline(f"`{name}` at {url} is not on this machine", "the same command", world)


def require_network(what: str, later: str, world: World) -> None:
    """As `refuse_offline`, and raises RemoteError `no-network` where no way leads out of this machine.

    npm waits more than a minute without a network, pip nine seconds (measured in a namespace with loopback alone).
    """
    refuse_offline(what, later, world)
    if not has_proxy(world.environment) and not world.is_connected():
        raise RemoteError("no-network", f"{what}, and this machine has no network", f"once it has: {later}")
