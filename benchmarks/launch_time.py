"""How long a launch takes before the agent has the process: the shim's start, and a warm launch up to exec.

    python benchmarks/launch_time.py

The agent is a stand-in that notes the time and ends, found on PATH under the name `codex` with a package file beside
it, so that everything of ours runs: finding the agent, reading the model's header, asking the shim for a session,
writing the overlay, exec. The engine is the real llama.cpp on a scripted model (extra `llamacpp`).
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

import psutil
from machine import describe_machine, spread

from agentlaunch.core.scripted_gguf import Script, scripted_gguf

STAND_IN = """#!/bin/sh
date +%s%N > "$STAMP"
"""


def make_home(root: Path) -> dict[str, str]:
    """A home with the stand-in agent and a model; gives the environment of a launch."""
    package = root / "node_modules" / "@openai" / "codex"
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": "@openai/codex", "version": "0.169.0"}))
    program = package / "codex"
    program.write_text(STAND_IN)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (root / "model.gguf").write_bytes(scripted_gguf(Script()))
    return {
        "PATH": os.pathsep.join([str(package), "/usr/bin", "/bin"]),
        "HOME": str(root),
        "AGENTLAUNCH_HOME": str(root / "agentlaunch"),
        "AGENTLAUNCH_IDLE_SECONDS": "60",
        "STAMP": str(root / "stamp"),
        "LANG": "C.UTF-8",
    }


def run(environment: dict[str, str], *arguments: str) -> float:
    """Run `agentlaunch`; seconds from its start to its end."""
    start = time.perf_counter()
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("agentlaunch")), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise SystemExit(f"agentlaunch {' '.join(arguments)} ended with {ended.returncode}: {ended.stderr}")
    return time.perf_counter() - start


def launch(environment: dict[str, str], model: str) -> float:
    """One launch; milliseconds from its start to the first instruction of the agent's shell."""
    start = time.time_ns()
    run(environment, "codex", "--quiet", "--model", model)
    return (int(Path(environment["STAMP"]).read_text()) - start) / 1e6


def shim_start(environment: dict[str, str], model: str) -> tuple[float, float]:
    """Milliseconds from spawning the shim to its first answer, and its resident megabytes."""
    code = (
        "import os, time;"
        "from agentlaunch.app.shim_ensure import ensure_shim; from agentlaunch.system.dirs import find_dirs;"
        "start = time.perf_counter(); state = ensure_shim(find_dirs(os.environ), os.environ);"
        "print((time.perf_counter() - start) * 1e3, state.pid)"
    )
    run(environment, "stop", "--yes")
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    milliseconds, pid = said.stdout.split()
    launch(environment, model)
    return float(milliseconds), psutil.Process(int(pid)).memory_info().rss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=11)
    options = parser.parse_args()
    print(describe_machine())
    print(f"{options.runs} runs, medians (smallest to largest)")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        environment = make_home(root)
        model = str(root / "model.gguf")
        try:
            starts = [shim_start(environment, model) for _ in range(options.runs)]
            print(f"shim ready after    {spread([start for start, _ in starts], 'ms', 0)}")
            print(f"shim resident       {spread([resident for _, resident in starts], 'MB', 0)}")
            launches = [launch(environment, model) for _ in range(options.runs)]
            print(f"warm launch to exec {spread(launches, 'ms', 0)}")
            versions = [run(environment, "--version") * 1e3 for _ in range(options.runs)]
            print(f"agentlaunch --version, whole process {spread(versions, 'ms', 0)}")
        finally:
            run(environment, "stop", "--yes")


if __name__ == "__main__":
    main()
