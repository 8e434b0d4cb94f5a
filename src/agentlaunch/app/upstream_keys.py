"""Where the keys of upstreams are, and how one gets there: a variable, the system's keyring, a file of mode 0600."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from agentlaunch.app.upstream_store import KeyFile, KeyPlace, KeyRing, KeyVariable, NoKey, StoredUpstream
from agentlaunch.errors import MachineError, UserError
from agentlaunch.system.files import not_writable, write_private

if TYPE_CHECKING:
    from types import ModuleType

    from agentlaunch.app.world import World
    from agentlaunch.system.dirs import Dirs

SERVICE = "agentlaunch"
"""Under which the system's keyring has our keys; the user's name there is the upstream's."""

LONGEST_KEY = 16_384
"""Characters: a file that holds more is no key, and is not read whole."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def find_key(upstream: StoredUpstream, world: World) -> str:
    """The key, empty where none is needed. Raises UserError `key-missing` and `key-readable`, MachineError."""
    match upstream.key:
        case NoKey():
            return ""
        case KeyVariable(name):
            return variable_key(name, world)
        case KeyFile(path):
            return read_key_file(Path(path), upstream.name)
        case KeyRing():
            return _from_keyring(upstream.name)
        case never:
            assert_never(never)


def variable_key(name: str, world: World) -> str:
    """The key in the variable `name`. Raises UserError `key-missing`."""
    found = world.environment.get(name, "")
    if not found:
        raise UserError("key-missing", f"the variable `{name}` is not set", f"export {name}=..., then again")
    return found


def check_variable(name: str) -> str:
    """`name`, if it can be a variable's. Raises UserError `bad-variable`, without repeating what may be a key."""
    if not _VARIABLE.fullmatch(name):
        raise UserError(
            "bad-variable",
            "--key-env takes the name of a variable, not a key",
            "export MY_KEY=..., then: --key-env MY_KEY; or --key-stdin",
        )
    return name


def read_key_file(path: Path, name: str) -> str:
    """The first line of a key file. Raises UserError `key-missing`, and `key-readable` when others may read it."""
    try:
        with path.open("rb") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                message = f"others may read the key of `{name}` in `{path}`"
                raise UserError("key-readable", message, f"chmod 600 '{path}'")
            content = file.read(LONGEST_KEY + 1)
    except OSError as error:
        message = f"cannot read the key of `{name}` in `{path}`: {error.strerror or error}"
        raise UserError("key-missing", message, _again(name)) from error
    key = content.decode("utf-8", "replace").strip()
    if not key or len(content) > LONGEST_KEY:
        raise UserError("key-missing", f"`{path}` holds no key", _again(name))
    return key


def keep_key(key: str, name: str, place: KeyPlace, dirs: Dirs) -> KeyPlace:
    """Put `key` into the keyring when `place` says so, else into a file of ours. Raises MachineError."""
    if isinstance(place, KeyRing):
        ring = _keyring(name)
        from keyring.errors import KeyringError

        try:
            ring.set_password(SERVICE, name, key)
        except KeyringError as error:
            raise _ring_failed(name, error) from error
        return place
    path = own_key_file(name, dirs)
    write_private(path, key.encode() + b"\n")
    return KeyFile(str(path))


def forget_key(upstream: StoredUpstream, dirs: Dirs) -> None:
    """Delete what `keep_key` has kept; a variable and a file of the user's stay. Raises MachineError."""
    match upstream.key:
        case KeyFile(path) if Path(path) == own_key_file(upstream.name, dirs):
            try:
                Path(path).unlink(missing_ok=True)
            except OSError as error:
                raise not_writable(Path(path).parent, error) from error
        case KeyRing():
            ring = _keyring(upstream.name)
            from keyring.errors import KeyringError, PasswordDeleteError

            try:
                ring.delete_password(SERVICE, upstream.name)
            except PasswordDeleteError:  # the user was faster
                pass
            except KeyringError as error:
                raise _ring_failed(upstream.name, error) from error
        case KeyFile() | KeyVariable() | NoKey():
            pass
        case never:
            assert_never(never)


def own_key_file(name: str, dirs: Dirs) -> Path:
    """Our file for the key of `name`."""
    return dirs.config / "keys" / name


def _from_keyring(name: str) -> str:
    ring = _keyring(name)
    from keyring.errors import KeyringError

    try:
        key = ring.get_password(SERVICE, name)
    except KeyringError as error:
        raise _ring_failed(name, error) from error
    if not key:
        raise UserError("key-missing", f"the keyring has no key for `{name}`", _again(name, "--keyring --key-stdin"))
    return str(key)


def _keyring(name: str) -> ModuleType:
    """The package `keyring`; an extra, imported on use. Raises MachineError `keyring-missing`."""
    try:
        import keyring
    except ImportError as error:
        message = f"the key of `{name}` is in the keyring, and the package `keyring` is not installed"
        raise MachineError("keyring-missing", message, "pip install 'agentlaunch[keyring]'") from error
    return keyring


def _ring_failed(name: str, error: Exception) -> MachineError:
    """The backend's own text may hold what it was asked to keep, so only its kind is told."""
    message = f"the system's keyring does not answer for `{name}` ({type(error).__name__})"
    return MachineError("keyring-failed", message, _again(name))


def _again(name: str, flags: str = "--key-stdin") -> str:
    return f"give the key again: agentlaunch upstream add {name} {flags} ..."
