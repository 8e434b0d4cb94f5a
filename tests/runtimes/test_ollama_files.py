"""Ollama's own files, read without its server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentlaunch.runtimes.ollama_files import all_weights, find_weights

DIGEST = "ab" * 32


def store(models: Path, *place: str, digest: str = f"sha256:{DIGEST}") -> Path:
    """A model as Ollama stores it; its weights' file."""
    manifest = models.joinpath("manifests", *place)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": f"sha256:{'cd' * 32}"},
        {"mediaType": "application/vnd.ollama.image.model", "digest": digest},
    ]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    blob = models / "blobs" / f"sha256-{DIGEST}"
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(b"GGUF")
    return blob


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("tiny", ("registry.ollama.ai", "library", "tiny", "latest")),
        ("tiny:1b", ("registry.ollama.ai", "library", "tiny", "1b")),
        ("me/tiny", ("registry.ollama.ai", "me", "tiny", "latest")),
        ("hf.co/me/tiny-GGUF:Q4_K_M", ("hf.co", "me", "tiny-GGUF", "Q4_K_M")),
    ],
)
def test_a_name_leads_to_its_weights(tmp_path: Path, name: str, place: tuple[str, ...]) -> None:
    blob = store(tmp_path / ".ollama" / "models", *place)
    assert find_weights(name, {"HOME": str(tmp_path)}) == blob
    assert find_weights(f"{name}x", {"HOME": str(tmp_path)}) is None


def test_the_users_own_folder_comes_first(tmp_path: Path) -> None:
    place = ("registry.ollama.ai", "library", "tiny", "latest")
    store(tmp_path / ".ollama" / "models", *place)
    blob = store(tmp_path / "disk", *place)
    assert find_weights("tiny", {"HOME": str(tmp_path), "OLLAMA_MODELS": str(tmp_path / "disk")}) == blob


@pytest.mark.parametrize("name", ["", ":", "../../etc/passwd", "a/b/c/d", "..:x", "tiny:..", "ti ny", "/tiny"])
def test_a_name_that_is_none_leads_nowhere(tmp_path: Path, name: str) -> None:
    store(tmp_path / ".ollama" / "models", "registry.ollama.ai", "library", "tiny", "latest")
    assert find_weights(name, {"HOME": str(tmp_path)}) is None


@pytest.mark.parametrize("digest", ["sha256:../../x", "sha256:00", f"sha256:{'00' * 32}"])
def test_a_manifest_that_leads_nowhere_is_no_model(tmp_path: Path, digest: str) -> None:
    place = ("registry.ollama.ai", "library", "tiny", "latest")
    store(tmp_path / ".ollama" / "models", *place, digest=digest)
    assert find_weights("tiny", {"HOME": str(tmp_path)}) is None


def test_a_manifest_that_is_no_json_is_no_model(tmp_path: Path) -> None:
    models = tmp_path / ".ollama" / "models"
    store(models, "registry.ollama.ai", "library", "tiny", "latest")
    (models / "manifests" / "registry.ollama.ai" / "library" / "tiny" / "latest").write_text("[]")
    assert find_weights("tiny", {"HOME": str(tmp_path)}) is None


def test_all_weights_are_named_as_ollama_names_them_and_the_first_folder_wins(tmp_path: Path) -> None:
    home, own = tmp_path / "home" / ".ollama" / "models", tmp_path / "own"
    store(home, "registry.ollama.ai", "library", "tiny", "1b")
    store(home, "registry.ollama.ai", "me", "tiny", "latest")
    store(home, "hf.co", "me", "tiny-GGUF", "Q4_K_M")
    store(home, "registry.ollama.ai", "library", "broken", "latest", digest="sha256:../../etc/passwd")
    first = store(own, "registry.ollama.ai", "library", "tiny", "1b")
    environment = {"HOME": str(tmp_path / "home"), "OLLAMA_MODELS": str(own)}
    found = dict(all_weights(environment))
    assert set(found) == {"tiny:1b", "me/tiny:latest", "hf.co/me/tiny-GGUF:Q4_K_M"}
    assert found["tiny:1b"] == first
    assert all(find_weights(name, environment) == path for name, path in found.items())
