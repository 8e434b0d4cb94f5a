"""Where keys are found and kept; none of them is ever in an error."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError
from tests.app.conftest import MakeWorld

from agentlaunch.app.upstream_keys import check_variable, find_key, forget_key, keep_key, own_key_file
from agentlaunch.app.upstream_store import KeyFile, KeyRing, KeyVariable, NoKey, StoredUpstream
from agentlaunch.errors import AgentlaunchError, MachineError, UserError

SECRET = "sk-secret-0123456789"


class DictRing(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.failure: KeyringError | None = None

    def get_password(self, service: str, username: str) -> str | None:
        self._fail()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._fail()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._fail()
        if (service, username) not in self.kept:
            raise PasswordDeleteError
        del self.kept[service, username]

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def ring() -> Iterator[DictRing]:
    before, ring = keyring.get_keyring(), DictRing()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def _upstream(key: NoKey | KeyVariable | KeyFile | KeyRing) -> StoredUpstream:
    return StoredUpstream("gpu", "vllm", "http://127.0.0.1:9", key=key)


def test_no_key_is_empty(make_world: MakeWorld) -> None:
    assert find_key(_upstream(NoKey()), make_world().world) == ""


def test_a_variable_is_read_when_it_is_needed(make_world: MakeWorld) -> None:
    assert find_key(_upstream(KeyVariable("GPU_KEY")), make_world(GPU_KEY=SECRET).world) == SECRET


def test_a_variable_that_is_not_set_is_told(make_world: MakeWorld) -> None:
    with pytest.raises(UserError) as error:
        find_key(_upstream(KeyVariable("GPU_KEY")), make_world().world)
    assert (error.value.code, error.value.hint) == ("key-missing", "export GPU_KEY=..., then again")


def test_a_kept_key_lies_in_a_file_for_its_owner_alone(make_world: MakeWorld) -> None:
    world = make_world().world
    place = keep_key(SECRET, "gpu", NoKey(), world.dirs)
    path = own_key_file("gpu", world.dirs)
    assert place == KeyFile(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find_key(_upstream(place), world) == SECRET
    forget_key(_upstream(place), world.dirs)
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
@pytest.mark.report("B324")
def test_a_file_that_others_may_read_is_refused(make_world: MakeWorld, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text(SECRET)
    path.chmod(mode)
    with pytest.raises(UserError) as error:
        find_key(_upstream(KeyFile(str(path))), make_world().world)
    assert (error.value.code, error.value.hint) == ("key-readable", f"chmod 600 '{path}'")
    assert SECRET not in error.value.message


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 20_000])
def test_a_file_without_a_key_is_told(make_world: MakeWorld, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UserError, match="holds no key"):
        find_key(_upstream(KeyFile(str(path))), make_world().world)


def test_a_file_that_is_gone_is_told(make_world: MakeWorld, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        find_key(_upstream(KeyFile(str(tmp_path / "gone"))), make_world().world)


def test_a_file_of_the_users_is_never_deleted(make_world: MakeWorld, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(SECRET)
    forget_key(_upstream(KeyFile(str(path))), make_world().world.dirs)
    assert path.exists()


def test_the_keyring_keeps_gives_and_forgets(make_world: MakeWorld, ring: DictRing) -> None:
    world = make_world().world
    assert keep_key(SECRET, "gpu", KeyRing(), world.dirs) == KeyRing()
    assert ring.kept == {("agentlaunch", "gpu"): SECRET}
    assert find_key(_upstream(KeyRing()), world) == SECRET
    assert not own_key_file("gpu", world.dirs).exists()
    forget_key(_upstream(KeyRing()), world.dirs)
    forget_key(_upstream(KeyRing()), world.dirs)  # the user may have been faster
    assert ring.kept == {}


def test_an_empty_keyring_is_told(make_world: MakeWorld, ring: DictRing) -> None:
    with pytest.raises(UserError, match="the keyring has no key for `gpu`"):
        find_key(_upstream(KeyRing()), make_world().world)


def test_a_locked_keyring_is_the_machines_fault_and_tells_no_key(make_world: MakeWorld, ring: DictRing) -> None:
    world = make_world().world
    ring.failure = KeyringError(SECRET)
    for act in (
        lambda: find_key(_upstream(KeyRing()), world),
        lambda: keep_key(SECRET, "gpu", KeyRing(), world.dirs),
        lambda: forget_key(_upstream(KeyRing()), world.dirs),
    ):
        with pytest.raises(MachineError) as error:
            act()
        assert error.value.code == "keyring-failed"
        assert SECRET not in error.value.message + error.value.hint


def test_without_the_package_the_way_to_get_it_is_told(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MachineError) as error:
        find_key(_upstream(KeyRing()), make_world().world)
    assert (error.value.code, error.value.hint) == ("keyring-missing", "pip install 'agentlaunch[keyring]'")


@pytest.mark.parametrize("name", [SECRET, "", "A B", "1A", "A=B"])
def test_what_is_no_variables_name_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(AgentlaunchError) as error:
        check_variable(name)
    assert error.value.code == "bad-variable"
    assert SECRET not in error.value.message + error.value.hint
