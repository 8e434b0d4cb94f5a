"""Public reports of a first start: each real agent on a terminal, in a home that no agent has seen yet."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Home

pytestmark = pytest.mark.real

GENEROUS_S = 120.0
UPSTREAM = ("--upstream", "openai=http://127.0.0.1:9", "--model", "m")
LOGIN = re.compile(r"/login|log ?in\b|sign ?in\b|api key|subscription|paste code", re.IGNORECASE)
_CONTROLS = re.compile(rb"\x1b(\[[0-9;?<>=]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\))")


class Terminal:
    """A terminal that a process runs on; `seen` is all that it has written, without control sequences."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._raw = b""
        self.seen = ""

    def wait_for(self, words: str) -> None:
        """Read on until the pattern `words` is there, and answer what a terminal is asked."""
        until, begin = monotonic() + GENEROUS_S, len(self.seen)
        while not re.search(words, self.seen[begin:], re.IGNORECASE):
            assert monotonic() < until, f"no `{words}` in: {self.seen[-2000:]}"
            if select.select([self._descriptor], [], [], 1)[0]:
                piece = os.read(self._descriptor, 65536)
                for question, reply in ((b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[c", b"\x1b[?62;c")):
                    if question in piece:
                        self.type(reply)
                self._raw += piece
                self.seen = _CONTROLS.sub(b" ", self._raw).decode(errors="replace")

    def type(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)


@contextmanager
def launched(home: Home, agent: str) -> Iterator[Terminal]:
    """`agentlaunch AGENT` on a terminal of its own; ended with the block."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(home.project)
        argv = [sys.executable, "-m", "agentlaunch", agent, *UPSTREAM]
        os.execve(argv[0], argv, {**home.environment(), "TERM": "xterm-256color"})  # noqa: S606
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    try:
        yield Terminal(descriptor)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(descriptor)


def make_new(home: Home) -> None:
    """The home of a machine on which no agent has run: without any of their files."""
    for name in (".claude", ".codex", ".config"):
        subprocess.run(["rm", "-r", str(home.path / name)], check=True)
    assert not Path(home.path / ".claude.json").exists()


@pytest.mark.report("B245")
def test_claude_code_asks_a_new_user_for_colours_and_trust_and_for_no_login(home: Home) -> None:
    make_new(home)
    with launched(home, "claude") as terminal:
        terminal.wait_for(r"text\s*style|Dark\s*mode")
        terminal.type(b"\r")
        terminal.wait_for(r"Security\s*notes|Press\s*Enter")
        terminal.type(b"\r")
        terminal.wait_for(r"trust")
        assert LOGIN.findall(terminal.seen) == []


@pytest.mark.report("B262")
def test_codex_asks_a_new_user_for_no_login(home: Home) -> None:
    make_new(home)
    with launched(home, "codex") as terminal:
        terminal.wait_for(r"Ask\s*Codex\s*to\s*do|trust")
        assert LOGIN.findall(terminal.seen) == []
