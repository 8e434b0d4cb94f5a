"""Public reports, each caused through the real command: what the agent finds around it, and what it leaves behind."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(sys.platform == "win32", reason="the agent is a script for sh, and modes are POSIX's"),
]

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
CLAUDE = f"""#!{sys.executable}
import json, os, stat, sys
if sys.argv[1:] == ["--version"]:
    print("2.1.331 (Claude Code)")
    sys.exit()
modes = {{}}
for folder, folders, files in os.walk(os.environ["AGENTLAUNCH_HOME"]):
    for name in [*folders, *files]:
        path = os.path.join(folder, name)
        modes[os.path.relpath(path, os.environ["AGENTLAUNCH_HOME"])] = stat.S_IMODE(os.lstat(path).st_mode)
settings = json.load(open(sys.argv[sys.argv.index("--settings") + 1]))
print(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ), "modes": modes, "settings": settings}}))
"""


class Home:
    """A home whose path has blanks, and a part that a careless unescape takes for a new line; with a claude in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ours = path / "ours"
        for name in ("bin", "project"):
            (path / name).mkdir(parents=True)
        claude = path / "bin" / "claude"
        claude.write_text(CLAUDE)
        claude.chmod(0o755)

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`agentlaunch WORDS` with an open umask."""
        clean = {"HOME": str(self.path), "PATH": f"{self.path / 'bin'}:/usr/bin:/bin", **environment}
        return subprocess.run(
            [sys.executable, "-m", "agentlaunch", *words],
            env={**clean, "AGENTLAUNCH_HOME": str(self.ours)},
            cwd=self.path / "project",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            umask=0,
        )

    def told(self, *words: str, **environment: str) -> dict[str, dict[str, str]]:
        """What the agent of a launch saw."""
        done = self.run(*words, **environment)
        assert done.returncode == 0, done.stderr
        told: dict[str, dict[str, str]] = json.loads(done.stdout)
        return told


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "a b" / "n x")
    yield home
    home.run("stop", "--yes")


UPSTREAM = ("--upstream", "openai=http://127.0.0.1:9", "--model", "m")


@pytest.mark.report("B323")
@pytest.mark.report("B320")
@pytest.mark.report("B280")
def test_everything_that_a_launch_leaves_on_the_disk_is_its_owners_alone(home: Home) -> None:
    modes = home.told("claude", *UPSTREAM, "--", "-p", "hi")["modes"]
    assert {"state/shim.json", "logs/shim.log", "state/plans/last.json"} <= modes.keys()
    assert any(name.endswith("/claude-settings.json") for name in modes)
    home.run("upstream", "add", "far", "--kind", "vllm", "--url", "http://127.0.0.1:9", "--model", "m", "--yes")
    left = {str(path): stat.S_IMODE(path.lstat().st_mode) for path in home.ours.rglob("*")}
    others = {name: oct(mode) for name, mode in {**modes, **left}.items() if int(mode) & 0o077}
    assert others == {}


@pytest.mark.report("B317")
def test_the_key_reaches_the_local_server_and_neither_the_agents_environment_nor_anybodys_argv(home: Home) -> None:
    words = ("claude", *UPSTREAM, "--upstream-key-env", "ROUTER_KEY", "--", "-p", "hi")
    told = home.told(*words, ROUTER_KEY=KEY, OPENROUTER_API_KEY=KEY, KEPT="1")
    assert told["env"]["KEPT"] == "1"
    assert KEY not in json.dumps(told)
    shim = psutil.Process(json.loads((home.ours / "state" / "shim.json").read_text())["pid"])
    assert KEY not in "\0".join((*shim.cmdline(), *shim.environ().values()))
    assert not [path for path in home.ours.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


@pytest.mark.report("B286")
@pytest.mark.report("B321")
def test_the_agent_is_told_the_address_127_0_0_1_and_the_server_listens_there_alone(home: Home) -> None:
    told = home.told("claude", *UPSTREAM, "--", "-p", "hi")
    address = told["settings"]["env"]["ANTHROPIC_BASE_URL"]  # type: ignore[index]
    assert address.startswith("http://127.0.0.1:")
    shim = psutil.Process(json.loads((home.ours / "state" / "shim.json").read_text())["pid"])
    listening = [each.laddr.ip for each in shim.net_connections() if each.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


@pytest.mark.report("B321")
@pytest.mark.parametrize("words", [("--host", "0.0.0.0"), ("--host=::",), ("--bind", "0.0.0.0")])
def test_serve_has_no_option_to_listen_elsewhere(home: Home, words: tuple[str, ...]) -> None:
    done = home.run("serve", *UPSTREAM, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: unknown option `--")


@pytest.mark.report("B278")
@pytest.mark.report("B266")
def test_a_port_that_somebody_else_has_and_a_stale_file_of_ours_mislead_no_launch(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as strange:
        port = strange.getsockname()[1]
        state = home.ours / "state" / "shim.json"
        state.parent.mkdir(parents=True)
        stale = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid(), "started": 1.0, "version": "0", "token": "t"}
        state.write_text(json.dumps(stale))
        told = home.told("claude", *UPSTREAM, "--", "-p", "hi")
    now = json.loads(state.read_text())
    assert (told["settings"]["env"]["ANTHROPIC_BASE_URL"], now["url"] != stale["url"]) == (now["url"], True)  # type: ignore[index]
