"""A real MCP server and a skill of the user's reach the real agents through `--mcp` and `--skills`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.conftest import Home

from agentlaunch.core.scripted_gguf import Call, Script, Turn

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

BuildModel = Callable[[Script], Path]

SERVER = Path(__file__).parent / "mcp_server.py"
SECRET = "sk-very-secret"
CALL = {"name": "Jörg"}


@dataclass(frozen=True)
class Case:
    """How one agent is launched so that it may call the tool without a question, and what its model calls."""

    agent: str
    options: tuple[str, ...]
    arguments: tuple[str, ...]
    calls: tuple[Call, ...]


CLAUDE = ("-p", "ask", "--allowedTools", "mcp__lucky__lucky_number")
CODEX = (
    *("-c", 'mcp_servers.lucky.default_tools_approval_mode="approve"'),
    *("exec", "--skip-git-repo-check", "ask"),
)
SEARCH = Call("ToolSearch", {"query": "select:mcp__lucky__lucky_number", "max_results": 5})
CASES = {
    "claude, which finds it by searching": Case("claude", (), CLAUDE, (SEARCH, Call("mcp__lucky__lucky_number", CALL))),
    "claude, lean": Case("claude", ("--lean",), CLAUDE, (Call("mcp__lucky__lucky_number", CALL),)),
    "codex": Case("codex", (), CODEX, (Call("mcp__lucky__lucky_number", CALL),)),
    "opencode": Case("opencode", (), ("run", "ask"), (Call("lucky_lucky_number", CALL),)),
    "opencode, lean": Case("opencode", ("--lean",), ("run", "ask"), (Call("lucky_lucky_number", CALL),)),
}


def hand_out(home: Home) -> tuple[str, ...]:
    """The options for a server and a skill in the user's home."""
    env = {"LUCKY_KEY": SECRET, "MCP_LOG": str(home.path / "mcp.log")}
    server = {"command": sys.executable, "args": [str(SERVER)], "env": env}
    file, skill = home.path / "my servers.json", home.path / "my skills" / "fortune" / "SKILL.md"
    file.write_text(json.dumps({"mcpServers": {"lucky": server}}))
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: fortune\ndescription: Tells fortunes.\n---\nSay something kind.\n")
    return ("--mcp", str(file), "--skills", str(home.path / "my skills"))


def methods(home: Home) -> list[str]:
    return [json.loads(line)["method"] for line in (home.path / "mcp.log").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_agent_lists_and_calls_the_users_mcp_server(home: Home, scripted_model: BuildModel, case: Case) -> None:
    script = Script(turns=tuple(Turn(calls=(call,)) for call in case.calls), final=Turn(text="It was asked."))
    before = home.configuration()
    words = ("--model", str(scripted_model(script)), "--context", "65536", *case.options, *hand_out(home))
    ended = home.run(case.agent, *words, "--", *case.arguments)
    said = f"{ended.stdout}\n{ended.stderr}"
    assert (ended.returncode, "It was asked." in said) == (0, True), said
    assert (methods(home).count("tools/list"), methods(home).count("tools/call")) == (1, 1)
    assert home.configuration() == before


def test_the_commands_that_codex_runs_do_not_see_the_servers_secret(home: Home, scripted_model: BuildModel) -> None:
    """Codex forwards a variable under its own name only, so the secret is in Codex's environment."""
    options = hand_out(home)
    command = Call("exec_command", {"cmd": "env > seen.txt"})
    script = Script(turns=(Turn(calls=(command,)),), final=Turn(text="Done."))
    words = ("--model", str(scripted_model(script)), "--context", "65536", *options)
    ended = home.run("codex", *words, "--", "exec", "-s", "workspace-write", "--skip-git-repo-check", "look")
    seen = (home.project / "seen.txt").read_text()
    assert (ended.returncode, "LUCKY_KEY=\n" in seen, SECRET in seen) == (0, True, False)


@pytest.mark.parametrize("agent", ["claude", "codex", "opencode"])
def test_a_dry_run_shows_no_secret_and_no_launch_puts_one_into_argv(
    home: Home, scripted_model: BuildModel, agent: str
) -> None:
    words = ("--model", str(scripted_model(Script())), "--context", "65536", *hand_out(home), "--dry-run", "--json")
    ended = home.run(agent, *words)
    plan = json.loads(ended.stdout)["data"]
    assert (SECRET in ended.stdout, "LUCKY_KEY" in ended.stdout, plan["agent"]) == (False, True, agent)
