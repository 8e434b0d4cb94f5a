"""A terminal taken over for a view that is redrawn, and given back as it was, however the view ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from shutil import get_terminal_size
from types import FrameType
from typing import NoReturn

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The alternate screen without a cursor, and the way back (xterm's control sequences)."""
_HOME, _TO_LINE_END, _TO_SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"
_AS_SHELLS_EXPECT = (
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # the mouse is the terminal's again
    "\x1b[?1004l\x1b[?2004l\x1b[>4;0m\x1b[<u"  # no reports of focus, of pastes, of keys in other spellings
    "\x1b7\x1b[?1049l\x1b[?25h\x1b[0m"  # the first screen, with its cursor where it was, and plain letters
)
"""Ends every mode that a full-screen agent may have set (xterm's control sequences; the last of the second line is
kitty's keyboard protocol). A cursor saved first is where `?1049l` brings it back on a first screen."""
ESCAPE_WAIT_S = 0.05
"""How long the rest of a control sequence may come after its first byte; Escape itself has none (xterm's ctlseqs)."""


class Screen:
    """What may be done with the terminal meanwhile."""

    def __init__(self, key: Callable[[float], str]) -> None:
        self._key = key

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in place of the last ones; those that the terminal has no rows for are left out."""
        shown = lines[: max(1, get_terminal_size().lines - 1)]
        sys.stdout.write(_HOME + "".join(f"{line}{_TO_LINE_END}\r\n" for line in shown) + _TO_SCREEN_END)
        sys.stdout.flush()

    def key(self, timeout_s: float) -> str:
        """What was typed within `timeout_s` seconds, as the terminal sends it; empty for nothing.

        The end of the input is a `q`. Windows sends two characters for an arrow, the first of them `\\xe0` or `\\0`.
        """
        return self._key(timeout_s)


@contextmanager
def full_screen() -> Iterator[Screen]:
    """Take the terminal; SIGTERM and the terminal's end leave the block as an exit does."""
    with ExitStack() as restoring:
        endings = [signal.SIGTERM]
        if sys.platform != "win32":
            endings.append(signal.SIGHUP)
        for number in endings:
            restoring.callback(signal.signal, number, signal.signal(number, _exit))
        if sys.platform != "win32":  # Ctrl-Z would leave the shell on our screen
            restoring.callback(signal.signal, signal.SIGTSTP, signal.signal(signal.SIGTSTP, signal.SIG_IGN))
        key = restoring.enter_context(_single_keys())
        restoring.callback(_write, _LEAVE)
        _write(_ENTER)
        yield Screen(key)


def restore_terminal() -> None:
    """Give the terminal back as shells expect it, after another program has had it; nothing where there is none.

    An agent that crashes leaves the mouse's reports on, which are then typed into the prompt (reports B271, B272).
    """
    with suppress(AttributeError, OSError, ValueError):  # a stdout that is None or closed
        if sys.stdout.isatty():
            _write(_AS_SHELLS_EXPECT)


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if sys.platform == "win32":
    import msvcrt
    from time import monotonic, sleep

    @contextmanager
    def _single_keys() -> Iterator[Callable[[float], str]]:
        yield _wait_for_key

    def _wait_for_key(timeout_s: float) -> str:
        until = monotonic() + timeout_s
        while not msvcrt.kbhit():
            if monotonic() >= until:
                return ""
            sleep(0.05)
        first = msvcrt.getwch()
        return first + msvcrt.getwch() if first in ("\xe0", "\0") else first

else:
    import os
    import select
    import termios
    import tty

    @contextmanager
    def _single_keys() -> Iterator[Callable[[float], str]]:
        """Keys come one by one and unseen; Ctrl-C stays a signal."""
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor)
        try:
            yield lambda timeout_s: _wait_for_key(descriptor, timeout_s)
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def _wait_for_key(descriptor: int, timeout_s: float) -> str:
        if not _is_ready(descriptor, timeout_s):
            return ""
        typed = os.read(descriptor, 1024)
        if typed == b"\x1b" and _is_ready(descriptor, ESCAPE_WAIT_S):
            typed += os.read(descriptor, 1024)
        return typed.decode(errors="replace") or "q"  # no input any more: nobody watches

    def _is_ready(descriptor: int, timeout_s: float) -> bool:
        return bool(select.select([descriptor], [], [], timeout_s)[0])
