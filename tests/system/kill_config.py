"""Kills a child with SIGKILL in the middle of a write or a restore, at any instruction, and looks at what is left.

Run as a program: `python kill_config.py FOLDER SEED TRIALS`; prints one JSON object a trial. The child is a fork, so
that a trial costs milliseconds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from agentlaunch.core.config_edit.steps import Wanted
from agentlaunch.system.config_files import ConfigTarget, locked, propose, restore, write
from agentlaunch.system.config_journal import ConfigJournal

OURS = f"{os.sep}agentlaunch{os.sep}"
WRITERS = f"{OURS}system{os.sep}"
"""Most instructions only decide; three kills of four fall among those that write."""
CONTENT = b'# mine\r\nmodel = "theirs"\r\n\r\n[features]\r\nx = true'
FIRST, SECOND = Wanted({"model": "first", "ours": {"port": 1}}), Wanted({"model": "second", "features": {"y": True}})


class Scene:
    """A user's file, our journal, and the bytes that may be seen."""

    def __init__(self, folder: Path, content: bytes | None) -> None:
        self.file = folder / "user" / "config.toml"
        self.journal = ConfigJournal(folder / "ours")
        self.target = ConfigTarget("codex", self.file, "toml")
        if content is not None:
            self.file.parent.mkdir()
            self.file.write_bytes(content)

    def write(self, wanted: Wanted) -> None:
        with locked(self.journal):
            write(self.journal, propose(self.journal, self.target, wanted))

    def restore(self) -> None:
        with locked(self.journal):
            for entry in self.journal.entries():
                restore(self.journal, entry)

    def now(self) -> bytes | None:
        return self.file.read_bytes() if self.file.exists() else None


def count_instructions(work: Callable[[], None], among: str, stop_at: int = -1) -> int:
    """How many instructions of modules below `among` are run by `work`; at number `stop_at` the process is killed."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: object) -> object:
        nonlocal count
        if among not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
            if count == stop_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(None)
    return count


def in_child(work: Callable[[], None], kill_after_s: float | None = None) -> bool:
    """Run `work` in a fork; whether it was killed. With `kill_after_s` from outside, else it may kill itself."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"the child failed with {os.WEXITSTATUS(status)}")
    return os.WIFSIGNALED(status)


STEPS: dict[str, tuple[list[str], str]] = {
    "write": ([], "first"),
    "write again": (["first"], "second"),
    "restore": (["first"], "restore"),
    "restore of two": (["first", "second"], "restore"),
}


def act(scene: Scene, name: str) -> None:
    match name:
        case "first":
            scene.write(FIRST)
        case "second":
            scene.write(SECOND)
        case _:
            scene.restore()


def trial(folder: Path, chance: random.Random) -> dict[str, object]:
    """One kill: what was seen, what may be seen, and what a restore then brings back."""
    kind = chance.choice(list(STEPS))
    content = chance.choice([CONTENT, CONTENT, None])
    before, step = STEPS[kind]

    def scene(name: str) -> Scene:
        (folder / name).mkdir(parents=True)
        made = Scene(folder / name, content)
        for earlier in before:
            act(made, earlier)
        return made

    rehearsal, real = scene("rehearsal"), scene("real")
    allowed = [rehearsal.now()]
    began = time.monotonic()
    among = chance.choice([OURS, WRITERS, WRITERS, WRITERS])
    total = count_instructions(lambda: act(rehearsal, step), among)
    took = time.monotonic() - began
    allowed.append(rehearsal.now())
    if chance.random() < 0.8:
        at = chance.randint(1, total)
        killed = in_child(lambda: void(count_instructions(lambda: act(real, step), among, at)))
    else:
        killed = in_child(lambda: act(real, step), chance.random() * took / 4)  # untraced it is faster
    seen = real.now()
    if chance.random() < 0.5:  # a user may also just try again
        act(real, step)
    real.restore()
    left = [path.name for path in real.file.parent.glob(".*")] if real.file.parent.is_dir() else []
    return {
        "kind": kind,
        "killed": killed,
        "whole": seen in allowed,
        "restored": real.now() == content,
        "left": left,
        "entries": len(real.journal.entries()),
    }


def void(_value: object) -> None:
    return None


def main() -> None:
    folder, seed, trials = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    warm = Scene(_made(folder / "warm"), CONTENT)
    act(warm, "first")  # imports what is imported late, so that no kill falls into an import
    act(warm, "restore")
    for number in range(trials):
        sys.stdout.write(json.dumps(trial(folder / str(number), chance)) + "\n")
        sys.stdout.flush()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main()
