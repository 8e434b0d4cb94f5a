"""The policy that holds here: named by flag, variable or file, and made stricter by the folder's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.policy_settings import PolicyInForce


def policy_in_force(name: str | None, world: World) -> PolicyInForce:
    """The policy of `--policy NAME`, else of the variable, else of the files. Raises UserError."""
    from agentlaunch.core.settings import resolve_policy, resolve_settings
    from agentlaunch.system.settings_files import read_settings_files

    files = read_settings_files(world.folder, world.dirs.config)
    settings = resolve_settings({"policy": name}, world.environment, files)
    return resolve_policy(settings.policy, files)
