"""Public reports of wrappers: exit codes that vanish, streams that are not the user's, an agent that waits for ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no exec; see run_to_end")

LAUNCHER = "from agentlaunch.system.process import exec_replace; import os, sys; exec_replace(sys.argv[1:], os.environ)"
STREAMS = """
import json, os, sys
print(json.dumps([[os.fstat(n).st_dev, os.fstat(n).st_ino] for n in (0, 1, 2)] + [os.getpid(), os.isatty(0)]))
"""
GENEROUS_S = 60


def launcher(script: str, *arguments: str) -> list[str]:
    """A process of ours that becomes a Python with `script`, as a launch becomes the agent."""
    return [sys.executable, "-c", LAUNCHER, sys.executable, "-c", script, *arguments]


@pytest.mark.report("B252")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_an_agent_that_a_signal_ends_is_seen_to_be_ended_by_it(number: signal.Signals) -> None:
    script = f"import os, signal; signal.signal({number.value}, signal.SIG_DFL) if {number.value} != 9 else 0;"
    script += f"os.kill(os.getpid(), {number.value})"
    ended = subprocess.run(launcher(script), check=False, timeout=GENEROUS_S, preexec_fn=_no_core)
    assert ended.returncode == -number
    words = ["sh", "-c", '"$@"; exit $?', "sh", *launcher(script)]
    in_shell = subprocess.run(words, capture_output=True, check=False, timeout=GENEROUS_S, preexec_fn=_no_core)
    assert in_shell.returncode == 128 + number


def _no_core() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@pytest.mark.report("B252")
@pytest.mark.report("B288")
@pytest.mark.parametrize("code", [0, 1, 2, 42, 127, 255])
def test_an_agents_own_exit_code_and_message_win_without_a_terminal(code: int) -> None:
    script = f"import sys; print('why', file=sys.stderr); sys.exit({code})"
    ended = subprocess.run(
        launcher(script), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=GENEROUS_S
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "why\n")


@pytest.mark.report("B263")
def test_an_agent_has_the_very_streams_of_its_launcher_and_no_pipe_of_ours(tmp_path: Path) -> None:
    given, taken = os.pipe()
    words = tmp_path / "words"
    with words.open("wb") as sink, subprocess.Popen(launcher(STREAMS), stdin=given, stdout=sink, stderr=sink) as child:
        assert child.wait(GENEROUS_S) == 0  # though nobody has written into its input, or closed it
    *streams, pid, is_terminal = json.loads(words.read_text())
    own = [(os.fstat(given), os.stat(words), os.stat(words))[n] for n in range(3)]  # noqa: PTH116 - as fstat does
    assert (streams, pid, is_terminal) == ([[each.st_dev, each.st_ino] for each in own], child.pid, False)
    os.close(given)
    os.close(taken)


@pytest.mark.report("B263")
def test_what_is_piped_into_a_launch_is_the_agents_to_the_last_byte() -> None:
    script = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    content = bytes(range(256)) * 4096
    ended = subprocess.run(launcher(script), input=content, capture_output=True, check=True, timeout=GENEROUS_S)
    assert ended.stdout == content


def in_terminal(argv: list[str], read: Callable[[int], bytes]) -> bytes:
    """What a process says whose three streams are one terminal of its own."""
    import pty

    pid, master = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)  # noqa: S606
    said = read(master)
    os.close(master)
    os.waitpid(pid, 0)
    return said


def read_all(master: int) -> bytes:
    said = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux tells the end so
            return said
        if not piece:
            return said
        said += piece


@pytest.mark.report("B267")
def test_on_a_terminal_the_agent_has_the_terminal_on_all_three_streams() -> None:
    script = "import os; print([os.isatty(n) for n in (0, 1, 2)], len({os.ttyname(n) for n in (0, 1, 2)}))"
    assert in_terminal(launcher(script), read_all).strip() == b"[True, True, True] 1"


# --- Windows waits for the agent, so there the terminal can be given back -----------------------------------------

WAITER = (
    "from agentlaunch.system.process import run_to_end; import os, sys; sys.exit(run_to_end(sys.argv[1:], os.environ))"
)
LEAVES_MODES_ON = r"""
import os, sys
sys.stdout.write("\x1b[?1049h\x1b[?1003h\x1b[?1006h\x1b[?1004h\x1b[?2004hcrash"); sys.stdout.flush(); os._exit(3)
"""
MODES = (1049, 1003, 1006, 1004, 2004)


def waiter(script: str) -> list[str]:
    return [sys.executable, "-c", WAITER, sys.executable, "-c", script]


@pytest.mark.report("B271")
@pytest.mark.report("B272")
def test_after_a_crash_every_mode_that_the_agent_has_left_on_is_ended_on_a_terminal() -> None:
    before, crash, after = in_terminal(waiter(LEAVES_MODES_ON), read_all).partition(b"crash")
    assert (crash, [f"\x1b[?{mode}h".encode() in before for mode in MODES]) == (b"crash", [True] * len(MODES))
    assert [f"\x1b[?{mode}l".encode() in after for mode in MODES] == [True] * len(MODES)
    assert after.index(b"\x1b7") < after.index(b"\x1b[?1049l")


@pytest.mark.report("B271")
def test_nothing_is_added_to_what_an_agent_says_into_a_file() -> None:
    ended = subprocess.run(waiter("print('said')"), capture_output=True, check=True, timeout=GENEROUS_S)
    assert (ended.stdout, ended.stderr) == (b"said\n", b"")
