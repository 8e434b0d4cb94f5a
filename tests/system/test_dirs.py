"""Where our files live."""

from __future__ import annotations

from pathlib import Path

from agentlaunch.system.dirs import Dirs, find_dirs


def test_one_variable_puts_every_folder_below_one(tmp_path: Path) -> None:
    home = tmp_path / "with space"
    assert find_dirs({"AGENTLAUNCH_HOME": str(home)}) == Dirs(
        config=home / "config", state=home / "state", cache=home / "cache", logs=home / "logs", data=home / "data"
    )


def test_without_it_the_systems_own_folders_are_used_and_none_is_created() -> None:
    dirs = find_dirs({})
    assert dirs.shim_state == dirs.state / "shim.json"
    assert all("agentlaunch" in str(path) for path in (dirs.config, dirs.state, dirs.cache, dirs.logs, dirs.data))
