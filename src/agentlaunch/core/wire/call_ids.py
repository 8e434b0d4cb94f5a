"""The ids of the calls of one answer: each its own, also where the upstream gives two calls one id or none."""

from __future__ import annotations


class CallIds:
    """One instance an answer. Clients match a result to its call by the id alone, and vendors refuse doubled ids."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def fresh(self, wanted: str, prefix: str, number: int) -> str:
        """The upstream's id; `PREFIX_NUMBER`, or the next free number, where it is missing or taken by another call."""
        while not wanted or wanted in self._taken:
            wanted = f"{prefix}_{number}"
            number += 1
        self._taken.add(wanted)
        return wanted
