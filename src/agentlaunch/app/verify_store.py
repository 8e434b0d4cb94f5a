"""Where verified scores are kept, one file a model, runtime and agent, and how `check` and `models show` find them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.system.files import write_private

if TYPE_CHECKING:
    from agentlaunch.app.verify_asking import AskedCase
    from agentlaunch.core.verify.score import CaseResult, Score
    from agentlaunch.system.dirs import Dirs

RECORD_VERSION = 1


@dataclass(frozen=True)
class Verified:
    """What came out. `context_window` in tokens, `at` in Unix seconds; `record` is the file it is kept in, if it is."""

    model: str
    runtime: str
    agent: str
    context_window: int
    fingerprint: str
    battery: int
    at: float
    score: Score
    asked: tuple[AskedCase, ...]
    record: str = ""

    @property
    def results(self) -> tuple[CaseResult, ...]:
        """The cases, in order."""
        return tuple(asked.result for asked in self.asked)


@dataclass(frozen=True)
class VerifiedScore:
    """A score as it was kept: 0 to 100, `raw` without our repairs; `at` in Unix seconds. `agent` empty: all of them."""

    model: str
    score: int
    raw: int
    runtime: str
    agent: str
    at: float
    path: str


def scores_dir(dirs: Dirs) -> Path:
    """Where the records lie."""
    return dirs.data / "verified"


def record_path(verified: Verified, dirs: Dirs) -> Path:
    """The file of this model, runtime and agent; a later run replaces it."""
    key = f"{verified.fingerprint}\0{verified.runtime}\0{verified.agent}"
    return scores_dir(dirs) / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


def keep(verified: Verified, names: Iterable[str], dirs: Dirs) -> Path:
    """Write the record, mode 0600, with the names by which the model is found again. Raises MachineError."""
    path = record_path(verified, dirs)
    cases = [{**asdict(asked.result), "answer": asked.excerpt} for asked in verified.asked]
    record = {
        "version": RECORD_VERSION,
        "model": verified.model,
        "names": sorted(set(filter(None, names))),
        "fingerprint": verified.fingerprint,
        "runtime": verified.runtime,
        "agent": verified.agent,
        "context_window": verified.context_window,
        "battery": verified.battery,
        "at": verified.at,
        **asdict(verified.score),
        "cases": cases,
    }
    write_private(path, json.dumps(record, indent=1, ensure_ascii=False).encode())
    return path


def verified_score(name: str, dirs: Dirs) -> VerifiedScore | None:
    """The newest score of what `name` means: a name that was typed, a path, a tag, a catalogue id; None for none."""
    found = [score for names, score in _records(dirs) if name in names]
    return max(found, key=lambda score: score.at, default=None)


def _records(dirs: Dirs) -> Iterable[tuple[frozenset[str], VerifiedScore]]:
    """Every record that is ours and whole; others are passed over."""
    try:
        paths = sorted(scores_dir(dirs).glob("*.json"))
    except OSError:
        return
    for path in paths:
        try:
            data: object = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        match data:
            case {
                "version": 1,
                "model": str(model),
                "names": list(names),
                "score": int(score),
                "raw": int(raw),
                "runtime": str(runtime),
                "agent": str(agent),
                "at": int() | float() as at,
            }:
                known = frozenset(name for name in names if isinstance(name, str))
                yield known, VerifiedScore(model, score, raw, runtime, agent, at, str(path))
            case _:
                continue
