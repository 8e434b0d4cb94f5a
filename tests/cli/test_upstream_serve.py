"""A stored upstream behind the real server: the whole way from a client's request to the hosted API's double."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.doubles import anthropic_server, openai_server, openrouter_server
from tests.doubles.scripted_upstream import Say, script

Run = Callable[..., subprocess.CompletedProcess[str]]
TOOL = {"name": "read", "description": "reads", "input_schema": {"type": "object", "properties": {}}}
CLIENT = {
    "model": "any",
    "max_tokens": 200,
    "stream": True,
    "system": "You are short.",
    "tools": [TOOL],
    "messages": [{"role": "user", "content": "hi"}],
}

HOSTED = {
    "openrouter": (openrouter_server.openrouter_server, openrouter_server.KEY, "qwen/qwen3-coder"),
    "openai": (openai_server.openai_server, openai_server.KEY, "gpt-4.1"),
    "anthropic": (anthropic_server.anthropic_server, anthropic_server.KEY, "claude-sonnet-5"),
}


@pytest.mark.real
@pytest.mark.parametrize("kind", HOSTED)
def test_a_strict_hosted_api_takes_what_is_sent_to_it(run_command: Run, home: Path, kind: str) -> None:
    start, key, model = HOSTED[kind]
    with start(script(then=Say(("Hel", "lo")))) as server:
        add = ("upstream", "add", "hosted", "--kind", kind, "--url", server.url, "--model", model, "--key-env", "K")
        added = run_command(*add, K=key)
        assert added.returncode == 0, added.stderr
        argv = [sys.executable, "-m", "agentlaunch", "serve", "--model", f"hosted/{model}", "--token", "t", "--json"]
        clean = {"HOME": str(home), "PATH": os.environ["PATH"], "AGENTLAUNCH_HOME": str(home / "ours"), "K": key}
        with subprocess.Popen(argv, env=clean, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as shim:
            try:
                assert shim.stdout is not None
                url = json.loads(shim.stdout.readline())["url"]
                headers = {"authorization": "Bearer t"}
                answer = httpx.post(f"{url}/v1/messages", json=CLIENT, headers=headers, timeout=60, trust_env=False)
            finally:
                shim.terminate()
                shim.wait(30)
    assert server.complaints == []
    assert answer.status_code == 200, answer.text
    assert '"text":"Hel"' in answer.text.replace(" ", "")
    sent = json.loads(server.chats[-1].body)
    assert sent["model"] == model
    assert ("provider" in sent) is (kind == "openrouter")
    assert key not in answer.text
