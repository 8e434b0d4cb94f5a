"""`fit hf:OWNER/REPO[:QUANT]`: sizes from the repository's list, the architecture from the catalogue or one header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.doubles.hugging_face_server import HuggingFaceDouble

from agentlaunch.app.fit import FitOrder, Fitted, fit
from agentlaunch.core.gguf import parse_gguf
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.core.weight_names import RepositoryFile
from agentlaunch.errors import AgentlaunchError, RemoteError, UserError
from agentlaunch.weights.hub_settings import read_hub_settings
from agentlaunch.weights.hugging_face import list_repository
from agentlaunch.weights.remote_header import STEP_BYTES, read_remote_header

if TYPE_CHECKING:
    from conftest import Made, MakeWorld

CODER = "unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF"
TINY = "me/Tiny-GGUF"
PADDING = b"\0" * (2 * STEP_BYTES)


@pytest.fixture
def content(scripted_model: Callable[[Script], Path]) -> bytes:
    return scripted_model(Script()).read_bytes()


@pytest.fixture
def double(content: bytes) -> Iterator[HuggingFaceDouble]:
    repositories = {
        TINY: {"Tiny-Q4_K_M.gguf": content + PADDING, "Tiny-Q8_0.gguf": content + 2 * PADDING, "mmproj-F16.gguf": b"x"},
        CODER: {"Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf": b"c" * 1000},
        "me/Empty": {"README.md": b"-"},
        "me/Broken-GGUF": {"Broken-Q4_0.gguf": b"no header"},
    }
    with HuggingFaceDouble(repositories).running() as running:
        yield running


@pytest.fixture
def made(double: HuggingFaceDouble, make_world: MakeWorld) -> Made:
    return make_world(HF_ENDPOINT=double.url)


def fitted(made: Made, model: str, **more: object) -> Fitted:
    return fit(replace(FitOrder(model), **more), made.world)  # type: ignore[arg-type]


def refused(made: Made, model: str, **more: object) -> AgentlaunchError:
    with pytest.raises(AgentlaunchError) as caught:
        fitted(made, model, **more)
    return caught.value


def test_an_unknown_repository_is_sized_from_one_header_and_its_list(
    made: Made, double: HuggingFaceDouble, content: bytes
) -> None:
    found = fitted(made, f"hf:{TINY}", context=2048)
    sizes = {one.quant: one.file_bytes for one in found.table}
    assert sizes == {"Q4_K_M": len(content) + len(PADDING), "Q8_0": len(content) + 2 * len(PADDING)}
    assert found.best.fits
    assert [request.headers["range"] for request in double.stored] == [f"bytes=0-{STEP_BYTES - 1}"]


def test_a_named_quantisation_is_the_only_one(made: Made) -> None:
    for name, quant in ((f"hf:{TINY}:q8_0", None), (f"hf:{TINY}", "Q8_0")):
        assert {one.quant for one in fitted(made, name, quant=quant, context=2048).table} == {"Q8_0"}


def test_a_repository_of_the_catalogue_needs_no_header(made: Made, double: HuggingFaceDouble) -> None:
    found = fitted(made, f"hf:{CODER}", context=16_384)
    assert (found.model.id, [quant.file_bytes for quant in found.model.quants]) == ("qwen3-coder-30b-a3b", [1000])
    assert double.transfers == []


@pytest.mark.parametrize(
    ("name", "quant", "code"),
    [
        (f"hf:{TINY}:Q2_K", None, "unknown-quant"),
        (f"hf:{TINY}:Q2_K", "Q8_0", "quant-option"),
        ("hf:me/Empty", None, "no-weights"),
        ("hf:me/Nothing", None, "unknown-repository"),
        ("hf:me/Broken-GGUF", None, "bad-header"),
    ],
)
def test_what_cannot_be_sized_says_why(made: Made, name: str, quant: str | None, code: str) -> None:
    error = refused(made, name, quant=quant)
    assert (error.code, bool(error.hint)) == (code, True)


def test_a_server_without_ranges_gives_the_header_all_the_same(
    made: Made, double: HuggingFaceDouble, content: bytes
) -> None:
    double.moods.has_ranges = False
    settings = read_hub_settings(made.world.environment)
    listing = list_repository(TINY, settings)
    file = next(file for file in listing.files if "Q4_K_M" in file.name)
    assert read_remote_header(listing, file, settings) == parse_gguf(lambda at, size: content[at : at + size])


def test_a_file_that_has_gone_is_an_error_with_a_way_on(made: Made) -> None:
    settings = read_hub_settings(made.world.environment)
    listing = list_repository(TINY, settings)
    with pytest.raises(RemoteError, match="is not in"):
        read_remote_header(listing, RepositoryFile("gone.gguf", 10, "0" * 64), settings)


def test_a_file_that_is_here_is_read_here(made: Made, double: HuggingFaceDouble, content: bytes) -> None:
    (made.world.folder / "Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf").write_bytes(content)
    found = fitted(made, f"hf:{CODER}:Q4_K_M", context=2048)
    assert found.path == made.world.folder / "Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf"
    assert double.asked == []
    with pytest.raises(UserError):
        fitted(made, f"hf:{CODER}:Q4_K_M", context=10**9)
