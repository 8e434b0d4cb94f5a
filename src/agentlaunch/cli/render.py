"""The only module that prints: data on stdout, talk on stderr, the same result as text or as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from agentlaunch.core.terminal_text import harmless, harmless_json
from agentlaunch.errors import AgentlaunchError

if TYPE_CHECKING:
    from threading import Event

    from agentlaunch.weights.progress import OnProgress, Progress

JSON_VERSION = 1

Failure = tuple[str, str, str]
"""An entry of `errors`: its code, what failed, and the next command to type."""

PATIENCE_S = 1.0
"""A wait shorter than this is not worth a line."""


def data(text: str) -> None:
    """One piece of data, on stdout. What others have named in it cannot command the terminal."""
    print(harmless(text), flush=True)


def talk(text: str) -> None:
    """One line of talk, on stderr. A stderr that takes nothing is no reason to stop."""
    try:
        print(harmless(text), file=sys.stderr, flush=True)
    except OSError:  # what is left would be flushed once more at exit, and spoil the exit code
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def ask(question: str) -> None:
    """A question on stderr; the answer goes on the same line."""
    print(f"{harmless(question)} ", end="", file=sys.stderr, flush=True)


def json_line(value: Mapping[str, object]) -> None:
    """A bare JSON object on one line, for the programs that read only the first."""
    import json

    data(harmless_json(json.dumps(value, ensure_ascii=False)))


def json_result(command: str, value: object, failures: Sequence[Failure] = ()) -> None:
    """INTERFACE: JSON, the good case; with `failures` a result that tells what is broken, and exits so."""
    data(_envelope(command, value, failures))


def json_error(command: str, error: AgentlaunchError) -> None:
    """INTERFACE: JSON, the bad case."""
    data(_envelope(command, None, [(error.code, error.message, error.hint)]))


def _envelope(command: str, value: object, failures: Sequence[Failure]) -> str:
    import json

    status = "error" if failures else "ok"
    errors = [{"code": code, "message": message, "hint": hint} for code, message, hint in failures]
    whole = {"version": JSON_VERSION, "command": command, "status": status, "data": value, "errors": errors}
    return harmless_json(json.dumps(whole, indent=2, ensure_ascii=False))


def error(failure: AgentlaunchError) -> None:
    """What failed on one line, what to do on the next."""
    talk(f"{_red('error:')} {_one_line(failure.message)}")
    if failure.hint:
        talk(f"hint: {_one_line(failure.hint)}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two spaces apart; the last one is never padded."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows))
    return "\n".join(line.rstrip() for line in lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _red(word: str) -> str:
    return f"\x1b[1;31m{word}\x1b[0m" if _is_rich(os.environ) and sys.stderr.isatty() else word


def _is_rich(environment: Mapping[str, str]) -> bool:
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


class Terminal:
    """The Talk of `app` on the real terminal. `quiet` keeps errors and questions and drops the rest."""

    def __init__(self, *, quiet: bool = False, may_ask: bool = True, patience_s: float = PATIENCE_S) -> None:
        self._quiet = quiet
        self._may_ask = may_ask
        self._patience_s = patience_s
        self._painted = PaintedLine()

    @property
    def is_interactive(self) -> bool:
        """Both ends must be a terminal: a question nobody sees is a hang."""
        return self._may_ask and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str) -> bool:
        """Ask on stderr; Enter, an end of input and anything but yes mean no."""
        ask(f"{question} [y/N]")
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            talk("")
        return answer.strip().lower() in ("y", "yes")

    def say(self, line: str) -> None:
        """One line of news, unless quiet."""
        if not self._quiet:
            self._painted.say(line)

    def progress(self, line: str) -> None:
        """One line for somebody who watches: nothing off a terminal, unless quiet."""
        if self._is_watched():
            self.say(line)

    def _is_watched(self) -> bool:
        return not self._quiet and sys.stderr is not None and sys.stderr.isatty()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A line that counts the seconds on a terminal, one that stays on a dumb one; elsewhere nothing."""
        if not self._is_watched():
            yield
            return
        from threading import Event, Thread

        done = Event()
        painter = Thread(target=_paint, args=(what, done, self._patience_s, self._painted), daemon=True)
        painter.start()
        try:
            yield
        finally:
            done.set()
            painter.join()

    @contextmanager
    def transferring(self) -> Iterator[OnProgress]:
        """How far a transfer is: a line that is painted over on a terminal; elsewhere a line every few seconds."""
        from agentlaunch.cli.canvas import Canvas, stderr_canvas
        from agentlaunch.cli.transfer import PAINTED_EVERY_S, PLAIN_EVERY_S, TransferLines

        canvas = stderr_canvas()
        every_s = PLAIN_EVERY_S if canvas is None else PAINTED_EVERY_S
        lines = TransferLines(canvas or Canvas(), every_s, monotonic, is_painted=canvas is not None)

        shown = 0

        def show(progress: Progress) -> None:
            nonlocal shown
            line = None if self._quiet else lines.line(progress)
            if line is not None and canvas is None:
                talk(line)
            elif line is not None:
                print(f"\r{harmless(line.ljust(shown))}", end="", file=sys.stderr, flush=True)
                shown = len(line)

        try:
            yield show
        finally:
            if shown:
                print(f"\r{' ' * shown}\r", end="", file=sys.stderr, flush=True)


class PaintedLine:
    """The line at the bottom that a wait paints over and over; news that come meanwhile take its place."""

    def __init__(self) -> None:
        from _thread import allocate_lock  # threading.Lock itself, without an import that most commands need not pay

        self._shown = 0
        self._lock = allocate_lock()

    def paint(self, line: str) -> None:
        """Show `line` in place of the last one."""
        with self._lock:
            print(f"\r{harmless(line.ljust(self._shown))}", end="", file=sys.stderr, flush=True)
            self._shown = len(line)

    def clear(self) -> None:
        """Leave an empty line."""
        with self._lock:
            self._clear()

    def say(self, line: str) -> None:
        """A line that stays."""
        with self._lock:
            self._clear()
            talk(line)

    def _clear(self) -> None:
        if self._shown:
            print(f"\r{' ' * self._shown}\r", end="", file=sys.stderr, flush=True)
            self._shown = 0


def _paint(what: str, done: Event, patience_s: float, painted: PaintedLine) -> None:
    began = monotonic()
    if done.wait(patience_s):
        return
    if os.environ.get("TERM") == "dumb":
        talk(f"{what} ...")
        return
    from shutil import get_terminal_size

    while True:
        painted.paint(f"{what} ... {monotonic() - began:.0f} s"[: max(10, get_terminal_size().columns - 1)])
        if done.wait(1.0):
            break
    painted.clear()
