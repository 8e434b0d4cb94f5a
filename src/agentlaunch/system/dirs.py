"""Where our own files live: settings, state, cache and logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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
    def shim_state(self) -> Path:
        """Where the running shim says how it is reached."""
        return self.state / "shim.json"


def find_dirs(environment: Mapping[str, str]) -> Dirs:
    """Our folders on this system; `AGENTLAUNCH_HOME` puts all of them below one folder."""
    home = environment.get("AGENTLAUNCH_HOME")
    if home:
        root = Path(home).expanduser().absolute()
        return Dirs(root / "config", root / "state", root / "cache", root / "logs", root / "data")
    from platformdirs import PlatformDirs

    found = PlatformDirs("agentlaunch", appauthor=False)
    return Dirs(
        config=found.user_config_path,
        state=found.user_state_path,
        cache=found.user_cache_path,
        logs=found.user_log_path,
        data=found.user_data_path,
    )
