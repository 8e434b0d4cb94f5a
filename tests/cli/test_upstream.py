"""`agentlaunch upstream` as a user sees it: screens, JSON, exit codes, and no key anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.doubles import openrouter_server
from tests.doubles.scripted_upstream import Refuse, script

Run = Callable[..., subprocess.CompletedProcess[str]]
GPU = ("upstream", "add", "gpu", "--kind", "vllm", "--url", "http://127.0.0.1:9", "--model", "qwen")


def test_without_upstreams_the_screen_says_how_to_add_one(run_command: Run) -> None:
    done = run_command("upstream")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("no upstreams were added\n")


def test_add_list_test_and_rm_work_together(run_command: Run) -> None:
    key = openrouter_server.KEY
    with openrouter_server.openrouter_server() as server:
        added = run_command(
            "upstream", "add", "router", "--kind", "openrouter", "--url", server.url, "--model", "qwen/qwen3-coder",
            "--key-env", "K", K=key,
        )  # fmt: skip
        assert (added.returncode, added.stderr) == (0, "")
        assert added.stdout.splitlines() == [
            f"`router` is added: openrouter at {server.url}, key: variable K",
            "it lists qwen/qwen3-coder, anthropic/claude-sonnet-4.5",
            "try it: agentlaunch upstream test router",
            "use it: agentlaunch claude --model router/qwen/qwen3-coder",
        ]
        listed = json.loads(run_command("upstream", "list", "--json").stdout)["data"]["upstreams"]
        assert [(one["name"], one["key"], one["is_here"]) for one in listed] == [("router", "variable K", True)]
        tried = run_command("upstream", "test", "router", K=key)
        assert tried.returncode == 0
        assert [line.split()[:2] for line in tried.stdout.splitlines()[1:]] == [
            ["reach", "ok"], ["models", "ok"], ["model", "ok"], ["key", "ok"], ["answer", "ok"],
        ]  # fmt: skip
    removed = run_command("upstream", "rm", "router", "--yes")
    assert (removed.returncode, removed.stdout) == (0, "`router` is removed\n")
    assert key not in added.stdout + tried.stdout + removed.stdout


@pytest.mark.parametrize("as_json", [False, True])
def test_a_trial_that_fails_exits_with_4_and_the_reason(run_command: Run, as_json: bool) -> None:
    with openrouter_server.openrouter_server(script(then=Refuse(402))) as server:
        run_command(
            *GPU[:3], "--kind", "openrouter", "--url", server.url, "--key-env", "K", "--model", "qwen/qwen3-coder"
        )
        tried = run_command("upstream", "test", "gpu", *(["--json"] if as_json else []), K=openrouter_server.KEY)
    assert tried.returncode == 4
    said = json.loads(tried.stdout)["errors"][0]["message"] if as_json else tried.stderr
    assert "Insufficient credits" in said


def test_a_key_on_stdin_is_kept_and_shown_nowhere(run_command: Run, home: Path) -> None:
    secret = "sk-secret-0123456789"
    argv = [sys.executable, "-m", "agentlaunch", *GPU, "--key-stdin", "--json"]
    clean = {"HOME": str(home), "PATH": os.environ["PATH"], "AGENTLAUNCH_HOME": str(home / "ours")}
    done = subprocess.run(argv, env=clean, input=f"{secret}\n", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert secret not in done.stdout + done.stderr
    holding = [path for path in home.rglob("*") if path.is_file() and secret in path.read_text("utf-8", "replace")]
    assert holding == [home / "ours" / "config" / "keys" / "gpu"]
    shown = run_command("upstream").stdout + run_command("upstream", "export", "litellm").stdout
    assert secret not in shown
    assert "os.environ/GPU_API_KEY" in shown
    plan = run_command("claude", "--model", "gpu/qwen", "--dry-run", "--json")
    assert plan.returncode == 0, plan.stderr
    assert secret not in plan.stdout + plan.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_key_that_is_typed_is_not_echoed(home: Path) -> None:
    secret = "sk-secret-0123456789"
    argv = [sys.executable, "-m", "agentlaunch", *GPU, "--key-stdin"]
    clean = {"HOME": str(home), "PATH": os.environ["PATH"], "AGENTLAUNCH_HOME": str(home / "ours"), "TERM": "xterm"}
    import pty

    terminal, other = pty.openpty()
    # Without a controlling terminal getpass takes stdin, and not the terminal that the tests run in.
    child = subprocess.Popen(argv, env=clean, stdin=other, stdout=other, stderr=other, start_new_session=True)
    os.close(other)
    seen = b""
    while b"not shown" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, f"{secret}\n".encode())
    while (piece := _read(terminal)) != b"":
        seen += piece
    assert child.wait(60) == 0
    os.close(terminal)
    assert b"is added" in seen
    assert secret.encode() not in seen
    assert (home / "ours" / "config" / "keys" / "gpu").read_text() == f"{secret}\n"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:  # Linux's way to say that the other end is closed
        return b""


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        (("upstream", "add", "gpu"), "usage", "which kind of server is `gpu`?", "add --kind; known: anthropic"),
        (("upstream", "add", "a", "b"), "usage", "`upstream add` takes one name", "agentlaunch upstream add NAME"),
        (("upstream", "list", "x"), "usage", "`upstream list` takes no name", "agentlaunch upstream list"),
        (("upstream", "export", "nginx"), "usage", "cannot export to `nginx`", "agentlaunch upstream export litellm"),
        (("upstream", "ls"), "unknown-action", "unknown action `ls`", "did you mean `agentlaunch upstream list`?"),
        (("upstream", "test", "gone"), "unknown-upstream", "unknown upstream `gone`", "none was added yet"),
        (("upstream", "add", "openrouter"), "consent-needed", "`openrouter` is not on this machine", "allow it"),
        ((*GPU, "--price-input", "1"), "usage", "prices need both", "--price-input 0.22"),
        ((*GPU, "--key-env", "sk-secret-1"), "bad-variable", "--key-env takes the name of a variable", "export MY_KEY"),
        (
            ("claude", "--model", "openrouter/x", "--dry-run"),
            "unknown-upstream", "no upstream is called `openrouter` yet", "agentlaunch upstream add openrouter",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_what_to_type(
    run_command: Run, words: tuple[str, ...], code: str, message: str, hint: str
) -> None:
    done = run_command(*words, "--json")
    error = json.loads(done.stdout)["errors"][0]
    assert (done.returncode, error["code"]) == (2, code)
    assert message in error["message"]
    assert error["hint"].startswith(hint)
    assert "sk-secret" not in done.stdout + done.stderr
