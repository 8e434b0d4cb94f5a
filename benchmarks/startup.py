"""How long the commands take that only say something, as whole processes; the budget of `--help` is 150 ms.

    python benchmarks/startup.py

In a home of its own, with the files in the system's cache. The last line is a bare interpreter.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe_machine, median, spread

BUDGET_MS = 150
COMMANDS = {
    "--version": ["--version"],
    "--help": ["--help"],
    "claude --help": ["claude", "--help"],
    "_words models": ["_words", "models"],
    "_words upstreams": ["_words", "upstreams"],
    "completion bash": ["completion", "bash"],
}


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
    argvs = {name: [program, *words] for name, words in COMMANDS.items()}
    argvs["python -c pass"] = [sys.executable, "-c", "pass"]
    print(describe_machine())
    print(f"{options.runs} runs, medians (smallest to largest); the budget of `--help` is {BUDGET_MS} ms")
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": "/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8"}
        for name, argv in argvs.items():
            milliseconds(argv, environment)
            times = [milliseconds(argv, environment) for _ in range(options.runs)]
            over = "  over budget" if name == "--help" and median(times) > BUDGET_MS else ""
            print(f"{name:20}{spread(times, 'ms', 0)}{over}")


if __name__ == "__main__":
    main()
