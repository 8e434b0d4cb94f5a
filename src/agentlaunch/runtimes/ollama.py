"""The Ollama runtime: found or started, the model loaded as planned, and what was really loaded read back."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec, EngineStatus
from agentlaunch.core.wire.ollama_chat import KEEP_ALIVE
from agentlaunch.errors import AgentlaunchError, MachineError
from agentlaunch.runtimes.ollama_address import OllamaAddress, find_address, given_address
from agentlaunch.runtimes.ollama_control import OllamaControl, Refused, Running
from agentlaunch.runtimes.ollama_models import (
    check_capabilities,
    find_model,
    is_cloud,
    missing,
    show_model,
    thinking_of,
)
from agentlaunch.runtimes.ollama_pull import OnProgress, pull
from agentlaunch.runtimes.ollama_server import OllamaServer, ServerLimits
from agentlaunch.runtimes.ollama_versions import check_version, overflow_of

LOAD_BYTES_PER_S = 25 * 2**20
"""A load may take `load_base_s` seconds, and the time to read the weights at the rate of a slow disk."""

_MEMORY = re.compile(
    r"requires more system memory|out of memory|insufficient|failed to allocate|cudaMalloc", re.IGNORECASE
)
_CHANGED = (
    "another program has had it loaded with a window of {window} tokens, and ours is {ours}: Ollama loads it again for "
    "each in turn; give that program num_ctx {ours}"
)
_log = logging.getLogger(__name__)


@dataclass
class _Engine:
    """A model from its load to its release. `was_loaded` before us: then it is not ours to unload."""

    spec: EngineSpec
    server: OllamaServer
    phase: Literal["loading", "ready", "released"] = "loading"
    name: str = ""
    was_loaded: bool = False
    endpoint: Endpoint | None = None
    start: asyncio.Task[Endpoint] | None = None
    seen_at: float = field(default=float("-inf"))
    note: str = ""

    @property
    def is_over(self) -> bool:
        """Whether its load has failed."""
        start = self.start
        return start is not None and start.done() and (start.cancelled() or start.exception() is not None)


class OllamaHost:
    """Models in an Ollama server, ours or another's. One event loop only. Implements core.engine.EngineHost."""

    def __init__(self, logs: Path, environment: Mapping[str, str], limits: ServerLimits | None = None) -> None:
        self._logs = logs
        self._environment = environment
        self._limits = limits or ServerLimits()
        self._engines: dict[EngineSpec, _Engine] = {}
        self._servers: dict[OllamaAddress, OllamaServer] = {}

    async def ensure(self, spec: EngineSpec) -> Endpoint:
        """The endpoint of `spec.model_path`, a model's name, loaded with the planned window; equal specs share a load.

        Raises UserError `bad-ollama-host`, `ollama-key`, `model-without-tools`, `model-without-chat`, MachineError
        `ollama-missing`, `ollama-not-started`, `ollama-wedged`, `ollama-unusable`, `ollama-too-old`, `model-missing`,
        `model-broken`, `model-not-loaded`, RemoteError `ollama-busy`, and for a server elsewhere `ollama-unreachable`.
        """
        engine = self._engines.get(spec)
        if engine is None or engine.is_over or engine.start is None or await self._is_gone(engine):
            engine = _Engine(spec, self._server(spec))
            self._engines[spec] = engine
            engine.start = asyncio.create_task(self._bring_up(engine))
        return await asyncio.shield(engine.start)

    async def release(self, spec: EngineSpec) -> None:
        """Unload what we loaded, unless another spec has the same model; end a server of ours that nobody needs."""
        engine = self._engines.pop(spec, None)
        if engine is None:
            return
        engine.phase = "released"
        if engine.start is not None and not engine.start.done():
            engine.start.cancel()
            await asyncio.wait({engine.start})
        server = engine.server
        if server.is_ours and not any(other.server is server for other in self._engines.values()):
            await server.stop()
        elif engine.name and not engine.was_loaded and not is_cloud(engine.name):
            await self._unload(engine)

    def running(self) -> tuple[EngineStatus, ...]:
        """Every model that was asked for and not released."""
        return tuple(self._status(engine) for engine in self._engines.values())

    async def close(self) -> None:
        """Release every model, and end the servers of ours."""
        for spec in tuple(self._engines):
            await self.release(spec)
        servers, self._servers = self._servers, {}
        for server in servers.values():
            await server.stop()
            await server.control.close()

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """Fetch `name`, through a server that is started where none runs. Raises what `ollama_pull.pull` does."""
        server = self._server()
        await server.reach()
        await pull(server.control, name, on_progress)

    def _server(self, spec: EngineSpec | None = None) -> OllamaServer:
        """The server that `spec` names; without a name the one of our own environment."""
        if spec is not None and spec.address:
            address = given_address(spec.address, spec.authorization)
        else:
            address = find_address(self._environment)
        server = self._servers.get(address)
        if server is None:
            control = OllamaControl(address, self._limits.answer_s)
            server = OllamaServer(control, self._environment, self._logs / "ollama-serve.log", self._limits)
            self._servers[address] = server
        return server

    async def _is_gone(self, engine: _Engine) -> bool:
        """Whether the server of a ready engine does not answer any more; asked every `look_again_s` seconds only."""
        now = asyncio.get_running_loop().time()
        if engine.phase != "ready" or now - engine.seen_at < self._limits.look_again_s:
            return False
        engine.seen_at = now
        try:
            if await engine.server.control.version() is None:
                return True
            await self._notice_others(engine)
        except AgentlaunchError as error:
            _log.warning("ollama does not say whether it is there: %s", error.message)
        return False  # busy is not gone: requests will tell

    async def _notice_others(self, engine: _Engine) -> None:
        """Say so, once, when another client has had the model loaded with a window of its own (report B187).

        Ollama then loads it again for each of them in turn: every request of ours carries our window.
        """
        endpoint = engine.endpoint
        if endpoint is None or is_cloud(engine.name):
            return
        try:
            running = await engine.server.control.running()
        except Refused as refused:
            _log.warning("ollama does not say what it has loaded: %s", refused.sentence)
            return
        window = next((one.context_length for one in running if one.name == engine.name), None)
        changed = window is not None and window != endpoint.context_window
        note = _CHANGED.format(window=window, ours=endpoint.context_window) if changed else ""
        if note and note != engine.note:
            _log.warning("%s: %s", engine.name, note)
        engine.note = note

    async def _bring_up(self, engine: _Engine) -> Endpoint:
        spec, server = engine.spec, engine.server
        version = await server.reach(spec)
        control = server.control
        notes = list(check_version(version, control.address.base_url))
        try:
            models = await control.models()
            name = find_model(spec.model_path, models)
            if name is None:
                raise missing(spec.model_path, models)
            shown = await show_model(control, name)
            await check_capabilities(control, name, shown, models)
            engine.name = name
            window = min(spec.context_window, shown.context_length or spec.context_window)
            if is_cloud(name):
                notes.append(f"`{name}` runs at ollama.com: what the agent sends leaves this machine")
            else:
                loaded = await self._load(engine, control, window, models[name])
                notes += _load_notes(spec, loaded, is_ours=server.is_ours)
                window = (loaded.context_length if loaded else None) or window
        except Refused as refused:
            raise control.error(refused) from refused
        engine.endpoint = Endpoint(
            name="ollama",
            wire="ollama_chat",
            base_url=control.address.base_url,
            model=name,
            key=control.address.key,
            context_window=window,
            thinking=thinking_of(shown),
            overflow=overflow_of(version),
            key_scheme=control.address.key_scheme,
            notes=tuple(notes),
        )
        engine.phase = "ready"
        engine.seen_at = asyncio.get_running_loop().time()
        return engine.endpoint

    async def _load(self, engine: _Engine, control: OllamaControl, window: int, size_bytes: int) -> Running | None:
        """Load the model as every request will ask for it, so that none reloads it; what /api/ps says of it then."""
        name = engine.name
        engine.was_loaded = any(running.name == name for running in await control.running())
        try:
            await control.load(name, window, KEEP_ALIVE, self._limits.load_base_s + size_bytes / LOAD_BYTES_PER_S)
        except Refused as refused:
            raise _not_loaded(engine.spec, window, refused, control) from refused
        return next((running for running in await control.running() if running.name == name), None)

    async def _unload(self, engine: _Engine) -> None:
        name, server = engine.name, engine.server
        if any(other.name == name and other.server is server for other in self._engines.values()):
            return
        try:
            await server.control.load(name, None, 0, self._limits.answer_s)
        except (AgentlaunchError, Refused) as error:
            _log.warning("`%s` was not unloaded: %s", name, error)

    def _status(self, engine: _Engine) -> EngineStatus:
        endpoint = engine.endpoint
        window = endpoint.context_window if endpoint is not None else None
        state = "stopped: it did not start" if engine.is_over else engine.phase
        return EngineStatus(
            alias=engine.spec.alias,
            model_path=engine.spec.model_path,
            pid=engine.server.pid,
            state=state,
            context_window=window or engine.spec.context_window,
            log_path=engine.server.log_path,
            kv_type=engine.spec.kv_type,
            note=engine.note,
        )


