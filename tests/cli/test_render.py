"""cli/render.py and its neighbours: what the user sees."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agentlaunch.app.status import Running, StopOutcome, Stopping
from agentlaunch.cli import render
from agentlaunch.cli.crash import save_crash
from agentlaunch.cli.status import duration_text, status_data, status_text
from agentlaunch.cli.stop import stop_text
from agentlaunch.core.engine import EngineStatus
from agentlaunch.errors import Bug, UserError
from agentlaunch.shim.protocol import SessionStatus, ShimStatus

STATUS = ShimStatus(
    url="http://127.0.0.1:4242",
    pid=5,
    version="0.1.0",
    started_at=1000.0,
    sessions=(
        SessionStatus("s1", "claude", "demo", 77, 1010.0, 3, 8192),
        SessionStatus("s2", "serve", "m", 0, 1, 0, 1),
    ),
    engines=(EngineStatus("demo", "/m/demo.gguf", 6, "ready", 8192, "/l/engine.log"),),
    idle_stop_s=600.0,
)


def test_an_error_is_one_line_and_its_hint_another(capsys: pytest.CaptureFixture[str]) -> None:
    render.error(UserError("x", "two\nlines", "do\n  this"))
    assert capsys.readouterr() == ("", "error: two lines\nhint: do this\n")


def test_an_error_without_a_hint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    render.error(UserError("x", "no"))
    assert capsys.readouterr().err == "error: no\n"


def test_status_is_three_tables() -> None:
    assert status_text(Running(STATUS), 1070.0).splitlines() == [
        "shim http://127.0.0.1:4242, process 5, version 0.1.0, up 1 min 10 s",
        "",
        "AGENT   MODEL  PROCESS  OPEN         REQUESTS  WINDOW",
        "claude  demo   77       1 min 0 s    3         8192",
        "serve   m      -        17 min 49 s  0         1",
        "",
        "ENGINE  STATE  PROCESS  WINDOW  FILE",
        "demo    ready  6        8192    /m/demo.gguf",
    ]


@pytest.mark.report("B187")
def test_what_is_to_be_known_of_an_engine_stands_below_the_tables() -> None:
    engine = replace(STATUS.engines[0], note="another program has changed its window")
    shown = status_text(Running(replace(STATUS, engines=(engine,))), 1070.0).splitlines()
    assert shown[-2:] == ["", "demo: another program has changed its window"]


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (None, "demo    ready  6        8192    /models/of/mine/demo.gguf"),
        (57, "demo    ready  6        8192    /models/of/mine/demo.gguf"),
        (50, "demo    ready  6        8192    /mode.../demo.gguf"),
        (30, "  file     /mod...demo.gguf"),
    ],
)
def test_on_a_narrow_terminal_a_models_path_is_cut_in_the_middle(columns: int | None, line: str) -> None:
    engine = replace(STATUS.engines[0], model_path="/models/of/mine/demo.gguf")
    shown = status_text(Running(replace(STATUS, sessions=(), engines=(engine,))), 1070.0, columns).splitlines()
    assert shown[-1] == line


def test_each_serve_is_told_behind_the_shim() -> None:
    serve = replace(STATUS, url="http://127.0.0.1:4243", pid=9, sessions=(), engines=())
    assert status_text(Running(None, (serve,)), 1070.0) == (
        "serve http://127.0.0.1:4243, process 9, version 0.1.0, up 1 min 10 s"
    )
    assert status_text(Running(STATUS, (serve,)), 1070.0).endswith(
        "/m/demo.gguf\n\nserve http://127.0.0.1:4243, process 9, version 0.1.0, up 1 min 10 s"
    )
    assert status_text(Running(None), 1070.0) == "nothing is running"


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (Stopping(StopOutcome.ENDED), "stopped"),
        (Stopping(StopOutcome.NOT_RUNNING), "nothing was running"),
        (Stopping(StopOutcome.NOT_RUNNING, 1), "stopped `agentlaunch serve`"),
        (Stopping(StopOutcome.ENDED, 2), "stopped, with 2 of `agentlaunch serve`"),
    ],
)
def test_what_has_been_stopped_is_one_line(done: Stopping, line: str) -> None:
    assert stop_text(done) == line


def test_status_as_data_has_four_keys() -> None:
    nothing = {"shim": None, "sessions": [], "engines": []}
    assert status_data(Running(None)) == {**nothing, "serves": []}
    found = status_data(Running(None, (STATUS,)))
    assert found == {**nothing, "serves": [{key: status_data(Running(STATUS))[key] for key in nothing}]}
    found = status_data(Running(STATUS))
    assert found["shim"] == {
        "url": "http://127.0.0.1:4242",
        "pid": 5,
        "version": "0.1.0",
        "started_at": 1000.0,
        "idle_stop_s": 600.0,
    }
    assert [found[key][0]["model" if key == "sessions" else "alias"] for key in ("sessions", "engines")] == [  # type: ignore[index]
        "demo",
        "demo",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3600, "1 h 0 min"), (90_000, "25 h 0 min")]
)
def test_a_duration_is_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("typed", "answer"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("", False), ("yep\n", False)]
)
def test_only_a_clear_yes_is_a_yes(typed: str, answer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert render.Terminal().confirm("Do it?") is answer


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert render.Terminal().is_interactive is False


def test_a_short_wait_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with render.Terminal().waiting("loading"):
        pass
    assert capsys.readouterr() == ("", "")


def test_off_a_terminal_a_wait_and_progress_say_nothing_and_news_do(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = render.Terminal(patience_s=0.0)
    with terminal.waiting("loading `demo`") as waiting:
        terminal.progress("half")
        terminal.say("news")
    assert (waiting, capsys.readouterr()) == (None, ("", "news\n"))


class ScreenText(io.StringIO):
    """A terminal that keeps what it was sent."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[[], ScreenText]:
    """Makes stderr a colour terminal; to be called in the test, since pytest takes stderr between set-up and test."""

    def take() -> ScreenText:
        text = ScreenText()
        monkeypatch.setattr(sys, "stderr", text)
        return text

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return take


