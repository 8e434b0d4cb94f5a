"""A real terminal for tests: one tmux server of its own, whose pane is typed into and read."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60


@dataclass(frozen=True)
class Pane:
    """The one pane of the server at `socket`."""

    socket: Path

    def tell(self, *words: str) -> str:
        """One command of tmux; its output."""
        argv = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout

    def press(self, *keys: str) -> None:
        """Keys as tmux names them (`Enter`, `Down`, `C-c`); any other word is typed letter by letter."""
        self.tell("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal so large."""
        self.tell("resize-window", "-x", str(columns), "-y", str(rows))

    def lines(self) -> list[str]:
        """What is on the screen, without the empty lines at its end."""
        return self.tell("capture-pane", "-p").rstrip("\n").split("\n")

    def wait_for(self, text: str) -> list[str]:
        """The screen as soon as `text` is on it."""
        until = time.monotonic() + PATIENCE_S
        while text not in "\n".join(lines := self.lines()):
            assert time.monotonic() < until, lines
            time.sleep(0.05)
        return lines


@contextmanager
def open_pane(
    folder: Path, argv: Sequence[str], environment: Mapping[str, str], *, columns: int = 80, rows: int = 24
) -> Iterator[Pane]:
    """`argv` in a terminal with this environment and nothing else; the server ends with the block."""
    pane = Pane(folder / "tmux")
    clean = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *argv]
    pane.tell("new-session", "-d", "-x", str(columns), "-y", str(rows), *clean)
    try:
        yield pane
    finally:
        pane.tell("kill-server")
