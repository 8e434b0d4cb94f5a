"""The file of finished requests: whole after a kill, a full disk and two writers; whatever lies there is kept."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.doubles.usage_rows import NOON, ROW, row

from agentlaunch.core.metering import Grouping, RequestRecord, UsageSum
from agentlaunch.system.usage_reader import UsageReader
from agentlaunch.system.usage_recorder import local_day
from agentlaunch.system.usage_store import MIGRATIONS, StoreDamaged, StoreUnusable, UsageStore

ALL_TIME = "1970-01-02"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "usage.sqlite"


def kept(path: Path) -> tuple[RequestRecord, ...]:
    reader = UsageReader.find(path)
    return () if reader is None else reader.requests(ALL_TIME, 0)


def keep(path: Path, *rows: RequestRecord) -> Path:
    store = UsageStore.open(path)
    try:
        store.append(rows)
        return store.path
    finally:
        store.close()


def summed(path: Path, by: Grouping, since: str = ALL_TIME) -> tuple[UsageSum, ...]:
    reader = UsageReader.find(path)
    assert reader is not None
    return reader.sums(by, since)


def test_what_was_appended_is_read_back_the_newest_last(path: Path) -> None:
    later = row(time=NOON + 60, first_byte_ms=None, cost_usd=None, reference_cost_usd=None, decode_tok_s=None)
    keep(path, later, ROW)
    assert kept(path) == (ROW, later)


def test_only_the_last_requests_are_listed_when_so_many_are_asked_for(path: Path) -> None:
    keep(path, *(row(time=NOON + second) for second in range(10)))
    reader = UsageReader.find(path)
    assert reader is not None
    assert [each.time for each in reader.requests(ALL_TIME, 2)] == [NOON + 8, NOON + 9]


def test_requests_before_the_day_asked_for_are_left_out(path: Path) -> None:
    keep(path, row(time=NOON - 3 * 86_400), ROW)
    reader = UsageReader.find(path)
    assert reader is not None
    assert reader.requests(local_day(NOON), 0) == (ROW,)
    assert [each.key for each in reader.sums(Grouping.DAY, local_day(NOON))] == [local_day(NOON)]


def test_the_sums_add_up_every_row_by_each_grouping(path: Path) -> None:
    failed = row(agent="codex", model="other", project="", status="timeout", first_byte_ms=None, tokens_out=0)
    cancelled = row(status="cancelled", cost_usd=None, reference_cost_usd=None)
    keep(path, ROW, failed)
    keep(path, cancelled)
    claude = UsageSum("claude", 2, 0, 1, 2, 2000, 1600, 100, 241.0, 4240.5, 2, 0.25, 0.75)
    codex = UsageSum("codex", 1, 1, 0, 0, 1000, 800, 0, 0.0, 2120.25, 1, 0.25, 0.75)
    assert summed(path, Grouping.AGENT) == (claude, codex)
    assert [each.key for each in summed(path, Grouping.MODEL)] == ["qwen3-coder", "other"]
    assert [each.key for each in summed(path, Grouping.UPSTREAM)] == ["llamacpp"]
    assert [each.key for each in summed(path, Grouping.PROJECT)] == ["/home/me/app", ""]
    whole = UsageSum(local_day(NOON), 3, 1, 1, 2, 3000, 2400, 100, 241.0, 6360.75, 3, 0.5, 1.5)
    assert summed(path, Grouping.DAY) == (whole,)


def test_nothing_is_saved_by_a_request_whose_own_cost_is_unknown(path: Path) -> None:
    keep(path, row(cost_usd=None))
    assert summed(path, Grouping.DAY)[0].saved_usd == 0.0


def test_the_day_is_the_calendar_day_of_this_machines_clock(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.doubles.usage_rows import row\n"
        "from agentlaunch.system.usage_store import UsageStore\n"
        "from agentlaunch.system.usage_recorder import local_day\n"
        "store = UsageStore.open(Path(sys.argv[1])); store.append([row(time=1795651200.0 - 60)])\n"
        "print(store.spent_usd('2026-11-25'), store.spent_usd('2026-11-26'), local_day(1795651200.0 - 60))"
    )
    east = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "TZ": "UTC-3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert east.stdout.split() == ["0.0", "0.25", "2026-11-26"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_the_file_and_its_companions_are_their_owners_alone(path: Path) -> None:
    path.parent.mkdir()
    path.touch(mode=0o644)
    store = UsageStore.open(path)
    store.append([ROW])
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.glob("usage.sqlite*")}
    store.close()
    assert modes == {"usage.sqlite": 0o600, "usage.sqlite-wal": 0o600, "usage.sqlite-shm": 0o600}


def test_where_nothing_was_kept_there_is_nothing_to_read_and_nothing_is_made(path: Path) -> None:
    assert UsageReader.find(path) is None
    assert not path.parent.exists()


def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, and longer than a header of SQLite's: " * 20)
    before = path.read_bytes()
    keep(path, ROW)
    assert kept(path) == (ROW,)
    assert path.with_name("usage.sqlite.damaged-1").read_bytes() == before


def test_a_second_damaged_file_does_not_overwrite_the_first(path: Path) -> None:
    path.parent.mkdir()
    for content in (b"first " * 200, b"second " * 200):
        path.write_bytes(content)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        keep(path, ROW)
    assert path.with_name("usage.sqlite.damaged-1").read_bytes()[:5] == b"first"
    assert path.with_name("usage.sqlite.damaged-2").read_bytes()[:6] == b"second"


def test_a_database_of_another_program_is_set_aside_unchanged(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE theirs (a)")
        foreign.commit()
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="another program"):
        UsageReader.find(path)
    keep(path, ROW)
    assert kept(path) == (ROW,)
    assert path.with_name("usage.sqlite.damaged-1").read_bytes() == before


def test_a_file_of_a_newer_version_stays_as_it_is_and_rows_go_beside_it(path: Path) -> None:
    newer = UsageStore.open(path, (*MIGRATIONS, ("ALTER TABLE requests ADD COLUMN more TEXT",)))
    newer.append([ROW])
    newer.close()
    before = path.read_bytes()
    chosen = keep(path, row(agent="codex"))
    assert chosen == path.with_name("usage.v1.sqlite")
    assert kept(path) == (row(agent="codex"),)
    assert path.read_bytes() == before


def test_a_file_of_an_older_version_is_brought_to_the_newest_with_its_rows(path: Path) -> None:
    keep(path, ROW)
    steps = (*MIGRATIONS, ("ALTER TABLE requests ADD COLUMN more TEXT DEFAULT 'x'",), ("CREATE TABLE extra (a)",))
    newer = UsageStore.open(path, steps)
    newer.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT agent, more FROM requests").fetchall() == [("claude", "x")]
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)


def test_a_migration_that_fails_leaves_the_file_at_its_old_version(path: Path) -> None:
    keep(path, ROW)
    with pytest.raises(StoreUnusable):
        UsageStore.open(path, (*MIGRATIONS, ("CREATE TABLE extra (a)", "this is no SQL")))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'extra'").fetchall() == []
    assert kept(path) == (ROW,)


def test_a_batch_with_a_row_that_cannot_be_kept_is_kept_as_none(path: Path) -> None:
    store = UsageStore.open(path)
    with pytest.raises(StoreUnusable):
        store.append([ROW, row(agent=None)])
    store.append([row(agent="codex")])
    store.close()
    assert kept(path) == (row(agent="codex"),)


def test_a_file_that_may_grow_no_further_refuses_rows_and_keeps_what_it_has(path: Path) -> None:
    store = UsageStore.open(path)
    store.append([ROW])
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 4}")  # as on a disk with 16 KiB left
    with pytest.raises(StoreUnusable, match="full"):
        store.append([row(session=f"{number}" * 50) for number in range(500)])
    store.append([row(agent="small")])
    store.close()
    assert kept(path) == (ROW, row(agent="small"))


def test_a_writer_that_is_killed_leaves_whole_batches_and_a_sound_file(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.doubles.usage_rows import row\n"
        "from agentlaunch.system.usage_store import UsageStore\n"
        "store = UsageStore.open(Path(sys.argv[1]))\n"
        "batch = 0\n"
        "while True:\n"
        "    store.append([row(session=str(batch)) for _ in range(7)])\n"
        "    batch += 1\n"
        "    if batch % 5 == 0: print(batch, flush=True)\n"
    )
    for killed in range(1, 4):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = [int(writer.stdout.readline()) for _ in range(3)][-1]
            writer.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
            writer.wait()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            counts = connection.execute("SELECT count(*) FROM requests GROUP BY session").fetchall()
            assert {count % 7 for (count,) in counts} == {0}
            rows = sum(count for (count,) in counts)
            assert rows >= told * 7 * killed
            assert connection.execute("SELECT sum(requests) FROM sums WHERE grouping = 'day'").fetchone() == (rows,)


def test_two_processes_write_at_once_and_no_row_is_lost(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.doubles.usage_rows import row\n"
        "from agentlaunch.system.usage_store import UsageStore\n"
        "store = UsageStore.open(Path(sys.argv[1]))\n"
        "for number in range(100): store.append([row(session=sys.argv[2] + str(number))] * 3)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in ("a", "b")]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(kept(path)) == 600
    assert summed(path, Grouping.AGENT)[0].requests == 600


def test_a_folder_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / "odd ?#% name" / "usage.sqlite"
    keep(path, ROW)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.parent.chmod(0o500)
    try:
        assert kept(path) == (ROW,)
    finally:
        path.parent.chmod(0o700)


def test_a_reader_sees_the_file_while_a_writer_is_in_the_middle_of_a_batch(path: Path) -> None:
    keep(path, ROW)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE requests SET agent = 'half'")
        assert kept(path) == (ROW,)
        writer.execute("ROLLBACK")
