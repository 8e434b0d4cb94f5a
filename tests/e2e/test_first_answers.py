"""What a new session of each real agent costs on the real llama.cpp, after the engine was stopped: its own words."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import Home

from agentlaunch.core.scripted_gguf import Script

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

BuildModel = Callable[[Script], Path]

COUNTED = re.compile(r"slot \d: (\d+) prompt tokens, (\d+) cached")
PROMPTS = ("Write hello.py and check it", "Explain this repository")

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "claude": ("-p",),
    "codex": ("exec", "-s", "workspace-write", "--skip-git-repo-check"),
    "opencode": ("run",),
}


def counted(home: Home) -> list[tuple[int, int]]:
    """Prompt tokens and cached ones of every request, as llama.cpp has told them to the shim."""
    logs = sorted((home.path / "agent launch" / "logs").glob("shim*.log"))
    return [(int(total), int(cached)) for log in logs for total, cached in COUNTED.findall(log.read_text())]


@pytest.mark.parametrize("agent", ARGUMENTS)
def test_another_first_prompt_is_all_that_a_new_session_computes(
    home: Home, scripted_model: BuildModel, agent: str
) -> None:
    model = scripted_model(Script())
    for prompt in PROMPTS:
        ended = home.run(agent, "--model", str(model), "--context", "65536", "--", *ARGUMENTS[agent], prompt)
        assert ended.returncode == 0, ended.stderr
        home.run("stop", "--yes")
    (_, (total, cached)) = counted(home)
    assert total > 10_000
    assert total - cached <= 300
    assert home.run("cache").stdout.splitlines()[-1].startswith("1 prompt prefix,")
