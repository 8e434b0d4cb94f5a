"""A Hugging Face double with one repository, and a fetch without long pauses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.doubles.hugging_face_server import HuggingFaceDouble

from agentlaunch.weights.download import FetchOrder, fetch
from agentlaunch.weights.hub_settings import HubSettings
from agentlaunch.weights.hugging_face import list_repository
from agentlaunch.weights.patience import Patience
from agentlaunch.weights.progress import Progress

REPOSITORY = "maker/Tiny-GGUF"
CONTENT = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(46_875))
IMPATIENT = Patience(connect_s=5, silence_s=5, tries=3, tries_begun=3, pause_s=0.01, longest_pause_s=0.02, look_s=0.01)

Fetched = tuple[tuple[Path, ...], list[Progress]]
Fetch = Callable[..., Fetched]


@pytest.fixture
def double() -> Iterator[HuggingFaceDouble]:
    files = {"README.md": b"# Tiny", "Tiny-Q4_K_M.gguf": CONTENT, "mmproj-F16.gguf": b"an eye"}
    with HuggingFaceDouble({REPOSITORY: files}).running() as running:
        yield running


@pytest.fixture
def settings(double: HuggingFaceDouble, tmp_path: Path) -> HubSettings:
    return HubSettings(double.url, tmp_path / "hub")


@pytest.fixture
def fetch_files(settings: HubSettings) -> Fetch:
    """Fetch each file of REPOSITORY that has a digest and is named so; its paths, what was told (`told`: at once)."""

    def run(*names: str, token: str = "", told: list[Progress] | None = None) -> Fetched:
        chosen = HubSettings(settings.endpoint, settings.cache, token)
        listing = list_repository(REPOSITORY, chosen)
        files = tuple(file for file in listing.files if file.name in (names or ("Tiny-Q4_K_M.gguf",)))
        seen = [] if told is None else told
        return fetch(FetchOrder(listing, files, chosen, "go-on", IMPATIENT), seen.append), seen

    return run
