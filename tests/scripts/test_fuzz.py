"""The nightly fuzzer in small, and that it can find something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_small_run_finds_nothing_and_says_what_it_ran() -> None:
    command = [sys.executable, "scripts/fuzz.py", "--splits", "400", "--requests", "300", "--seed", "11"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("seed 11, Python")
    assert done.stdout.count("0 kinds of failure") == 2


def test_a_frame_that_is_lost_is_found_and_made_small() -> None:
    program = (
        "import sys; sys.path[:0] = ['scripts', '.']\n"
        "import fuzzing.streams as streams, fuzz\n"
        "whole = streams.encoded\n"
        "streams.encoded = lambda name, request, events: whole(name, request, events)[:-1]\n"
        "sys.argv = ['fuzz.py', '--splits', '8', '--requests', '0', '--seed', '1']\n"
        "sys.exit(fuzz.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "FAILED to anthropic_messages" in done.stdout, "data=b''" in done.stdout) == (
        1,
        True,
        True,
    )
