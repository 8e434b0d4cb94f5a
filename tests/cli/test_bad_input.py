"""The real command against what users and machines do to it: one line, the right exit code, nothing started."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentlaunch.core.scripted_gguf import Script

if TYPE_CHECKING:
    from conftest import Run

UPSTREAM = ("--upstream", "openai=http://127.0.0.1:9", "--model", "m")

Case = tuple[tuple[str, ...], int, str]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("claude",), 2, "no model was chosen"),
        (("claude", "--model", "gone.gguf"), 2, "there is no model file `"),
        (("claude", "--model", "text.gguf"), 2, "not a GGUF file"),
        (("claude", "--model", "cut.gguf"), 3, "is cut off"),
        (("claude", "--model", "qwen3-coder:30b"), 3, "`qwen3-coder-30b-a3b` is known and not on this machine"),
        (("claude", "--model", "no-such-thing"), 2, "unknown model `no-such-thing`"),
        (("claude", "--model", "hf:a/b"), 3, "`hf:a/b` is not on this machine"),
        (("claude", "--model", "whole.gguf", "--context", "999999999"), 2, "a context of `999,999,999` tokens is more"),
        (("codex", *UPSTREAM), 3, "Codex CLI is not installed"),
        (("claude", *UPSTREAM[:3], ""), 2, "--model cannot be ``"),
        (("claude", "--upstream", "opnai=http://x", "--model", "m"), 2, "there is no upstream kind `opnai`"),
        (("claude", "--upstream", "openai=http://a b", "--model", "m"), 2, "is no address of a server"),
        (("claude", *UPSTREAM, "--upstream-key-env", "NOT_SET"), 2, "the variable `NOT_SET` is not set"),
        (("serve", *UPSTREAM, "--token", "a b"), 2, "the token has characters"),
        (("serve", *UPSTREAM, "--token", ""), 2, "the token is empty"),
    ],
)
def test_bad_input_is_one_error_line_with_a_hint_and_no_traceback(
    run_command: Run,
    home: Path,
    scripted_model: Callable[[Script], Path],
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    whole = scripted_model(Script()).read_bytes()
    for name, content in (("text.gguf", b"hello, world"), ("cut.gguf", whole[:-100]), ("whole.gguf", whole)):
        (home / "project" / name).write_bytes(content)
    done = run_command(*words)
    assert (done.returncode, done.stdout) == (code, "")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert [line.partition(":")[0] for line in rest] == ["hint"]
    assert not (home / "ours").exists()


@pytest.mark.report("B234")
@pytest.mark.parametrize("version", ["0.2.0", "2.1.23", "2.1.83"])  # the last two ignore NO_PROXY
def test_an_agent_that_is_too_old_is_refused(run_command: Run, version: str) -> None:
    done = run_command("claude", *UPSTREAM, FAKE_VERSION=version)
    assert (done.returncode, done.stderr.splitlines()[0].endswith("the oldest that works is 2.1.251")) == (3, True)
    assert "--force" in done.stderr


def test_a_port_that_is_taken_is_told(run_command: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_command("serve", *UPSTREAM, "--port", str(port))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"error: cannot listen on port `{port}`: Address already in use\n"
        "hint: take a free one: agentlaunch serve --port 0\n"
    )


def test_a_home_that_cannot_be_written_is_told_with_the_variable_that_helps(run_command: Run, home: Path) -> None:
    (home / "a file").touch()
    done = run_command("claude", *UPSTREAM, AGENTLAUNCH_HOME=str(home / "a file"))
    assert done.returncode == 3
    assert done.stderr.splitlines()[0].startswith(f"error: cannot write in `{home / 'a file'}/")
    assert "AGENTLAUNCH_HOME" in done.stderr.splitlines()[1]


def test_a_bad_settings_file_stops_the_launch_by_name(run_command: Run, home: Path) -> None:
    (home / "project" / ".agentlaunch.toml").write_text("contxt = 4096\n")
    done = run_command("claude", *UPSTREAM)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: unknown key `contxt` in `.agentlaunch.toml`")


def test_a_bad_variable_stops_the_launch_by_name(run_command: Run) -> None:
    done = run_command("claude", *UPSTREAM, AGENTLAUNCH_CONTEXT="big")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: AGENTLAUNCH_CONTEXT cannot be `big`")


def test_a_dry_run_shows_every_key_of_the_interface_and_starts_nothing(run_command: Run, home: Path) -> None:
    done = run_command("claude", *UPSTREAM, "--dry-run", "--json", "--", "-p", "grüße dich")
    assert (done.returncode, done.stderr) == (0, "")
    whole = json.loads(done.stdout)
    assert {key: whole[key] for key in ("version", "command", "status", "errors")} == {
        "version": 1,
        "command": "claude",
        "status": "ok",
        "errors": [],
    }
    data = whole["data"]
    assert {key: data[key] for key in ("agent", "model", "runtime", "context", "shim", "cleanup")} == {
        "agent": "claude",
        "model": "m",
        "runtime": "openai",
        "context": 32_768,
        "shim": None,
        "cleanup": [str(home / "ours" / "state" / "sessions" / "SESSION")],
    }
    assert (data["argv"][0], data["argv"][-2:]) == (str(home / "bin" / "claude"), ["-p", "grüße dich"])
    assert ("********" in data["files"][0]["content"], "env" in data) == (True, True)
    assert not (home / "ours").exists()


def test_a_dry_run_as_text_names_what_would_run(run_command: Run, home: Path) -> None:
    done = run_command("claude", *UPSTREAM, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "agent    claude 2.1.331\nmodel    m (openai), window 32768 tokens\nshim     would be "
    )


@pytest.mark.report("B251")
def test_with_a_proxy_the_plan_takes_the_shim_out_of_it_and_says_so(run_command: Run) -> None:
    done = run_command("claude", *UPSTREAM, "--dry-run", "--json", HTTP_PROXY="http://127.0.0.1:1")
    data = json.loads(done.stdout)["data"]
    assert data["env"] == {"NO_PROXY": "127.0.0.1,localhost,::1", "no_proxy": "127.0.0.1,localhost,::1"}
    assert "a proxy is set: NO_PROXY gets 127.0.0.1,localhost,::1 for the agent" in data["notes"]


def test_a_dry_run_never_shows_the_upstreams_key(run_command: Run) -> None:
    done = run_command("claude", *UPSTREAM, "--upstream-key-env", "K", "--dry-run", "--json", K="sk-secret")
    assert (done.returncode, "sk-secret" in done.stdout + done.stderr) == (0, False)


def test_a_name_that_no_terminal_can_show_is_still_one_line(run_command: Run) -> None:
    done = run_command("claude", "--model", "gr\udcff.gguf", PYTHONUTF8="0", LC_ALL="C", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stderr.splitlines()[0].startswith("error: there is no model file `")) == (2, True)


def test_a_closed_pipe_is_no_error_of_ours(run_command: Run, home: Path) -> None:
    (home / "ours" / "logs").mkdir(parents=True)
    (home / "ours" / "logs" / "shim.log").write_text("line\n" * 50)
    code = "import os; r, w = os.pipe(); os.dup2(w, 1); os.close(r); from agentlaunch.cli.main import main; main()"
    done = run_command("logs", code=code)
    assert (done.returncode, done.stderr) == (141, "")


FULL = "import os; os.dup2(os.open('/dev/full', os.O_WRONLY), {number}); from agentlaunch.cli.main import main; main()"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("--version",), ("stop", "--help")])
def test_a_stdout_that_takes_nothing_is_one_error_line(run_command: Run, words: tuple[str, ...]) -> None:
    done = run_command(*words, code=FULL.format(number=1))
    assert (done.returncode, done.stderr.splitlines()) == (
        3,
        [
            "error: cannot write to stdout: `No space left on device`",
            "hint: send it elsewhere: agentlaunch ... > FILE",
        ],
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_an_error_keeps_its_exit_code_where_it_cannot_be_told(run_command: Run) -> None:
    assert run_command("again", code=FULL.format(number=2)).returncode == 2
    lost = run_command("again", "--json", code=FULL.format(number=1))
    assert (lost.returncode, lost.stderr.splitlines()[0]) == (2, "error: there is no last launch to repeat")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
def test_streams_that_are_closed_are_the_null_device_for_us_and_for_the_agent() -> None:
    code = (
        "import os, sys; from agentlaunch.cli.main import _open_missing_streams; _open_missing_streams(); "
        "sys.stdout.flush(); sys.stderr.isatty(); "
        "sys.exit(7 if all(os.get_inheritable(n) and os.fstat(n) for n in (0, 1, 2)) else 1)"
    )
    words = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(words, check=False).returncode == 7


def test_a_home_with_a_name_that_is_too_long_is_the_machines(run_command: Run) -> None:
    done = run_command("status", AGENTLAUNCH_HOME="/tmp/" + "a" * 300)
    assert (done.returncode, done.stderr.splitlines()[0][-20:]) == (3, ": File name too long")


@pytest.mark.real
def test_serve_tells_a_failed_start_once_and_logs_to_a_file(
    run_command: Run, home: Path, scripted_model: Callable[[Script], Path]
) -> None:
    strange = scripted_model(Script()).read_bytes().replace(b"llama", b"llamx")
    (home / "project" / "x.gguf").write_bytes(strange)
    done = run_command("serve", "--model", "x.gguf", "--force", "--json")
    [error] = json.loads(done.stdout)["errors"]
    assert (done.returncode, done.stderr, error["code"]) == (3, "", "engine-crashed")
    assert error["message"].endswith("x.gguf`: unknown model architecture: 'llamx'")
    assert "WARNING" in (home / "ours" / "logs" / "serve.log").read_text()
