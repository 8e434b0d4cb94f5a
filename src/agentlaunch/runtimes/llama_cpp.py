"""llama.cpp in child processes: one an engine, supervised, shared by equal specs, brought back when it is lost."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec, EngineStatus
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp_prefixes import LoadedModel, prefix_store, slots_folder
from agentlaunch.runtimes.llama_cpp_process import ChildProcess, Ended, LogFile, start_child
from agentlaunch.runtimes.llama_embedded import EMBEDDED
from agentlaunch.runtimes.llama_failures import crashed, released, slow
from agentlaunch.runtimes.llama_memory import SIGKILL, KernelKills, ran_out_of_memory, step_down, step_note
from agentlaunch.runtimes.llama_runner import Handover, Runner
from agentlaunch.runtimes.model_file import check_model
from agentlaunch.system.files import make_private_dir

if TYPE_CHECKING:
    import httpx

START_BASE_S = 60.0
START_BYTES_PER_S = 25 * 2**20
"""A start may take `START_BASE_S` seconds, and the time to read the model at the rate of a slow disk."""
POLL_S = 0.05
MOST_KILLED_LOADS = 3
"""How often a load that somebody has killed is begun again: whoever means it kills it once more."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recovery:
    """How a lost engine comes back. The first restart is at once, each further one waits, in seconds.

    An engine that has served for `settled_s` seconds has its crashes forgotten. `kernel_kills` counts the processes
    that the kernel has killed for memory, None where it does not tell.
    """

    pauses_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    settled_s: float = 60.0
    kernel_kills: Callable[[], int | None] = KernelKills().count

    def pause_s(self, crashes: int) -> float:
        """Seconds to wait before the start that follows so many crashes in a row."""
        return 0.0 if crashes < 2 else self.pauses_s[min(crashes - 2, len(self.pauses_s) - 1)]


@dataclass
class _Engine:
    """An engine from its start to its end, `spec` as it is loaded. `child` is None until there is a process.

    `freed` is set with the phase `released`, for whoever waits between two starts.
    """

    spec: EngineSpec
    log: LogFile
    crashes: int = 0
    notes: tuple[str, ...] = ()
    phase: Literal["loading", "ready", "released"] = "loading"
    child: ChildProcess | None = None
    start: asyncio.Task[Endpoint] | None = None
    context_window: int = 0
    ready_at: float = 0.0
    kills_before: int | None = None
    killed_loads: int = 0
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def exit(self) -> Ended | None:
        return self.child.exit if self.child else None

    @property
    def has_failed(self) -> bool:
        """Whether its start came to nothing."""
        start = self.start
        return start is not None and start.done() and (start.cancelled() or start.exception() is not None)

    @property
    def is_over(self) -> bool:
        """Whether it serves no more: it crashed once it was ready, or its start failed."""
        return self.has_failed or (self.phase == "ready" and self.exit is not None)

    def status(self) -> EngineStatus:
        window = self.context_window or self.spec.context_window
        pid = self.child.pid if self.child else 0
        spec, log = self.spec, str(self.log.path)
        return EngineStatus(spec.alias, spec.model_path, pid, self._state(), window, log, spec.kv_type)

    def _state(self) -> str:
        if self.is_over:
            return "stopped: it did not start" if self.exit is None else f"stopped: {self.exit}"
        return self.phase


