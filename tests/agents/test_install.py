"""An install is finished or it has not happened; npm's last words reach the user."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from agentlaunch.agents.base import load_agent
from agentlaunch.agents.command import Completed
from agentlaunch.agents.install import OWN_WAY, install_agent
from agentlaunch.agents.locate import LocatedAgent, agent_prefix, install_marker, locate_agent
from agentlaunch.errors import Bug, MachineError, RemoteError
from agentlaunch.system.dirs import Dirs, find_dirs
from agentlaunch.system.locks import FileLock, is_held

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake npm links programs as on POSIX")

CODEX = load_agent("codex")
TESTED = (0, 169, 0)


class FakeNpm:
    """Stands for npm and for the installed program. `during` runs in the middle of `npm install`."""

    def __init__(self, install: Completed, version: Completed, during: Callable[[], None] = lambda: None) -> None:
        self.install = install
        self.version = version
        self.during = during
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Completed:
        self.asked.append(tuple(argv))
        if argv[-1] == "--version":
            return self.version
        modules = Path(argv[argv.index("--prefix") + 1]) / "node_modules"
        package = modules / "@openai" / "codex"
        package.mkdir(parents=True, exist_ok=True)
        (package / "package.json").write_text(json.dumps({"name": "@openai/codex", "version": "0.169.0"}))
        (package / "codex.js").write_text("")
        (package / "codex.js").chmod(0o755)
        (modules / ".bin").mkdir(exist_ok=True)
        if not (modules / ".bin" / "codex").exists():
            (modules / ".bin" / "codex").symlink_to(package / "codex.js")
        self.during()
        return self.install


GOOD = Completed(0, "codex-cli 0.169.0", "")


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    return find_dirs({"AGENTLAUNCH_HOME": str(tmp_path / "ours")})


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("")
    npm.chmod(0o755)
    return {"PATH": str(npm.parent)}


def test_the_tested_version_is_installed_checked_and_then_found(dirs: Dirs, environment: dict[str, str]) -> None:
    npm, said = FakeNpm(GOOD, GOOD), list[str]()
    prefix = agent_prefix(CODEX, dirs)
    program = str(prefix / "node_modules" / ".bin" / "codex")
    located = install_agent(CODEX, dirs, environment, said.append, npm)
    assert located == LocatedAgent(program, TESTED) == locate_agent(CODEX, environment, dirs, npm)
    words = ("install", "--prefix", str(prefix), "--no-fund", "--no-audit", *OWN_WAY, "@openai/codex@0.169.0")
    assert npm.asked == [(str(Path(environment["PATH"]) / "npm"), *words), (program, "--version")]
    assert said == [
        f"installing @openai/codex@0.169.0 with npm into {prefix} (200 to 400 MB)",
        "installed Codex CLI 0.169.0",
    ]


def test_npm_is_allowed_to_run_the_agents_own_install_script_and_no_other(
    dirs: Dirs, environment: dict[str, str]
) -> None:
    install_agent(CODEX, dirs, environment, str, FakeNpm(GOOD, GOOD))
    written = json.loads((agent_prefix(CODEX, dirs) / "package.json").read_text())
    assert written == {"name": "agentlaunch-agents", "private": True, "allowScripts": {"@openai/codex": True}}


def test_whoever_waited_for_an_install_does_not_install_again(dirs: Dirs, environment: dict[str, str]) -> None:
    install_agent(CODEX, dirs, environment, str, FakeNpm(GOOD, GOOD))
    second = FakeNpm(GOOD, GOOD)
    assert install_agent(CODEX, dirs, environment, str, second).version == TESTED
    assert second.asked == []


def test_the_install_holds_its_lock_and_shows_no_marker_until_the_end(dirs: Dirs, environment: dict[str, str]) -> None:
    seen: list[tuple[bool, bool]] = []
    lock = agent_prefix(CODEX, dirs).with_name("codex.lock")

    def look() -> None:
        seen.append((is_held(lock), install_marker(CODEX, dirs).exists()))

    install_agent(CODEX, dirs, environment, str, FakeNpm(GOOD, GOOD, look))
    assert (seen, is_held(lock)) == ([(True, False)], False)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupted_install_never_counts_as_installed(dirs: Dirs, environment: dict[str, str]) -> None:
    install_agent(CODEX, dirs, environment, str, FakeNpm(GOOD, GOOD))
    install_marker(CODEX, dirs).write_text("0.168.0")
    with pytest.raises(KeyboardInterrupt):
        install_agent(CODEX, dirs, environment, str, FakeNpm(GOOD, GOOD, interrupt))
    assert locate_agent(CODEX, {"PATH": ""}, dirs, FakeNpm(GOOD, GOOD)) is None
    assert install_agent(CODEX, dirs, environment, str, FakeNpm(GOOD, GOOD)).version == TESTED


def test_npms_last_lines_are_told_when_it_fails(dirs: Dirs, environment: dict[str, str]) -> None:
    noise = "".join(f"npm warn {number}\n" for number in range(20))
    with pytest.raises(RemoteError) as failed:
        install_agent(CODEX, dirs, environment, str, FakeNpm(Completed(1, "", noise + "npm error code E404\n\n"), GOOD))
    assert failed.value.code == "agent-install-failed"
    assert failed.value.message.splitlines() == [
        "npm could not install `@openai/codex@0.169.0`:",
        *(f"  npm warn {number}" for number in range(15, 20)),
        "  npm error code E404",
    ]
    assert locate_agent(CODEX, {"PATH": ""}, dirs, FakeNpm(GOOD, GOOD)) is None


class NpmWithoutScripts(FakeNpm):
    """With `ignore-scripts` in its settings: the program is a stub until the package's own script was run."""

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Completed:
        if argv[1] == "rebuild":
            self.version = GOOD
        return super().__call__(argv, environment, timeout_s)


