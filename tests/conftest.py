"""What every test may use: the scripted model; and properties judged by their claim, at any speed of the machine."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from agentlaunch.core.scripted_gguf import Script, scripted_gguf

settings.register_profile("at any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("at any speed")


def _stop_ignoring(names: Sequence[str]) -> None:
    """What the tests were started to ignore (by nohup, or as a shell's background job), they ignore by a handler: their
    children inherit none, and would inherit the ignoring."""
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


_stop_ignoring(("SIGINT", "SIGHUP"))


@pytest.fixture(scope="session")
def scripted_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Script], Path]:
    """Build a model that answers by a script: `path = scripted_model(Script(...))`. Equal scripts share a file."""
    paths: dict[str, Path] = {}
    folder = tmp_path_factory.mktemp("scripted")

    def build(script: Script) -> Path:
        name = repr(script)  # calls hold dicts, which have no hash
        if name not in paths:
            path = folder / f"scripted-{len(paths)}.gguf"
            path.write_bytes(scripted_gguf(script))
            paths[name] = path
        return paths[name]

    return build
