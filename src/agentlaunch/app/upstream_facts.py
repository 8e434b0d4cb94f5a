"""What upstreams have said of their models, kept in our cache: a launch asks nobody and knows window and prices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.system.files import write_private

if TYPE_CHECKING:
    from agentlaunch.system.dirs import Dirs
    from agentlaunch.upstreams.listing import ModelFacts


def facts_path(name: str, dirs: Dirs) -> Path:
    """Where the models of the upstream `name` stand."""
    return dirs.cache / "upstreams" / f"{name}.json"


def read_facts(name: str, dirs: Dirs) -> tuple[ModelFacts, ...]:
    """What `name` has listed last; nothing when it never did, or the file is not one of ours."""
    import msgspec

    from agentlaunch.upstreams.listing import ModelFacts

    try:
        content = facts_path(name, dirs).read_bytes()
        return msgspec.json.decode(content, type=tuple[ModelFacts, ...])
    except (OSError, msgspec.DecodeError):
        return ()


def write_facts(name: str, facts: tuple[ModelFacts, ...], dirs: Dirs) -> None:
    """Keep what `name` has listed. Raises MachineError."""
    import msgspec

    write_private(facts_path(name, dirs), msgspec.json.encode(facts))


def forget_facts(name: str, dirs: Dirs) -> None:
    """Delete what is kept of `name`."""
    facts_path(name, dirs).unlink(missing_ok=True)
