"""A real agent in a window below its own first prompt: it ends by itself, and its user reads what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import Home

from agentlaunch.core.scripted_gguf import Script, Turn

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

MOST_REQUESTS = 12
"""Two overflows with their compactions, the last one, a title or two. Without an end there were 153 in 45 s."""


def test_opencode_ends_where_its_first_prompt_does_not_fit(
    home: Home, scripted_model: Callable[[Script], Path]
) -> None:
    model = scripted_model(Script(final=Turn(text="A summary.")))
    ended = home.run("opencode", "--full", "--context", "8192", "--model", str(model), "--", "run", "hi")
    said = f"{ended.stdout}\n{ended.stderr}"
    for _ in range(20):
        if not json.loads(home.run("status", "--json").stdout)["data"]["sessions"]:
            break
    log = (home.path / "agent launch" / "logs" / "shim.log").read_text()
    closed = re.search(r"session \w+ is closed: its process has ended, (\d+) requests", log)
    assert (ended.returncode, "start with a larger --context, or --lean" in said) == (1, True), said
    assert "too small for OpenCode" in ended.stderr
    assert closed is not None, log
    assert int(closed[1]) <= MOST_REQUESTS
