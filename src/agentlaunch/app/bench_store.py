"""Where measurements are kept, one file for each model, runtime, build and cache; how `fit` and `check` use them."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.fingerprint import fingerprint
from agentlaunch.system.files import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentlaunch.core.bench import Measurement
    from agentlaunch.core.fit.estimate import Demand
    from agentlaunch.core.fit.result import ModelFit, Recommendation
    from agentlaunch.system.dirs import Dirs


def measurements_dir(dirs: Dirs) -> Path:
    """Where they lie."""
    return dirs.data / "bench"


def keep(measurement: Measurement, dirs: Dirs) -> Path:
    """Write it, mode 0600; a later run of the same replaces it. Raises MachineError `folder-not-writable`."""
    import msgspec

    facts = (measurement.fingerprint, measurement.runtime, measurement.build, measurement.kv_type)
    name = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:24]
    path = measurements_dir(dirs) / f"{name}.json"
    write_private(path, msgspec.json.format(msgspec.json.encode(measurement), indent=1))
    return path


def read_measurements(dirs: Dirs) -> tuple[Measurement, ...]:
    """All that are whole; others are passed over."""
    folder = measurements_dir(dirs)
    if not folder.is_dir():  # what most users have, and `check` has 150 ms
        return ()
    import msgspec

    from agentlaunch.core.bench import Measurement

    found: list[Measurement] = []
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            found.append(msgspec.json.decode(path.read_bytes(), type=Measurement))
    return tuple(found)


def with_measured(
    fits: Sequence[ModelFit], demand: Demand, dirs: Dirs, path: Path | None = None
) -> tuple[ModelFit, ...]:
    """`fits` with the figures that `bench` has measured here, if it has; `path` is their file where that is known."""
    kept = read_measurements(dirs)
    if not kept:
        return tuple(fits)
    from agentlaunch.core.bench import find_measurements, measured

    weights = "" if path is None else _fingerprint(path)
    return tuple(measured(fit, find_measurements(kept, fit, weights), demand.prompt_tokens) for fit in fits)


def recommended_with_measured(found: Recommendation, demand: Demand, dirs: Dirs) -> Recommendation:
    """What `check` shows, with measured figures. The choice itself stays that of the estimates."""
    if found.best is None:
        return found
    from msgspec.structs import replace

    best, *others = with_measured((found.best, *found.alternatives), demand, dirs)
    reason = found.reason
    if best.speed.basis == "measured":
        decode, first_s = best.speed.decode.middle, best.speed.first_prompt_s
        reason += f" Measured on this machine: {decode:.0f} tokens a second, {first_s:.0f} s."
    return replace(found, best=best, alternatives=tuple(others), reason=reason)


def _fingerprint(path: Path) -> str:
    with contextlib.suppress(OSError):
        return fingerprint(path)
    return "unreadable"
