"""The wheel: below a megabyte, with every file that is read at run time, and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scripts.check_wheel import differences

ROOT = Path(__file__).parents[2]
LARGEST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `uv build` makes it, without the network: the backend is asked itself."""
    pytest.importorskip("hatchling", reason="the group `build` of pyproject.toml is not installed")
    folder = tmp_path_factory.mktemp("dist")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_is_below_a_megabyte(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST_BYTES


def test_the_wheel_holds_what_is_read_at_run_time_and_nothing_else(wheel: Path) -> None:
    assert differences(wheel) == (set(), set())
