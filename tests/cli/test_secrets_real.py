"""What SECURITY.md says of secrets and terminals, looked at from inside of a real session."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Run

pytestmark = [pytest.mark.real, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

SPY = f"""#!{sys.executable}
import json, os, pathlib, sys
if sys.argv[1:] == ["--version"]:
    print("2.1.331 (Claude Code)")
    raise SystemExit
settings = json.loads(pathlib.Path(sys.argv[sys.argv.index("--settings") + 1]).read_text())
lines = {{}}
for folder in pathlib.Path("/proc").iterdir():
    if folder.name.isdigit():
        try:
            lines[folder.name] = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            pass
home = pathlib.Path(os.environ["AGENTLAUNCH_HOME"])
modes = {{str(path.relative_to(home)): path.lstat().st_mode for path in home.rglob("*")}}
texts = {{str(path): path.read_bytes().decode("latin-1") for path in home.rglob("*") if path.is_file()}}
seen = {{"env": settings["env"], "lines": lines, "modes": modes, "texts": texts}}
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(seen))
"""
KEY = "sk-a-key-that-is-secret-0123456789"


@pytest.fixture
def seen(home: Path, run_command: Run) -> Iterator[dict[str, dict[str, str]]]:
    """What an agent sees of its session before a loopback upstream with a key."""
    (home / "bin" / "claude").write_text(SPY)
    upstream = ("--upstream", "openai=http://127.0.0.1:9", "--model", "m", "--upstream-key-env", "MY_KEY")
    ended = run_command("claude", *upstream, MY_KEY=KEY, SEEN=str(home / "seen.json"))
    assert ended.returncode == 0, ended.stderr
    found: dict[str, dict[str, str]] = json.loads((home / "seen.json").read_text())
    found["said"] = {"all": ended.stdout + ended.stderr}
    yield found
    run_command("stop", "--yes")


def test_tokens_and_keys_stand_in_no_command_line_no_log_and_on_no_screen(seen: dict[str, dict[str, str]]) -> None:
    token = seen["env"]["ANTHROPIC_AUTH_TOKEN"]
    control = json.loads(next(text for path, text in seen["texts"].items() if path.endswith("shim.json")))[
        "control_token"
    ]
    assert len({token, control, KEY}) == 3
    logs = {path: text for path, text in seen["texts"].items() if "/logs/" in path}
    assert logs
    for secret in (token, control, KEY):
        assert [pid for pid, line in seen["lines"].items() if secret in line] == []
        assert [path for path, text in logs.items() if secret in text] == []
        assert secret not in seen["said"]["all"]
    holders = [path for path, text in seen["texts"].items() if KEY in text]
    assert holders == []


def test_every_file_and_folder_of_a_session_is_the_users_alone(seen: dict[str, dict[str, str]]) -> None:
    modes = {path: int(mode) for path, mode in seen["modes"].items()}
    assert {path for path, mode in modes.items() if stat.S_IMODE(mode) & 0o077} == set()
    assert any(stat.S_ISREG(mode) for mode in modes.values())


def test_a_session_is_closed_by_its_id_alone_and_no_path_leads_out_of_its_folder(home: Path, run_command: Run) -> None:
    precious = home / "ours" / "state" / "precious"
    precious.mkdir(parents=True)
    (precious / "file").write_text("mine")
    (home / "bin" / "claude").write_text("#!/bin/sh\nexit 0\n")
    run_command("claude", "--upstream", "openai=http://127.0.0.1:9", "--model", "m", "--", "-p", "x")
    state = json.loads((home / "ours" / "state" / "shim.json").read_text())
    for id_ in ("..%2Fprecious", "../precious", "%2e%2e/precious", urllib.parse.quote(str(precious))):
        request = urllib.request.Request(
            f"{state['url']}/agentlaunch/v1/sessions/{id_}",
            method="DELETE",
            headers={"Authorization": f"Bearer {state['control_token']}"},
        )
        with contextlib.suppress(urllib.error.HTTPError):  # no such route, or no such session: both may be
            urllib.request.urlopen(request, timeout=10).close()
    run_command("stop", "--yes")
    assert (precious / "file").read_text() == "mine"


def test_a_name_with_control_characters_commands_no_terminal(run_command: Run, home: Path) -> None:
    attack = "evil\x1b]52;c;cm0gLXJm\x07\x1b[2J\u202e"
    (home / "project" / f"{attack}.gguf").write_bytes(b"GGUF")
    for words in (("claude", "--model", attack), ("models", "list"), ("claude", "--model", f"{attack}.gguf")):
        ended = run_command(*words, LANG="C.UTF-8")
        shown = ended.stdout + ended.stderr
        assert not {"\x1b", "\x07", "\u202e"} & set(shown), words


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "ascii"])
def test_a_console_of_few_letters_shows_every_screen(home: Path, encoding: str) -> None:
    plain = {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.defpath}",
        "AGENTLAUNCH_HOME": str(home / "ours"),
        "PYTHONUTF8": "0",
    }
    for words in (("--help",), ("check",), ("models", "list"), ("claude", "--model", "größe-日本")):
        argv = [sys.executable, "-m", "agentlaunch", *words]
        environment = {**plain, "PYTHONIOENCODING": encoding}
        ended = subprocess.run(argv, env=environment, cwd=home, capture_output=True, check=False, timeout=120)
        assert b"UnicodeEncodeError" not in ended.stderr
        assert ended.returncode in (0, 2), ended.stderr


def test_a_repository_can_neither_name_an_upstream_nor_agree_to_anything(run_command: Run, home: Path) -> None:
    settings = home / "project" / ".agentlaunch.toml"
    for line in (
        "yes = true",
        'upstream = "openai=http://evil.example"',
        '[policies.x]\nprivacy = "any"',
        "offline = false",
    ):
        settings.write_text(f"{line}\n")
        ended = run_command("claude", "--model", "demo", "--dry-run", AGENTLAUNCH_OFFLINE="1")
        assert ended.returncode == 2, line
        assert ".agentlaunch.toml" in ended.stderr, line
    assert [path.name for path in (home / "project").iterdir()] == [".agentlaunch.toml"]
