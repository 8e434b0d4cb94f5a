"""Files of ours are written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agentlaunch.errors import MachineError
from agentlaunch.system.files import make_private_dir, replace_file, write_private


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


def test_a_file_that_somebody_has_open_is_replaced_once_it_is_let_go() -> None:
    refusals = [PermissionError(13, "in use"), PermissionError(13, "in use")]
    waited: list[float] = []

    def replace() -> None:
        if refusals:
            raise refusals.pop()

    replace_file(replace, (0.01, 0.05, 0.1), waited.append)
    assert waited == [0.01, 0.05]


def test_a_file_that_is_never_let_go_is_an_error_after_the_last_pause() -> None:
    waited: list[float] = []

    def replace() -> None:
        raise PermissionError(13, "in use")

    with pytest.raises(PermissionError):
        replace_file(replace, (0.01, 0.05), waited.append)
    assert waited == [0.01, 0.05]


AS_ANOTHER = """
import os, pathlib, sys
from agentlaunch.errors import MachineError
from agentlaunch.system.files import write_private
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    write_private(pathlib.Path(sys.argv[1]) / "state.json", b"{}")
except MachineError as error:
    print(error.code)
"""


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can be two users")
def test_a_folder_that_another_user_laid_out_for_us_is_refused() -> None:
    with tempfile.TemporaryDirectory() as trap:  # pytest's own folders are closed to others
        os.chown(trap, 65533, 65533)
        Path(trap).chmod(0o777)
        told = subprocess.run([sys.executable, "-c", AS_ANOTHER, trap], capture_output=True, text=True, check=False)
        assert (told.stdout, list(Path(trap).iterdir())) == ("folder-not-ours\n", []), told.stderr
