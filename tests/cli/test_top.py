"""`agentlaunch top`: the picture at any width, and a terminal that is given back as it was."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.cli.conftest import Run

from agentlaunch.app.top import page_file
from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.top_view import clip, live_data, live_lines
from agentlaunch.shim.live_status import ActiveRequest, EngineActivity, Flow, LiveStatus, SessionTraffic
from agentlaunch.system.dirs import find_dirs

STATUS = LiveStatus(
    at=2000.0,
    started_at=1000.0,
    active=(
        ActiveRequest(1, "s1", "claude", "/app", "main", "llamacpp", "qwen", 1, "waiting", 3.4, 0, None),
        ActiveRequest(2, "s2", "codex", "", "hard", "openrouter", "big", 2, "answering", 12.0, 134, 41.25),
    ),
    sessions=(
        SessionTraffic(
            "s1", "claude", "qwen3-coder", "/app", 12, 1, 120_300, 101_052, 2100, 13_107, 32_768, 0.0, 31.2, 1990.0
        ),
        SessionTraffic("s2", "codex", "big", "", 0, 1, 0, 0, 0, 0, 0, 0.0421, None, 1995.0),
    ),
    flows=(Flow("claude", "main", "llamacpp", "qwen", 1, 12, 1, 122_400),),
    engines=(
        EngineActivity("llamacpp", 0, "prefill", 4031, 2048, 0, 32_768),
        EngineActivity("llamacpp", 1, "decode", 8000, 8000, 192, 32_768),
        EngineActivity("llamacpp", 2, "idle", 0, 0, 0, 32_768),
    ),
    requests=41,
    spent_day_usd=0.12,
    lost=2,
)


def test_one_picture_shows_who_asks_whom_and_what_the_engines_do() -> None:
    assert live_lines(STATUS, Canvas(100)) == [
        "agentlaunch  up 16 min 40 s",
        "2 running, 41 done, 2 not kept, $0.12 spent today",
        "",
        "running",
        "  claude -> main -> llamacpp  waiting, 3 s, reads 2.0k of 4.0k tokens  [#####.....]",
        "  codex -> hard -> openrouter  answering, 12 s, 134 tokens, 41.2 tok/s, attempt 2",
        "",
        "sessions",
        "  AGENT   MODEL        REQ  IN      CACHED  OUT   TOK/S  SPENT  CONTEXT",
        "  claude  qwen3-coder  12   120.3k  84 %    2.1k  31.2   $0.00  40 %     [####......]",
        "  codex   big          0    0       -       0     -      $0.04  0 %      [..........]",
        "",
        "engines",
        "  llamacpp, slot 0: reads 2.0k of 4.0k tokens  [#####.....]",
        "  llamacpp, slot 1: answers, 192 tokens, 25 % full  [##........]",
        "  llamacpp, slot 2: idle",
        "",
        "ways",
        "  claude -> main -> llamacpp (qwen)  12 requests, 1 failed, 1 running, 122.4k tokens",
    ]


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_no_line_is_wider_than_the_terminal_with_colours_or_without(columns: int) -> None:
    plain = live_lines(STATUS, Canvas(columns, blocks=True))
    coloured = live_lines(STATUS, Canvas(columns, colours=True, blocks=True))
    assert max(map(len, plain)) <= columns
    assert len(coloured) == len(plain)
    assert all(line.count("\x1b[0m") * 2 == line.count("\x1b[") for line in coloured)  # none bleeds into the next


def test_a_cut_line_keeps_its_colours_closed() -> None:
    assert clip("ab\x1b[32mcdef\x1b[0mgh", 4) == "ab\x1b[32mcd\x1b[0m"


def test_a_name_that_holds_control_characters_does_nothing_to_the_terminal() -> None:
    evil = "\x1b[2J\x07"
    flow = msgspec.structs.replace(STATUS.flows[0], agent=evil, route=evil, upstream=evil, model=evil)
    active = msgspec.structs.replace(STATUS.active[0], agent=evil, upstream=evil)
    session = msgspec.structs.replace(STATUS.sessions[0], agent=evil, model=evil)
    engine = msgspec.structs.replace(STATUS.engines[0], engine=evil)
    status = msgspec.structs.replace(STATUS, flows=(flow,), active=(active,), sessions=(session,), engines=(engine,))
    assert all(line.isprintable() for line in live_lines(status, Canvas(100)))


def test_the_json_form_is_the_whole_picture() -> None:
    assert msgspec.convert(live_data(STATUS), LiveStatus) == STATUS
    assert live_data(None) is None


def test_without_a_shim_or_a_terminal_it_is_said_once(run_command: Run) -> None:
    for words in (("top",), ("top", "--once"), ("top", "--web")):
        ended = run_command(*words)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "nothing is running\n", "")
    assert json.loads(run_command("top", "--json").stdout)["data"] is None
    assert json.loads(run_command("top", "--web", "--json").stdout)["data"] == {"url": None}


def test_the_browser_gets_a_private_file_and_not_the_token_in_its_arguments(tmp_path: Path) -> None:
    dirs = find_dirs({"AGENTLAUNCH_HOME": str(tmp_path)})
    path = page_file(dirs, "http://127.0.0.1:1/page#to&ken")
    assert 'content="0; url=http://127.0.0.1:1/page#to&amp;ken"' in path.read_text()
    assert sys.platform == "win32" or path.stat().st_mode & 0o777 == 0o600


if sys.platform != "win32":
    import pty
    import termios

    ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"

    @dataclass
    class Watched:
        """`agentlaunch top` on a terminal of its own."""

        process: subprocess.Popen[bytes]
        terminal: int
        seen: bytes = b""

        def read_until(self, wanted: bytes) -> None:
            until = time.monotonic() + 30
            while wanted not in self.seen:
                assert time.monotonic() < until, self.seen
                if select.select([self.terminal], [], [], 0.1)[0]:
                    self.seen += os.read(self.terminal, 4096)

        def modes(self) -> list[object]:
            return termios.tcgetattr(self.terminal)[:4]

    @pytest.fixture
    def watched(tmp_path: Path) -> Iterator[Watched]:
        terminal, inside = pty.openpty()
        environment = {"PATH": os.environ["PATH"], "AGENTLAUNCH_HOME": str(tmp_path), "TERM": "xterm"}
        argv = [sys.executable, "-m", "agentlaunch", "top"]
        with subprocess.Popen(
            argv, stdin=inside, stdout=inside, stderr=inside, env=environment, start_new_session=True
        ) as process:
            try:
                yield Watched(process, terminal)
            finally:
                process.kill()
                os.close(inside)
                os.close(terminal)

    @pytest.mark.parametrize(
        ("end", "code"),
        [
            (lambda watched: os.write(watched.terminal, b"q"), 0),
            (lambda watched: watched.process.send_signal(signal.SIGINT), 130),
            (lambda watched: watched.process.send_signal(signal.SIGTERM), 143),
            (lambda watched: watched.process.send_signal(signal.SIGHUP), 129),
        ],
        ids=["q", "ctrl-c", "terminated", "hung-up"],
    )
    def test_the_terminal_is_given_back_as_it_was(watched: Watched, end: object, code: int) -> None:
        before = watched.modes()
        watched.read_until(b"nothing is running")
        assert ENTER in watched.seen
        assert watched.modes() != before  # keys come one by one
        assert callable(end)
        end(watched)
        watched.read_until(LEAVE)
        assert watched.process.wait(30) == code
        assert watched.modes() == before

    def test_it_is_drawn_again_each_second(watched: Watched) -> None:
        watched.read_until(b"nothing is running")
        watched.seen = b""
        watched.read_until(b"nothing is running")
        assert watched.seen.startswith(b"\x1b[")
