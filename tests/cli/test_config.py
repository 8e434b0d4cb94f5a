"""`agentlaunch config` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Run

MODEL = ("--upstream", "openai=http://127.0.0.1:9", "--model", "m", "--context", "65536", "--port", "4000")


def test_show_tells_each_value_and_its_source(run_command: Run, home: Path) -> None:
    (home / "project" / ".agentlaunch.toml").write_text("context = 16384\n")
    done = run_command("config", "--show", "--model", "demo", AGENTLAUNCH_LEAN="yes")
    rows = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert ["model", "demo", "--model"] in rows
    assert ["context", "16384", "context in .agentlaunch.toml"] in rows
    assert ["lean", "true", "AGENTLAUNCH_LEAN"] in rows
    assert ["kv", "f16", "default"] in rows
    told = json.loads(run_command("config", "--json").stdout)["data"]["settings"]
    assert told["context"] == {"value": 16384, "source": "context in .agentlaunch.toml"}


def test_flags_and_variables_that_no_file_has_are_settings_too(run_command: Run) -> None:
    done = run_command("config", "--show", "--runtime", "ollama", "--json", AGENTLAUNCH_OFFLINE="1")
    told = json.loads(done.stdout)["data"]["settings"]
    assert told["runtime"] == {"value": "ollama", "source": "--runtime"}
    assert told["offline"] == {"value": True, "source": "AGENTLAUNCH_OFFLINE"}
    assert told["prefix_cache_gib"] == {"value": None, "source": "default"}
    done = run_command("config", "--show", "--policy", "nobody", "--json")
    assert (done.returncode, json.loads(done.stdout)["errors"][0]["code"]) == (2, "unknown-policy")


def test_the_first_word_shows_the_change_and_says_how_to_make_it(run_command: Run) -> None:
    done = run_command("config", "codex", *MODEL)
    assert done.returncode == 0
    assert done.stdout.startswith("--- /dev/null\n+++ ")
    assert done.stderr.splitlines()[-1] == "nothing is written yet: agentlaunch config codex --write"


def test_written_and_restored_by_the_commands_that_the_output_names(run_command: Run, home: Path) -> None:
    file = home / ".codex" / "config.toml"
    file.parent.mkdir()
    file.write_bytes(b"\xef\xbb\xbf# mine\r\n[features]\r\nx = true")
    before = file.read_bytes()
    written = run_command("config", "codex", "--write", "--yes", *MODEL)
    assert written.returncode == 0, written.stderr
    assert written.stdout.splitlines()[0] == f"wrote {file}: `m`, window 65536 tokens, on http://127.0.0.1:4000"
    assert "agentlaunch config codex --restore" in written.stdout
    assert run_command("config", "codex").stdout == f"{file} says it already\n"
    restored = run_command("config", "codex", "--restore")
    assert (restored.returncode, restored.stdout) == (0, f"{file} is as it was, to the byte\n")
    assert file.read_bytes() == before


def test_json_names_the_backup_and_the_outcome(run_command: Run, home: Path) -> None:
    file = home / ".codex" / "config.toml"
    file.parent.mkdir()
    file.write_text("# mine\n")
    written = json.loads(run_command("config", "codex", "--write", "--yes", "--json", *MODEL).stdout)["data"]
    assert (written["agent"], written["path"], written["changes"]) == ("codex", str(file), True)
    assert Path(written["backup"]).read_text() == "# mine\n"
    file.write_text(file.read_text() + '\n[tui]\ntheme = "mine"\n')
    restored = json.loads(run_command("config", "codex", "--restore", "--json").stdout)["data"]
    assert restored == {"files": [{"path": str(file), "outcome": "taken_out", "kept": [], "backup": None}]}
    assert file.read_text().split() == ["#", "mine", "[tui]", "theme", "=", '"mine"']


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--write",), "--write needs an agent"),
        (("codex", "--write", "--restore"), "--write and --restore exclude each other"),
        (("codex", "--show"), "--show is about our own settings"),
        (("vim",), "there is no configuration for `vim`"),
        (("codex", "--write", *MODEL), "is to be changed, and nobody is there to ask"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_next_command(
    run_command: Run, words: tuple[str, ...], message: str
) -> None:
    done = run_command("config", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "hint: " in done.stderr


def test_the_users_secrets_are_not_shown(run_command: Run, home: Path) -> None:
    file = home / ".claude" / "settings.json"
    file.parent.mkdir()
    file.write_text('{"apiKeyHelper": "echo hush", "env": {"ANTHROPIC_AUTH_TOKEN": "hush"}}')
    done = run_command("config", "claude", *MODEL)
    assert done.returncode == 0, done.stderr
    assert "hush" not in done.stdout + done.stderr
