"""Shows, writes and restores an agent's own configuration, for people who start the agent by hand."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.agents.base import load_agent
from agentlaunch.agents.configuration import (
    CONFIGURATIONS,
    ConfigChange,
    ConfigContext,
    Configuration,
    load_configuration,
)
from agentlaunch.app.choose_order import choose_model, settings_for
from agentlaunch.app.limits import LEAN_BELOW_TOKENS, max_output_for
from agentlaunch.app.model_names import find_model_file, means_file
from agentlaunch.app.models import ModelTarget, resolve_model
from agentlaunch.app.orders import LaunchFlags, ModelFlags, ModelOrder
from agentlaunch.app.standing import (
    Standing,
    choose_port,
    files_dir,
    read_standing,
    remove_standing,
    standing_order,
    token_path,
    write_standing,
)
from agentlaunch.app.talk import agrees
from agentlaunch.app.window import Terms
from agentlaunch.core.config_edit.diff import config_diff
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.launch_plan import AgentContext
from agentlaunch.errors import Interrupted, UserError
from agentlaunch.system.config_files import ConfigTarget, Proposal, Restored, locked, propose, restore, write
from agentlaunch.system.config_journal import ConfigJournal, Entry
from agentlaunch.system.files import write_private

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.system.dirs import Dirs


@dataclass(frozen=True)
class ConfigFlags:
    """The flags of `config AGENT` that are not about the model."""

    port: int | None = None
    lean: bool | None = None
    yes: bool = False
    force: bool = False


@dataclass(frozen=True)
class PlannedConfig:
    """What a write would do. `others` are agents whose own file tells them of another model, window or address."""

    agent: str
    proposal: Proposal
    change: ConfigChange
    standing: Standing
    model: ModelTarget
    others: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The agent's file, behind all links."""
        return self.proposal.found.path

    @property
    def diff(self) -> str:
        """The file's change as a unified diff, secrets masked; empty when there is none."""
        return config_diff(str(self.path), self.proposal.found.content, self.proposal.content)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        stale = tuple(
            f"{name} is configured for another model or port: agentlaunch config {name} --write" for name in self.others
        )
        return (*self.change.notes, *stale)


@dataclass(frozen=True)
class WrittenConfig:
    """What a write has done. `backup` is the file as it was before our first write, None when there was none."""

    planned: PlannedConfig
    backup: Path | None


def journal_of(dirs: Dirs) -> ConfigJournal:
    """Where we remember what we have written, and what was there before."""
    return ConfigJournal(dirs.data / "agent-configs")


def plan_config(agent: str, flags: ModelFlags, own: ConfigFlags, world: World) -> PlannedConfig:
    """What `--write` would do; nothing is written. Raises UserError, and what finding the model raises."""
    configuration = _configuration(agent)
    settings = settings_for(flags, LaunchFlags(own.lean, own.yes, own.force), world)
    known = read_standing(world.dirs)
    order = standing_order(known, flags, settings) or choose_model(flags, settings, world, agent)
    model = resolve_model(order, world, Terms(agent, settings.lean.value, settings.yes.value, own.force))
    standing = Standing(choose_port(own.port, known), _pinned(order, model, world))
    lean = model.context_window < LEAN_BELOW_TOKENS if settings.lean.value is None else settings.lean.value
    change = configuration.change(_context(agent, standing, model, world, lean=lean))
    target = ConfigTarget(agent, _path(configuration, world), configuration.form, model.name, model.context_window)
    journal = journal_of(world.dirs)
    proposal = propose(journal, target, change.wanted)
    moved = known is not None and known.port != standing.port
    told = {entry.agent for entry in journal.entries() if moved or not _says(entry, model)}
    return PlannedConfig(agent, proposal, change, standing, model, tuple(sorted(told - {agent})))