class LlamaCppHost:
    """Starts llama.cpp children and watches over them. One event loop only. Implements core.engine.EngineHost."""

    def __init__(
        self,
        logs: Path,
        environment: Mapping[str, str],
        command: Sequence[str] | None = None,
        start_limit_s: float = START_BASE_S,
        runner: Runner = EMBEDDED,
        recovery: Recovery | None = None,
    ) -> None:
        self._logs = logs
        self._environment = environment
        self._command = runner.command if command is None else command
        self._start_limit_s = start_limit_s
        self._runner = runner
        self._recovery = recovery or Recovery()
        self._engines: dict[EngineSpec, _Engine] = {}

    async def ensure(self, spec: EngineSpec) -> Endpoint:
        """The endpoint of a ready engine; calls for equal specs share one start. An engine that crashed starts anew.

        One that runs out of memory is started again one step smaller, as far as `spec.smallest_window` allows; the
        endpoint's notes say so.

        Raises what `check_model` raises, and MachineError `runtime-missing`, `engine-crashed`, `engine-slow`,
        `engine-not-started`. A caller that is cancelled leaves the start to the others.
        """
        engine = self._engines.get(spec) or self._same(spec)
        if engine is None or engine.is_over or engine.start is None:
            facts = check_model(Path(spec.model_path), spec.context_window)
            limit_s = self._start_limit_s + facts.file_bytes / START_BYTES_PER_S
            gone, engine = engine, self._next(spec, engine)
            for known in [key for key, held in self._engines.items() if held is gone]:
                self._engines[known] = engine
            engine.start = asyncio.create_task(self._bring_up(engine, limit_s))
        self._engines[spec] = engine
        return await asyncio.shield(engine.start)

    async def release(self, spec: EngineSpec) -> None:
        """Stop the engine of `spec` unless another spec has it; waiters of its start get MachineError
        `engine-released`."""
        engine = self._engines.pop(spec, None)
        if engine is None or any(other is engine for other in self._engines.values()):
            return
        engine.phase = "released"
        engine.freed.set()
        if engine.child is not None:
            await engine.child.stop()
        if engine.start is not None:
            await asyncio.wait([engine.start])

    def running(self) -> tuple[EngineStatus, ...]:
        """Every engine that was not released, those that crashed among them."""
        return tuple(engine.status() for engine in {id(held): held for held in self._engines.values()}.values())

    async def close(self) -> None:
        """Release every engine."""
        async with asyncio.TaskGroup() as group:
            for spec in tuple(self._engines):
                group.create_task(self.release(spec))

    def _same(self, spec: EngineSpec) -> _Engine | None:
        """An engine that was asked for otherwise and runs as `spec`, since it had to be made smaller."""
        return next((held for held in self._engines.values() if held.spec == spec and not held.is_over), None)

    def _next(self, spec: EngineSpec, gone: _Engine | None) -> _Engine:
        """The engine that follows: as asked for, or as the one that crashed, smaller if memory was why."""
        log = LogFile(self._logs / _log_name(spec))
        if gone is None or gone.has_failed:
            return _Engine(spec, log)
        lived_s = asyncio.get_running_loop().time() - gone.ready_at
        crashes = 1 if lived_s >= self._recovery.settled_s else gone.crashes + 1
        after = _Engine(gone.spec, log, crashes, gone.notes)
        smaller = step_down(gone.spec) if self._ran_out(gone) else None
        _log.warning("engine %s has ended (%s)", spec.alias, gone.exit)
        if smaller is not None:
            _step(after, smaller)
        return after

    def _ran_out(self, engine: _Engine) -> bool:
        now, before = self._recovery.kernel_kills(), engine.kills_before
        kills = None if now is None or before is None else now - before
        return ran_out_of_memory(engine.log.tail, engine.exit.status if engine.exit else None, kills)

    def _was_killed(self, engine: _Engine) -> bool:
        """Whether its load was ended by a SIGKILL that no want of memory explains, and may be begun again."""
        is_killed = engine.exit is not None and engine.exit.status == -SIGKILL
        return is_killed and engine.killed_loads < MOST_KILLED_LOADS and not self._ran_out(engine)

    async def _bring_up(self, engine: _Engine, limit_s: float) -> Endpoint:
        """Start it, smaller each time that memory runs out; as it is where somebody has killed it while it loaded."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(engine.freed.wait(), self._recovery.pause_s(engine.crashes))
            try:
                return await self._start(engine, limit_s)
            except MachineError as error:
                has_crashed = error.code == "engine-crashed"
                smaller = step_down(engine.spec) if has_crashed and self._ran_out(engine) else None
                if smaller is None and not (has_crashed and self._was_killed(engine)):
                    raise
            engine.crashes += 1
            engine.log = LogFile(engine.log.path)
            if smaller is None:
                engine.killed_loads += 1
                _log.warning("engine %s was killed while it loaded, and is loaded again", engine.spec.alias)
            else:
                _step(engine, smaller)

    async def _start(self, engine: _Engine, limit_s: float) -> Endpoint:
        if engine.phase == "released":
            engine.log.close()
            raise released(engine.spec)
        engine.kills_before = self._recovery.kernel_kills()
        child = await start_child(self._command, self._environment, engine.log)
        engine.child = child
        # It may have been released meanwhile, by another task.
        if engine.phase != "loading":
            await child.stop()
            raise released(engine.spec)
        try:
            async with asyncio.timeout(limit_s):
                endpoint = await self._load(engine, child)
        except TimeoutError as error:
            await child.stop()
            raise slow(engine.spec, limit_s) from error
        except BaseException:
            await child.stop()
            raise
        if engine.phase == "loading":
            engine.phase = "ready"
            engine.ready_at = asyncio.get_running_loop().time()
        return endpoint

    async def _load(self, engine: _Engine, child: ChildProcess) -> Endpoint:
        spec, key = engine.spec, secrets.token_urlsafe(32)
        await child.send(self._runner.message(spec, Handover(key, os.getpid(), _slots(self._environment))))
        answer = await child.answer()
        if "url" not in answer:
            raise await self._failed(engine, child, answer)
        loaded = await self._loaded(engine, child, answer["url"], key)
        engine.context_window = loaded.context_window
        return Endpoint(
            name=spec.runtime,
            wire="openai_chat",
            base_url=answer["url"],
            model=spec.alias,
            key=key,
            context_window=engine.context_window,
            counting="llama_cpp",
            slots=spec.parameters.slots,
            prefix_store=prefix_store(self._environment, spec, loaded, self._runner.package()),
            notes=engine.notes,
        )

    async def _loaded(self, engine: _Engine, child: ChildProcess, url: str, key: str) -> LoadedModel:
        """Wait for /health, then what was really loaded (llama.cpp: GET /props)."""
        import httpx

        headers = {"Authorization": f"Bearer {key}"}
        # trust_env: a proxy of the user's has no business between us and loopback.
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=5) as client:
            while (loaded := await _loaded_model(client)) is None:
                if child.exit is not None:
                    raise await self._failed(engine, child, {})
                await asyncio.sleep(POLL_S)
            return loaded

    async def _failed(self, engine: _Engine, child: ChildProcess, answer: Mapping[str, str]) -> MachineError:
        """Why the child did not come up."""
        ended = await child.finish()
        if answer.get("error") == "runtime-missing":
            return self._runner.missing(answer.get("message", ""))
        if engine.phase == "released":
            return released(engine.spec)
        return crashed(engine.spec, list(engine.log.tail), ended, self._runner.newer)


async def _loaded_model(client: httpx.AsyncClient) -> LoadedModel | None:
    """What the server says of its model, None while it is not ready."""
    import httpx

    with suppress(httpx.TransportError):
        if (await client.get("/health")).status_code == 200:
            properties = (await client.get("/props")).json()
            window = int(properties["default_generation_settings"]["n_ctx"])
            template, build = str(properties.get("chat_template", "")), str(properties.get("build_info", ""))
            return LoadedModel(window, template, build)
    return None


def _slots(environment: Mapping[str, str]) -> str:
    """The folder for saved slots, made since llama-server takes none that is not there; empty when it cannot be."""
    folder = slots_folder(environment)
    try:
        make_private_dir(folder)
    except MachineError:
        return ""
    return str(folder)


def _step(engine: _Engine, smaller: EngineSpec) -> None:
    """Load the engine as `smaller`, and say so: in the log, and in the notes of whoever opens a session."""
    note = step_note(smaller)
    _log.warning("engine %s: %s", smaller.alias, note)
    engine.spec, engine.notes = smaller, (note,)


def _log_name(spec: EngineSpec) -> str:
    """A file name for the engine's log: readable, and different for different specs."""
    readable = re.sub(r"[^\w.-]+", "-", spec.alias)[:60]
    return f"engine-{readable}-{crc32(repr(spec).encode()):08x}.log"
