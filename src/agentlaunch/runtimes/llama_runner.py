"""What differs between the ways to run llama.cpp, as data: the child's command, what it is told, and its words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import MachineError


@dataclass(frozen=True)
class Handover:
    """What only the host knows when it starts a child: the key to be asked for, our own pid, where slots are saved.

    `slots_folder` exists, or is empty where none could be made.
    """

    key: str = field(repr=False)
    parent: int
    slots_folder: str


@dataclass(frozen=True)
class Runner:
    """One way to run llama.cpp. `message` is the JSON object that the child reads, with what it is to load.

    `package` is a name and version that saved states depend on besides what the running server says of itself, None
    where it cannot be known; `missing` makes the error for an engine that is not installed, from the child's words;
    `newer` is how to get a newer one.
    """

    command: tuple[str, ...]
    message: Callable[[EngineSpec, Handover], Mapping[str, object]]
    package: Callable[[], str | None]
    missing: Callable[[str], MachineError]
    newer: str