def write_config(agent: str, flags: ModelFlags, own: ConfigFlags, world: World) -> WrittenConfig:
    """Write the agent's file, if the user agrees. Raises as `plan_config`, UserError `needs-yes`, Interrupted."""
    planned = plan_config(agent, flags, own, world)
    if planned.proposal.changes:
        _ask(planned, world, yes=own.yes)
    journal = journal_of(world.dirs)
    with locked(journal):
        try:
            write_standing(planned.standing, world.dirs)
            for file in planned.change.files:
                write_private(Path(file.path), file.content.encode())
            entry = write(journal, planned.proposal)
        finally:
            _forget_server(journal, world.dirs)  # nothing was written after all
    return WrittenConfig(planned, None if entry.first is None else journal.backup_path(entry.first))


def restore_config(agent: str, own: ConfigFlags, world: World) -> tuple[Restored, ...]:
    """Bring back every file of this agent that we have written, wherever a variable pointed then.

    Raises UserError `nothing-written`, and what `system.config_files.restore` does.
    """
    _configuration(agent)
    journal = journal_of(world.dirs)
    with locked(journal):
        entries = journal.entries(agent)
        if not entries:
            _forget_server(journal, world.dirs)
            hint = f"see what a write would do: agentlaunch config {agent}"
            raise UserError("nothing-written", f"no configuration of `{agent}` has been written", hint)
        restored = tuple(restore(journal, entry, force=own.force) for entry in entries)
        _forget_server(journal, world.dirs)
    return restored


def _ask(planned: PlannedConfig, world: World, *, yes: bool) -> None:
    if not yes and not world.talk.is_interactive:
        message = f"`{planned.path}` is to be changed, and nobody is there to ask"
        raise UserError("needs-yes", message, f"see the change: agentlaunch config {planned.agent}; then add --yes")
    if not yes:
        for text in (planned.diff, *planned.notes):
            world.talk.say(text)
    if not agrees(f"Write `{planned.path}`?", world.talk, yes=yes):
        raise Interrupted("not-written", "nothing was written")


def _configuration(agent: str) -> Configuration:
    if agent not in CONFIGURATIONS:
        hint = f"known: {', '.join(CONFIGURATIONS)}; others are launched: agentlaunch AGENT"
        raise UserError("unknown-agent", f"there is no configuration for `{agent}`", hint)
    return load_configuration(agent)


def _context(agent: str, standing: Standing, model: ModelTarget, world: World, *, lean: bool) -> ConfigContext:
    launch = AgentContext(
        executable=load_agent(agent).executable,
        shim_url=standing.url,
        token="",
        model=model.name,
        context_window=model.context_window,
        max_output_tokens=max_output_for(model.context_window),
        lean=lean,
        session_dir=str(files_dir(world.dirs)),
        environment=world.environment,
    )
    return ConfigContext(launch, str(token_path(world.dirs)), sys.platform == "win32")


def _path(configuration: Configuration, world: World) -> Path:
    home = world.environment.get("USERPROFILE" if sys.platform == "win32" else "HOME") or str(Path.home())
    paths = [world.folder / path for path in configuration.paths(home, world.environment)]
    return next((path for path in paths if path.exists() or path.is_symlink()), paths[-1])


def _pinned(order: ModelOrder, model: ModelTarget, world: World) -> ModelOrder:
    """The order as `serve` repeats it from any folder: the window that the agents are told of, a file by its path."""
    name = str(find_model_file(order.model, world.folder)) if _is_file(order, world) else order.model or model.name
    kv = model.target.kv_type if isinstance(model.target, EngineSpec) else None
    return replace(order, model=name, context=model.context_window, kv=kv)


def _is_file(order: ModelOrder, world: World) -> bool:
    return not order.upstream and not order.runtime and means_file(order.model, world.folder)


def _says(entry: Entry, model: ModelTarget) -> bool:
    return (entry.model, entry.context_window) == (model.name, model.context_window)


def _forget_server(journal: ConfigJournal, dirs: Dirs) -> None:
    """Without a configured agent there is no standing server, and nothing points to the files beside it."""
    if journal.entries():
        return
    remove_standing(dirs)
    folder = files_dir(dirs)
    with suppress(OSError):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