def test_on_a_terminal_the_word_error_is_red(screen: Callable[[], ScreenText]) -> None:
    shown = screen()
    render.error(UserError("x", "no"))
    assert shown.getvalue() == "\x1b[1;31merror:\x1b[0m no\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_refused(
    screen: Callable[[], ScreenText], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    shown = screen()
    render.error(UserError("x", "no"))
    assert shown.getvalue() == "error: no\n"


def test_a_wait_on_a_terminal_leaves_an_empty_line(screen: Callable[[], ScreenText]) -> None:
    shown = screen()
    with render.Terminal(patience_s=0.0).waiting("loading"):
        while not shown.getvalue():
            pass
    assert shown.getvalue() == "\rloading ... 0 s\r               \r"


def test_on_a_dumb_terminal_a_wait_is_one_line_and_progress_another(
    screen: Callable[[], ScreenText], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    shown = screen()
    terminal = render.Terminal(patience_s=0.0)
    with terminal.waiting("loading `demo`"):
        while not shown.getvalue():
            pass
        terminal.progress("half")
    assert shown.getvalue() == "loading `demo` ...\nhalf\n"


def test_news_that_come_during_a_wait_take_the_painted_lines_place(screen: Callable[[], ScreenText]) -> None:
    shown = screen()
    terminal = render.Terminal(patience_s=0.0)
    with terminal.waiting("installing"):
        while not shown.getvalue():
            pass
        terminal.say("news")
    assert shown.getvalue() == "\rinstalling ... 0 s\r                  \rnews\n"


def test_a_crash_leaves_its_traceback_in_the_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLAUNCH_HOME", str(tmp_path))
    found = save_crash(ZeroDivisionError("1/0"))
    [path] = (tmp_path / "logs").iterdir()
    assert (type(found), found.message) == (Bug, "a bug in agentlaunch: `ZeroDivisionError: 1/0`")
    assert (found.hint, path.stat().st_mode & 0o777) == (f"please report it with this file: {path}", 0o600)
    assert "ZeroDivisionError: 1/0" in path.read_text()


def test_a_crash_without_a_place_to_write_shows_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setenv("AGENTLAUNCH_HOME", str(blocked))
    found = save_crash(ZeroDivisionError("1/0"))
    assert found.hint == "please report it with the traceback above"
    assert "ZeroDivisionError: 1/0" in capsys.readouterr().err
