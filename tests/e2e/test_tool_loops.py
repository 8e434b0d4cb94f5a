"""Each real agent runs a tool loop on the real llama.cpp through the shim, and its files are really written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import Home

from agentlaunch.core.scripted_gguf import Call, Script, Turn

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

BuildModel = Callable[[Script], Path]

CONTENT = 'print("hello, wörld")\n# two lines, "quotes" and a \\backslash\n'
DONE = "The file is written and checked."
PATCH = "*** Begin Patch\n*** Add File: made.py\n+print('patched')\n*** End Patch\n"


def launch(home: Home, agent: str, model: Path, options: tuple[str, ...], arguments: tuple[str, ...]) -> str:
    """Launch, and give the agent's output. The user's files stay as they are, and the agent's exit code is ours."""
    before = home.configuration()
    ended = home.run(agent, "--model", str(model), *options, "--", *arguments)
    said = f"{ended.stdout}\n{ended.stderr}"
    assert ended.returncode == 0, said
    assert home.configuration() == before
    return said


def claude_script(home: Home) -> Script:
    path = str(home.project / "hello.py")
    return Script(
        turns=(
            Turn(text="I write the file.", calls=(Call("Write", {"file_path": path, "content": CONTENT}),)),
            Turn(
                thinking="Let me check it.", calls=(Call("Read", {"file_path": path}), Call("Bash", {"command": "ls"}))
            ),
        ),
        final=Turn(text=DONE),
    )


@pytest.mark.parametrize("options", [("--context", "65536"), ("--context", "65536", "--lean"), ("--context", "16384")])
@pytest.mark.report("B247")
@pytest.mark.report("B258")
def test_claude_code_writes_a_file_and_reads_it(
    home: Home, scripted_model: BuildModel, options: tuple[str, ...]
) -> None:
    said = launch(
        home,
        "claude",
        scripted_model(claude_script(home)),
        options,
        ("-p", "Write hello.py and check it", "--allowedTools", "Write,Read,Bash"),
    )
    assert (home.project / "hello.py").read_text() == CONTENT
    assert DONE in said


def codex_script() -> Script:
    command = f"printf '%s' {json.dumps(CONTENT)} > /dev/null; cat > hello.py <<'EOF'\n{CONTENT}EOF"
    return Script(
        turns=(
            Turn(thinking="Write first.", calls=(Call("exec_command", {"cmd": command}),)),
            Turn(text="Now a patch.", calls=(Call("apply_patch", {"input": PATCH}),)),
            Turn(calls=(Call("exec_command", {"cmd": "cat hello.py made.py"}),)),
        ),
        final=Turn(text=DONE),
    )


@pytest.mark.parametrize("options", [("--context", "65536"), ("--context", "65536", "--lean")])
def test_codex_writes_a_file_by_command_and_one_by_patch(
    home: Home, scripted_model: BuildModel, options: tuple[str, ...]
) -> None:
    said = launch(
        home,
        "codex",
        scripted_model(codex_script()),
        options,
        ("exec", "-s", "workspace-write", "--skip-git-repo-check", "Write hello.py and made.py"),
    )
    assert (home.project / "hello.py").read_text() == CONTENT
    assert (home.project / "made.py").read_text() == "print('patched')\n"
    assert DONE in said


def opencode_script(home: Home) -> Script:
    path = str(home.project / "hello.py")
    return Script(
        turns=(
            Turn(text="I write it.", calls=(Call("write", {"content": CONTENT, "filePath": path}),)),
            Turn(thinking="Check it.", calls=(Call("read", {"filePath": path}),)),
        ),
        final=Turn(text=DONE),
    )


@pytest.mark.parametrize("options", [("--context", "65536"), ("--context", "65536", "--lean")])
def test_opencode_writes_a_file_and_reads_it(home: Home, scripted_model: BuildModel, options: tuple[str, ...]) -> None:
    said = launch(home, "opencode", scripted_model(opencode_script(home)), options, ("run", "Write hello.py"))
    assert (home.project / "hello.py").read_text() == CONTENT
    assert DONE in said


@pytest.mark.report("B252")
@pytest.mark.report("B288")
def test_an_agents_own_exit_code_comes_through(home: Home, scripted_model: BuildModel) -> None:
    ended = home.run(
        "claude", "--model", str(scripted_model(Script())), "--context", "65536", "--", "-p", "hi", "--no-such-flag"
    )
    assert ended.returncode == 1
    assert "no-such-flag" in ended.stderr


def test_when_the_agent_has_ended_its_session_is_gone_and_its_folder_too(
    home: Home, scripted_model: BuildModel
) -> None:
    launch(home, "codex", scripted_model(Script()), ("--context", "65536"), ("exec", "--skip-git-repo-check", "hi"))
    for _ in range(20):
        status = json.loads(home.run("status", "--json").stdout)["data"]
        if not status["sessions"]:
            break
    assert status["sessions"] == []
    assert [engine["state"] for engine in status["engines"]] == ["ready"]
    assert list((home.path / "agent launch" / "state" / "sessions").iterdir()) == []
