"""Where our files live."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import pytest

from agentlaunch.errors import MachineError
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


@pytest.mark.skipif(sys.platform == "win32", reason="users of POSIX")
@pytest.mark.parametrize("environment", [{}, {"AGENTLAUNCH_HOME": "/tmp/al"}], ids=["none", "ours alone"])
def test_a_user_without_a_home_folder_is_told_to_name_one(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pwd

    def in_no_list(uid: int) -> NoReturn:
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", in_no_list)
    with pytest.raises(MachineError) as caught:
        find_dirs(environment)
    assert (caught.value.code, caught.value.hint) == ("no-home", "set it, as in: HOME=/tmp/me agentlaunch ...")


@pytest.mark.parametrize(
    ("home", "shown"),
    [
        ("/tmp/" + "a" * 300, "/tmp/" + "a" * 115 + "..."),
        ("/tmp" + "/d" * 2500, "/tmp" + "/d" * 58 + "..."),
        ("~nobody-of-this-name/x", "~nobody-of-this-name/x"),
        ("/tmp/caf\udce9", "/tmp/caf\udce9/config"),
    ],
)
def test_a_home_that_no_system_can_have_is_told_with_the_variable_that_names_it(home: str, shown: str) -> None:
    with pytest.raises(MachineError) as caught:
        find_dirs({"AGENTLAUNCH_HOME": home})
    assert (caught.value.code, caught.value.hint.startswith("set AGENTLAUNCH_HOME")) == ("folder-not-usable", True)
    assert caught.value.message.startswith(f"cannot keep our files in `{shown}`: ")
