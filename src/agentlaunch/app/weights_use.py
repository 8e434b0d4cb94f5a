"""When a model was last used: one small file that launches write and `models list` reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agentlaunch.system.files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from agentlaunch.system.dirs import Dirs

REMEMBERED = 200
"""Models; the ones used longest ago are forgotten."""


def use_path(dirs: Dirs) -> Path:
    """Where it stands."""
    return dirs.state / "model_use.json"


def last_uses(dirs: Dirs) -> dict[str, float]:
    """Unix seconds by what EngineSpec calls `model_path`: a file's path, or a tag of Ollama's."""
    try:
        content: object = json.loads(use_path(dirs).read_bytes())
    except (OSError, ValueError):
        return {}
    found = content if isinstance(content, dict) else {}
    return {str(name): float(used) for name, used in found.items() if isinstance(used, int | float)}


def note_use(model_path: str, dirs: Dirs, now: float) -> None:
    """Remember that the model is used at `now`, Unix seconds. Raises MachineError `folder-not-writable`."""
    uses = sorted(((used, name) for name, used in {**last_uses(dirs), model_path: now}.items()), reverse=True)
    kept = {name: used for used, name in uses[:REMEMBERED]}
    write_private(use_path(dirs), json.dumps(kept, indent=1).encode())
