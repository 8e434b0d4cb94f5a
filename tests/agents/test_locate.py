"""Agents are found on PATH or where we put them, and their version without starting them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.agents.base import load_agent
from agentlaunch.agents.command import Completed, run_command
from agentlaunch.agents.locate import LocatedAgent, install_marker, locate_agent, parse_version, require_supported
from agentlaunch.errors import MachineError
from agentlaunch.system.dirs import Dirs, find_dirs

CLAUDE = load_agent("claude")
posix = pytest.mark.skipif(sys.platform == "win32", reason="npm links programs on POSIX only")


class Answers:
    """Answers every command alike, and keeps what was asked."""

    def __init__(self, stdout: str = "", code: int | None = 0) -> None:
        self.answer = Completed(code, stdout, "")
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Completed:
        self.asked.append(tuple(argv))
        return self.answer


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    return find_dirs({"AGENTLAUNCH_HOME": str(tmp_path / "ours")})


def put_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def put_package(modules: Path, name: str, version: str) -> Path:
    """An installed npm package with its link in `.bin`; returns the link."""
    package = modules / "@anthropic-ai" / "claude-code"
    program = put_program(package / "bin" / "claude.exe")
    (package / "package.json").write_text(json.dumps({"name": name, "version": version}))
    link = modules / ".bin" / "claude"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(program)
    return link


@posix
def test_the_version_comes_from_the_package_that_the_program_links_to(tmp_path: Path, dirs: Dirs) -> None:
    link = put_package(tmp_path / "node_modules", CLAUDE.package, "2.1.331")
    run = Answers()
    located = locate_agent(CLAUDE, {"PATH": str(link.parent)}, dirs, run)
    assert (located, run.asked) == (LocatedAgent(str(link), (2, 1, 331)), [])


@posix
def test_a_program_of_another_package_is_asked_for_its_version(tmp_path: Path, dirs: Dirs) -> None:
    link = put_package(tmp_path / "node_modules", "somebody-elses", "9.9.9")
    run = Answers("2.1.300 (Claude Code)\n")
    located = locate_agent(CLAUDE, {"PATH": str(link.parent)}, dirs, run)
    assert (located, run.asked) == (LocatedAgent(str(link), (2, 1, 300)), [(str(link), "--version")])


@posix
@pytest.mark.parametrize("content", ["", "[]", "{", '{"name": "@anthropic-ai/claude-code", "version": 3}', "\xff"])
def test_a_broken_package_file_is_no_version(tmp_path: Path, dirs: Dirs, content: str) -> None:
    program = put_program(tmp_path / "bin" / "claude")
    (tmp_path / "package.json").write_bytes(content.encode("latin-1"))
    located = locate_agent(CLAUDE, {"PATH": str(program.parent)}, dirs, Answers("no idea", 1))
    assert located == LocatedAgent(str(program), None)


@posix
def test_a_package_beside_the_program_is_read_as_on_windows(tmp_path: Path, dirs: Dirs) -> None:
    program = put_program(tmp_path / "claude")
    package = tmp_path / "node_modules" / CLAUDE.package
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": CLAUDE.package, "version": "2.1.260"}))
    assert locate_agent(CLAUDE, {"PATH": str(tmp_path)}, dirs, Answers()) == LocatedAgent(str(program), (2, 1, 260))


@posix
def test_a_copy_of_ours_counts_only_when_its_install_was_finished(dirs: Dirs) -> None:
    link = put_package(dirs.data / "npm" / "claude" / "node_modules", CLAUDE.package, "2.1.331")
    assert locate_agent(CLAUDE, {"PATH": ""}, dirs, Answers()) is None
    install_marker(CLAUDE, dirs).write_text("2.1.331")
    assert locate_agent(CLAUDE, {"PATH": ""}, dirs, Answers()) == LocatedAgent(str(link), (2, 1, 331))


@posix
def test_the_users_own_program_goes_before_ours(tmp_path: Path, dirs: Dirs) -> None:
    put_package(dirs.data / "npm" / "claude" / "node_modules", CLAUDE.package, "2.1.331")
    install_marker(CLAUDE, dirs).write_text("2.1.331")
    theirs = put_package(tmp_path / "node_modules", CLAUDE.package, "2.1.300")
    assert locate_agent(CLAUDE, {"PATH": str(theirs.parent)}, dirs, Answers()) == LocatedAgent(str(theirs), (2, 1, 300))


@posix
def test_a_program_below_the_current_folder_is_taken_by_its_absolute_path_alone(
    tmp_path: Path, dirs: Dirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program(tmp_path / "bin" / "claude")
    monkeypatch.chdir(tmp_path)
    assert locate_agent(CLAUDE, {"PATH": "bin"}, dirs, Answers("2.1.331")) is None
    located = locate_agent(CLAUDE, {"PATH": str(tmp_path / "bin")}, dirs, Answers("2.1.331"))
    assert located == LocatedAgent(str(tmp_path / "bin" / "claude"), (2, 1, 331))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.1.331 (Claude Code)", (2, 1, 331)),
        ("codex-cli 0.169.0-alpha.3", (0, 169, 0)),
        ("v1.18.33\n", (1, 18, 33)),
        ("", None),
        ("1.2", None),
    ],
)
def test_versions_are_read_from_what_agents_print(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


@given(st.tuples(*[st.integers(0, 10**6)] * 3))
def test_a_version_survives_its_own_text(version: tuple[int, int, int]) -> None:
    assert parse_version(LocatedAgent("/x", version).version_text) == version


def test_a_version_below_the_minimum_is_refused_with_the_command_that_helps() -> None:
    with pytest.raises(MachineError) as refused:
        require_supported(CLAUDE, LocatedAgent("/bin/claude", (2, 1, 99)))
    assert (refused.value.code, refused.value.message, refused.value.hint) == (
        "agent-too-old",
        f"`/bin/claude` is Claude Code 2.1.99; the oldest that works is {CLAUDE.minimum_version}",
        f"npm install -g @anthropic-ai/claude-code@{CLAUDE.tested_version}",
    )


@pytest.mark.parametrize("version", [None, parse_version(CLAUDE.minimum_version), (3, 0, 0)])
def test_an_unknown_or_newer_version_is_let_through(version: tuple[int, int, int] | None) -> None:
    require_supported(CLAUDE, LocatedAgent("/bin/claude", version))


def test_a_real_command_gives_its_code_and_both_streams() -> None:
    script = "import sys; print(input() if False else 'out'); print('err', file=sys.stderr); sys.exit(3)"
    done = run_command((sys.executable, "-c", script), {}, 60.0)
    assert (done.code, done.stdout.split(), done.stderr.split()) == (3, ["out"], ["err"])


def test_a_command_that_hangs_or_does_not_exist_is_data() -> None:
    hanging = run_command((sys.executable, "-c", "import time; time.sleep(600)"), {}, 0.2)
    missing = run_command(("/nonexistent/program",), {}, 1.0)
    assert (hanging.code, missing.code) == (None, None)
    assert hanging.stderr == "stopped after 0 seconds"
    assert missing.stderr


@posix
@pytest.mark.parametrize("place", [".local/bin", ".claude/local", ".opencode/bin"])
def test_an_agent_that_its_makers_put_off_the_path_is_found_where_it_is_new_enough(
    tmp_path: Path, dirs: Dirs, place: str
) -> None:
    program = put_program(tmp_path / place / "claude")
    environment = {"PATH": "", "HOME": str(tmp_path)}
    assert locate_agent(CLAUDE, environment, dirs, Answers("2.1.331")) == LocatedAgent(str(program), (2, 1, 331))
    assert locate_agent(CLAUDE, environment, dirs, Answers("1.0.44")) is None
    assert locate_agent(CLAUDE, {"PATH": ""}, dirs, Answers("2.1.331")) is None
    ours = put_package(dirs.data / "npm" / "claude" / "node_modules", CLAUDE.package, "2.1.331")
    install_marker(CLAUDE, dirs).write_text("2.1.331")
    assert locate_agent(CLAUDE, environment, dirs, Answers()) == LocatedAgent(str(ours), (2, 1, 331))
