"""Our own files: settings that cannot be used, and files that are not ours alone."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.doctor.finding import Finding, Inspected, broken, will_bite
from agentlaunch.errors import AgentlaunchError

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.system.dirs import Dirs

_MOST_FILES = 200
"""Files looked at below each folder."""


@dataclass(frozen=True)
class FileFact:
    """A file or folder of ours. `owner` and `mode` are 0 on systems without them; `is_ours`: it is this user's."""

    path: str
    is_folder: bool
    mode: int
    is_ours: bool
    is_writable: bool


@dataclass(frozen=True)
class OwnFiles:
    """`faults` are what reading our settings raised, one after the other: code, message, hint.

    `barred` are folders that a launch would make and cannot, each with what is in the way.
    """

    files: tuple[FileFact, ...]
    faults: tuple[tuple[str, str, str], ...] = ()
    barred: tuple[tuple[str, str], ...] = ()


def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
    """The same for every agent."""
    del agents
    return Inspected(tuple(judge(gather(world))))


def gather(world: World) -> OwnFiles:
    """Read every settings file as a launch would, and look at modes and owners."""
    return OwnFiles(tuple(_files(world.dirs)), tuple(dict.fromkeys(_faults(world))), tuple(_barred(world.dirs)))


def _faults(world: World) -> Iterator[tuple[str, str, str]]:
    for read in _readers(world):
        try:
            read()
        except AgentlaunchError as error:
            yield error.code, error.message, error.hint


def _readers(world: World) -> Sequence[Callable[[], object]]:
    """What a launch reads. A missing variable of a key is for the upstream's own test to tell."""
    from agentlaunch.app.choose_order import settings_for
    from agentlaunch.app.orders import LaunchFlags, ModelFlags
    from agentlaunch.app.policy import policy_in_force
    from agentlaunch.app.standing import read_standing
    from agentlaunch.app.upstream_keys import read_key_file
    from agentlaunch.app.upstream_store import KeyFile, read_store

    def keys() -> None:
        for upstream in read_store(world.dirs):
            if isinstance(upstream.key, KeyFile):
                read_key_file(Path(upstream.key.path), upstream.name)

    return (
        lambda: settings_for(ModelFlags(), LaunchFlags(), world),
        lambda: policy_in_force(None, world),
        lambda: read_standing(world.dirs),
        keys,
    )


def _files(dirs: Dirs) -> Iterator[FileFact]:
    for folder in dict.fromkeys((dirs.config, dirs.state, dirs.data, dirs.cache, dirs.logs)):
        fact = _fact(folder)
        if fact is None:
            continue
        yield fact
        if folder in (dirs.config, dirs.state, dirs.logs):
            entries = islice(_entries(folder), _MOST_FILES)
            yield from (found for found in map(_fact, entries) if found is not None)


def _barred(dirs: Dirs) -> Iterator[tuple[str, str]]:
    for folder in dict.fromkeys((dirs.state, dirs.logs)):
        above = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        is_folder = os.path.isdir(above)  # noqa: PTH112 - Path.is_dir raises for what may not be looked at
        if above != folder and not (is_folder and os.access(above, os.W_OK | os.X_OK)):
            yield str(folder), str(above)


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


def _fact(path: Path) -> FileFact | None:
    try:
        status = path.stat()
    except OSError:
        return None
    is_ours = sys.platform == "win32" or status.st_uid == os.geteuid()
    mode = 0 if sys.platform == "win32" else stat.S_IMODE(status.st_mode)
    return FileFact(str(path), stat.S_ISDIR(status.st_mode), mode, is_ours, os.access(path, os.W_OK))


def judge(facts: OwnFiles) -> Iterator[Finding]:
    """What stops a launch, and what others could read or change."""
    for code, message, hint in facts.faults:
        yield broken(code, message, hint)
    for folder, above in facts.barred:
        told = f"`{folder}` cannot be made: `{above}` is no folder that you may write"
        yield broken("not-writable", told, "set AGENTLAUNCH_HOME to a folder that you may write")
    for file in facts.files:
        if not file.is_writable:
            told = f"`{file.path}` is ours and may not be written"
            mend = f"chmod u+rwX '{file.path}'" if file.is_ours else f"sudo chown -R \"$USER\" '{file.path}'"
            yield broken("not-writable", told, mend)
        elif not file.is_ours:
            told = f"`{file.path}` belongs to another user: was it started with sudo once?"
            yield will_bite("other-owner", told, f"sudo chown -R \"$USER\" '{file.path}'")
        elif file.mode & 0o022:
            yield will_bite("others-write", f"others may change `{file.path}`", f"chmod go-w '{file.path}'")
        elif file.mode & 0o044 and not file.is_folder and _is_private(file.path):
            yield will_bite("others-read", f"others may read `{file.path}`", f"chmod 600 '{file.path}'")


def _is_private(path: str) -> bool:
    """What we write with mode 0600 because of what is in it: tokens, keys, what the user did."""
    return Path(path).name in ("shim.json", "serve-token", "usage.sqlite") or path.endswith((".key", ".log"))
