"""The whole way: a real shim, and an agent that prints what it was started with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Run

pytestmark = pytest.mark.real

UPSTREAM = ("--upstream", "openai=http://127.0.0.1:9", "--model", "m")


@pytest.fixture(autouse=True)
def _stopped(run_command: Run) -> Iterator[None]:
    yield
    run_command("stop", "--yes")


def test_a_launch_becomes_the_agent_and_again_does_it_once_more(run_command: Run) -> None:
    first = run_command("claude", *UPSTREAM, "--", "-p", "x  y", "--")
    assert (first.returncode, first.stdout.splitlines()[-3:]) == (7, ["-p", "x  y", "--"])
    assert first.stderr.splitlines()[-4:][0] == "agentlaunch: Claude Code 2.1.331 on `m` (openai)"
    again = run_command("again", "--quiet")
    assert (again.returncode, again.stdout.splitlines()[-3:], again.stderr) == (7, ["-p", "x  y", "--"], "")
    other = run_command("again", "--quiet", "--", "--resume")
    assert (other.returncode, other.stdout.splitlines()[-1]) == (7, "--resume")


def test_status_and_stop_find_the_shim_that_the_launch_started(run_command: Run) -> None:
    run_command("claude", *UPSTREAM)
    status = json.loads(run_command("status", "--json").stdout)["data"]
    assert (status["shim"]["version"], status["engines"]) == ("0.1.0", [])
    assert run_command("status").stdout.startswith(f"shim {status['shim']['url']}, process ")
    assert (run_command("logs", "-n", "1").returncode, run_command("stop", "--yes").stdout) == (0, "stopped\n")
    assert run_command("stop").stdout == "nothing was running\n"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to one process is a POSIX thing")
def test_serve_says_where_it_is_first_and_ends_in_order_on_ctrl_c(home: Path) -> None:
    argv = [sys.executable, "-m", "agentlaunch", "serve", *UPSTREAM, "--foreground", "--json"]
    clean = {"HOME": str(home), "PATH": os.defpath, "AGENTLAUNCH_HOME": str(home / "ours"), "AGENTLAUNCH_TOKEN": "T1"}
    with subprocess.Popen(argv, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        server.send_signal(signal.SIGINT)
        rest, errors = server.communicate(timeout=60)
    assert (said["pid"], said["token"], said["url"].startswith("http://127.0.0.1:")) == (server.pid, "T1", True)
    assert (server.returncode, rest, errors) == (0, "", "")


def test_status_top_and_stop_know_a_serve_in_the_foreground(home: Path, run_command: Run) -> None:
    argv = [sys.executable, "-m", "agentlaunch", "serve", *UPSTREAM, "--json"]
    clean = {"HOME": str(home), "PATH": os.defpath, "AGENTLAUNCH_HOME": str(home / "ours")}
    with subprocess.Popen(argv, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = json.loads(server.stdout.readline())
        status = json.loads(run_command("status", "--json").stdout)["data"]
        [serve] = status["serves"]
        assert (status["shim"], serve["shim"]["url"], serve["shim"]["pid"]) == (None, said["url"], server.pid)
        assert [session["agent"] for session in serve["sessions"]] == ["serve"]
        assert run_command("status").stdout.startswith(f"serve {said['url']}, process {server.pid}, ")
        assert json.loads(run_command("top", "--json").stdout)["data"] != {}
        assert run_command("stop").stdout == "stopped `agentlaunch serve`\n"
        rest, errors = server.communicate(timeout=60)
    assert (server.returncode, rest, errors) == (0, "", "")
    assert run_command("status").stdout == "nothing is running\n"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP is a POSIX thing")
def test_a_serve_that_hangs_is_not_shown_and_is_killed_by_stop(home: Path, run_command: Run) -> None:
    argv = [sys.executable, "-m", "agentlaunch", "serve", *UPSTREAM, "--json"]
    clean = {"HOME": str(home), "PATH": os.defpath, "AGENTLAUNCH_HOME": str(home / "ours")}
    with subprocess.Popen(argv, env=clean, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        server.send_signal(signal.SIGSTOP)
        assert run_command("stop").stdout == "stopped `agentlaunch serve`\n"
        assert server.wait(60) == -signal.SIGKILL
