"""The upstreams that the user has added: `upstreams.toml` in our folder of settings. No key ever stands in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TypeAlias, TypeGuard, assert_never, cast

from agentlaunch.core.endpoint import Prices
from agentlaunch.errors import MachineError, UserError
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.files import write_private

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
RESERVED = ("local", "demo", "hf")
"""What a policy, `--model demo` and `--model hf:...` mean already."""

_FIELDS = ("kind", "url", "model", "key", "context", "prices", "takes_images", "may_leave", "body")


@dataclass(frozen=True)
class NoKey:
    """The server asks for none."""


@dataclass(frozen=True)
class KeyVariable:
    """The environment variable `name` holds the key."""

    name: str


@dataclass(frozen=True)
class KeyFile:
    """A file that only its owner may read holds the key; absolute."""

    path: str


@dataclass(frozen=True)
class KeyRing:
    """The system's keyring holds the key, under `agentlaunch` and the upstream's name."""


KeyPlace: TypeAlias = NoKey | KeyVariable | KeyFile | KeyRing


@dataclass(frozen=True)
class StoredUpstream:
    """One upstream as the user added it. `url` is normal (kind.normalize_url), `context_window` in tokens.

    `model` is the one meant by the bare name, empty for none; window, prices and images are about it. `may_leave` is
    the user's consent that bytes go to it. `body` is a JSON object for every request, empty for none.
    """

    name: str
    kind: str
    url: str
    model: str = ""
    key: KeyPlace = NoKey()
    context_window: int | None = None
    prices: Prices | None = None
    takes_images: bool | None = None
    may_leave: bool = False
    body: str = ""


def store_path(dirs: Dirs) -> Path:
    """Where the upstreams stand."""
    return dirs.config / "upstreams.toml"


def check_name(name: str) -> str:
    """`name`, if an upstream may be called so. Raises UserError `bad-upstream-name`."""
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise UserError(
            "bad-upstream-name",
            f"`{name[:80]}` cannot be the name of an upstream",
            f"letters, digits, - and _, and none of: {', '.join(RESERVED)}",
        )
    return name


def read_store(dirs: Dirs) -> tuple[StoredUpstream, ...]:
    """Every upstream, in the file's order; nothing when there is no file. Raises UserError `bad-upstreams-file`."""
    path = store_path(dirs)
    text = _read(path)
    if not text:
        return ()
    import tomllib

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(path, f"is not TOML: {error}") from error
    return tuple(_Table(path, name, value).upstream() for name, value in document.items())


def write_upstream(upstream: StoredUpstream, dirs: Dirs) -> None:
    """Add or replace one; everything else in the file stays as it is, comments too. Raises MachineError."""
    import tomlkit

    path = store_path(dirs)
    document = tomlkit.parse(_read(path))
    table = tomlkit.table()
    for key, value in _as_table(upstream).items():
        table.add(key, value)
    if upstream.name in document:
        document[upstream.name] = table
    else:
        document.add(upstream.name, table)
    write_private(path, tomlkit.dumps(document).encode())


def remove_upstream(name: str, dirs: Dirs) -> None:
    """Take `name` out of the file. Raises MachineError when the file cannot be written."""
    import tomlkit

    path = store_path(dirs)
    document = tomlkit.parse(_read(path))
    document.remove(name)
    write_private(path, tomlkit.dumps(document).encode())


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except UnicodeDecodeError as error:
        raise _bad(path, "is not UTF-8") from error
    except OSError as error:
        raise MachineError(
            "folder-not-usable", f"cannot read `{path}`: {error.strerror or error}", f"see who may: ls -l {path}"
        ) from error


def _bad(path: Path, why: str) -> UserError:
    return UserError("bad-upstreams-file", f"`{path}` {why}", f"mend it or remove it: {path}")


def _as_table(upstream: StoredUpstream) -> dict[str, object]:
    """What is known, in the order of the fields."""
    prices = upstream.prices
    table = {
        "kind": upstream.kind,
        "url": upstream.url,
        "model": upstream.model or None,
        "key": _key_table(upstream.key),
        "context": upstream.context_window,
        "prices": None if prices is None else _price_table(prices),
        "takes_images": upstream.takes_images,
        "may_leave": upstream.may_leave or None,
        "body": json.loads(upstream.body) if upstream.body else None,
    }
    return {key: _inline(value) for key, value in table.items() if value is not None}


