"""The model files that lie on this machine, wherever we and other programs keep them, and whose they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

from agentlaunch.core.weight_names import is_weights, quant_of, split_part, without_quant
from agentlaunch.weights import hub_cache
from agentlaunch.weights.hub_settings import read_hub_settings, user_home

Owner: TypeAlias = Literal["folder", "agentlaunch", "hugging-face", "lm-studio", "llama.cpp", "ollama"]

OWNER_TITLES: dict[Owner, str] = {
    "folder": "this folder",
    "agentlaunch": "agentlaunch",
    "hugging-face": "the Hugging Face cache",
    "lm-studio": "LM Studio",
    "llama.cpp": "llama.cpp's cache",
    "ollama": "Ollama",
}
LOOKED_AT = 2000
"""Files looked at in each place: a disk full of models is not a reason to wait."""


@dataclass(frozen=True)
class Place:
    """A folder, the pattern of the files in it, and who keeps them."""

    folder: Path
    pattern: str
    owner: Owner


@dataclass(frozen=True)
class Holding:
    """One model in one quantisation on this machine.

    `name` is how it is called: a Hugging Face reference, a tag of Ollama's, else the file's name without suffix and
    part. `path` is its first file, None where its owner's files cannot be seen; `files` are all of them. `model` is its
    name without quantisation, `missing_parts` counts those of a split model that are not here.
    """

    name: str
    owner: Owner
    path: Path | None
    files: tuple[Path, ...]
    size_bytes: int
    quant: str
    model: str
    repository: str = ""
    missing_parts: int = 0


def weight_places(environment: Mapping[str, str], folder: Path, ours: Path) -> tuple[Place, ...]:
    """Where files may lie, in the order in which they are taken: here, `ours`, then other programs'."""
    home = user_home(environment)
    hub = read_hub_settings(environment).cache
    caches = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    return (
        Place(folder, "*.gguf", "folder"),
        Place(ours, "**/*.gguf", "agentlaunch"),
        Place(hub, "models--*/snapshots/*/**/*.gguf", "hugging-face"),
        *(Place(studio, "*/*/*.gguf", "lm-studio") for studio in _lm_studio_folders(home)),
        Place(Path(environment.get("LLAMA_CACHE") or caches / "llama.cpp"), "*.gguf", "llama.cpp"),
    )


def find_holdings(places: Iterable[Place]) -> tuple[Holding, ...]:
    """The models in these places. A file that two names lead to counts once, under the first."""
    seen: set[Path] = set()
    found: list[Holding] = []
    for place in places:
        for parts in _models(_files(place)):
            first = parts[min(parts)]
            with suppress(OSError):
                content = first.resolve()
                if content not in seen:
                    seen.add(content)
                    found.append(_holding(place, parts))
    return tuple(found)


def _files(place: Place) -> list[Path]:
    """Newest snapshots first, so that of two commits with one file the newer one names it."""
    try:
        found = [path for path in islice(place.folder.glob(place.pattern), LOOKED_AT) if is_weights(path.name)]
    except OSError:
        return []
    if place.owner != "hugging-face":
        return sorted(found)
    return sorted(found, key=lambda path: (path.parts[: len(place.folder.parts) + 1], -_changed(path), path))


def _models(files: Iterable[Path]) -> Iterator[dict[int, Path]]:
    """The files of each model by part, a model that is not split as part 1."""
    grouped: dict[tuple[Path, str, int], dict[int, Path]] = {}
    for path in files:
        base, number, count = split_part(path.stem)
        grouped.setdefault((path.parent, base, count), {})[number] = path
    yield from grouped.values()


def _holding(place: Place, parts: dict[int, Path]) -> Holding:
    """Raises OSError for a file that is gone meanwhile."""
    files = tuple(parts[number] for number in sorted(parts))
    base, _, count = split_part(files[0].stem)
    quant = quant_of(base)
    repository = _repository(place, files[0])
    return Holding(
        name=f"hf:{repository}:{quant}" if place.owner == "hugging-face" and quant else base,
        owner=place.owner,
        path=files[0].absolute(),
        files=tuple(file.absolute() for file in files),
        size_bytes=sum(file.stat().st_size for file in files),
        quant=quant,
        model=without_quant(base),
        repository=repository,
        missing_parts=count - len(files),
    )


def _repository(place: Place, path: Path) -> str:
    """OWNER/REPO where the place tells it: LM Studio has folders for it, llama.cpp writes OWNER_REPO-GGUF_FILE."""
    match place.owner:
        case "hugging-face":
            return hub_cache.repository_of(path, place.folder)
        case "lm-studio":
            return "/".join(path.relative_to(place.folder).parts[:2])
        case "llama.cpp":
            head, separator, _ = path.stem.rpartition("-GGUF_")
            return f"{head.replace('_', '/', 1)}-GGUF" if separator else ""
        case _:
            return ""


def _lm_studio_folders(home: Path) -> Iterator[Path]:
    """Its own setting, the usual place, and that of versions before 0.3.5."""
    with suppress(OSError, ValueError):
        match json.loads((home / ".lmstudio" / "settings.json").read_bytes()):
            case {"downloadsFolder": str(chosen)} if chosen:
                yield Path(chosen)
    yield home / ".lmstudio" / "models"
    yield home / ".cache" / "lm-studio" / "models"


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.parent.stat().st_mtime
    return 0.0
