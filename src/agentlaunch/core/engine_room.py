"""Whether one more engine has room beside those that run: pure arithmetic over what each launch has planned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agentlaunch.core.engine import MemoryPlan


@dataclass(frozen=True)
class Shortage:
    """Where an engine has no room. Bytes: what it needs, what others hold there, and what models may take in all."""

    place: str
    needed_bytes: int
    held_bytes: int
    capacity_bytes: int


def find_shortage(wanted: MemoryPlan, held: Iterable[MemoryPlan]) -> Shortage | None:
    """Why `wanted` does not fit beside `held`; None where it does.

    The first engine always has room: its own launch has looked at what is free, and may have been told to go on.
    """
    others = tuple(held)
    if not others:
        return None
    places = (
        ("GPU memory", wanted.gpu_bytes, sum(plan.gpu_bytes for plan in others), wanted.gpu_capacity_bytes),
        ("memory", wanted.host_bytes, sum(plan.host_bytes for plan in others), wanted.host_capacity_bytes),
    )
    for place, needed, taken, capacity in places:
        if needed and taken and needed + taken > capacity:
            return Shortage(place, needed, taken, capacity)
    return None
