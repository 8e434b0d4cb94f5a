"""What a saved state is known by, and how much of the disk the states may take."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from agentlaunch.core.engine import EngineParameters, EngineSpec
from agentlaunch.core.prefix_store import MAX_BYTES, PrefixStore
from agentlaunch.errors import UserError
from agentlaunch.runtimes.llama_cpp_prefixes import LIMIT_VARIABLE, LoadedModel, prefix_store

LOADED = LoadedModel(8192, "{{ messages }}", "b1")
PACKAGE = "2026.10.1"


def environment(home: Path, limit: str = "") -> dict[str, str]:
    return {"AGENTLAUNCH_HOME": str(home), LIMIT_VARIABLE: limit}


@pytest.fixture
def spec(tmp_path: Path) -> EngineSpec:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(3_000_000))
    os.utime(path, ns=(10**18, 10**18))
    return EngineSpec(str(path), "model", 8192)


def store_of(home: Path, spec: EngineSpec, loaded: LoadedModel = LOADED, package: str = PACKAGE) -> PrefixStore:
    store = prefix_store(environment(home), spec, loaded, package)
    assert store is not None
    return store


def test_the_same_engine_finds_its_states_again(tmp_path: Path, spec: EngineSpec) -> None:
    assert store_of(tmp_path, spec) == store_of(tmp_path, replace(spec, alias="another name"))


def test_whatever_a_state_depends_on_makes_another_engine(tmp_path: Path, spec: EngineSpec) -> None:
    path = Path(spec.model_path)
    engines = [
        store_of(tmp_path, spec).engine,
        store_of(tmp_path, replace(spec, kv_type="q8_0")).engine,
        store_of(tmp_path, spec, replace(LOADED, context_window=4096)).engine,
        store_of(tmp_path, spec, replace(LOADED, chat_template="{{ other }}")).engine,
        store_of(tmp_path, spec, replace(LOADED, build="b2")).engine,
        store_of(tmp_path, spec, LOADED, "2026.10.2").engine,
        store_of(tmp_path, replace(spec, parameters=EngineParameters(slots=1))).engine,
    ]
    path.write_bytes(b"GGUF" + b"x" * 3_000_000)
    os.utime(path, ns=(10**18, 10**18))
    engines.append(store_of(tmp_path, spec).engine)
    path.write_bytes(b"GGUF" + b"x" * 3_000_001)
    os.utime(path, ns=(10**18, 10**18))
    engines.append(store_of(tmp_path, spec).engine)
    os.utime(path, ns=(10**18, 10**18 + 10**9))
    engines.append(store_of(tmp_path, spec).engine)
    assert len(set(engines)) == len(engines)


@pytest.mark.parametrize(("asked", "limit_bytes"), [("4", 4 * 2**30), ("0.5", 2**29), (" 1 ", 2**30)])
def test_the_user_s_limit_counts(tmp_path: Path, spec: EngineSpec, asked: str, limit_bytes: int) -> None:
    store = prefix_store(environment(tmp_path, asked), spec, LOADED, PACKAGE)
    assert store is not None
    assert (store.folder, store.max_bytes) == (str(tmp_path / "cache" / "prefixes"), limit_bytes)


def test_without_one_it_is_bounded_and_looking_makes_no_folder(tmp_path: Path, spec: EngineSpec) -> None:
    assert 0 < store_of(tmp_path / "home", spec).max_bytes <= MAX_BYTES
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("asked", ["0", "-1"])
def test_a_limit_of_nothing_turns_it_off(tmp_path: Path, spec: EngineSpec, asked: str) -> None:
    assert prefix_store(environment(tmp_path, asked), spec, LOADED, PACKAGE) is None


@pytest.mark.parametrize("asked", ["much", "nan", "inf"])
def test_a_limit_that_is_no_number_is_named(tmp_path: Path, spec: EngineSpec, asked: str) -> None:
    with pytest.raises(UserError, match=f"`{asked}`"):
        prefix_store(environment(tmp_path, asked), spec, LOADED, PACKAGE)


def test_a_model_that_is_gone_has_no_store(tmp_path: Path, spec: EngineSpec) -> None:
    assert (
        prefix_store(environment(tmp_path), replace(spec, model_path=str(tmp_path / "gone.gguf")), LOADED, PACKAGE)
        is None
    )


def test_an_engine_of_an_unknown_package_has_no_store(tmp_path: Path, spec: EngineSpec) -> None:
    assert prefix_store(environment(tmp_path), spec, LOADED, None) is None
