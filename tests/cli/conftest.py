"""Runs the real command in a fresh interpreter, in a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

FAKE_CLAUDE = """\
#!/bin/sh
if [ "$1" = "--version" ]; then echo "${FAKE_VERSION:-2.1.331} (Claude Code)"; exit 0; fi
printf '%s\\n' "$@"
exit 7
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a space and a letter that is not ASCII, with a claude that only prints its arguments and exits 7."""
    home = tmp_path / "Jörg's home"
    (home / "bin").mkdir(parents=True)
    (home / "project").mkdir()
    claude = home / "bin" / "claude"
    claude.write_text(FAKE_CLAUDE)
    claude.chmod(0o755)
    return home


@pytest.fixture
def run_command(home: Path) -> Run:
    """`agentlaunch WORDS` with nothing of this machine's environment but a PATH for sh."""

    def run(*words: str, code: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, *(("-c", code) if code else ("-m", "agentlaunch")), *words]
        clean = {
            "HOME": str(home),
            "PATH": f"{home / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "AGENTLAUNCH_HOME": str(home / "ours"),
            **environment,
        }
        return subprocess.run(
            argv,
            env=clean,
            cwd=home / "project",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
