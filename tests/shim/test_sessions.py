"""The session table: tokens, folders, counts."""

from __future__ import annotations

import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.shim.protocol import OpenSession, SessionGrant, SessionStatus
from agentlaunch.shim.session import Session
from agentlaunch.shim.sessions import SessionTable
from agentlaunch.shim.watch import SessionSeen
from agentlaunch.system.process import ProcessId

URL = "http://127.0.0.1:4711"
SPEC = EngineSpec("/models/a.gguf", "a", 32768)
ENDPOINT = Endpoint("llamacpp", "openai_chat", "http://127.0.0.1:1", "a", context_window=32768)
PROCESS = ProcessId(4242, 1_700_000_000.0)
WISH = OpenSession("claude", "a", PROCESS, SPEC, 32768, 4096)


@pytest.fixture
def table(tmp_path: Path) -> SessionTable:
    return SessionTable(URL, tmp_path / "sessions", clock=lambda: 1000.0)


@pytest.mark.report("B318")
def test_an_opened_session_is_found_by_its_token_and_by_no_other(table: SessionTable, tmp_path: Path) -> None:
    id_ = table.begin(WISH)
    grant = table.finish(id_, ENDPOINT)
    assert grant == SessionGrant(id_, grant.token, URL, "a", 32768, str(tmp_path / "sessions" / id_))
    assert table.find(grant.token) == Session(id_, grant.token, "claude", "a", ENDPOINT, 32768, 4096, SPEC)
    assert [table.find(token) for token in ("", grant.token[:-1], grant.token + "x", "tökén")] == [None] * 4


def test_a_token_that_was_chosen_is_awaited_until_its_session_is_open(table: SessionTable) -> None:
    id_ = table.begin(WISH, "chosen")
    assert [table.awaits(token) for token in ("chosen", "", "other", "tökén")] == [True, False, False, False]
    table.finish(id_, ENDPOINT, "chosen")
    assert (table.awaits("chosen"), table.find("chosen") is not None) == (False, True)


def test_ids_and_tokens_differ_between_sessions(table: SessionTable) -> None:
    grants = [table.finish(table.begin(WISH), ENDPOINT) for _ in range(20)]
    assert len({grant.id for grant in grants}) == len({grant.token for grant in grants}) == 20
    assert min(len(grant.token) for grant in grants) >= 43


def test_a_session_whose_engine_loads_has_no_token_yet_but_uses_the_engine(table: SessionTable) -> None:
    id_ = table.begin(WISH)
    assert (len(table), table.statuses(), table.uses(SPEC)) == (1, (), True)
    table.close(id_)
    assert (len(table), table.uses(SPEC)) == (0, False)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_folder_is_its_owners_alone(table: SessionTable) -> None:
    grant = table.finish(table.begin(WISH), ENDPOINT)
    assert stat.S_IMODE(Path(grant.session_dir).stat().st_mode) == 0o700


def test_closing_removes_the_folder_and_the_token(table: SessionTable) -> None:
    grant = table.finish(table.begin(WISH), ENDPOINT)
    (Path(grant.session_dir) / "settings.json").write_text("{}")
    assert table.close(grant.id) == WISH
    assert (table.find(grant.token), Path(grant.session_dir).exists(), table.close(grant.id)) == (None, False, None)


def test_the_window_is_the_smaller_of_the_wish_and_the_engines_own(table: SessionTable) -> None:
    windows = [
        table.finish(table.begin(WISH), Endpoint("x", "openai_chat", "http://127.0.0.1:1", "a", context_window=window))
        for window in (8192, 65536, None)
    ]
    assert [grant.context_window for grant in windows] == [8192, 32768, 32768]


def test_a_given_token_is_taken_and_no_folder_is_made_without_a_root() -> None:
    table = SessionTable(URL, None)
    grant = table.finish(table.begin(WISH), ENDPOINT, "chosen")
    assert (grant.token, grant.session_dir) == ("chosen", "")
    assert table.find("chosen") is not None
    table.remove_strange_folders()
    assert table.close(grant.id) == WISH


def test_an_engine_that_was_started_again_takes_its_sessions_with_it(table: SessionTable) -> None:
    mine = table.finish(table.begin(WISH), ENDPOINT)
    others = table.finish(table.begin(replace(WISH, target=ENDPOINT)), ENDPOINT)
    moved = replace(ENDPOINT, base_url="http://127.0.0.1:2")
    table.begin(WISH)
    table.move(SPEC, moved)
    found = [table.find(grant.token) for grant in (mine, others)]
    assert [session and session.endpoint for session in found] == [moved, ENDPOINT]
    assert table.engines() == {SPEC}


def test_status_counts_requests_of_open_sessions(table: SessionTable) -> None:
    grant = table.finish(table.begin(WISH), ENDPOINT)
    table.touch(grant.id)
    table.touch(grant.id)
    table.touch("gone")
    assert table.statuses() == (SessionStatus(grant.id, "claude", "a", 4242, 1000.0, 2, 32768),)


def test_a_session_lives_with_its_process_and_one_without_a_process_lives(table: SessionTable) -> None:
    mine = table.begin(WISH)
    served = table.begin(OpenSession("serve", "a", None, ENDPOINT, 32768, 4096))
    assert table.seen(lambda process: process != PROCESS) == (
        SessionSeen(mine, SPEC, process_lives=False),
        SessionSeen(served, None, process_lives=True),
    )


def test_folders_of_unknown_sessions_are_removed_and_ours_stay(table: SessionTable, tmp_path: Path) -> None:
    grant = table.finish(table.begin(WISH), ENDPOINT)
    strange = tmp_path / "sessions" / "0123456789abcdef"
    strange.mkdir()
    (strange / "config.toml").write_text("")
    table.remove_strange_folders()
    assert list((tmp_path / "sessions").iterdir()) == [Path(grant.session_dir)]


def test_no_token_is_in_a_repr(table: SessionTable) -> None:
    grant = table.finish(table.begin(WISH), ENDPOINT)
    assert grant.token not in repr(grant)
    assert grant.token not in repr(table.find(grant.token))
