"""Public reports of Windows that need no Windows to be answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.system.test_programs import CLAUDE, put

from agentlaunch.system.programs import startable


@pytest.mark.report("B285")
@pytest.mark.parametrize("name", ["Jörg", "王小明", "n x", "O'Neil & %TEMP%"])
def test_an_agents_batch_file_below_any_users_name_is_not_run_by_cmd(tmp_path: Path, name: str) -> None:
    """cmd.exe reads batch files in the console's code page: what stands in one is started by its own path instead."""
    folder = tmp_path / name
    script = put(folder / "claude.cmd", CLAUDE)
    program = put(folder / "node_modules" / "@anthropic-ai" / "claude-code" / "bin" / "claude.exe")
    assert startable([str(script), "-p", name], {}, windows=True) == [str(program), "-p", name]
