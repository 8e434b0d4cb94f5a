"""The real LiteLLM proxy, started for a test from a configuration; no double, but what doubles stand behind."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
VARIABLE = "AGENTLAUNCH_TEST_LITELLM"
"""Names the `litellm` program that the tests run, in place of the one of tests/run.sh."""

MASTER_KEY = "sk-master-0123456789"
PATIENCE_S = 240.0
"""It imports for tens of seconds on a machine that has other things to do."""


def litellm_program() -> Path:
    """Where the program is; where it is missing the test fails, since none may pass by being left out."""
    program = Path(os.environ.get(VARIABLE) or ROOT / ".venv-litellm" / "bin" / "litellm")
    if not program.exists():
        pytest.fail(
            f"there is no LiteLLM proxy at `{program}`: run `sh tests/run.sh`, which makes .venv-litellm, or let "
            f"{VARIABLE} name the `litellm` program of an environment with `litellm[proxy]`",
            pytrace=False,
        )
    return program


@dataclass(frozen=True)
class LiteLLM:
    """A running proxy."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str, key: str = MASTER_KEY) -> httpx.Response:
        return httpx.get(self.url + path, headers=_authorized(key), trust_env=False, timeout=60)

    def post(self, path: str, body: object, key: str = MASTER_KEY) -> httpx.Response:
        return httpx.post(self.url + path, headers=_authorized(key), json=body, trust_env=False, timeout=60)


@contextmanager
def litellm_proxy(config: str, folder: Path, secrets: Mapping[str, str]) -> Iterator[LiteLLM]:
    """Start it from the text of a `config.yaml`; it sees `secrets` and nothing of the test's environment."""
    program, port = litellm_program(), _free_port()
    path, log = folder / "config.yaml", folder / "proxy.log"
    path.write_text(config)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches its list of prices
        "LITELLM_MASTER_KEY": MASTER_KEY,
        "NO_PROXY": "127.0.0.1",
        **secrets,
    }
    argv = [str(program), "--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    with log.open("wb") as out, subprocess.Popen(argv, env=environment, stdout=out, stderr=out) as process:
        try:
            proxy = LiteLLM(f"http://127.0.0.1:{port}", process, log)
            _wait(proxy)
            yield proxy
        finally:
            process.terminate()
            process.wait(60)


def _authorized(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(proxy: LiteLLM) -> None:
    """Until it answers; one that has ended shows its log."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert proxy.process.poll() is None, proxy.log.read_text()[-3000:]
        try:
            if proxy.get("/health/liveliness").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    pytest.fail(proxy.log.read_text()[-3000:])
