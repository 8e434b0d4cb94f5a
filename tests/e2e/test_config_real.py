"""After `config AGENT --write`, `serve` and the agent's own command work; after `--restore` all is as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.conftest import AGENTS, Home

from agentlaunch.core.scripted_gguf import Call, Script, Turn

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

BuildModel = Callable[[Script], Path]

CONTENT = "made by hand\n"
DONE = "Our model has answered."
ELSEWHERE = "Their model has answered."
THEIR_TOKEN = "their-own-token-7"

CLAUDE = """\ufeff{
   "model": "opus",
   "apiKeyHelper": "echo %(token)s",
   "env": {"ANTHROPIC_BASE_URL": "%(url)s", "ANTHROPIC_MODEL": "theirs", "CLAUDE_CODE_MAX_RETRIES": "1"},
   "permissions": {"allow": ["Write", "Read"]}
}"""
CODEX = """# mine, with a comment\r
model = "theirs" # the good one\r
model_provider = "elsewhere"\r
\r
[features]\r
plugins = false\r
\r
[model_providers.elsewhere]\r
name = "Elsewhere"\r
base_url = "%(url)s/v1"\r
wire_api = "responses"\r
experimental_bearer_token = "%(token)s\""""
OPENCODE = """{
\t// the one I like
\t"$schema": "https://opencode.ai/config.json",
\t"model": "elsewhere/theirs", "small_model": "elsewhere/theirs", // both
\t"enabled_providers": ["elsewhere"],
\t"provider": {
\t\t"elsewhere": {
\t\t\t"npm": "@ai-sdk/openai-compatible",
\t\t\t"options": {"baseURL": "%(url)s/v1", "apiKey": "%(token)s",},
\t\t\t"models": {"theirs": {"limit": {"context": 32768, "output": 4096}}},
\t\t},
\t},
}
"""


@dataclass(frozen=True)
class Case:
    """One agent: its file, what its user had in it, and how it is started by hand."""

    agent: str
    file: str
    theirs: str
    argv: tuple[str, ...]
    call: Callable[[Path], Call]


CASES = {
    "claude": Case(
        "claude",
        ".claude/settings.json",
        CLAUDE,
        ("-p", "Write made.txt", "--allowedTools", "Write"),
        lambda path: Call("Write", {"file_path": str(path), "content": CONTENT}),
    ),
    "codex": Case(
        "codex",
        ".codex/config.toml",
        CODEX,
        ("exec", "-s", "workspace-write", "--skip-git-repo-check", "Write made.txt"),
        lambda _path: Call(
            "apply_patch", {"input": "*** Begin Patch\n*** Add File: made.txt\n+made by hand\n*** End Patch\n"}
        ),
    ),
    "opencode": Case(
        "opencode",
        ".config/opencode/opencode.jsonc",
        OPENCODE,
        ("run", "--title", "t", "Write made.txt"),  # else the title is asked for first, and the script is of one answer
        lambda path: Call("write", {"content": CONTENT, "filePath": str(path)}),
    ),
}


@pytest.fixture
def project(home: Home) -> Path:
    """A folder without configuration of its own, which would be stronger than the user's."""
    found = home.path / "plain project"
    found.mkdir()
    subprocess.run(["git", "init", "-q", str(found)], check=True, capture_output=True)
    return found


@contextmanager
def serving(home: Home, *options: str) -> Iterator[str]:
    """`agentlaunch serve` until the block ends; gives its address."""
    argv = [sys.executable, "-m", "agentlaunch", "serve", "--json", *options]
    with subprocess.Popen(argv, env=home.environment(), cwd=home.path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url: str = json.loads(process.stdout.readline())["url"]
            yield url
        finally:
            process.terminate()
            process.wait(60)


def start_by_hand(home: Home, project: Path, case: Case) -> str:
    ended = subprocess.run(
        [str(AGENTS / case.agent), *case.argv],
        cwd=project,
        env=home.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    said = f"{ended.stdout}\n{ended.stderr}"
    assert ended.returncode == 0, said
    return said


@pytest.mark.report("B237")
@pytest.mark.report("B240")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_written_served_started_by_hand_and_restored(
    home: Home, project: Path, scripted_model: BuildModel, case: Case
) -> None:
    made = project / "made.txt"
    ours = scripted_model(Script(turns=(Turn(text="I write.", calls=(case.call(made),)),), final=Turn(text=DONE)))
    theirs = scripted_model(Script(final=Turn(text=ELSEWHERE)))
    with serving(
        home, "--model", str(theirs), "--context", "65536", "--port", "0", "--token", THEIR_TOKEN
    ) as elsewhere:
        for name, other in CASES.items():
            text = other.theirs % {"url": elsewhere, "token": THEIR_TOKEN}
            file = home.path / other.file
            file.write_bytes(text.encode())
            file.chmod(0o640 if name == case.agent else 0o600)
        (home.path / ".config/opencode/opencode.json").unlink()
        before = {other.file: (home.path / other.file).read_bytes() for other in CASES.values()}
        assert ELSEWHERE in start_by_hand(home, project, case)
        assert read(home, before) == before

        written = home.run("config", case.agent, "--write", "--yes", "--model", str(ours), "--context", "65536")
        assert written.returncode == 0, written.stderr
        changed = read(home, before)
        token = (home.path / "agent launch" / "config" / "serve-token").read_text()
        assert {file for file in before if changed[file] != before[file]} == {case.file}
        assert (home.path / case.file).stat().st_mode & 0o777 == 0o640
        assert token.encode() not in changed[case.file]
        with serving(home):
            assert DONE in start_by_hand(home, project, case)
        assert made.read_text() == CONTENT
        assert read(home, before) == changed

        restored = home.run("config", case.agent, "--restore")
        assert restored.returncode == 0, restored.stderr
        assert read(home, before) == before
        assert not (home.path / "agent launch" / "config" / "serve-token").exists()
        assert ELSEWHERE in start_by_hand(home, project, case)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_in_a_home_without_any_file_one_is_made_and_goes_again(
    home: Home, project: Path, scripted_model: BuildModel, case: Case
) -> None:
    for file in (".claude/settings.json", ".codex/config.toml", ".config/opencode/opencode.json"):
        (home.path / file).unlink()
    ours = scripted_model(Script(final=Turn(text=DONE)))
    assert (
        home.run("config", case.agent, "--write", "--yes", "--model", str(ours), "--context", "65536").returncode == 0
    )
    with serving(home):
        assert DONE in start_by_hand(home, project, case)
    restored = home.run("config", case.agent, "--restore", "--json")
    assert [file["outcome"] for file in json.loads(restored.stdout)["data"]["files"]] == ["removed"]
    assert not any((home.path / other.file).exists() for other in CASES.values())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_launch_works_as_ever_while_the_configuration_is_written(
    home: Home, project: Path, scripted_model: BuildModel, case: Case
) -> None:
    other = scripted_model(Script(final=Turn(text=ELSEWHERE)))
    launched = scripted_model(Script(final=Turn(text=DONE)))
    assert (
        home.run("config", case.agent, "--write", "--yes", "--model", str(other), "--context", "65536").returncode == 0
    )
    ended = home.run(case.agent, "--model", str(launched), "--context", "65536", "--", *case.argv)
    assert ended.returncode == 0, ended.stderr
    assert DONE in ended.stdout


def read(home: Home, files: dict[str, bytes]) -> dict[str, bytes]:
    return {file: (home.path / file).read_bytes() for file in files}
