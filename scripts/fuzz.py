"""Fuzz the wires: damaged streams, cut anywhere, to every client wire; damaged requests to every upstream wire.

    python scripts/fuzz.py --splits 1000000 --requests 100000 --seed 7

Nothing but the protocol's own errors may come out, every frame must be well formed, no block may stay open, and how a
stream is cut must not matter. A failure prints the smallest input that still fails, once for each kind; exit code 1.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]  # as a script: our parts, and tests/

from fuzzing.reproducer import label, smallest
from fuzzing.requests import check_request, make_request
from fuzzing.streams import CUTS_A_STREAM, check_stream, make_stream


class Case(Protocol):
    """What is tried."""

    data: bytes

    def shown(self) -> str:
        """Everything that is needed to try it again."""
        ...


CaseT = TypeVar("CaseT", bound=Case)


def run(count: int, make: Callable[[Random], CaseT], check: Callable[[CaseT], None], rng: Random) -> dict[str, CaseT]:
    """The first failing case of each kind, in `count` cases."""
    failures: dict[str, CaseT] = {}
    for _ in range(count):
        case = make(rng)
        found = label(lambda case=case: check(case))
        if found and found not in failures:
            failures[found] = case
            print(f"  FAILED {found}", flush=True)
    return failures


def report(failures: dict[str, CaseT], check: Callable[[CaseT], None]) -> None:
    """Each failure with its smallest input."""
    for kind, case in failures.items():
        small = smallest(case.data, lambda data, kind=kind, case=case: label(lambda: check(case.smaller(data))) == kind)
        print(f"\n{kind}\n{case.smaller(small).shown()}")


def main() -> int:
    """Run, print what was run and how fast."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=20_000, metavar="N")
    parser.add_argument("--requests", type=int, default=5_000, metavar="N")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="S")
    given = parser.parse_args()
    print(f"seed {given.seed}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    failed = False
    for name, count, make, check in (
        ("stream splits", -(-given.splits // CUTS_A_STREAM), make_stream, check_stream),
        ("requests", given.requests, make_request, check_request),
    ):
        begun = time.monotonic()
        failures = run(count, make, check, Random(f"{given.seed} {name}"))
        took_s = time.monotonic() - begun
        done = count * CUTS_A_STREAM if name == "stream splits" else count
        rate = done / max(took_s, 1e-9)
        print(f"{done} {name} in {took_s:.0f} s ({rate:.0f} a second): {len(failures)} kinds of failure")
        report(failures, check)
        failed = failed or bool(failures)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
