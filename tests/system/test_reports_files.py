"""Public reports of files of ours that others could read, or could have us write elsewhere."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agentlaunch.app.serve import logging_to
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp_process import LogFile
from agentlaunch.system.files import make_private_dir, open_log, write_private
from agentlaunch.system.process import spawn_detached

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and such links are POSIX's")


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def log_of_a_process(path: Path) -> None:
    assert spawn_detached([sys.executable, "-c", "print('said')"], os.environ, path).wait() == 0


def log_of_an_engine(path: Path) -> None:
    log = LogFile(path)
    log.write(b"said\n")
    log.close()


def log_of_a_server(path: Path) -> None:
    with logging_to(path):
        pass


LOGS = pytest.mark.parametrize("write", [log_of_a_process, log_of_an_engine, log_of_a_server])


@pytest.mark.report("B320")
@LOGS
def test_a_log_is_never_written_through_a_link(tmp_path: Path, write: Callable[[Path], None]) -> None:
    precious, log = tmp_path / ".bashrc", tmp_path / "tool.log"
    precious.write_text("mine")
    log.symlink_to(precious)
    with suppress(MachineError):  # some do without their log, and some say that it cannot be written
        write(log)
    assert precious.read_text() == "mine"


@pytest.mark.report("B320")
@pytest.mark.report("B323")
@LOGS
@pytest.mark.parametrize("is_there", [False, True])
def test_a_log_is_its_owners_alone_whatever_the_umask(
    tmp_path: Path, write: Callable[[Path], None], is_there: bool
) -> None:
    log = tmp_path / "tool.log"
    if is_there:
        log.touch(0o644)
    write(log)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.report("B323")
def test_what_is_written_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    write_private(tmp_path / "a" / "b" / "token", b"t")
    make_private_dir(tmp_path / "c" / "d")
    os.close(open_log(tmp_path / "e", os.O_APPEND))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"a": 0o700, "b": 0o700, "token": 0o600, "c": 0o700, "d": 0o700, "e": 0o600}
