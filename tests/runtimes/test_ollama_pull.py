"""Pulls through Ollama: progress, its end, and every way in which it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doubles.http_server import Cut
from tests.doubles.ollama_server import OllamaDouble

from agentlaunch.errors import AgentlaunchError, MachineError, RemoteError, UserError
from agentlaunch.runtimes.ollama import OllamaHost
from agentlaunch.runtimes.ollama_address import parse_address
from agentlaunch.runtimes.ollama_control import OllamaControl
from agentlaunch.runtimes.ollama_pull import PullLedger, PullProgress, pull

DIGEST = "sha256:60e05f210007"
SUCCESS: dict[str, object] = {"status": "success"}


def layer(completed: int | None = None, total: int = 100, digest: str = DIGEST) -> dict[str, object]:
    line: dict[str, object] = {"status": "pulling 60e05f210007", "digest": digest, "total": total}
    return line if completed is None else {**line, "completed": completed}


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    with OllamaDouble(models=[]).running() as running:
        yield running


def fetch(logs: Path, double: OllamaDouble, name: str = "new") -> list[PullProgress]:
    seen: list[PullProgress] = []

    async def run() -> None:
        host = OllamaHost(logs, {"OLLAMA_HOST": double.url})
        try:
            await host.pull(name, seen.append)
        finally:
            await host.close()

    asyncio.run(run())
    return seen


@pytest.mark.report("B306")
def test_progress_adds_layers_up_never_falls_and_success_ends_it(tmp_path: Path, double: OllamaDouble) -> None:
    lines = [layer(), layer(80), layer(60), layer(10, 50, "sha256:b"), {"status": "verifying sha256 digest"}, SUCCESS]
    double.pulls["new"] = list(lines)
    status = "pulling 60e05f210007"
    assert fetch(tmp_path, double) == [
        PullProgress("pulling manifest", 0, 0),
        PullProgress(status, 0, 100),
        PullProgress(status, 80, 100),
        PullProgress(status, 80, 100),
        PullProgress(status, 90, 150),
        PullProgress("verifying sha256 digest", 90, 150),
    ]
    assert [model.name for model in double.models] == ["new:latest"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 100), st.integers(0, 200)), max_size=20))
def test_the_sum_never_falls_and_is_never_more_than_the_total(lines: list[tuple[str, int, int]]) -> None:
    ledger = PullLedger()
    noted = [ledger.note("pulling", digest, total, completed) for digest, total, completed in lines]
    completed = [progress.completed_bytes for progress in noted]
    assert completed == sorted(completed)
    assert all(progress.completed_bytes <= progress.total_bytes for progress in noted)


@pytest.mark.parametrize(
    ("end", "kind", "code"),
    [
        ([], RemoteError, "pull-incomplete"),
        ([Cut()], RemoteError, "ollama-unusable"),
        ([{"error": "pull model manifest: file does not exist"}], UserError, "unknown-model"),
        pytest.param(
            [{"error": "write /root/.ollama/x-partial-0: no space left on device"}],
            MachineError,
            "disk-full",
            marks=[pytest.mark.report("B293"), pytest.mark.report("B299")],
        ),
        ([{"error": "digest mismatch, file must be downloaded again: want a, got b"}], RemoteError, "pull-failed"),
        ([{"error": "digest mismatch: got sha256:e3b0c44298fc1c149afb"}], RemoteError, "pull-failed"),
        (
            [{"error": 'Get "https://r/v2/": tls: failed to verify certificate: x509: certificate signed by unknown'}],
            RemoteError,
            "pull-failed",
        ),
        ([{"error": "dial tcp: lookup registry.ollama.ai on 127.0.0.53:53: no such host"}], RemoteError, "pull-failed"),
        ([{"error": "proxyconnect tcp: dial tcp 10.0.0.1:3128: i/o timeout"}], RemoteError, "pull-failed"),
        ([{"error": "mkdir /mnt/models/blobs: permission denied"}], MachineError, "ollama-not-writable"),
        ([{"error": "open D:\\\\blobs\\\\x: Access is denied."}], MachineError, "ollama-not-writable"),
        ([{"error": "412: this model requires a newer version of Ollama"}], MachineError, "ollama-too-old"),
        ([{"error": "max retries exceeded: unexpected EOF"}], RemoteError, "pull-failed"),
    ],
)
def test_a_pull_that_fails_says_why_and_a_second_try_goes_on(
    tmp_path: Path, double: OllamaDouble, end: list[object], kind: type[AgentlaunchError], code: str
) -> None:
    double.pulls["new"] = [layer(40), *end]
    with pytest.raises(AgentlaunchError) as caught:
        fetch(tmp_path, double)
    expected = MachineError if code == "ollama-unusable" else kind
    assert (type(caught.value), caught.value.code) == (expected, code)
    assert double.models == []
    double.pulls["new"] = [layer(40), layer(100), SUCCESS]
    assert fetch(tmp_path, double)[1] == PullProgress("pulling 60e05f210007", 40, 100)


def test_a_pull_goes_on_by_itself_while_it_moves_and_the_line_alone_ends_it(double: OllamaDouble) -> None:
    cut = {"error": "max retries exceeded: EOF"}
    scripts = [[layer(70), cut], [layer(100), SUCCESS]]
    double.pulls["new"] = [layer(40), cut]
    seen: list[int] = []

    def note(progress: PullProgress) -> None:
        seen.append(progress.completed_bytes)
        if progress.completed_bytes in (40, 70) and seen[-2] < seen[-1]:
            double.pulls["new"] = list(scripts.pop(0))

    async def run() -> None:
        control = OllamaControl(parse_address(double.url), 5)
        try:
            await pull(control, "new", note, pause_s=0.01)
        finally:
            await control.close()

    asyncio.run(run())
    assert [size for size in seen if size] == [40, 40, 70, 70, 100]
    assert [model.name for model in double.models] == ["new:latest"]


def test_a_pull_that_falls_silent_is_given_up(double: OllamaDouble) -> None:
    double.pulls["new"] = [layer(40), 30.0, SUCCESS]

    async def run() -> None:
        control = OllamaControl(parse_address(double.url), 5)
        try:
            await pull(control, "new", lambda _progress: None, silence_s=0.3)
        finally:
            await control.close()

    with pytest.raises(MachineError) as caught:
        asyncio.run(run())
    assert caught.value.code == "ollama-wedged"