def _inline(value: object) -> object:
    """Tables inside of an upstream's stand on one line, so that one upstream is one block."""
    import tomlkit

    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    for key, part in value.items():
        table.append(key, _inline(part))
    return table


def _key_table(key: KeyPlace) -> dict[str, object] | None:
    match key:
        case NoKey():
            return None
        case KeyVariable(name):
            return {"variable": name}
        case KeyFile(path):
            return {"file": path}
        case KeyRing():
            return {"keyring": True}
        case never:
            assert_never(never)


def _price_table(prices: Prices) -> dict[str, float]:
    table = {"input_usd": prices.input_usd, "output_usd": prices.output_usd}
    return table if prices.cached_input_usd is None else {**table, "cached_usd": prices.cached_input_usd}


@dataclass(frozen=True)
class _Table:
    """One upstream's table as it stands in the file. Every reader raises UserError `bad-upstreams-file`."""

    path: Path
    name: str
    value: object

    def upstream(self) -> StoredUpstream:
        if not isinstance(self.value, dict):
            raise self._wrong(f"`{self.name}` is no table")
        unknown = [key for key in self._fields if key not in _FIELDS]
        if unknown:
            raise self._wrong(f"unknown key `{unknown[0]}` in `{self.name}`; known: {', '.join(_FIELDS)}")
        if not _NAME.fullmatch(self.name) or self.name in RESERVED:
            raise self._wrong(f"`{self.name}` cannot be the name of an upstream")
        from agentlaunch.upstreams.kind import load_kind, normalize_url

        kind = self._text("kind")
        try:
            load_kind(kind)
        except UserError as error:
            raise self._wrong(f"{error.message}, which `{self.name}` has; {error.hint}") from error
        return StoredUpstream(
            name=self.name,
            kind=kind,
            url=normalize_url(self._text("url")),
            model=self._text("model", ""),
            key=self._key(),
            context_window=self._window(),
            prices=self._prices(),
            takes_images=self._switch("takes_images"),
            may_leave=self._switch("may_leave") is True,
            body=self._body(),
        )

    @property
    def _fields(self) -> Mapping[str, object]:
        return cast("Mapping[str, object]", self.value)

    def _text(self, key: str, default: str | None = None) -> str:
        value = self._fields.get(key, default)
        if isinstance(value, str) and (value or default == ""):
            return value
        raise self._wrong(f"`{self.name}` needs `{key}` as a text")

    def _window(self) -> int | None:
        value = self._fields.get("context")
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
            return value
        raise self._wrong(f"`context` of `{self.name}` must be tokens, as in 32768")

    def _switch(self, key: str) -> bool | None:
        value = self._fields.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(f"`{key}` of `{self.name}` must be true or false")

    def _key(self) -> KeyPlace:
        match self._fields.get("key"):
            case None:
                return NoKey()
            case {"variable": str(name), **rest} if not rest and name:
                return KeyVariable(name)
            case {"file": str(path), **rest} if not rest and path:
                return KeyFile(path)
            case {"keyring": True, **rest} if not rest:
                return KeyRing()
            case _:  # what stands there may be the key itself: it is not repeated
                forms = '{ variable = "NAME" }, { file = "PATH" } or { keyring = true }'
                raise self._wrong(f"`key` of `{self.name}` says where the key is: {forms}")

    def _prices(self) -> Prices | None:
        match self._fields.get("prices"):
            case None:
                return None
            case {"input_usd": paid_in, "output_usd": paid_out, **rest}:
                cached = rest.get("cached_usd")
                if _is_amount(paid_in) and _is_amount(paid_out) and (cached is None or _is_amount(cached)):
                    return Prices(paid_in, paid_out, cached)
        raise self._wrong(f"`prices` of `{self.name}` needs input_usd and output_usd, per million tokens")

    def _body(self) -> str:
        value = self._fields.get("body")
        if value is None:
            return ""
        try:
            if isinstance(value, dict):
                return json.dumps(value)
        except TypeError:  # a TOML date
            pass
        raise self._wrong(f"`body` of `{self.name}` must be a table of what JSON can say")

    def _wrong(self, why: str) -> UserError:
        return _bad(self.path, f"cannot be used: {why}")


def _is_amount(value: object) -> TypeGuard[float]:
    """Whether it can be a price: TOML also has `nan`, and `true` is a number to Python."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < inf
