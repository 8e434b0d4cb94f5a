"""app/logs.py: the end of a log, and what comes after it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from os import utime
from pathlib import Path

import pytest

from agentlaunch.app.logs import find_log, follow, last_lines
from agentlaunch.errors import UserError
from agentlaunch.system.dirs import Dirs, find_dirs


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    found = find_dirs({"AGENTLAUNCH_HOME": str(tmp_path)})
    found.logs.mkdir(parents=True)
    return found


def test_the_newest_log_of_the_kind_is_found(dirs: Dirs) -> None:
    for name, age in (("engine-a.log", 1), ("engine-b.log", 2), ("shim.log", 9)):
        (dirs.logs / name).touch()
        utime(dirs.logs / name, (age, age))
    assert (find_log("engine", dirs).name, find_log("shim", dirs).name) == ("engine-b.log", "shim.log")


def test_no_log_yet_is_said_with_the_folder(dirs: Dirs) -> None:
    with pytest.raises(UserError) as caught:
        find_log("engine", dirs)
    assert (caught.value.code, caught.value.message) == (
        "no-log",
        f"there is no log of the engine in `{dirs.logs}` yet",
    )


@pytest.mark.parametrize(
    ("content", "count", "expected"),
    [("", 5, []), ("a\nb\nc\n", 2, ["b", "c"]), ("a\nb", 9, ["a", "b"]), ("a\n", 0, []), ("\xff\n", 1, ["\ufffd"])],
)
def test_the_last_lines_are_the_last_ones(tmp_path: Path, content: str, count: int, expected: list[str]) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(content.encode("latin-1"))
    assert last_lines(path, count) == (expected, len(content))


def test_following_gives_whole_lines_as_they_come_and_begins_again_in_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("old\n")
    writes: list[Callable[[], object]] = [
        lambda: path.write_text("old\nnew\nha"),
        lambda: path.write_text("old\nnew\nhalf\n"),
        lambda: path.write_text("fresh\n"),
    ]

    def wait() -> None:
        writes.pop(0)()

    assert list(islice(follow(path, 4, wait), 3)) == ["new", "half", "fresh"]
