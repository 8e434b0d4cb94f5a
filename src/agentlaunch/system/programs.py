"""Programs: where one is on PATH, and what the system must be given to start it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from errno import ENOENT
from pathlib import Path

from agentlaunch.core.windows_command import (
    BATCH_ENDINGS,
    PROGRAM_ENDINGS,
    NpmShim,
    batch_command_line,
    parse_npm_shim,
)

IS_WINDOWS = sys.platform == "win32"

_WINDOWS_DRIVE = re.compile(r"/mnt/[a-z](?:/|$)")


def find_program(name: str, environment: Mapping[str, str], *, windows: bool = IS_WINDOWS) -> Path | None:
    """The program `name` on the PATH of `environment`, absolute; None when there is none.

    The current folder is a repository that may be somebody else's. So only the absolute folders of PATH are searched:
    an empty one (`PATH=$PATH:`) and `.` mean the current one, and on Windows `shutil.which` looks there first.
    """
    path = environment.get("PATH", "")
    if not windows:
        found = shutil.which(name, path=os.pathsep.join(searched_folders(path, environment)))
        return None if found is None else Path(found)
    return next((file for file in _candidates(name, path, environment) if file.is_file()), None)


def searched_folders(path: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The folders of PATH that are searched on POSIX: the absolute ones, and under WSL not those of Windows' drives.

    WSL appends Windows' PATH to its own. The npm and the agents there are scripts for Windows' Node: they fail, or
    start a Windows program that gets neither our variables nor our files' paths (microsoft/WSL 1512, 3882).
    """
    absolute = (folder for folder in path.split(os.pathsep) if folder.startswith("/"))
    if not environment.get("WSL_DISTRO_NAME"):
        return tuple(absolute)
    return tuple(folder for folder in absolute if not _WINDOWS_DRIVE.match(folder))


def startable(argv: Sequence[str], environment: Mapping[str, str], *, windows: bool = IS_WINDOWS) -> list[str] | str:
    """What `subprocess` is given to run `argv`: on Windows a batch file's own program, else a line for cmd.exe.

    A bare name is looked for as `find_program` does: the system itself would look in the current folder, too.

    Raises FileNotFoundError for a bare name that is not there, UserError `argument-not-passable`.
    """
    is_path = "/" in argv[0] or (windows and "\\" in argv[0])
    script = Path(argv[0]) if is_path else find_program(argv[0], environment, windows=windows)
    if script is None:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), argv[0])
    argv = (str(script), *argv[1:])
    if not windows:
        return list(argv)
    if script.suffix.lower() not in BATCH_ENDINGS:
        return list(argv)
    try:
        shim = parse_npm_shim(script.read_text("utf-8", "replace"))
    except OSError:
        shim = None
    direct = None if shim is None else _behind(shim, script.parent, environment)
    if direct is not None:
        return [*direct, *argv[1:]]
    root = environment.get("SYSTEMROOT") or r"C:\Windows"
    return batch_command_line(rf"{root}\System32\cmd.exe", argv)


def _candidates(name: str, path: str, environment: Mapping[str, str]) -> Iterator[Path]:
    ordered = [ending.strip().lower() for ending in environment.get("PATHEXT", "").split(";")]
    endings = [ending for ending in ordered if ending in PROGRAM_ENDINGS] or list(PROGRAM_ENDINGS)
    names = [name] if Path(name).suffix.lower() in PROGRAM_ENDINGS else [name + ending for ending in endings]
    for word in path.split(";"):
        folder = Path(word.strip().strip('"'))
        if folder.is_absolute():
            yield from (folder / each for each in names)


def _behind(shim: NpmShim, folder: Path, environment: Mapping[str, str]) -> list[str] | None:
    """The program itself, with its interpreter; None where one of them is not there."""
    program = folder.joinpath(*shim.program.split("\\"))
    if not program.is_file():
        return None
    if not shim.interpreter:
        return [str(program)]
    beside = folder / f"{shim.interpreter}.exe"
    interpreter = beside if beside.is_file() else find_program(shim.interpreter, environment, windows=True)
    return None if interpreter is None else [str(interpreter), str(program)]
