"""The names that only this machine knows, for a shell that completes a word: models, upstreams, policies.

It answers at each press of a key, so it reads files and parses no more of them than it must.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import agentlaunch
from agentlaunch.errors import AgentlaunchError

if TYPE_CHECKING:
    from agentlaunch.system.dirs import Dirs


def known_words(kind: str, environment: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    """The names of `kind`, one of `models`, `upstreams` and `policies`, each once; none of a kind that is unknown,
    none that would not be one line, and none out of a file that cannot be read: this is no place for an error."""
    from agentlaunch.system.dirs import find_dirs

    try:
        dirs = find_dirs(environment)
        match kind:
            case "models":
                words = (*_models_here(environment, folder, dirs), *_catalogue(), *_models_at_upstreams(dirs))
            case "upstreams":
                words = tuple(_upstreams(dirs))
            case "policies":
                words = tuple(_policies(dirs))
            case _:
                words = ()
    except (AgentlaunchError, OSError, ValueError):
        return ()
    return tuple(word for word in dict.fromkeys(words) if word.isprintable())


def _models_here(environment: Mapping[str, str], folder: Path, dirs: Dirs) -> Iterator[str]:
    """Files as `--model` takes them, tags of Ollama's, and the demo model, which can be had anywhere."""
    from agentlaunch.runtimes.ollama_files import all_weights
    from agentlaunch.weights.found import find_holdings, weight_places

    yield "demo"
    for holding in find_holdings(weight_places(environment, folder, dirs.cache / "models")):
        if holding.path is not None and holding.owner == "folder":
            yield holding.path.name
        elif holding.repository:
            yield holding.name
    yield from (name for name, _ in all_weights(environment))


def _catalogue() -> tuple[str, ...]:
    """The ids alone: the whole catalogue takes a parser that takes longer to import than the file to read."""
    content = json.loads((Path(agentlaunch.__file__).parent / "data" / "catalog.json").read_bytes())
    return tuple(str(model["id"]) for model in content["model"])


def _models_at_upstreams(dirs: Dirs) -> Iterator[str]:
    from agentlaunch.app.upstream_store import read_store

    yield from (f"{upstream.name}/{upstream.model}" for upstream in read_store(dirs) if upstream.model)


def _upstreams(dirs: Dirs) -> Iterator[str]:
    from agentlaunch.app.upstream_store import read_store

    yield from (upstream.name for upstream in read_store(dirs))


def _policies(dirs: Dirs) -> Iterator[str]:
    """Those of the user's own file: a folder's file may not name any."""
    import tomllib

    path = dirs.config / "config.toml"
    named: object = tomllib.loads(path.read_text("utf-8-sig")).get("policies") if path.is_file() else None
    if isinstance(named, dict):
        yield from named
