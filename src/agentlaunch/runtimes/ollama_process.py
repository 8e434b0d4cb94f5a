"""The `ollama serve` that we start: found, started with its log kept, stopped; a server of others is never touched."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Mapping
from pathlib import Path

from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp_process import Ended, LogFile
from agentlaunch.runtimes.llama_environment import child_environment
from agentlaunch.system.programs import find_program as find_on_path

STOP_STEP_S = 5.0
_PLACES = (
    "/usr/local/bin/ollama",
    "/opt/homebrew/bin/ollama",
    "/Applications/Ollama.app/Contents/Resources/ollama",
    "{LOCALAPPDATA}\\Programs\\Ollama\\ollama.exe",
)
"""Where Ollama's own installers put the program, for a PATH that lacks it (a desktop session's often does)."""

_KEPT = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GPU_DEVICE_ORDINAL")
_SECRETS = ("OLLAMA_API_KEY", "OLLAMA_HOST")


def find_program(environment: Mapping[str, str]) -> str | None:
    """The program `ollama`, None when it is not installed."""
    found = find_on_path("ollama", environment)
    if found is not None:
        return str(found)
    places = (place.format_map({"LOCALAPPDATA": environment.get("LOCALAPPDATA", "")}) for place in _PLACES)
    return next((place for place in places if Path(place).is_file()), None)


def not_installed() -> MachineError:
    """Ollama is wanted and not there: how to install it on this system, or what to use in its place."""
    match sys.platform:
        case "darwin":
            how = "brew install ollama"
        case "win32":
            how = "winget install Ollama.Ollama"
        case _:
            how = "curl -fsSL https://ollama.com/install.sh | sh"
    return MachineError(
        "ollama-missing",
        "`ollama` is not installed, and no server answers",
        f"install it: {how}; or use the embedded llama.cpp: --runtime llamacpp --model PATH.gguf",
    )


def server_environment(environment: Mapping[str, str], bind: str, context_window: int, kv_type: str) -> dict[str, str]:
    """The environment of a server of ours: it listens on loopback alone, and loads models as the fit has planned them.

    What the user has set (OLLAMA_MODELS, OLLAMA_KV_CACHE_TYPE, ...) stays. Partial downloads survive a restart (B297).
    """
    kept = {
        name: value
        for name, value in environment.items()
        if (name.upper() in _KEPT or name.upper().startswith("OLLAMA_")) and name.upper() not in _SECRETS
    }
    planned = {
        "OLLAMA_CONTEXT_LENGTH": str(context_window),
        "OLLAMA_KV_CACHE_TYPE": kv_type,
        "OLLAMA_FLASH_ATTENTION": "1",  # a quantised KV cache needs it
        "OLLAMA_NUM_PARALLEL": "1",  # each more takes a context of its own (B185)
        "OLLAMA_NOPRUNE": "1",
    }
    return {**planned, **child_environment(environment), **kept, "OLLAMA_HOST": bind}


class ServerProcess:
    """A running `ollama serve` of ours. Should we be killed, its next log line finds no reader: Go ends it then."""

    def __init__(self, process: Process, log: LogFile) -> None:
        self._process = process
        self.log = log
        self.pid = process.pid
        self._waiter = asyncio.create_task(self._wait())

    @property
    def exit(self) -> Ended | None:
        """How it ended, None while it runs."""
        return self._waiter.result() if self._waiter.done() else None

    async def stop(self) -> None:
        """Terminate it, so that it ends its runners, then kill; each with a time limit."""
        for step in (self._process.terminate, self._process.kill):
            if self._waiter.done():
                return
            with contextlib.suppress(ProcessLookupError):
                step()
            await asyncio.wait({self._waiter}, timeout=STOP_STEP_S)

    async def _wait(self) -> Ended:
        pump = asyncio.create_task(self._pump())
        status = await self._process.wait()
        await asyncio.wait({pump}, timeout=1)  # a runner that holds the pipe open must not hide the end
        pump.cancel()
        self.log.close()
        return Ended(status)

    async def _pump(self) -> None:
        output = self._process.stdout
        while output is not None and (chunk := await output.read(65_536)):
            self.log.write(chunk)


async def start_server(program: str, environment: Mapping[str, str], log: LogFile) -> ServerProcess:
    """Start `ollama serve` out of reach of the terminal's signals. Raises MachineError `ollama-not-started`."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "serve",
            stdin=subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env=dict(environment),
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )
    except OSError as error:
        log.close()
        raise MachineError(
            "ollama-not-started", f"cannot start `{program}`: {error.strerror or error}", "see: ollama serve"
        ) from error
    return ServerProcess(process, log)
