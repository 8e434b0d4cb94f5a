"""The workflows name what is there, pin what they use, and hold no more rights than they need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w.-]+@v\d+(?:\.\d+\.\d+)?")
FILES = re.compile(r"(?<![\w./-])(?:tests|scripts)/[\w./-]+")


def steps(path: Path) -> list[dict[str, object]]:
    """The steps of all jobs."""
    return [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]


def test_there_is_one_for_changes_one_for_nights_and_one_for_releases() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "nightly", "release"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_and_each_file_that_is_run_exists(path: Path) -> None:
    used = [str(step["uses"]) for step in steps(path) if "uses" in step]
    assert [name for name in used if PINNED.fullmatch(name) is None] == []
    named = {name for step in steps(path) for name in FILES.findall(str(step.get("run", "")))}
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_job_may_write_but_the_one_that_publishes_and_each_ends(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    assert document["permissions"] == {"contents": "read"}
    own = {name: job["permissions"] for name, job in document["jobs"].items() if "permissions" in job}
    assert own == ({"publish": {"id-token": "write"}} if path.stem == "release" else {})
    assert all(isinstance(job["timeout-minutes"], int) for job in document["jobs"].values())


def test_the_tests_run_on_three_systems_and_every_python_that_we_claim() -> None:
    matrix = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["quick"]["strategy"]["matrix"]
    claimed = re.findall(r'Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert matrix["python"] == claimed
    assert [name.split("-")[0] for name in matrix["os"]] == ["ubuntu", "macos", "windows"]
