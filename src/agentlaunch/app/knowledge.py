"""The data that ships with us, read when it is needed: models, efficiencies, graphics processors, list prices."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import agentlaunch

if TYPE_CHECKING:
    from agentlaunch.core.catalog import Catalog
    from agentlaunch.core.endpoint import Prices
    from agentlaunch.core.fit.calibration import Calibration
    from agentlaunch.core.fit.choice import Knowledge
    from agentlaunch.core.gpus import GpuTable
    from agentlaunch.core.list_prices import PriceTable

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


def load_prices() -> PriceTable:
    """What managed models cost."""
    from agentlaunch.core.list_prices import parse_prices

    return parse_prices(_text("prices.json"))


def reference_prices() -> Prices:
    """The prices of the managed model that `usage` compares with."""
    from agentlaunch.core.list_prices import DEFAULT_REFERENCE

    return load_prices().find(DEFAULT_REFERENCE).prices


def _text(name: str) -> str:
    return (_DATA / name).read_text("utf-8")
