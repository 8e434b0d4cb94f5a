"""A terminal taken over for a view that is redrawn, and given back as it was, however the view ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from shutil import get_terminal_size
from types import FrameType
from typing import NoReturn

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The alternate screen without a cursor, and the way back (xterm's control sequences)."""
_HOME, _TO_LINE_END, _TO_SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"


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
        """The key that was pressed within `timeout_s` seconds; empty for none."""
        return self._key(timeout_s)


@contextmanager
def full_screen() -> Iterator[Screen]:
    """Take the terminal; SIGTERM and the terminal's end leave the block as an exit does."""
    with ExitStack() as restoring:
        for number in (signal.SIGTERM, *((signal.SIGHUP,) if sys.platform != "win32" else ())):
            restoring.callback(signal.signal, number, signal.signal(number, _exit))
        if sys.platform != "win32":  # Ctrl-Z would leave the shell on our screen
            restoring.callback(signal.signal, signal.SIGTSTP, signal.signal(signal.SIGTSTP, signal.SIG_IGN))
        key = restoring.enter_context(_single_keys())
        restoring.callback(_write, _LEAVE)
        _write(_ENTER)
        yield Screen(key)


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
        return msvcrt.getwch()

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
        ready, _, _ = select.select([descriptor], [], [], timeout_s)
        if not ready:
            return ""
        return os.read(descriptor, 16).decode(errors="replace") or "q"  # no input any more: nobody watches
