"""Our own settings: the schema, and which of flag, environment, files and default wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Generic, TypeVar, get_args

from agentlaunch.core.engine import KVType
from agentlaunch.core.pasted import unquoted
from agentlaunch.core.policy_settings import DEFAULT_POLICY, FilePolicies, PolicyInForce, choose_policy, read_policies
from agentlaunch.errors import UserError

Value = TypeVar("Value")

ENVIRONMENT_PREFIX = "AGENTLAUNCH_"
DEFAULT_KV: KVType = "f16"
DEFAULT_USAGE_DAYS = 400
"""Days that finished requests are kept: a year can be held against the one before it for a month."""

FILE_KEYS = ("model", "context", "kv", "runtime", "lean", "idle_seconds", "prewarm", "policy", "policies", "usage_days")
"""What `.agentlaunch.toml` and `config.toml` may say. A folder's file comes with other people's repositories, so it can
neither agree to installs (`yes`) nor send keys to an address (`upstream`); of a policy it may say the privacy alone."""

_USERS_KEYS = ("usage_days",)
"""What a folder's file may not say, though the user's may: it would delete what the user wants kept."""

_VARIABLE_KEYS = ("model", "context", "kv", "runtime", "lean", "idle_seconds", "prewarm", "policy", "yes", "usage_days")

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


@dataclass(frozen=True)
class Sourced(Generic[Value]):
    """A value and who said so: a flag, a variable, a file's name or `default`."""

    value: Value
    source: str


@dataclass(frozen=True)
class SettingsFile:
    """One settings file as read; `name` is how the user knows it, `is_folders` the file of the folder we stand in."""

    name: str
    values: Mapping[str, object]
    is_folders: bool = False


@dataclass(frozen=True)
class Settings:
    """Every setting with its source. `context` in tokens; None means that the launch, or the shim, decides.

    `usage_days`: how many calendar days of finished requests are kept, today among them.
    """

    model: Sourced[str | None]
    context: Sourced[int | None]
    kv: Sourced[KVType]
    lean: Sourced[bool | None]
    idle_seconds: Sourced[int | None]
    yes: Sourced[bool]
    policy: Sourced[str] = Sourced(DEFAULT_POLICY, "default")
    prewarm: Sourced[bool] = Sourced(True, "default")
    usage_days: Sourced[int] = Sourced(DEFAULT_USAGE_DAYS, "default")
    runtime: Sourced[str | None] = Sourced(None, "default")


@dataclass(frozen=True)
class _Layer:
    """One source of raw values; `label(key)` names a key as the user wrote it."""

    values: Mapping[str, object]
    label: Callable[[str], str]


def resolve_settings(
    flags: Mapping[str, object], environment: Mapping[str, str], files: Sequence[SettingsFile]
) -> Settings:
    """Flag > `AGENTLAUNCH_*` > files in their order > default. A None flag was not given.

    Raises UserError `bad-setting` naming the source and the key; every file is checked whole, used or not.
    """
    for file in files:
        _check_file(file)
    layers = [
        _Layer({key: value for key, value in flags.items() if value is not None}, lambda key: f"--{key}"),
        _Layer(_from_environment(environment), lambda key: ENVIRONMENT_PREFIX + key.upper()),
        *(_Layer(_plain(file), _file_label(file.name)) for file in files),
    ]
    return Settings(
        model=_first(layers, "model", _text, None),
        context=_first(layers, "context", _tokens, None),
        kv=_first(layers, "kv", _kv_type, DEFAULT_KV),
        lean=_first(layers, "lean", _switch, None),
        idle_seconds=_first(layers, "idle_seconds", _seconds, None),
        yes=_first(layers, "yes", _switch, False),
        policy=_first(layers, "policy", _text, DEFAULT_POLICY),
        prewarm=_first(layers, "prewarm", _switch, True),
        usage_days=_first(layers, "usage_days", _days, DEFAULT_USAGE_DAYS),
        runtime=_first(layers, "runtime", _text, None),
    )


