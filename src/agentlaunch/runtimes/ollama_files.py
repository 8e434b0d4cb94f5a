"""The weights that Ollama keeps on this machine: a model's GGUF file, found through its manifest without a server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from agentlaunch.runtimes.ollama_models import with_tag

_MODEL_LAYER = "application/vnd.ollama.image.model"
_SERVICE_FOLDER = Path("/usr/share/ollama/.ollama/models")
"""Where Ollama's Linux service keeps its models: its user's home (report B305)."""
_REGISTRY, _NAMESPACE = "registry.ollama.ai", "library"
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")


def find_weights(name: str, environment: Mapping[str, str]) -> Path | None:
    """The GGUF file of the model `name`, None where there is none that we may read."""
    place = _manifest_place(with_tag(name))
    if place is None:
        return None
    for folder in model_folders(environment):
        found = _weights(folder, place)
        if found is not None:
            return found
    return None


def all_weights(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Every model whose weights we may read, by its name with the tag, and its GGUF file."""
    named: set[str] = set()
    for folder in model_folders(environment):
        for place in _manifests(folder):
            registry, namespace, model, tag = place
            name = f"{model}:{tag}" if (registry, namespace) == (_REGISTRY, _NAMESPACE) else ""
            name = name or "/".join(part for part in (registry, namespace, f"{model}:{tag}") if part != _REGISTRY)
            found = _weights(folder, place)
            if found is not None and name not in named:
                named.add(name)
                yield name, found


def model_folders(environment: Mapping[str, str]) -> Iterator[Path]:
    """The folders that a server on this machine may use, its own setting first."""
    chosen = environment.get("OLLAMA_MODELS", "")
    if chosen:
        yield Path(chosen)
    home = environment.get("HOME") or environment.get("USERPROFILE")
    if home:
        yield Path(home) / ".ollama" / "models"
    yield _SERVICE_FOLDER


def _manifest_place(name: str) -> tuple[str, ...] | None:
    """Registry, namespace, model and tag; None for a name that is none."""
    path, _, tag = name.rpartition(":")
    parts = path.split("/")
    whole = (*([_REGISTRY, _NAMESPACE][: max(0, 3 - len(parts))]), *parts, tag)
    is_name = len(whole) == 4 and all(_PLAIN.fullmatch(part) and part.strip(".") for part in whole)
    return whole if is_name else None


def _manifests(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Registry, namespace, model and tag of each manifest; nothing for a folder that may not be read."""
    try:
        found = sorted(path.relative_to(folder / "manifests").parts for path in folder.glob("manifests/*/*/*/*"))
    except OSError:
        return
    yield from ((place[0], place[1], place[2], place[3]) for place in found)


def _weights(folder: Path, place: tuple[str, ...]) -> Path | None:
    try:
        content: object = json.loads(folder.joinpath("manifests", *place).read_bytes())
    except (OSError, ValueError):
        return None
    match content:
        case {"layers": list(layers)}:
            for layer in layers:
                match layer:
                    case {"mediaType": str(kind), "digest": str(digest)} if kind == _MODEL_LAYER:
                        return _blob(folder, digest)
    return None


def _blob(folder: Path, digest: str) -> Path | None:
    found = _DIGEST.fullmatch(digest)
    blob = folder / "blobs" / f"sha256-{found[1]}" if found else None
    try:
        return blob if blob is not None and blob.is_file() else None
    except OSError:
        return None
