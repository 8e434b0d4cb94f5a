"""What OpenCode's user has set to another model is ours in a launch, and the rest of it stays."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.agents.test_plans import context

from agentlaunch.agents.opencode import OpenCode

OURS, SUBAGENTS = "agentlaunch/qwen3-coder", "agentlaunch/qwen3-coder@subagent"
ROUTED = context(routed_roles=frozenset({"subagent"}))


def told(files: dict[str, str], own: str = "") -> dict[str, object]:
    """What a launch says of agents, modes and commands beyond what it always says."""
    always = json.loads(OpenCode().plan(ROUTED).env["OPENCODE_CONFIG_CONTENT"])
    made = replace(ROUTED, user_files=files, environment={"OPENCODE_CONFIG_CONTENT": own} if own else {})
    config = json.loads(OpenCode().plan(made).env["OPENCODE_CONFIG_CONTENT"])
    return {
        kind: {name: said for name, said in config[kind].items() if always.get(kind, {}).get(name) != said}
        for kind in ("agent", "mode", "command")
        if kind in config
    }


def test_agents_modes_and_commands_of_a_configuration_with_another_model_get_ours() -> None:
    configuration = """{ // mine
      "default_agent": "coder",
      "agent": {"coder": {"model": "anthropic/claude"}, "rev": {"mode": "subagent", "model": "x/y"}, "plain": {},
                "no": 1},
      "mode": {"build": {"model": "a/b"}},
      "command": {"go": {"template": "do $1", "model": "c/d"}, "odd": {"model": "c/d"}, "own": {"template": "x"}},
    }"""
    assert told({"/h/.config/opencode/opencode.jsonc": configuration}) == {
        "agent": {"coder": {"model": OURS}, "rev": {"model": SUBAGENTS}},
        "mode": {"build": {"model": OURS}},
        "command": {"go": {"model": OURS, "template": "do $1"}},
    }


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("/p/.opencode/agent/rev.md", "---\nmodel: a/b\n---\nhi", {"agent": {"rev": {"model": OURS}}}),
        (
            "/agents/p/.opencode/agents/team/rev.md",
            "---\r\nmodel: a/b\r\n---\r\nhi",
            {"agent": {"team/rev": {"model": OURS}}},
        ),
        ("C:\\cd\\modes\\ask.md", "---\nmodel: a/b\nmode: 'subagent'\n---\n", {"agent": {"ask": {"model": SUBAGENTS}}}),
        (
            "/p/.opencode/commands/go.md",
            "---\ndescription: d\nmodel: a/b\n---\n\nhi $ARGUMENTS\n",
            {"agent": {}, "command": {"go": {"model": OURS, "template": "hi $ARGUMENTS"}}},
        ),
        ("/p/.opencode/agent/plain.md", "---\ndescription: model\n---\nmodel: x", {"agent": {}}),
        ("/p/.opencode/agent/bare.md", "model: a/b", {"agent": {}}),
        ("/p/.opencode/other/x.md", "---\nmodel: a/b\n---\n", {"agent": {}}),
        ("/p/opencode.json", "{ broken", {"agent": {}}),
        ("/p/opencode.json", "[]", {"agent": {}}),
    ],
)
def test_a_file_that_sets_another_model_gets_ours(path: str, text: str, expected: dict[str, object]) -> None:
    assert told({path: text}) == expected


def test_the_users_variable_may_have_comments_and_agents_of_its_own() -> None:
    own = '{ // mine\n "agent": {"rev": {"model": "a/b", "prompt": "p"}}, }'
    assert told({}, own) == {"agent": {"rev": {"model": OURS, "prompt": "p"}}}


def test_what_is_told_of_the_built_in_agents_stays() -> None:
    files = {"/p/opencode.json": json.dumps({"agent": {"general": {"model": "a/b"}, "title": {"model": "a/b"}}})}
    assert told(files) == {"agent": {"title": {"disable": True, "model": OURS}}}


def test_no_more_prompts_of_commands_are_repeated_than_a_variable_holds() -> None:
    commands = {"long": {"template": "x" * 40_000, "model": "a/b"}, "short": {"template": "x", "model": "a/b"}}
    files = {"/p/opencode.json": json.dumps({"agent": {"rev": {"model": "a/b"}}, "command": commands})}
    assert told(files) == {"agent": {"rev": {"model": OURS}}, "command": {"short": {"model": OURS, "template": "x"}}}
