"""Where llama.cpp's slots are saved, and the digest of what a saved slot can be restored into."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.prefix_store import PrefixStore, default_limit_bytes, engine_digest
from agentlaunch.errors import UserError
from agentlaunch.runtimes.model_file import model_parts
from agentlaunch.system.dirs import find_dirs

LIMIT_VARIABLE = "AGENTLAUNCH_PREFIX_CACHE_GIB"
_HEADER_BYTES = 2**20
_FORMAT = 1
"""Raised when what we save, or how the child is set up, changes so that older files must not be restored."""


@dataclass(frozen=True)
class LoadedModel:
    """What a ready engine says of itself: the context in tokens, its chat template, and its build."""

    context_window: int
    chat_template: str
    build: str


def slots_folder(environment: Mapping[str, str]) -> Path:
    """Where the prefixes are kept."""
    return find_dirs(environment).prefixes


def prefix_store(
    environment: Mapping[str, str], spec: EngineSpec, loaded: LoadedModel, package: str | None
) -> PrefixStore | None:
    """The store of a ready engine; None when the user has set its size to 0, or it cannot be known what is loaded.

    `package` names what brought the engine, None when nobody knows. Raises UserError `bad-setting`.
    """
    folder = slots_folder(environment)
    limit_bytes = _limit_bytes(environment, folder)
    if limit_bytes <= 0 or package is None:
        return None
    try:
        weights = _weights(Path(spec.model_path))
    except OSError:
        return None
    facts = (
        _FORMAT,
        weights,
        package,
        loaded.build,
        loaded.context_window,
        spec.kv_type,
        spec.parameters.slots,
        blake2b(loaded.chat_template.encode("utf-8", "replace"), digest_size=16).hexdigest(),
    )
    return PrefixStore(str(folder), engine_digest(facts), limit_bytes)


def _weights(path: Path) -> tuple[tuple[object, ...], ...]:
    """Each part's size, time of change, and a digest of its first MiB.

    Not of the whole file: 20 GB take 15 s to hash at every start. A file that was replaced differs in its time, and
    one that keeps even that still has its architecture, quantisation and vocabulary in the first MiB.
    """
    facts: list[tuple[object, ...]] = []
    for part in model_parts(path):
        with part.open("rb") as file:
            header = blake2b(file.read(_HEADER_BYTES), digest_size=16).hexdigest()
        stat = part.stat()
        facts.append((stat.st_size, stat.st_mtime_ns, header))
    return tuple(facts)


def _limit_bytes(environment: Mapping[str, str], folder: Path) -> int:
    asked = environment.get(LIMIT_VARIABLE, "").strip()
    if asked:
        try:
            return int(float(asked) * 2**30)
        except (ValueError, OverflowError) as error:
            raise UserError(
                "bad-setting", f"`{LIMIT_VARIABLE}` is `{asked}`, which is no number of GiB", f"{LIMIT_VARIABLE}=4"
            ) from error
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    held_bytes = sum(file.stat().st_size for file in folder.iterdir()) if folder.is_dir() else 0
    return default_limit_bytes(shutil.disk_usage(there).free + held_bytes)
