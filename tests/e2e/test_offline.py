"""A whole session of each agent on a machine with loopback alone: it works, and nothing tries to leave."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import Home

from agentlaunch.core.scripted_gguf import Call, Script, Turn

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

BuildModel = Callable[[Script], Path]

DONE = "The file is written."
_CONNECT = re.compile(r"(?:connect|sendto)\(\d+.*?sa_family=AF_INET6?, sin6?_port=htons\((\d+)\).*?\"([0-9a-f.:]+)\"")
LOOPBACK = ("127.", "::1", "::ffff:127.")
SECONDS = 240.0


def inside(trace: Path) -> list[str]:
    """What stands before a command so that it runs with loopback alone and its connections are written to `trace`."""
    folders = "/usr/sbin:/usr/bin:/sbin:/bin"
    unshare, strace, ip = (shutil.which(tool, path=folders) for tool in ("unshare", "strace", "ip"))
    is_equipped = unshare is not None and strace is not None and ip is not None
    assert is_equipped, "this test needs unshare, strace and ip: apt install util-linux strace iproute2"
    script = f'{ip} link set lo up && exec "$@"'
    namespace = [unshare, "--net", "--map-root-user", "sh", "-c", script, "sh"]
    tried = subprocess.run([*namespace, "true"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, f"this machine permits no network namespace, so nothing was tested: {tried.stderr}"
    return [*namespace, strace, "--follow-forks", "--quiet=all", "-e", "trace=connect,sendto", "-o", str(trace)]


def left(trace: Path) -> list[str]:
    """What anybody tried outside of this machine, with the port; to ask a resolver on it is an attempt too."""
    found = (_CONNECT.search(line) for line in trace.read_text("utf-8", "replace").splitlines())
    tried = ((match[2], match[1]) for match in found if match is not None)
    return sorted({f"{host}:{port}" for host, port in tried if port == "53" or not host.startswith(LOOPBACK)})


def launch(home: Home, trace: Path, words: tuple[str, ...]) -> str:
    """One session: what it said. The shim lives in the namespace and is stopped there. The exit code is the agent's."""
    command = [sys.executable, "-m", "agentlaunch", *words]
    both = ["sh", "-c", '"$@"; code=$?; "$1" -m agentlaunch stop --yes >&2; exit "$code"', "sh"]
    ended = subprocess.run(
        [*inside(trace), *both, *command],
        cwd=home.project,
        env=home.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    said = f"{ended.stdout}\n{ended.stderr}"
    assert ended.returncode == 0, said
    return said


def claude(home: Home) -> tuple[Script, tuple[str, ...]]:
    call = Call("Write", {"file_path": str(home.project / "made.txt"), "content": "made"})
    return Script((Turn(calls=(call,)),), Turn(text=DONE)), ("-p", "Write made.txt", "--allowedTools", "Write")


def codex(home: Home) -> tuple[Script, tuple[str, ...]]:
    call = Call("exec_command", {"cmd": "printf made > made.txt"})
    # Codex's sandbox makes a namespace of its own, which it may not inside of ours; the folder is the test's.
    options = ("exec", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check", "Write made.txt")
    return Script((Turn(calls=(call,)),), Turn(text=DONE)), options


def opencode(home: Home) -> tuple[Script, tuple[str, ...]]:
    call = Call("write", {"content": "made", "filePath": str(home.project / "made.txt")})
    return Script((Turn(calls=(call,)),), Turn(text=DONE)), ("run", "Write made.txt")


@pytest.mark.parametrize("options", [("--offline",), ()], ids=["ordered", "no network"])
@pytest.mark.parametrize("agent", [claude, codex, opencode])
@pytest.mark.report("B249")
def test_a_session_works_with_loopback_alone(
    home: Home,
    tmp_path: Path,
    scripted_model: BuildModel,
    agent: Callable[[Home], tuple[Script, tuple[str, ...]]],
    options: tuple[str, ...],
) -> None:
    script, arguments = agent(home)
    ordered = (agent.__name__, "--model", str(scripted_model(script)), *options, "--context", "65536")
    trace = tmp_path / "connections.txt"
    said = launch(home, trace, (*ordered, "--", *arguments))
    assert (home.project / "made.txt").is_file(), said
    assert (home.project / "made.txt").read_text() == "made"
    assert DONE in said
    if options:
        assert left(trace) == []


def test_an_attempt_to_leave_is_seen(tmp_path: Path) -> None:
    attempts = (
        "import socket, contextlib\n"
        "for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):\n"
        "    for family, host in ((socket.AF_INET, '192.0.2.1'), (socket.AF_INET6, '2001:db8::1')):\n"
        "        with socket.socket(family, kind) as one, contextlib.suppress(OSError): one.connect((host, 53))\n"
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):\n"
        "    one.sendto(b'x', ('192.0.2.2', 53))\n"
    )
    trace = tmp_path / "connections.txt"
    subprocess.run([*inside(trace), sys.executable, "-c", attempts], check=True)
    assert left(trace) == ["192.0.2.1:53", "192.0.2.2:53", "2001:db8::1:53"]


def test_without_a_network_a_missing_repository_is_told_at_once(home: Home, tmp_path: Path) -> None:
    tried = subprocess.run(
        [*inside(tmp_path / "connections.txt"), sys.executable, "-m", "agentlaunch", "models", "pull", "hf:a/b:Q4_0"],
        env={**home.environment(), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (tried.returncode, "no network" in tried.stderr) == (4, True), tried.stderr
