"""From flags, environment, settings files and the last launch to an order."""

from __future__ import annotations

from pathlib import Path

from agentlaunch.app.last_launch import read_record
from agentlaunch.app.model_names import DEMO, means_file
from agentlaunch.app.orders import KNOWN_RUNTIMES, LLAMA_RUNTIMES, LaunchFlags, LaunchOrder, ModelFlags, ModelOrder
from agentlaunch.app.recommended import recommend_model
from agentlaunch.app.upstreams import check_source, check_upstream, names_upstream, upstream_model
from agentlaunch.app.world import World
from agentlaunch.core.settings import Settings, resolve_settings
from agentlaunch.errors import UserError
from agentlaunch.probes.servers import SERVERS
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.settings_files import read_settings_files

_IDLE_VARIABLE = "AGENTLAUNCH_IDLE_SECONDS"
_UPSTREAM_MODEL_SOURCES = ("--model", "AGENTLAUNCH_MODEL")


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
        mcp=_absolute(flags.mcp, world),
        skills=_absolute(flags.skills, world),
    )


def _absolute(path: str | None, world: World) -> str:
    """As `again` needs it, which may run in another folder."""
    return str(world.folder / Path(path).expanduser()) if path else ""


def _ordered_idle_seconds(settings: Settings) -> int | None:
    """The files' time. The variable is no order: the shim reads it itself, and `again` must not keep it."""
    return None if settings.idle_seconds.source == _IDLE_VARIABLE else settings.idle_seconds.value


def settings_for(model: ModelFlags, flags: LaunchFlags, world: World) -> Settings:
    """Every setting of this command. Raises UserError for a bad one."""
    given = {
        "model": model.model,
        "context": model.context,
        "kv": model.kv,
        "runtime": model.runtime,
        "policy": model.policy,
        "lean": flags.lean,
        "yes": flags.yes or None,
    }
    return resolve_settings(given, world.environment, read_settings_files(world.folder, world.dirs.config))


def choose_model(flags: ModelFlags, settings: Settings, world: World, agent: str) -> ModelOrder:
    """Which model the command runs: the one that is named, else the last one, else the best for the agent that is here.

    Raises UserError `runtime-unknown`, `upstream-option`, `model-needed`. Without a name, a server that `--runtime`
    names is asked for what it has loaded when the launch begins.

    A settings file's model is a local one: before an upstream, only a flag, a variable or the last launch names one.
    """
    _check_flags(flags)
    upstream, named = flags.upstream or "", settings.model.value
    runtime = _chosen_runtime(named or "", flags, settings, world)
    if (upstream or flags.runtime in SERVERS) and settings.model.source not in _UPSTREAM_MODEL_SOURCES:
        named = None
    check_source(named or "", settings.model.source, world)
    model = named or upstream_model(upstream, world)
    if not model and runtime not in SERVERS:
        model = _last_model(upstream, world.dirs)
        runtime = _chosen_runtime(model, flags, settings, world)
    if not model and runtime not in SERVERS:
        found = recommend_model(world, agent, runtime, yes=settings.yes.value)
        model, runtime = found.model, found.runtime
    return ModelOrder(
        model=model,
        context=settings.context.value,
        kv=None if settings.kv.source == "default" else settings.kv.value,
        upstream=upstream,
        key_variable=flags.key_variable or "",
        runtime=runtime,
        quant=flags.quant or "",
        policy=flags.policy or "",
        fallbacks=flags.fallbacks,
    )


def _chosen_runtime(name: str, flags: ModelFlags, settings: Settings, world: World) -> str:
    """What `--runtime` says; else the settings' one, where the model's `name` leaves that open. Empty for none.

    A name with an upstream in it does not, and a file or the demo runs on llama.cpp. Raises UserError `bad-setting`.
    """
    if flags.runtime or settings.runtime.value is None:
        return flags.runtime or ""
    wanted = settings.runtime.value
    if wanted not in KNOWN_RUNTIMES:
        known = ", ".join(KNOWN_RUNTIMES)
        raise UserError("bad-setting", f"{settings.runtime.source} cannot be `{wanted}`", f"known: {known}")
    is_file = name == DEMO or means_file(name, world.folder)
    if flags.upstream or names_upstream(ModelOrder(name), world) or (is_file and wanted not in LLAMA_RUNTIMES):
        return ""
    return wanted


def _check_flags(flags: ModelFlags) -> None:
    """Raises UserError `runtime-unknown`, and `upstream-option` for two that exclude each other."""
    if flags.runtime not in (None, *KNOWN_RUNTIMES):
        raise UserError(
            "runtime-unknown",
            f"unknown runtime `{flags.runtime}`: known are {', '.join(KNOWN_RUNTIMES)}",
            "leave --runtime away, or use a server of your own: --upstream KIND=URL --model M",
        )
    if flags.key_variable and not flags.upstream:
        raise UserError("upstream-option", "--upstream-key-env needs --upstream", "add --upstream KIND=URL")
    given = {"--kv": flags.kv, "--runtime": flags.runtime, "--quant": flags.quant}
    local = next((option for option, value in given.items() if value), None)
    if flags.upstream and local:
        raise UserError("upstream-option", f"{local} is about local models, and --upstream is given", "leave one away")


def _last_model(upstream: str, dirs: Dirs) -> str:
    """The last launch's model, if it ran in the same place: an upstream's names mean nothing elsewhere. Else empty."""
    last = read_record(dirs)
    if last is not None and last.model.upstream == upstream:
        return last.model.model
    if upstream:
        check_upstream(upstream, dirs)
        raise UserError("model-needed", f"which model at `{upstream}`?", "add --model NAME, as that server calls it")
    return ""
