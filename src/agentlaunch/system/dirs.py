"""Where our own files live: settings, state, cache and logs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentlaunch.errors import MachineError

_SHOWN_PATH = 120
"""Characters of a path that is too long."""


@dataclass(frozen=True)
class Dirs:
    """Four folders of ours. None of them is created by asking for it."""

    config: Path
    state: Path
    cache: Path
    logs: Path
    data: Path

    @property
    def sessions(self) -> Path:
        """Overlay files, one folder a session."""
        return self.state / "sessions"

    @property
    def prefixes(self) -> Path:
        """Prompt prefixes, as engines have computed them."""
        return self.cache / "prefixes"

    @property
    def shim_state(self) -> Path:
        """Where the running shim says how it is reached."""
        return self.state / "shim.json"


def find_dirs(environment: Mapping[str, str]) -> Dirs:
    """Our folders on this system; `AGENTLAUNCH_HOME` puts all of them below one folder.

    Raises MachineError `folder-not-usable` for a path that is too long for the system, may not be searched or is not
    UTF-8, and `no-home` for a user without a home folder, where models, agents and their settings are looked for too.
    """
    _require_home()
    home = environment.get("AGENTLAUNCH_HOME")
    if home:
        return _usable(_below(home))
    from platformdirs import PlatformDirs

    found = PlatformDirs("agentlaunch", appauthor=False)
    return _usable(
        Dirs(
            config=found.user_config_path,
            state=found.user_state_path,
            cache=found.user_cache_path,
            logs=found.user_log_path,
            data=found.user_data_path,
        )
    )


def _require_home() -> None:
    try:
        Path.home()
    except RuntimeError as error:  # a container's or a service's user that is in no list, and without HOME
        raise MachineError(
            "no-home",
            "`HOME` is not set, and the system does not know this user's home folder",
            "set it, as in: HOME=/tmp/me agentlaunch ...",
        ) from error


def _below(home: str) -> Dirs:
    try:
        root = Path(home).expanduser().absolute()
    except RuntimeError as error:  # `~name` of a user who is not known here
        raise _unusable(home, str(error)) from error
    return Dirs(root / "config", root / "state", root / "cache", root / "logs", root / "data")


def _usable(dirs: Dirs) -> Dirs:
    """`dirs`, if the system can answer for a file as deep in it as we make one; that none exists yet is fine.

    Engines and agents are told of our folders in JSON, which carries no bytes that are not UTF-8.
    """
    for folder in (dirs.config, dirs.state, dirs.cache, dirs.logs, dirs.data):
        try:
            os.fsencode(folder).decode("utf-8")
        except UnicodeDecodeError as error:
            raise _unusable(str(folder), "its name is not UTF-8") from error
    try:
        (dirs.sessions / "s" / "overlay.json").lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise _unusable(str(dirs.state), error.strerror or str(error)) from error
    return dirs


def _unusable(path: str, why: str) -> MachineError:
    shown = path if len(path) <= _SHOWN_PATH else f"{path[:_SHOWN_PATH]}..."
    return MachineError(
        "folder-not-usable",
        f"cannot keep our files in `{shown}`: {why}",
        "set AGENTLAUNCH_HOME to another folder, as in: AGENTLAUNCH_HOME=/tmp/agentlaunch agentlaunch ...",
    )


def usage_path(dirs: Dirs) -> Path:
    """Where the shim keeps what requests took, and `usage` reads it."""
    return dirs.state / "usage.sqlite"
