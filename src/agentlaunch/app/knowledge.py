"""The data that ships with us, read when a command needs it: models, efficiencies, graphics processors."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import agentlaunch

if TYPE_CHECKING:
    from agentlaunch.core.catalog import Catalog
    from agentlaunch.core.fit.calibration import Calibration
    from agentlaunch.core.fit.choice import Knowledge
    from agentlaunch.core.gpus import GpuTable

_DATA = Path(agentlaunch.__file__).parent / "data"


def load_knowledge() -> Knowledge:
    """Models and efficiencies."""
    from agentlaunch.core.fit.choice import Knowledge

    return Knowledge(load_catalog(), load_calibration())


@cache
def load_catalog() -> Catalog:
    """The models that we know; 5 ms."""
    from agentlaunch.core.catalog import parse_catalog

    return parse_catalog(_text("catalog.json"))


def load_calibration() -> Calibration:
    """What runtimes reach of a machine's paper figures."""
    from agentlaunch.core.fit.calibration import parse_calibration

    return parse_calibration(_text("calibration.json"))


def load_gpus() -> GpuTable:
    """The paper figures of graphics processors; 5 ms."""
    from agentlaunch.core.gpus import parse_gpus

    return parse_gpus(_text("gpus.json"))


def _text(name: str) -> str:
    return (_DATA / name).read_text("utf-8")