def test_where_npm_is_told_to_run_no_scripts_the_agents_own_one_is_run_and_no_other(
    dirs: Dirs, environment: dict[str, str]
) -> None:
    npm = NpmWithoutScripts(GOOD, Completed(1, "", "native binary not installed"))
    assert install_agent(CODEX, dirs, environment, str, npm).version == TESTED
    prefix = str(agent_prefix(CODEX, dirs))
    words = ("rebuild", "--prefix", prefix, "--ignore-scripts=false", *OWN_WAY, "@openai/codex")
    assert [asked[1:] for asked in npm.asked if asked[1] == "rebuild"] == [words]


def test_an_agent_whose_script_cannot_be_run_either_is_not_installed(dirs: Dirs, environment: dict[str, str]) -> None:
    class Npm(NpmWithoutScripts):
        def __call__(self, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Completed:
            done = super().__call__(argv, environment, timeout_s)
            return Completed(1, "", "npm error") if argv[1] == "rebuild" else done

    with pytest.raises(RemoteError, match=r"was installed, but does not start:\n  no native binary"):
        install_agent(CODEX, dirs, environment, str, Npm(GOOD, Completed(1, "", "no native binary")))
    assert not install_marker(CODEX, dirs).exists()


@pytest.mark.parametrize("version", [Completed(1, "", "no native binary"), Completed(None, "", "no native binary")])
def test_an_agent_that_does_not_start_is_not_installed(
    dirs: Dirs, environment: dict[str, str], version: Completed
) -> None:
    with pytest.raises(RemoteError, match=r"was installed, but does not start:\n  no native binary"):
        install_agent(CODEX, dirs, environment, str, FakeNpm(GOOD, version))
    assert locate_agent(CODEX, {"PATH": ""}, dirs, FakeNpm(GOOD, GOOD)) is None


def test_without_npm_the_user_is_told_where_it_comes_from(dirs: Dirs) -> None:
    npm = FakeNpm(GOOD, GOOD)
    with pytest.raises(MachineError) as missing:
        install_agent(CODEX, dirs, {"PATH": ""}, str, npm)
    assert (missing.value.code, npm.asked) == ("npm-missing", [])
    assert "Node.js" in missing.value.hint


def test_an_install_that_never_ends_is_not_waited_for_without_end(dirs: Dirs, environment: dict[str, str]) -> None:
    lock = FileLock(agent_prefix(CODEX, dirs).with_name("codex.lock"))
    npm = FakeNpm(GOOD, GOOD)
    assert lock.acquire()
    with pytest.raises(MachineError, match="another install of `codex` is still running"):
        install_agent(CODEX, dirs, environment, str, npm, wait_s=0)
    lock.release()
    assert npm.asked == []


def test_a_program_that_vanishes_after_its_install_is_our_bug(dirs: Dirs, environment: dict[str, str]) -> None:
    def vanish(line: str) -> None:
        if line.startswith("installed"):
            (agent_prefix(CODEX, dirs) / "node_modules" / ".bin" / "codex").unlink()

    with pytest.raises(Bug):
        install_agent(CODEX, dirs, environment, vanish, FakeNpm(GOOD, GOOD))
