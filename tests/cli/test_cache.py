"""`agentlaunch cache`, on a folder of prefixes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from agentlaunch.app.cache import CachedPrefix, PrefixCache, RefusedPrefixes, run_cache
from agentlaunch.cli.cache import cache_text
from agentlaunch.core.ir import ChatRequest, Message, Role, TextPart
from agentlaunch.core.prefix_cache import KeptPrefix, packed
from agentlaunch.core.prefix_openings import Opening
from agentlaunch.errors import UserError
from agentlaunch.shim import prefix_files, prewarm_files
from agentlaunch.system.dirs import Dirs, find_dirs


def dirs_in(home: Path) -> Dirs:
    return find_dirs({"AGENTLAUNCH_HOME": str(home)})


def keep(folder: Path, name: str, tokens: int, used_at: float) -> None:
    state = b"state " * tokens
    prefix_files.prepare_folder(folder)
    (folder / prefix_files.state_name(name)).write_bytes(state)
    kept = KeptPrefix(
        name=name,
        engine="e",
        model=f"model-{name}",
        tokens=packed(range(tokens)),
        size_bytes=0,
        modified_ns=0,
        sample=b"",
        used_at=used_at,
    )
    prefix_files.seal(folder, kept, len(state))


def test_the_prefixes_are_listed_the_last_used_first_and_cleared(tmp_path: Path) -> None:
    dirs = dirs_in(tmp_path)
    keep(dirs.prefixes, "old", 10, 1.0)
    keep(dirs.prefixes, "new", 20, 2.0)
    (dirs.prefixes / "stray.slot").write_bytes(b"written, and never described")
    there = (CachedPrefix("new", "model-new", 20, 120, 2.0), CachedPrefix("old", "model-old", 10, 60, 1.0))
    assert run_cache("list", dirs) == PrefixCache(dirs.prefixes, there)
    cleared = run_cache("clear", dirs)
    assert (cleared.is_cleared, cleared.size_bytes, {each.name for each in cleared.prefixes}) == (
        True,
        180,
        {"old", "new"},
    )
    assert list(dirs.prefixes.iterdir()) == []
    assert run_cache("list", dirs) == PrefixCache(dirs.prefixes, ())


def test_where_nothing_was_kept_there_is_nothing_to_list_or_clear(tmp_path: Path) -> None:
    for action in ("list", "clear"):
        assert run_cache(action, dirs_in(tmp_path)).prefixes == ()
    assert not dirs_in(tmp_path).prefixes.exists()


def test_another_action_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown action `empty`"):
        run_cache("empty", dirs_in(tmp_path))


def test_the_texts_say_how_much_there_is_and_where() -> None:
    folder = Path("cache")
    one = CachedPrefix("a", "qwen3", 12_345, 3 * 2**30, 940.0)
    assert cache_text(PrefixCache(folder, ()), 1000.0) == "no prompt prefixes are kept yet"
    assert cache_text(PrefixCache(folder, (one,), is_cleared=True), 0) == "removed 1 prompt prefix, 3.0 GiB"
    lines = cache_text(PrefixCache(folder, (one, one)), 1000.0).splitlines()
    assert lines[0].split() == ["MODEL", "TOKENS", "SIZE", "USED"]
    assert lines[1].split() == ["qwen3", "12345", "3.0", "GiB", "1", "min", "0", "s", "ago"]
    assert lines[-1] == "2 prompt prefixes, 6.0 GiB in cache"


def test_refusals_are_listed_with_their_reason_the_newest_of_each_engine(tmp_path: Path) -> None:
    dirs = dirs_in(tmp_path)
    for engine, reason, at in (("e1", "first", 1.0), ("e1", "it does not use them", 3.0), ("e2", "too large", 2.0)):
        prefix_files.note_refusal(dirs.prefixes, prefix_files.Refusal(engine, "lfm2", reason, at))
    (dirs.prefixes / "bad.refusal").write_bytes(b"{")
    found = run_cache("list", dirs)
    assert found.refusals == (
        RefusedPrefixes("lfm2", "it does not use them", 3.0),
        RefusedPrefixes("lfm2", "too large", 2.0),
    )
    text = "no prompt prefixes are kept yet\n`lfm2`: it does not use them\n`lfm2`: too large"
    assert cache_text(found, 1000.0) == text
    run_cache("clear", dirs)
    assert run_cache("list", dirs) == PrefixCache(dirs.prefixes, ())


def test_remembered_openings_are_counted_and_go_with_clear(tmp_path: Path) -> None:
    dirs = dirs_in(tmp_path)
    opening = Opening("m", 1.0, ChatRequest("m", (Message(Role.USER, (TextPart("# 1"),)),)))
    for name in ("one", "two"):
        prewarm_files.write_opening(dirs.prefixes, name, opening)
    assert run_cache("list", dirs).openings == 2
    cleared = run_cache("clear", dirs)
    assert cache_text(cleared, 0) == "removed 0 prompt prefixes, 0.0 MiB, and 2 remembered openings"
    assert list(dirs.prefixes.iterdir()) == []


def test_the_command_tells_the_same_as_json(run_command: Run) -> None:
    ended = run_command("cache", "--json")
    assert ended.returncode == 0, ended.stderr
    data = json.loads(ended.stdout)["data"]
    assert {key: data[key] for key in ("size_bytes", "cleared", "prefixes")} == {
        "size_bytes": 0,
        "cleared": False,
        "prefixes": [],
    }
