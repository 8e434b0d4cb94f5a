"""The server behind the control side: reached where it runs, started where it does not, stopped if it is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import MachineError, RemoteError
from agentlaunch.runtimes.llama_cpp_process import LogFile
from agentlaunch.runtimes.ollama_control import OllamaControl
from agentlaunch.runtimes.ollama_process import (
    ServerProcess,
    find_program,
    not_installed,
    server_environment,
    start_server,
)

POLL_S = 0.1
_DEFAULT_CONTEXT_TOKENS = 32_768
"""The window of a server that is started to pull: nothing is loaded in it."""


@dataclass(frozen=True)
class ServerLimits:
    """How long a server may take, in seconds: to answer, to come up, to load (and the time to read the weights).

    `look_again_s` is how long one that answered is taken to be there: the shim asks for every engine each second.
    """

    answer_s: float = 10.0
    start_s: float = 30.0
    load_base_s: float = 120.0
    look_again_s: float = 10.0


class OllamaServer:
    """One address, and the process behind it when we have started it."""

    def __init__(self, control: OllamaControl, environment: Mapping[str, str], log: Path, limits: ServerLimits) -> None:
        self.control = control
        self._environment = environment
        self._log = log
        self._limits = limits
        self._process: ServerProcess | None = None
        self._turn = asyncio.Lock()

    @property
    def is_ours(self) -> bool:
        """Whether we have started it, and it runs."""
        return self._process is not None and self._process.exit is None

    @property
    def pid(self) -> int:
        """The process that we have started, 0 for a server of others."""
        return self._process.pid if self._process is not None and self.is_ours else 0

    @property
    def log_path(self) -> str:
        """Where a server of ours logs, empty for a server of others."""
        return str(self._log) if self._process is not None else ""

    async def reach(self, spec: EngineSpec | None = None) -> str:
        """The server's version; it is started when it is installed here and does not run, to load `spec` as planned.

        Raises MachineError `ollama-missing`, `ollama-not-started`, `ollama-wedged`, RemoteError `ollama-unreachable`.
        """
        async with self._turn:
            version = await self.control.version()
            return version if version is not None else await self._start(spec)

    async def stop(self) -> None:
        """End the process that we have started; a server of others runs on."""
        process, self._process = self._process, None
        if process is not None:
            await process.stop()

    async def _start(self, spec: EngineSpec | None) -> str:
        address = self.control.address
        if not address.is_local:
            raise RemoteError(
                "ollama-unreachable",
                f"no Ollama answers at `{address.base_url}`",
                "is it running there? OLLAMA_HOST names it; unset OLLAMA_HOST to use this machine's own",
            )
        program = find_program(self._environment)
        if program is None:
            raise not_installed()
        await self.stop()
        window = spec.context_window if spec is not None else _DEFAULT_CONTEXT_TOKENS
        kv_type = spec.kv_type if spec is not None else "f16"
        environment = server_environment(self._environment, address.bind, window, kv_type)
        process = await start_server(program, environment, LogFile(self._log))
        self._process = process
        try:
            async with asyncio.timeout(self._limits.start_s):
                return await self._first_answer(process)
        except TimeoutError as error:
            await self.stop()
            raise self._not_started(process, f"did not answer within `{self._limits.start_s:g}` seconds") from error
        except BaseException:
            await self.stop()
            raise

    async def _first_answer(self, process: ServerProcess) -> str:
        while (version := await self.control.version()) is None:
            if process.exit is not None:
                raise self._not_started(process, f"ended ({process.exit})")
            await asyncio.sleep(POLL_S)
        return version

    def _not_started(self, process: ServerProcess, what: str) -> MachineError:
        said = "".join(list(process.log.tail)[-1:]).strip()
        message = f"`ollama serve` {what}{'; its last words: ' + said if said else ''}"
        return MachineError("ollama-not-started", message, f"read its log: {self._log}")
