"""What every test may use: the scripted model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentlaunch.core.scripted_gguf import Script, scripted_gguf


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
