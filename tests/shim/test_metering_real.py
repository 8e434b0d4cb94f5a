"""Requests to the real server with a real engine: their rows, after a kill too; and no row is worth a request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agentlaunch.core.metering import RequestRecord
from agentlaunch.core.scripted_gguf import Script, Turn, numbered_words
from agentlaunch.system.dirs import find_dirs, usage_path
from agentlaunch.system.usage_reader import UsageReader

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SCRIPT = Script(
    turns=(Turn(text=numbered_words(30)),), final=Turn(text="Done."), untooled=Turn(text=numbered_words(30))
)
TOKEN = "metered"


@dataclass
class Served:
    """A running `agentlaunch serve` and its home."""

    url: str
    process: subprocess.Popen[str]
    home: Path

    def send(self, path: str, body: dict[str, Any] | None = None) -> str:
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=60) as answer:
            return str(answer.read().decode())

    def chat(self, *, stream: bool) -> str:
        return self.send(
            "/v1/chat/completions",
            {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "say it"}]},
        )

    def rows(self, count: int) -> tuple[RequestRecord, ...]:
        """The rows of the file, once there are so many."""
        until = time.monotonic() + 30
        while True:
            reader = UsageReader.find(usage_path(dirs_in(self.home)))
            rows = () if reader is None else reader.requests("2000-01-01", 0)
            if len(rows) >= count:
                return rows
            assert time.monotonic() < until, rows
            time.sleep(0.05)


def dirs_in(home: Path) -> Any:  # noqa: ANN401 - Dirs
    return find_dirs({"AGENTLAUNCH_HOME": str(home)})


@contextmanager
def serving(home: Path, model: Path) -> Iterator[Served]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AGENTLAUNCH_HOME": str(home),
        "AGENTLAUNCH_TOKEN": TOKEN,
    }
    argv = [sys.executable, "-m", "agentlaunch", "serve", "--model", str(model), "--context", "16384", "--port", "0"]
    with subprocess.Popen([*argv, "--json"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Served(json.loads(process.stdout.readline())["url"], process, home)
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def model(scripted_model: Callable[[Script], Path]) -> Path:
    return scripted_model(SCRIPT)


def test_each_request_of_any_wire_makes_a_row_and_counts_in_the_metrics(tmp_path: Path, model: Path) -> None:
    with serving(tmp_path, model) as served:
        served.chat(stream=True)
        served.chat(stream=False)
        served.send(
            "/v1/messages", {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "say it"}]}
        )
        served.send("/v1/responses", {"model": "m", "input": "say it"})
        rows = served.rows(4)
        families = {family.name: family for family in text_string_to_metric_families(served.send("/metrics"))}
        live = json.loads(served.send("/agentlaunch/v1/live"))
    assert [(row.agent, row.status, row.attempts, row.mended, row.cost_usd) for row in rows] == [
        ("serve", "ok", 1, 0, 0.0)
    ] * 4
    assert all(row.tokens_in > 0 and row.tokens_out > 0 and row.session == rows[0].session for row in rows)
    assert all(0 < (row.first_byte_ms or 0.0) <= row.total_ms for row in rows)
    assert sum(row.tokens_cached for row in rows) > 0
    assert [sample.value for sample in families["agentlaunch_requests"].samples] == [4.0]
    assert [sample.value for sample in families["agentlaunch_active_requests"].samples] == [0.0]
    assert (live["requests"], live["active"], live["sessions"][0]["requests"]) == (4, [], 4)


def test_a_client_that_leaves_makes_a_cancelled_row(tmp_path: Path, model: Path) -> None:
    import http.client

    with serving(tmp_path, model) as served:
        with closing(http.client.HTTPConnection(served.url.removeprefix("http://"))) as connection:
            body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "say it"}]}
            connection.request(
                "POST",
                "/v1/chat/completions",
                json.dumps(body),
                {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
            )
        rows = served.rows(1)
    assert rows[0].status == "cancelled"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_rows_outlive_a_kill_and_the_next_server_goes_on_with_the_file(tmp_path: Path, model: Path) -> None:
    with serving(tmp_path, model) as served:
        served.chat(stream=True)
        before = served.rows(1)
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(30)
    with serving(tmp_path, model) as served:
        served.chat(stream=True)
        rows = served.rows(2)
    assert rows[:1] == before
    assert rows[1].session != before[0].session


def test_an_orderly_end_keeps_what_was_asked_a_moment_ago(tmp_path: Path, model: Path) -> None:
    with serving(tmp_path, model) as served:
        served.chat(stream=False)
        served.process.terminate()
        assert served.process.wait(30) == 0
        assert len(served.rows(1)) == 1


def test_two_servers_keep_their_rows_in_one_file(tmp_path: Path, model: Path) -> None:
    with serving(tmp_path, model) as one, serving(tmp_path, model) as two:
        for _ in range(3):
            one.chat(stream=True)
            two.chat(stream=True)
        rows = one.rows(6)
    assert len({row.session for row in rows}) == 2


def test_where_no_row_can_be_kept_requests_are_answered_and_the_log_says_so_once(tmp_path: Path, model: Path) -> None:
    usage_path(dirs_in(tmp_path)).mkdir(parents=True)  # a folder in the file's place
    with serving(tmp_path, model) as served:
        for _ in range(3):
            assert "30" in served.chat(stream=False)
        families = {}
        until = time.monotonic() + 30
        while not families or families["agentlaunch_lost_rows"].samples[0].value < 3:
            assert time.monotonic() < until
            families = {family.name: family for family in text_string_to_metric_families(served.send("/metrics"))}
    log = (tmp_path / "logs" / "serve.log").read_text()
    assert log.count("requests are not kept") == 1
