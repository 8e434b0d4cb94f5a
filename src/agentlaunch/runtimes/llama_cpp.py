"""The embedded llama.cpp runtime: one child process an engine, supervised, shared by equal specs."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec, EngineStatus
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp_child import SLOTS, ChildSpec
from agentlaunch.runtimes.llama_cpp_prefixes import LoadedModel, prefix_store, slots_folder
from agentlaunch.runtimes.llama_cpp_process import CHILD_COMMAND, ChildProcess, Ended, LogFile, start_child
from agentlaunch.runtimes.model_file import check_model

if TYPE_CHECKING:
    import httpx

START_BASE_S = 60.0
START_BYTES_PER_S = 25 * 2**20
"""A start may take `START_BASE_S` seconds, and the time to read the model at the rate of a slow disk."""
POLL_S = 0.05
INSTALL_COMMAND = "pip install 'agentlaunch[llamacpp]'"


def is_installed() -> bool:
    """Whether llama.cpp is there to be started; it is not imported for the answer."""
    return find_spec("xllamacpp") is not None


@dataclass
class _Engine:
    """An engine from its start to its end. `child` is None until there is a process."""

    spec: EngineSpec
    log: LogFile
    phase: Literal["loading", "ready", "released"] = "loading"
    child: ChildProcess | None = None
    start: asyncio.Task[Endpoint] | None = None
    context_window: int = 0

    @property
    def exit(self) -> Ended | None:
        return self.child.exit if self.child else None

    @property
    def is_over(self) -> bool:
        """Whether it serves no more: it crashed, or its start failed."""
        failed = self.start is not None and self.start.done() and (self.start.cancelled() or self.start.exception())
        return bool(failed) or self.exit is not None

    def status(self) -> EngineStatus:
        window = self.context_window or self.spec.context_window
        pid = self.child.pid if self.child else 0
        spec, log = self.spec, str(self.log.path)
        return EngineStatus(spec.alias, spec.model_path, pid, self._state(), window, log, spec.kv_type)

    def _state(self) -> str:
        if self.exit is not None:
            return f"stopped: {self.exit}"
        return "stopped: it did not start" if self.is_over else self.phase


class LlamaCppHost:
    """Starts llama.cpp children and watches over them. One event loop only. Implements core.engine.EngineHost."""

    def __init__(
        self,
        logs: Path,
        environment: Mapping[str, str],
        command: Sequence[str] = CHILD_COMMAND,
        start_limit_s: float = START_BASE_S,
    ) -> None:
        self._logs = logs
        self._environment = environment
        self._command = command
        self._start_limit_s = start_limit_s
        self._engines: dict[EngineSpec, _Engine] = {}

    async def ensure(self, spec: EngineSpec) -> Endpoint:
        """The endpoint of a ready engine; calls for equal specs share one start. An engine that crashed starts anew.

        Raises what `check_model` raises, and MachineError `runtime-missing`, `engine-crashed`, `engine-slow`,
        `engine-not-started`. A caller that is cancelled leaves the start to the others.
        """
        engine = self._engines.get(spec)
        if engine is None or engine.is_over or engine.start is None:
            facts = check_model(Path(spec.model_path), spec.context_window)
            engine = _Engine(spec, LogFile(self._logs / _log_name(spec)))
            self._engines[spec] = engine
            limit_s = self._start_limit_s + facts.file_bytes / START_BYTES_PER_S
            engine.start = asyncio.create_task(self._start(engine, limit_s))
        return await asyncio.shield(engine.start)

    async def release(self, spec: EngineSpec) -> None:
        """Stop the engine of `spec`; waiters of its start get MachineError `engine-released`."""
        engine = self._engines.pop(spec, None)
        if engine is None:
            return
        engine.phase = "released"
        if engine.child is not None:
            await engine.child.stop()
        if engine.start is not None:
            await asyncio.wait([engine.start])

    def running(self) -> tuple[EngineStatus, ...]:
        """Every engine that was not released, those that crashed among them."""
        return tuple(engine.status() for engine in self._engines.values())

    async def close(self) -> None:
        """Release every engine."""
        async with asyncio.TaskGroup() as group:
            for spec in tuple(self._engines):
                group.create_task(self.release(spec))

    async def _start(self, engine: _Engine, limit_s: float) -> Endpoint:
        child = await start_child(self._command, self._environment, engine.log)
        engine.child = child
        if engine.phase == "released":
            await child.stop()
            raise _released(engine)
        try:
            async with asyncio.timeout(limit_s):
                endpoint = await self._load(engine, child)
        except TimeoutError as error:
            await child.stop()
            raise _slow(engine, limit_s) from error
        except BaseException:
            await child.stop()
            raise
        if engine.phase == "loading":
            engine.phase = "ready"
        return endpoint

    async def _load(self, engine: _Engine, child: ChildProcess) -> Endpoint:
        spec, key = engine.spec, secrets.token_urlsafe(32)
        await child.send(_child_spec(spec, key, slots_folder(self._environment)))
        answer = await child.answer()
        if "url" not in answer:
            raise await _failed(engine, child, answer)
        loaded = await self._loaded(engine, child, answer["url"], key)
        engine.context_window = loaded.context_window
        return Endpoint(
            name="llama_cpp",
            wire="openai_chat",
            base_url=answer["url"],
            model=spec.alias,
            key=key,
            context_window=engine.context_window,
            counting="llama_cpp",
            slots=SLOTS,
            prefix_store=prefix_store(self._environment, spec, loaded),
        )

    async def _loaded(self, engine: _Engine, child: ChildProcess, url: str, key: str) -> LoadedModel:
        """Wait for /health, then what was really loaded (llama.cpp: GET /props)."""
        import httpx

        headers = {"Authorization": f"Bearer {key}"}
        # trust_env: a proxy of the user's has no business between us and loopback.
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=5) as client:
            while (loaded := await _loaded_model(client)) is None:
                if child.exit is not None:
                    raise await _failed(engine, child, {})
                await asyncio.sleep(POLL_S)
            return loaded


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


def _child_spec(spec: EngineSpec, key: str, slots: Path) -> ChildSpec:
    return {
        "model_path": str(Path(spec.model_path).absolute()),
        "alias": spec.alias,
        "context_window": spec.context_window,
        "kv_type": spec.kv_type,
        "key": key,
        "parent": os.getpid(),
        "slots_folder": str(slots),
    }


def _log_name(spec: EngineSpec) -> str:
    """A file name for the engine's log: readable, and different for different specs."""
    readable = re.sub(r"[^\w.-]+", "-", spec.alias)[:60]
    return f"engine-{readable}-{crc32(repr(spec).encode()):08x}.log"


