"""system/terminal.py on Windows, whose console is asked through msvcrt: the same seam with the system's part made."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import agentlaunch

TERMINAL = Path(agentlaunch.__file__).parent / "system" / "terminal.py"


class Console(ModuleType):
    """msvcrt with these characters waiting."""

    def __init__(self, waiting: str) -> None:
        super().__init__("msvcrt")
        self.waiting = list(waiting)

    def kbhit(self) -> bool:
        return bool(self.waiting)

    def getwch(self) -> str:
        return self.waiting.pop(0)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """What the screen's `key` gives, one call after the other, until nothing is typed."""

    def read(waiting: str) -> list[str]:
        monkeypatch.setitem(sys.modules, "msvcrt", Console(waiting))
        monkeypatch.setattr(sys, "platform", "win32")
        loaded = runpy.run_path(str(TERMINAL))
        found: list[str] = []
        with loaded["full_screen"]() as screen:
            while key := screen.key(0.0):
                found.append(key)
        return found

    return read


@pytest.mark.parametrize(
    ("waiting", "found"),
    [("", []), ("j\r", ["j", "\r"]), ("\xe0Hq", ["\xe0H", "q"]), ("\0P", ["\0P"]), ("\x1b", ["\x1b"])],
)
def test_an_arrow_of_windows_is_one_key_of_two_characters(
    keys: Callable[[str], list[str]], waiting: str, found: list[str]
) -> None:
    assert keys(waiting) == found


def test_the_terminal_is_given_back_there_too(
    keys: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    keys("q")
    assert capsys.readouterr() == ("\x1b[?1049h\x1b[?25l\x1b[?25h\x1b[?1049l", "")
