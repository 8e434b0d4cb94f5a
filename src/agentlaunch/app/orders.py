"""What the user ordered, as data: from flags and settings, and from the record of the last launch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from agentlaunch.app.recommended import recommended_file
from agentlaunch.app.world import World
from agentlaunch.core.engine import KVType
from agentlaunch.core.settings import Settings, resolve_settings
from agentlaunch.errors import UserError
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.files import write_private
from agentlaunch.system.settings_files import read_settings_files

RECORD_VERSION = 1
KNOWN_RUNTIMES = ("llamacpp", "ollama")
_IDLE_VARIABLE = "AGENTLAUNCH_IDLE_SECONDS"
_UPSTREAM_MODEL_SOURCES = ("--model", "AGENTLAUNCH_MODEL")


@dataclass(frozen=True)
class ModelOrder:
    """Which model, where it runs, with what window (tokens) and KV cache; None of these: the machine decides.

    `upstream` is KIND=URL or empty; `runtime` is one of KNOWN_RUNTIMES, or empty: the one that has the model.
    """

    model: str
    context: int | None = None
    kv: KVType | None = None
    upstream: str = ""
    key_variable: str = ""
    runtime: str = ""


@dataclass(frozen=True)
class LaunchOrder:
    """One launch. `lean` None: the window decides."""

    agent: str
    model: ModelOrder
    lean: bool | None = None
    arguments: tuple[str, ...] = ()
    idle_seconds: int | None = None
    yes: bool = False
    force: bool = False


@dataclass(frozen=True)
class ModelFlags:
    """The flags of every command that runs a model; None is a flag that was not given."""

    model: str | None = None
    context: int | None = None
    kv: str | None = None
    runtime: str | None = None
    upstream: str | None = None
    key_variable: str | None = None


@dataclass(frozen=True)
class LaunchFlags:
    """The flags of a launch that are not about the model."""

    lean: bool | None = None
    yes: bool = False
    force: bool = False


def choose_launch(
    agent: str, arguments: tuple[str, ...], model: ModelFlags, flags: LaunchFlags, world: World
) -> LaunchOrder:
    """The order from flags, environment, files and the last launch. Raises UserError."""
    settings = settings_for(model, flags, world)
    return LaunchOrder(
        agent=agent,
        model=choose_model(model, settings, world, agent),
        lean=settings.lean.value,
        arguments=arguments,
        idle_seconds=_ordered_idle_seconds(settings),
        yes=settings.yes.value,
        force=flags.force,
    )


def _ordered_idle_seconds(settings: Settings) -> int | None:
    """The files' time. The variable is no order: the shim reads it itself, and `again` must not keep it."""
    return None if settings.idle_seconds.source == _IDLE_VARIABLE else settings.idle_seconds.value


def settings_for(model: ModelFlags, flags: LaunchFlags, world: World) -> Settings:
    """Every setting of this command. Raises UserError for a bad one."""
    given = {
        "model": model.model,
        "context": model.context,
        "kv": model.kv,
        "lean": flags.lean,
        "yes": flags.yes or None,
    }
    return resolve_settings(given, world.environment, read_settings_files(world.folder, world.dirs.config))


def choose_model(flags: ModelFlags, settings: Settings, world: World, agent: str) -> ModelOrder:
    """Which model the command runs: the one that is named, else the last one, else the best for the agent that is here.

    Raises UserError `runtime-unknown`, `upstream-option`, `model-needed`.

    A settings file's model is a local one: before an upstream, only a flag, a variable or the last launch names one.
    """
    if flags.runtime not in (None, *KNOWN_RUNTIMES):
        raise UserError(
            "runtime-unknown",
            f"unknown runtime `{flags.runtime}`: local models run in {' or '.join(KNOWN_RUNTIMES)}",
            "leave --runtime away, or use a server of your own: --upstream KIND=URL --model M",
        )
    if flags.key_variable and not flags.upstream:
        raise UserError("upstream-option", "--upstream-key-env needs --upstream", "add --upstream KIND=URL")
    if flags.upstream and (flags.kv or flags.runtime):
        option = "--kv" if flags.kv else "--runtime"
        raise UserError("upstream-option", f"{option} is about local models, and --upstream is given", "leave one away")
    upstream = flags.upstream or ""
    named = settings.model.value
    if upstream and settings.model.source not in _UPSTREAM_MODEL_SOURCES:
        named = None
    return ModelOrder(
        model=named or _last_model(upstream, world.dirs) or recommended_file(world, agent),
        context=settings.context.value,
        kv=None if settings.kv.source == "default" else settings.kv.value,
        upstream=upstream,
        key_variable=flags.key_variable or "",
        runtime=flags.runtime or "",
    )


def _last_model(upstream: str, dirs: Dirs) -> str:
    """The last launch's model, if it ran in the same place: an upstream's names mean nothing elsewhere. Else empty."""
    last = read_record(dirs)
    if last is not None and last.model.upstream == upstream:
        return last.model.model
    if upstream:
        raise UserError("model-needed", f"which model at `{upstream}`?", "add --model NAME, as that server calls it")
    return ""


def record_path(dirs: Dirs) -> Path:
    """Where the last launch stands."""
    return dirs.state / "plans" / "last.json"


def write_record(order: LaunchOrder, dirs: Dirs) -> None:
    """Remember the launch for `again`: no key and no token stands in an order. Raises MachineError.

    A yes is not remembered: it was given to one launch.
    """
    known = {key: value for key, value in asdict(order).items() if key != "yes"}
    content = json.dumps({"version": RECORD_VERSION, **known}, indent=1, ensure_ascii=True)
    write_private(record_path(dirs), content.encode())


def read_record(dirs: Dirs) -> LaunchOrder | None:
    """The last launch; None when there was none, or the record is not one of ours."""
    try:
        data: object = json.loads(record_path(dirs).read_bytes())
    except (OSError, ValueError):
        return None
    match data:
        case {
            "version": 1,
            "agent": str(agent),
            "model": {
                "model": str(name),
                "context": int() | None as context,
                "kv": str() | None as kv,
                "upstream": str(upstream),
                "key_variable": str(key_variable),
                **rest,
            },
            "lean": bool() | None as lean,
            "arguments": list(arguments),
            "idle_seconds": int() | None as idle_seconds,
            "force": bool(force),
        } if all(isinstance(word, str) for word in arguments):
            runtime = str(rest.get("runtime", ""))
            model = ModelOrder(name, context, _kv_type(kv), upstream, key_variable, runtime)
            return LaunchOrder(agent, model, lean, tuple(arguments), idle_seconds, force=force)
        case _:
            return None


def _kv_type(text: str | None) -> KVType | None:
    for known in get_args(KVType):
        if text == known:
            found: KVType = known
            return found
    return None


def last_launch(dirs: Dirs) -> LaunchOrder:
    """The last launch. Raises UserError `nothing-launched`."""
    found = read_record(dirs)
    if found is None:
        raise UserError("nothing-launched", "there is no last launch to repeat", "agentlaunch claude --model demo")
    return found
