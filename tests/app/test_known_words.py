"""app/known_words.py: the names that a completion offers."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentlaunch.app.known_words import known_words
from agentlaunch.app.upstream_store import NoKey, StoredUpstream, write_upstream
from agentlaunch.system.dirs import find_dirs


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "AGENTLAUNCH_HOME": str(tmp_path / "ours")}


def test_models_are_the_files_of_the_folder_then_the_catalogue_then_upstreams(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine.gguf").touch()
    (tmp_path / "two\nlines.gguf").touch()
    write_upstream(StoredUpstream("team", "openai", "http://127.0.0.1:9", "big", NoKey()), find_dirs(environment))
    words = known_words("models", environment, tmp_path)
    assert (words[:2], "qwen3-coder-30b-a3b" in words, words[-1]) == (("demo", "mine.gguf"), True, "team/big")
    assert all(word.isprintable() for word in words)


def test_upstreams_and_policies_are_the_users(environment: dict[str, str], tmp_path: Path) -> None:
    dirs = find_dirs(environment)
    write_upstream(StoredUpstream("team", "openai", "http://127.0.0.1:9", "", NoKey()), dirs)
    (dirs.config / "config.toml").write_text("[policies.cheap]\n[policies.private]\n")
    assert known_words("upstreams", environment, tmp_path) == ("team",)
    assert known_words("policies", environment, tmp_path) == ("cheap", "private")


@pytest.mark.parametrize("kind", ["upstreams", "policies", "unknown"])
def test_a_file_that_cannot_be_read_is_no_word_and_no_error(
    kind: str, environment: dict[str, str], tmp_path: Path
) -> None:
    dirs = find_dirs(environment)
    dirs.config.mkdir(parents=True)
    for name in ("upstreams.toml", "config.toml"):
        (dirs.config / name).write_text("[[[")
    assert known_words(kind, environment, tmp_path) == ()
