"""A failing case made small: what can be left out while the same claim still fails is left out."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable

from fuzzing.oracles import Malformed

_MOST_TRIES = 4_000


def label_of(error: Exception) -> str:
    """What tells one failure from another: the claim without its values, or the exception and the line it came from."""
    if isinstance(error, Malformed):
        return re.sub(r"\d+", "N", re.split(r"[({\[]| is told| for ", str(error))[0])
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {frames[-1].name}, line {frames[-1].lineno} of {frames[-1].filename}"


def label(check: Callable[[], None]) -> str:
    """The failure of a check, empty for none."""
    try:
        check()
    except Exception as error:  # noqa: BLE001 - any exception is what the fuzzer looks for
        return label_of(error)
    return ""


def smallest(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """The shortest bytes found that still fail, leaving out ever smaller blocks (delta debugging, Zeller 1999)."""
    tries = 0
    size = max(len(data) // 2, 1)
    while size and tries < _MOST_TRIES:
        at, is_shorter = 0, False
        while at < len(data) and tries < _MOST_TRIES:
            shorter = data[:at] + data[at + size :]
            tries += 1
            if fails(shorter):
                data, is_shorter = shorter, True
            else:
                at += size
        size = size if is_shorter and size == 1 else size // 2
    return data