async def _failed(engine: _Engine, child: ChildProcess, answer: Mapping[str, str]) -> MachineError:
    """Why the child did not come up."""
    ended = await child.finish()
    if answer.get("error") == "runtime-missing":
        return MachineError(
            "runtime-missing",
            f"llama.cpp is not installed: `{answer.get('message', 'xllamacpp')}`",
            f"install it: {INSTALL_COMMAND}, or with pipx: pipx inject agentlaunch xllamacpp",
        )
    if engine.phase == "released":
        return _released(engine)
    lines = list(engine.log.tail)
    message = f"llama.cpp could not load `{engine.spec.model_path}`: {_cause(lines, ended)}"
    return MachineError("engine-crashed", message, _crash_hint(engine, ended, "\n".join(lines)))


_MEMORY = re.compile(
    r"insufficient memory|out of memory|failed to allocate|unable to allocate|cudaMalloc|bad_alloc"
    r"|failed to fit params",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(r"unknown (model architecture|pre-tokenizer|tokenizer)|unsupported model", re.IGNORECASE)
_ERROR_LINE = re.compile(r"\s*[\d.]+ E (?:\w+ +)?(?:[^\s:]+: )?(?:error loading model: )?(?=\S)")
"""How llama.cpp begins a line of its error level: time since the start, `E`, the part it comes from, its function."""
_CAUSE_CHARACTERS = 300
_READ_LOG = "its log: agentlaunch logs engine"


def _cause(lines: Sequence[str], ended: Ended | None) -> str:
    """Of all that llama.cpp said, the one line that tells why; what was said last where it named no error."""
    cause = _told_cause(lines)[:_CAUSE_CHARACTERS]
    if not cause:
        return str(ended or "it does not end")
    return f"{cause} ({ended})" if ended is not None and ended.status < 0 else cause


def _told_cause(lines: Sequence[str]) -> str:
    known = next((line for line in lines if _UNKNOWN_MODEL.search(line) or _MEMORY.search(line)), None)
    if known is None:
        known = next((line for line in lines if _ERROR_LINE.match(line)), lines[-1] if lines else "")
    return _ERROR_LINE.sub("", known, count=1).strip()


def _crash_hint(engine: _Engine, ended: Ended | None, log: str) -> str:
    """The next thing to type. SIGKILL with nothing said is how Linux ends a process when memory runs out."""
    if _UNKNOWN_MODEL.search(log):
        return f"this model needs a newer llama.cpp: pip install --upgrade xllamacpp; {_READ_LOG}"
    if _MEMORY.search(log) or ended == Ended(-9):
        smaller = max(4096, engine.spec.context_window // 2)
        quantised = "" if engine.spec.kv_type != "f16" else ", or a smaller KV cache: --kv q8_0"
        return f"use a smaller context: --context {smaller}{quantised}; {_READ_LOG}"
    return _READ_LOG


def _slow(engine: _Engine, limit_s: float) -> MachineError:
    message = f"llama.cpp did not load `{engine.spec.model_path}` within `{limit_s:.0f}` seconds"
    return MachineError("engine-slow", message, _READ_LOG)


def _released(engine: _Engine) -> MachineError:
    message = f"the engine of `{engine.spec.alias}` was stopped while it was loading"
    return MachineError("engine-released", message, "start it again")
