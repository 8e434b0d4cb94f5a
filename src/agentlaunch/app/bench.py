"""`bench [MODEL]`: how fast this machine reads and writes with a model, measured on an engine of our own and kept."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from agentlaunch.app.bench_engine import BenchBounds, EngineBench
from agentlaunch.app.bench_store import keep
from agentlaunch.app.models import ModelTarget, resolve_model
from agentlaunch.app.orders import LaunchFlags, ModelFlags, ModelOrder, choose_model, settings_for
from agentlaunch.app.prompts import DEFAULT_AGENT
from agentlaunch.app.window import Terms
from agentlaunch.core.bench import Measurement, depths_for
from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import MachineError, UserError

if TYPE_CHECKING:
    import httpx

    from agentlaunch.app.world import World
    from agentlaunch.core.bench import DepthFigures
    from agentlaunch.core.fit.result import Speed

MEASURED_RUNTIMES = ("llama_cpp", "llama_server")
"""Those that tell their own times, and whose slots are ours to save and read."""
_ANSWER_TOKENS, _QUICK_ANSWER_TOKENS = 32, 8


@dataclass(frozen=True)
class BenchOrder:
    """What to measure, and for how many seconds at most. `is_quick`: the shallowest depth alone."""

    model: ModelOrder
    seconds: float
    is_quick: bool = False
    yes: bool = False
    force: bool = False


@dataclass(frozen=True)
class Benched:
    """What came out, the estimate for each depth beside it, and the file that it is kept in."""

    measurement: Measurement
    estimates: tuple[Speed, ...]
    record: Path


def choose_bench(flags: ModelFlags, own: LaunchFlags, seconds: float, *, is_quick: bool, world: World) -> BenchOrder:
    """The order from flags, environment and files. Raises UserError."""
    settings = settings_for(flags, own, world)
    model = choose_model(flags, settings, world, DEFAULT_AGENT)
    return BenchOrder(model, seconds, is_quick, settings.yes.value, own.force)


def bench(order: BenchOrder, world: World) -> Benched:
    """Load the model as a launch would, in an engine of this process, and measure it.

    Raises UserError `bench-runtime` for what is not llama.cpp, MachineError `engines-running` while the shim has
    models loaded, `bench-failed`, and what a launch raises.
    """
    _refuse_beside_others(world)
    terms = Terms(DEFAULT_AGENT, None, order.yes, order.force)
    target = resolve_model(order.model, world, terms)
    spec = target.target
    if not isinstance(spec, EngineSpec) or spec.runtime not in MEASURED_RUNTIMES:
        what = f"`{target.runtime}` does not tell its own times"
        raise UserError("bench-runtime", what, "measure a model file: agentlaunch bench PATH.gguf --runtime llamacpp")
    depths = depths_for(spec.context_window, is_quick=order.is_quick)
    bounds = BenchBounds(depths, _QUICK_ANSWER_TOKENS if order.is_quick else _ANSWER_TOKENS, order.seconds)
    load = _load()
    loaded, figures = asyncio.run(_measure(spec, bounds, world))
    measurement = _measurement(_names(order, target), spec, _Run(loaded, load, figures))
    record = keep(measurement, world.dirs)
    return Benched(measurement, _estimates(spec, figures, world), record)


def _refuse_beside_others(world: World) -> None:
    status = world.shims.status()
    running = () if status is None else tuple(each for each in status.engines if not each.state.startswith("stopped"))
    if running:
        names = ", ".join(f"`{each.alias}`" for each in running)
        raise MachineError(
            "engines-running",
            f"the shim runs {names}, and two models at once measure each other",
            "end its sessions, or: agentlaunch stop",
        )


def _load() -> float:
    """Processes that wanted each core during the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0


@dataclass(frozen=True)
class _Loaded:
    """What the engine says of itself: its window in tokens and its build."""

    context_window: int
    build: str


@dataclass(frozen=True)
class _Run:
    """What was measured, and how busy the machine was before."""

    loaded: _Loaded
    load: float
    figures: tuple[DepthFigures, ...]


async def _measure(spec: EngineSpec, bounds: BenchBounds, world: World) -> tuple[_Loaded, tuple[DepthFigures, ...]]:
    import httpx

    from agentlaunch.runtimes.hosts import RuntimeHosts

    hosts = RuntimeHosts(world.dirs.logs, world.environment)
    try:
        with world.talk.waiting(f"loading `{spec.alias}`"):
            endpoint = await hosts.ensure(spec)
        slots = None if endpoint.prefix_store is None else Path(endpoint.prefix_store.folder)
        headers = {"Authorization": f"Bearer {endpoint.key}"}
        # trust_env: a proxy of the user's has no business between us and loopback.
        async with httpx.AsyncClient(base_url=endpoint.base_url, headers=headers, trust_env=False) as client:
            build = await _build(spec, client)
            with world.talk.waiting(f"measuring `{spec.alias}`"):
                figures = await EngineBench(client, slots, world.talk.progress).run(bounds)
    finally:
        await hosts.close()
    return _Loaded(endpoint.context_window or spec.context_window, build), figures


async def _build(spec: EngineSpec, client: httpx.AsyncClient) -> str:
    """The package of the embedded llama.cpp, which knows no build of its own; else what the server says."""
    from agentlaunch.runtimes.llama_embedded import EMBEDDED

    if spec.runtime == "llama_cpp":
        return EMBEDDED.package() or ""
    return str((await client.get("/props")).json().get("build_info", ""))


def _names(order: BenchOrder, target: ModelTarget) -> tuple[str, ...]:
    """How the model is found again: as agents call it first, then its id in the catalogue."""
    from agentlaunch.app.knowledge import load_catalog
    from agentlaunch.core.catalog import Match

    found = load_catalog().find(order.model.model)
    return (target.name, found.model.id) if isinstance(found, Match) else (target.name,)


def _measurement(names: tuple[str, ...], spec: EngineSpec, run: _Run) -> Measurement:
    from agentlaunch.app.fit import model_of_file
    from agentlaunch.app.verify_store import fingerprint

    path = Path(spec.model_path)
    return Measurement(
        model=names[0],
        names=names,
        fingerprint=fingerprint(path),
        quant=model_of_file(path).quants[0].name,
        runtime=spec.runtime,
        build=run.loaded.build,
        kv_type=spec.kv_type,
        context_window=run.loaded.context_window,
        at=time(),
        figures=run.figures,
        load=run.load,
    )


def _estimates(spec: EngineSpec, figures: tuple[DepthFigures, ...], world: World) -> tuple[Speed, ...]:
    """What fit says of each depth."""
    from agentlaunch.app.fit import model_of_file
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.app.machine import THIS_MACHINE, look_at
    from agentlaunch.core.fit.choice import Wanted, fit_model
    from agentlaunch.core.fit.estimate import Demand

    model, knowledge = model_of_file(Path(spec.model_path)), load_knowledge()
    report = look_at(THIS_MACHINE, world.folder, world.look)
    wanted = Wanted(model.quants[0].name, spec.context_window, spec.kv_type)
    return tuple(fit_model(report, model, knowledge, wanted, Demand(prompt_tokens=one.depth)).speed for one in figures)
