"""Files of ours are written whole or not at all."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from agentlaunch.errors import MachineError
from agentlaunch.system.files import make_private_dir, write_private


def test_a_written_file_holds_the_bytes_and_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "Ünïcode und Leerzeichen" / "state.json"
    write_private(path, b"{}")
    assert path.read_bytes() == b"{}"
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_parents_of_a_folder_of_ours_are_private_too_and_those_that_exist_keep_their_mode(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    for _ in range(2):
        make_private_dir(there / "a" / "b" / "c")
    made = [there, there / "a", there / "a" / "b", there / "a" / "b" / "c"]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in made] == [0o755, 0o700, 0o700, 0o700]


def test_a_second_write_replaces_the_first_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_private(path, b"old")
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(tmp_path: Path) -> None:
    blocker = tmp_path / "a file"
    blocker.write_bytes(b"")
    with pytest.raises(MachineError) as caught:
        make_private_dir(blocker / "state")
    assert caught.value.code == "folder-not-writable"
    assert str(blocker / "state") in caught.value.message
    assert "AGENTLAUNCH_HOME" in caught.value.hint


def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.mkdir()
    (path / "kept").write_bytes(b"x")
    with pytest.raises(MachineError):
        write_private(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]
    assert (path / "kept").read_bytes() == b"x"