def _load_notes(spec: EngineSpec, loaded: Running | None, *, is_ours: bool) -> list[str]:
    """What differs from the plan, as sentences."""
    if loaded is None:
        return ["Ollama does not list the model as loaded: its memory is not known"]
    notes = []
    if loaded.size_bytes and loaded.vram_bytes < loaded.size_bytes:
        share = round(100 * (1 - loaded.vram_bytes / loaded.size_bytes))
        notes.append(
            "the whole model is in the CPU's memory: expect it to be slow"
            if loaded.vram_bytes == 0
            else f"{share} % of the model is in the CPU's memory: a smaller --context or quant would be faster"
        )
    if loaded.context_length is None:
        notes.append("this Ollama does not tell the window that it loaded: update it to be sure")
    elif loaded.context_length < spec.context_window:
        notes.append(f"the window is {loaded.context_length} tokens, not the {spec.context_window} that were asked for")
    if spec.kv_type != "f16" and not is_ours:
        notes.append(
            f"the KV cache's type is the running server's own: start it with OLLAMA_KV_CACHE_TYPE={spec.kv_type}"
        )
    return notes


def _not_loaded(spec: EngineSpec, window: int, refused: Refused, control: OllamaControl) -> AgentlaunchError:
    if refused.status in (401, 403, 503):
        return control.error(refused)
    hint = f"look into the server's log; then again: ollama run {spec.model_path}"
    if _MEMORY.search(refused.sentence):
        hint = f"use a smaller context: --context {max(4096, window // 2)}, or a smaller model"
    return MachineError("model-not-loaded", f"Ollama could not load `{spec.model_path}`: {refused.sentence}", hint)
