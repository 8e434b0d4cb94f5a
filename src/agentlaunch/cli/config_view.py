"""What `agentlaunch config` says."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from agentlaunch.cli.canvas import stdout_columns
from agentlaunch.core.offline import OFFLINE_VARIABLE, is_offline
from agentlaunch.core.settings import ENVIRONMENT_PREFIX, Sourced
from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agentlaunch.app.config import ConfigFlags, PlannedConfig, WrittenConfig
    from agentlaunch.app.orders import ModelFlags
    from agentlaunch.app.world import World
    from agentlaunch.system.config_files import Restored


_VARIABLES = (
    OFFLINE_VARIABLE,
    "AGENTLAUNCH_HOME",
    "AGENTLAUNCH_SERVERS",
    "AGENTLAUNCH_LLAMA_SERVER",
    "AGENTLAUNCH_PREFIX_CACHE_GIB",
)


@dataclass(frozen=True)
class OwnSetting:
    """One of our settings; `value` None: the launch decides."""

    key: str
    value: object
    source: str


@dataclass(frozen=True)
class ConfigView:
    """What an action has to say: the keys of `--json`, the same as text for stdout, and advice for stderr."""

    keys: dict[str, object]
    text: str
    advice: str = ""


def run_action(action: str, agent: str, models: ModelFlags, own: ConfigFlags, world: World) -> ConfigView:
    """Do what `choose_action` has chosen."""
    from agentlaunch.app.config import plan_config, restore_config, write_config

    match action:
        case "--show":
            shown = own_settings(models, own, world)
            return ConfigView(settings_data(shown), settings_text(shown, stdout_columns()))
        case "--restore":
            restored = restore_config(agent, own, world)
            return ConfigView(restored_data(restored), restored_text(restored))
        case "--write":
            written = write_config(agent, models, own, world)
            return ConfigView(written_data(written), written_text(written))
        case _:
            planned = plan_config(agent, models, own, world)
            return ConfigView(planned_data(planned), planned_text(planned), planned_advice(planned))


def choose_action(agent: str, given: Sequence[str]) -> str:
    """The one thing to do, as its flag. Raises UserError `usage`."""
    if len(given) > 1:
        raise UserError("usage", f"{' and '.join(given)} exclude each other", "agentlaunch config --help")
    action = given[0] if given else ("--print" if agent else "--show")
    if agent and action == "--show":
        raise UserError("usage", "--show is about our own settings", f"for an agent's: agentlaunch config {agent}")
    if not agent and action != "--show":
        raise UserError("usage", f"{action} needs an agent", f"as in: agentlaunch config claude {action}")
    return action


def own_settings(models: ModelFlags, own: ConfigFlags, world: World) -> tuple[OwnSetting, ...]:
    """Every setting with its source. Raises UserError for a bad one."""
    from agentlaunch.app.choose_order import settings_for
    from agentlaunch.app.orders import LaunchFlags
    from agentlaunch.app.policy import policy_in_force

    settings = settings_for(models, LaunchFlags(own.lean, own.yes, own.force), world)
    policy_in_force(models.policy, world)  # raises for the name of none
    sourced = ((field.name, getattr(settings, field.name)) for field in fields(settings))
    resolved = [OwnSetting(key, found.value, found.source) for key, found in sourced if isinstance(found, Sourced)]
    return (*resolved, *_by_variable(world.environment))


def _by_variable(environment: Mapping[str, str]) -> Iterator[OwnSetting]:
    """The settings that no file has."""
    for variable in _VARIABLES:
        value = environment.get(variable, "")
        shown = is_offline(environment) if variable == OFFLINE_VARIABLE else value or None
        key = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        yield OwnSetting(key, shown, variable if value else "default")


def settings_data(shown: Sequence[OwnSetting]) -> dict[str, object]:
    """The keys of `config --show --json`."""
    return {"settings": {setting.key: {"value": setting.value, "source": setting.source} for setting in shown}}


def settings_text(shown: Sequence[OwnSetting], columns: int | None = None) -> str:
    """A table; a default that is none is decided when it is needed, by the launch or the local server."""
    from agentlaunch.cli.fitted_table import narrow_table

    rows = [(setting.key, _value_text(setting.value), setting.source) for setting in shown]
    return narrow_table(("SETTING", "VALUE", "SOURCE"), rows, columns)


def _value_text(value: object) -> str:
    match value:
        case None:
            return "(decided when needed)"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def planned_data(planned: PlannedConfig) -> dict[str, object]:
    """The keys of `config AGENT --print --json`."""
    return {
        "agent": planned.agent,
        "path": str(planned.path),
        "changes": planned.proposal.changes,
        "diff": planned.diff,
        "model": planned.model.name,
        "context": planned.model.context_window,
        "url": planned.standing.url,
        "notes": [*planned.notes, *planned.model.notes],
    }


def planned_text(planned: PlannedConfig) -> str:
    """The diff, or that there is none."""
    return planned.diff or f"{planned.path} says it already"


def planned_advice(planned: PlannedConfig) -> str:
    """What to type next."""
    lines = [*planned.notes, *planned.model.notes]
    if planned.proposal.changes:
        lines.append(f"nothing is written yet: agentlaunch config {planned.agent} --write")
    return "\n".join(lines)


def written_data(written: WrittenConfig) -> dict[str, object]:
    """The keys of `config AGENT --write --json`."""
    backup = None if written.backup is None else str(written.backup)
    return {**planned_data(written.planned), "backup": backup}


def written_text(written: WrittenConfig) -> str:
    """What stands where now, and the two commands that make it work and undo it."""
    planned = written.planned
    model = f"`{planned.model.name}`, window {planned.model.context_window} tokens, on {planned.standing.url}"
    backup = "there was no such file before" if written.backup is None else f"the original is kept in {written.backup}"
    lines = [
        f"wrote {planned.path}: {model}",
        f"  {backup}",
        f"  now: agentlaunch serve, and in another terminal: {planned.agent}",
        f"  undo: agentlaunch config {planned.agent} --restore",
    ]
    return "\n".join([*lines, *(f"  {note}" for note in (*planned.notes, *planned.model.notes))])


def restored_data(restored: Sequence[Restored]) -> dict[str, object]:
    """The keys of `config AGENT --restore --json`."""
    return {
        "files": [
            {
                "path": str(file.path),
                "outcome": file.outcome.name.lower(),
                "kept": [".".join(path) for path in file.kept],
                "backup": None if file.backup is None else str(file.backup),
            }
            for file in restored
        ]
    }


def restored_text(restored: Sequence[Restored]) -> str:
    """A line a file."""
    return "\n".join(map(_file_text, restored))


def _file_text(file: Restored) -> str:
    where = f" in {file.backup}" if file.backup else ""
    kept = ", ".join(".".join(path) for path in file.kept)
    left = f"\n  left in it, since they were changed: {kept}" if kept else ""
    return f"{file.path} {file.outcome.value}{where}{left}"
