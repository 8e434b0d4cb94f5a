"""The user's own files that an agent's plan must know, read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentlaunch.agents.base import Agent
    from agentlaunch.app.world import World

MOST_FILES = 500
LONGEST_BYTES = 1 << 20
"""A configuration is shorter; what is longer, or comes after so many, is no reason to wait."""

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<otherwise>[^}]*))?\}")


def read_user_files(agent: Agent, arguments: tuple[str, ...], world: World) -> dict[str, str]:
    """The texts by name, and by path for `user_configs`. One that cannot be read is left out; the plan says what it
    is where that matters."""
    found: dict[str, str] = {}
    for name in agent.files_read(arguments):
        with suppress(OSError, UnicodeDecodeError):
            found[name] = (world.folder / name).read_text("utf-8-sig")
    for path in islice(_matching(agent.user_configs, world), MOST_FILES):
        with suppress(OSError, UnicodeDecodeError):
            if path.stat().st_size <= LONGEST_BYTES:
                found[str(path)] = path.read_text("utf-8-sig")
    return found


def _matching(patterns: tuple[str, ...], world: World) -> Iterator[Path]:
    for pattern in patterns:
        expanded = _with_variables(pattern, world.environment)
        if expanded is None:
            continue
        climbs = expanded.removeprefix(".../")
        for folder in _folders_up(world.folder) if climbs != expanded else (world.folder,):
            yield from _files(folder / _at_home(climbs, world.environment))


def _with_variables(pattern: str, environment: Mapping[str, str]) -> str | None:
    """None where a variable is not set, or empty, and the pattern says nothing for that case."""
    values = {each[0]: environment.get(each["name"]) or each["otherwise"] for each in _VARIABLE.finditer(pattern)}
    if None in values.values():
        return None
    return _VARIABLE.sub(lambda each: values[each[0]] or "", pattern)


def _at_home(path: str, environment: Mapping[str, str]) -> Path:
    if not path.startswith("~/"):
        return Path(path)
    home = environment.get("HOME") or environment.get("USERPROFILE")
    return Path(home or Path.home()) / path.removeprefix("~/")


def _folders_up(folder: Path) -> Iterator[Path]:
    """The folder and those above it, up to the first that is a repository."""
    for each in (folder, *folder.parents):
        yield each
        if (each / ".git").exists():
            return


def _files(pattern: Path) -> Iterator[Path]:
    """In the order of their names, so that a plan is the same each time."""
    fixed = Path(*(part for part in _until_glob(pattern)))
    rest = pattern.relative_to(fixed)
    with suppress(OSError):
        if rest == Path():
            yield from (fixed,) if fixed.is_file() else ()
        else:
            yield from sorted(path for path in islice(fixed.glob(str(rest)), MOST_FILES) if path.is_file())


def _until_glob(pattern: Path) -> Iterator[str]:
    for part in pattern.parts:
        if "*" in part:
            return
        yield part
