"""How long `agentlaunch check` takes as a whole process with the files in the system's cache; the budget is 150 ms.

    python benchmarks/check_time.py

Text, JSON and a described machine, as a user types them, in a home of its own with three agents' packages on PATH. The
last line is a bare interpreter, for what of it is Python's own.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe_machine, median, spread

BUDGET_MS = 150
AGENTS = {"claude": "@anthropic-ai/claude-code", "codex": "@openai/codex", "opencode": "opencode-ai"}


def make_home(root: Path) -> dict[str, str]:
    """A home with the agents' packages, whose programs must not be started; gives the environment."""
    folders = []
    for name, package in AGENTS.items():
        folder = root / "node_modules" / package
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"name": package, "version": "1.2.3"}))
        program = folder / name
        program.write_text("#!/bin/sh\nsleep 5\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        folders.append(str(folder))
    # No PYTHONDONTWRITEBYTECODE: an installed program has its bytecode.
    return {"PATH": os.pathsep.join([*folders, "/usr/bin", "/bin"]), "HOME": str(root), "LANG": "C.UTF-8"}


def milliseconds(argv: list[str], environment: dict[str, str]) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    subprocess.run(argv, env=environment, capture_output=True, check=True)
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=11)
    options = parser.parse_args()
    program = str(Path(sys.executable).with_name("agentlaunch"))
    commands = {
        "check": [program, "check"],
        "check --json": [program, "check", "--json"],
        "check --gpu 'RTX 4090' --ram 64": [program, "check", "--gpu", "RTX 4090", "--ram", "64"],
        "fit qwen3-coder": [program, "fit", "qwen3-coder"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    print(describe_machine())
    print(f"{options.runs} runs, medians (smallest to largest); the budget of `check` is {BUDGET_MS} ms")
    with tempfile.TemporaryDirectory() as folder:
        environment = make_home(Path(folder))
        for title, argv in commands.items():
            milliseconds(argv, environment)
            times = [milliseconds(argv, environment) for _ in range(options.runs)]
            over = "  over budget" if title.startswith("check") and median(times) > BUDGET_MS else ""
            print(f"{title:34}{spread(times, 'ms', 0)}{over}")


if __name__ == "__main__":
    main()
