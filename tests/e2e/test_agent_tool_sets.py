"""The tools that `verify --agent` offers are those of the real agents: their names, arguments, what is required."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.doubles.http_server import HttpReply, HttpRequest, HttpServer, json_reply
from tests.e2e.test_more_agents import AGENTS, MoreHome, missing, more_home

from agentlaunch.core.ir import FunctionTool
from agentlaunch.core.verify.agent_tools import agent_cases

__all__ = ["more_home"]
pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

STARTED = {
    "pi": ((), ("-p", "hi")),
    "qwen": (("--lean",), ("--yolo", "-p", "hi")),
    "copilot": (("--lean",), ("--allow-all-tools", "-p", "hi")),
    "droid": ((), ("exec", "--auto", "medium", "hi")),
}


def said(text: str, reason: str | None = None) -> bytes:
    delta = {"role": "assistant", "content": text} if text else {}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def shape(schema: Mapping[str, Any]) -> tuple[dict[str, object], set[str]]:
    """The type of each argument, and which are required."""
    types = {name: one.get("type", "any of") for name, one in schema.get("properties", {}).items()}
    return types, set(schema.get("required", ()))


@pytest.mark.parametrize("agent", STARTED)
def test_the_tools_of_a_case_are_those_that_the_real_agent_sends(more_home: MoreHome, agent: str) -> None:
    if not (AGENTS / agent).is_file():
        pytest.skip(missing)
    bodies: list[dict[str, Any]] = []

    async def answer(request: HttpRequest) -> HttpReply:
        if request.method == "GET":
            return json_reply({"object": "list", "data": [{"id": "m", "object": "model"}]})
        bodies.append(json.loads(request.body))
        return HttpReply(body=said("hello") + said("", "stop") + b"data: [DONE]\n\n", content_type="text/event-stream")

    options, arguments = STARTED[agent]
    with HttpServer(answer).running() as server:
        upstream = ("--model", "m", "--upstream", f"openai={server.url}", "--context", "200000")
        ended = more_home.run(agent, *upstream, *options, "--", *arguments)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    sent = {tool["function"]["name"]: tool["function"]["parameters"] for tool in bodies[0]["tools"]}
    for tool in agent_cases(agent)[0].tools:
        assert isinstance(tool, FunctionTool)
        types, required = shape(json.loads(bytes(tool.parameters)))
        sent_types, sent_required = shape(sent[tool.name])
        assert (types.items() <= sent_types.items(), required) == (True, sent_required), f"{tool.name}: {sent_types}"
