"""What the user hands to any agent: MCP servers from a file, skills from a folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.core.mcp import McpServer, mask_server, parse_servers
from agentlaunch.core.skills import Skill, parse_skill
from agentlaunch.errors import UserError
from agentlaunch.system.files import make_private_dir, not_writable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentlaunch.app.orders import LaunchOrder
    from agentlaunch.core.launch_plan import OverlayLink


@dataclass(frozen=True)
class Handed:
    """The servers and skills of one launch, both empty without `--mcp` and `--skills`."""

    servers: tuple[McpServer, ...] = ()
    skills: tuple[Skill, ...] = ()

    def masked(self, mask: str) -> Handed:
        """The same with `mask` in the place of each value that may be a secret, to be shown."""
        return Handed(tuple(mask_server(server, mask) for server in self.servers), self.skills)


NOTHING_HANDED = Handed()


def read_handed(order: LaunchOrder) -> Handed:
    """Read the order's file and folder. Raises UserError `bad-mcp-file` or `bad-skills`."""
    servers = _read_servers(Path(order.mcp)) if order.mcp else ()
    return Handed(servers, _read_skills(Path(order.skills)) if order.skills else ())


def _read_servers(path: Path) -> tuple[McpServer, ...]:
    try:
        servers = parse_servers(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("bad-mcp-file", f"cannot read `{path}`, given to --mcp", f"ls -l {path}") from error
    except ValueError as error:
        hint = '{"mcpServers": {"NAME": {"command": "PROGRAM", "args": ["..."], "env": {"NAME": "VALUE"}}}}'
        raise UserError("bad-mcp-file", f"`{path}`, given to --mcp, cannot be used: {error}", hint) from None
    if not servers:
        raise UserError("bad-mcp-file", f"`{path}`, given to --mcp, has no server in it", "leave --mcp away")
    return servers


def _read_skills(folder: Path) -> tuple[Skill, ...]:
    """In the order of their folders' names. A folder without a SKILL.md is no skill."""
    try:
        found = sorted(path for path in folder.glob("*/SKILL.md") if path.is_file())
        texts = [(path, path.read_text("utf-8")) for path in found]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("bad-skills", f"cannot read the skills in `{folder}`: {error}", f"ls -l {folder}") from error
    if not texts:
        raise UserError("bad-skills", f"`{folder}`, given to --skills, has no */SKILL.md in it", f"ls -l {folder}")
    return tuple(_parse(path, text) for path, text in texts)


def _parse(path: Path, text: str) -> Skill:
    try:
        return parse_skill(text, str(path))
    except ValueError as error:
        hint = "it begins with ---, then the lines `name: ...` and `description: ...`, then ---"
        raise UserError("bad-skills", f"the skill `{path}` cannot be used: {error}", hint) from error


def link_folders(links: Iterable[OverlayLink]) -> None:
    """Make the plan's links. Where the system makes none, as Windows without the right to, the folder is copied.

    Raises MachineError `folder-not-writable`.
    """
    for link in links:
        path = Path(link.path)
        make_private_dir(path.parent)
        try:
            path.symlink_to(link.target, target_is_directory=True)
        except OSError:
            try:
                shutil.copytree(link.target, path)
            except OSError as error:
                raise not_writable(path.parent, error) from error