def resolve_policy(named: Sourced[str], files: Sequence[SettingsFile]) -> PolicyInForce:
    """The policy that `named` (Settings.policy) chooses out of the files. Raises UserError `unknown-policy`."""
    return choose_policy(named.value, named.source, [_policies(file) for file in files])


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    """An empty variable counts as unset, as shells and CI files write it. cmd.exe's `set NAME=value && ...`
    leaves a space behind the value, and quotation marks around it."""
    found: dict[str, object] = {}
    for key in _VARIABLE_KEYS:
        value = unquoted(environment.get(ENVIRONMENT_PREFIX + key.upper(), ""))
        if value:
            found[key] = value
    return found


def _file_label(name: str) -> Callable[[str], str]:
    return lambda key: f"{key} in {name}"


def _check_file(file: SettingsFile) -> None:
    for key, value in file.values.items():
        if key not in FILE_KEYS:
            near = get_close_matches(key, FILE_KEYS, 1)
            known = ", ".join(FILE_KEYS)
            hint = f"did you mean `{near[0]}`? known keys: {known}" if near else f"known keys: {known}"
            raise UserError("bad-setting", f"unknown key `{key}` in `{file.name}`", hint)
        if key in _USERS_KEYS and file.is_folders:
            hint = f"say it in config.toml, or: {ENVIRONMENT_PREFIX}{key.upper()}={value}"
            raise UserError("bad-setting", f"`{key}` is not for a folder to say, as `{file.name}` does", hint)
        if key in _PARSERS:
            _PARSERS[key](value, f"{key} in {file.name}")
    _policies(file)


def _policies(file: SettingsFile) -> FilePolicies:
    return read_policies(file.name, file.values, is_folders=file.is_folders)


def _plain(file: SettingsFile) -> Mapping[str, object]:
    """Without the policies themselves; `policy` stays when it is the name of one."""
    return {key: value for key, value in file.values.items() if not (key == "policy" and isinstance(value, Mapping))}


def _first(layers: Sequence[_Layer], key: str, parse: Callable[[object, str], Value], default: Value) -> Sourced[Value]:
    for layer in layers:
        if key in layer.values:
            label = layer.label(key)
            return Sourced(parse(layer.values[key], label), label)
    return Sourced(default, "default")


def _text(raw: object, where: str) -> str:
    if isinstance(raw, str) and raw.strip():
        return raw
    raise _bad(where, raw, "write a name or a path in quotes")


def _tokens(raw: object, where: str) -> int:
    return _count(raw, where, "write the context window in tokens, as in 32768")


def _seconds(raw: object, where: str) -> int:
    return _count(raw, where, "write whole seconds, as in 600")


def _days(raw: object, where: str) -> int:
    return _count(raw, where, "write whole days, as in 400")


def _count(raw: object, where: str, hint: str) -> int:
    """A whole number above 0; from the environment it comes as text."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit():
        raw = int(raw)
    if isinstance(raw, int) and not isinstance(raw, bool) and raw > 0:
        return raw
    raise _bad(where, raw, hint)


def _kv_type(raw: object, where: str) -> KVType:
    for known in get_args(KVType):
        if isinstance(raw, str) and raw.lower() == known:
            found: KVType = known
            return found
    raise _bad(where, raw, f"known: {', '.join(get_args(KVType))}")


def _switch(raw: object, where: str) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in _TRUE:
        return True
    if isinstance(raw, str) and raw.lower() in _FALSE:
        return False
    raise _bad(where, raw, "write true or false")


def _bad(where: str, raw: object, hint: str) -> UserError:
    return UserError("bad-setting", f"{where} cannot be `{raw}`", hint)


_PARSERS: Mapping[str, Callable[[object, str], object]] = {
    "model": _text,
    "context": _tokens,
    "kv": _kv_type,
    "lean": _switch,
    "prewarm": _switch,
    "runtime": _text,
    "idle_seconds": _seconds,
    "usage_days": _days,
}
