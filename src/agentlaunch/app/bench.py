"""`bench [MODEL]`: how fast this machine reads and writes with a model, measured where it runs, and kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING

from agentlaunch.app.bench_engine import BenchBounds, EngineBench
from agentlaunch.app.bench_server import ChatAsker, OllamaAsker, ServerBench, ollama_facts
from agentlaunch.app.bench_store import keep
from agentlaunch.app.bench_subject import OLLAMA, Subject, find_subject
from agentlaunch.app.choose_order import choose_model, settings_for
from agentlaunch.app.models import resolve_model
from agentlaunch.app.orders import LaunchFlags, ModelFlags, ModelOrder
from agentlaunch.app.prompts import DEFAULT_AGENT
from agentlaunch.app.status import loaded_engines
from agentlaunch.app.window import Terms
from agentlaunch.core.bench import Measurement, depths_for
from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import MachineError

if TYPE_CHECKING:
    import httpx

    from agentlaunch.app.world import World
    from agentlaunch.core.bench import DepthFigures
    from agentlaunch.core.endpoint import Endpoint
    from agentlaunch.core.fit.result import Speed

_ANSWER_TOKENS, _QUICK_ANSWER_TOKENS = 32, 8


def _load() -> float:
    """Processes that wanted each core during the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0


@dataclass(frozen=True)
class Gauges:
    """What is read off this machine: seconds of a clock for servers that tell none, and how busy it is."""

    clock: Callable[[], float] = monotonic
    load: Callable[[], float] = _load


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
    """What came out, the estimate for each depth beside it, and the file that it is kept in.

    `estimates` is empty for a model of a server's that neither its file nor the catalogue tells the size of.
    """

    measurement: Measurement
    estimates: tuple[Speed, ...]
    record: Path


def choose_bench(flags: ModelFlags, own: LaunchFlags, seconds: float, *, is_quick: bool, world: World) -> BenchOrder:
    """The order from flags, environment and files. Raises UserError."""
    settings = settings_for(flags, own, world)
    model = choose_model(flags, settings, world, DEFAULT_AGENT)
    return BenchOrder(model, seconds, is_quick, settings.yes.value, own.force)


def bench(order: BenchOrder, world: World, gauges: Gauges | None = None) -> Benched:
    """Load the model as a launch would, in an engine of this process or in Ollama, or take it where a server has it.

    Raises UserError `bench-runtime` for what is not on this machine, MachineError `engines-running` while the shim has
    models loaded, `bench-failed`, and what a launch raises.
    """
    _refuse_beside_others(world)
    terms = Terms(DEFAULT_AGENT, None, order.yes, order.force)
    subject = find_subject(order.model, resolve_model(order.model, world, terms), world)
    depths = depths_for(subject.context_window, is_quick=order.is_quick)
    bounds = BenchBounds(depths, _QUICK_ANSWER_TOKENS if order.is_quick else _ANSWER_TOKENS, order.seconds)
    gauges = gauges or Gauges()
    load = gauges.load()
    seen, figures = asyncio.run(_measure(subject, bounds, world, gauges.clock))
    measurement = _measurement(seen, load, figures)
    record = keep(measurement, world.dirs)
    return Benched(measurement, _estimates(seen, figures, world), record)


def _refuse_beside_others(world: World) -> None:
    running = tuple(each for each in loaded_engines(world) if not each.state.startswith("stopped"))
    if running:
        names = ", ".join(f"`{each.alias}`" for each in running)
        raise MachineError(
            "engines-running",
            f"the shim runs {names}, and two models at once measure each other",
            "end its sessions, or: agentlaunch stop",
        )


async def _measure(
    subject: Subject, bounds: BenchBounds, world: World, clock: Callable[[], float]
) -> tuple[Subject, tuple[DepthFigures, ...]]:
    """The figures, and the subject with what is known of it only once it is loaded."""
    from agentlaunch.runtimes.hosts import RuntimeHosts

    spec = subject.target
    if not isinstance(spec, EngineSpec):
        async with _client(spec) as client:
            asking = ServerBench(ChatAsker(client, spec.model, clock), world.talk.progress, clock)
            with world.talk.waiting(f"measuring `{spec.model}`"):
                return subject, await asking.run(bounds)
    hosts = RuntimeHosts(world.dirs.logs, world.environment)
    try:
        with world.talk.waiting(f"loading `{spec.alias}`"):
            endpoint = await hosts.ensure(spec)
        seen = replace(subject, context_window=endpoint.context_window or spec.context_window)
        async with _client(endpoint) as client:
            if spec.runtime == OLLAMA:
                build, quant = await ollama_facts(client, endpoint.model)
                seen = replace(seen, build=build, quant=seen.quant or quant)
                asker = OllamaAsker(client, endpoint.model, seen.context_window, clock)
                with world.talk.waiting(f"measuring `{spec.alias}`"):
                    return seen, await ServerBench(asker, world.talk.progress, clock).run(bounds)
            slots = None if endpoint.prefix_store is None else Path(endpoint.prefix_store.folder)
            seen = replace(seen, build=await _build(spec, client))
            with world.talk.waiting(f"measuring `{spec.alias}`"):
                return seen, await EngineBench(client, slots, world.talk.progress).run(bounds)
    finally:
        await hosts.close()


def _client(endpoint: Endpoint) -> httpx.AsyncClient:
    """Loopback alone: a proxy of the user's has no business there (trust_env)."""
    import httpx

    scheme = "Basic" if endpoint.key_scheme == "basic" else "Bearer"
    headers = {"Authorization": f"{scheme} {endpoint.key}"} if endpoint.key else {}
    return httpx.AsyncClient(base_url=endpoint.base_url, headers=headers, trust_env=False)


async def _build(spec: EngineSpec, client: httpx.AsyncClient) -> str:
    """The package of the embedded llama.cpp, which knows no build of its own; else what the server says."""
    from agentlaunch.runtimes.llama_embedded import EMBEDDED

    if spec.runtime == "llama_cpp":
        return EMBEDDED.package() or ""
    return str((await client.get("/props")).json().get("build_info", ""))


def _measurement(subject: Subject, load: float, figures: tuple[DepthFigures, ...]) -> Measurement:
    return Measurement(
        model=subject.names[0],
        names=subject.names,
        fingerprint=subject.fingerprint,
        quant=subject.quant,
        runtime=subject.runtime,
        build=subject.build,
        kv_type=subject.kv_type,
        context_window=subject.context_window,
        at=time(),
        figures=figures,
        load=load,
    )


def _estimates(subject: Subject, figures: tuple[DepthFigures, ...], world: World) -> tuple[Speed, ...]:
    """What fit says of each depth; nothing where it knows no such model."""
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import THIS_MACHINE
    from agentlaunch.core.fit.choice import Wanted, fit_model
    from agentlaunch.core.fit.estimate import Demand

    knowledge = load_knowledge()
    model = subject.model(knowledge.catalog)
    if model is None:
        return ()
    report = look_at(THIS_MACHINE, world.folder, world.look)
    wanted = Wanted(model.quants[0].name, subject.context_window, subject.kv_type)
    return tuple(fit_model(report, model, knowledge, wanted, Demand(prompt_tokens=one.depth)).speed for one in figures)
