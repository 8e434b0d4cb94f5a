"""The recorder: never waits, never raises, counts what it loses, and says so in one line."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.doubles.usage_rows import ROW, row

from agentlaunch.core.metering import Grouping, RequestRecord
from agentlaunch.system.usage_reader import UsageReader
from agentlaunch.system.usage_recorder import FORGET_ROWS, UsageRecorder, local_day
from agentlaunch.system.usage_store import StoreDamaged, StoreUnusable, UsageStore

GENEROUS_S = 20.0


def wait_until(is_true: object, what: str) -> None:
    assert callable(is_true)
    until = time.monotonic() + GENEROUS_S
    while not is_true():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def kept(path: Path) -> tuple[RequestRecord, ...]:
    reader = UsageReader.find(path)
    return () if reader is None else reader.requests("1970-01-02", 0)


@contextmanager
def running(recorder: UsageRecorder) -> Iterator[UsageRecorder]:
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.close()


def test_every_row_is_in_the_file_once_the_recorder_has_closed(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    rows = [row(session=str(number)) for number in range(1500)]
    with running(UsageRecorder(path)) as recorder:
        for each in rows:
            recorder.put(each)
    assert (kept(path), recorder.lost) == (tuple(rows), 0)


def test_a_row_is_in_the_file_without_any_closing(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    with running(UsageRecorder(path)) as recorder:
        recorder.put(ROW)
        wait_until(lambda: kept(path) == (ROW,), "the row was not written")


def test_a_row_that_comes_alone_is_written_at_once_and_the_next_ones_are_gathered(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    with running(UsageRecorder(path, gather_s=3600)) as recorder:
        recorder.put(ROW)
        wait_until(lambda: kept(path) == (ROW,), "the first row was not written")
        recorder.put(ROW)
    assert kept(path) == (ROW, ROW)


def test_a_disk_that_hangs_delays_nobody_and_what_does_not_fit_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = threading.Event()

    def open_store(path: Path) -> UsageStore:
        assert hanging.wait(GENEROUS_S)
        return UsageStore.open(path)

    path = tmp_path / "usage.sqlite"
    with running(UsageRecorder(path, open_store, queue_length=10)) as recorder, caplog.at_level(logging.WARNING):
        for number in range(600):  # what the writer has in hand, the queue, and more
            recorder.put(row(session=str(number)))
        lost = recorder.lost
        assert lost > 0
        hanging.set()
        wait_until(lambda: len(kept(path)) == 600 - lost, "what was queued was not kept")
    assert recorder.lost == lost
    assert caplog.messages == [f"{lost} requests were not kept: they came faster than the disk takes them"]


@pytest.mark.parametrize("odd", [row(tokens_in=2**63), row(model="a\ud800")], ids=["a number", "a name"])
def test_what_no_column_can_hold_is_lost_and_ends_no_writing(tmp_path: Path, odd: RequestRecord) -> None:
    path = tmp_path / "usage.sqlite"
    with running(UsageRecorder(path, retry_s=0.0)) as recorder:
        recorder.put(odd)
        wait_until(lambda: recorder.lost == 1, "the loss was not counted")
        recorder.put(ROW)
        wait_until(lambda: kept(path) == (ROW,), "the row was not kept")


class FullStore(UsageStore):
    """A store whose disk is full until `room` is set."""

    room = threading.Event()

    def append(self, records: Sequence[RequestRecord]) -> None:
        if not self.room.is_set():
            raise StoreUnusable("database or disk is full")
        super().append(records)


def test_a_full_disk_is_told_once_and_rows_are_kept_again_once_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "usage.sqlite"
    FullStore.room.clear()
    with running(UsageRecorder(path, FullStore.open, retry_s=0.0)) as recorder, caplog.at_level(logging.INFO):
        for expected in (1, 2):
            recorder.put(ROW)
            wait_until(lambda expected=expected: recorder.lost == expected, "the loss was not counted")
        FullStore.room.set()
        recorder.put(row(agent="codex"))
        wait_until(lambda: kept(path) == (row(agent="codex"),), "the row was not kept")
    assert caplog.messages == [
        "requests are not kept, which stops nothing else: database or disk is full",
        "requests are kept again",
    ]


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="only root may mount a small disk")
def test_a_really_full_disk_loses_rows_and_leaves_a_sound_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this container may not mount")
    try:
        path = disk / "usage.sqlite"
        with running(UsageRecorder(path, retry_s=0.0)) as recorder:
            recorder.put(ROW)
            wait_until(lambda: kept(path) == (ROW,), "the first row was not kept")
            (disk / "rest").write_bytes(b"x" * 4096)
            for _ in range(3000):
                recorder.put(row(session="s" * 100))
            wait_until(lambda: recorder.lost > 0, "the disk took everything")
        rows = kept(path)
        assert rows[0] == ROW
        assert len(rows) + recorder.lost == 3001
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows' folders have no such mode")
def test_a_folder_that_may_not_be_written_turns_metering_off_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "usage.sqlite"  # root may write anywhere but below a file
    with running(UsageRecorder(path)) as recorder, caplog.at_level(logging.INFO):
        for _ in range(3):
            recorder.put(ROW)
        wait_until(lambda: recorder.lost == 3, "the loss was not counted")
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("requests are not kept, which stops nothing else: cannot write in")


class BlindStore(UsageStore):
    """A store that keeps rows and cannot read."""

    def spent_usd(self, day: str) -> float:
        raise StoreUnusable("cannot read")


def test_rows_that_are_kept_are_not_lost_though_the_sum_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    with running(UsageRecorder(path, BlindStore.open, retry_s=0.0)) as recorder:
        recorder.put(ROW)
        wait_until(lambda: kept(path) == (ROW,), "the row was not kept")
    assert recorder.lost == 0


class BreakingStore(UsageStore):
    """A store whose first use finds the file damaged."""

    breaks = True

    def append(self, records: Sequence[RequestRecord]) -> None:
        if type(self).breaks:
            type(self).breaks = False
            raise StoreDamaged("database disk image is malformed")
        super().append(records)


def test_a_file_that_turns_out_damaged_in_use_is_set_aside_and_a_new_one_takes_the_next_rows(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    BreakingStore.breaks = True
    with running(UsageRecorder(path, BreakingStore.open, retry_s=0.0)) as recorder:
        recorder.put(ROW)
        wait_until(lambda: recorder.lost == 1, "the loss was not counted")
        recorder.put(row(agent="codex"))
    assert kept(path) == (row(agent="codex"),)
    assert path.with_name("usage.sqlite.damaged-1").exists()


def test_a_damaged_file_found_at_the_start_is_set_aside_and_a_new_one_takes_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    with running(UsageRecorder(path)) as recorder:
        recorder.put(ROW)
        wait_until(lambda: kept(path) == (ROW,), "the row was not kept")
    path.write_bytes(b"overwritten by something " * 400)
    with running(UsageRecorder(path)) as recorder:
        recorder.put(row(agent="codex"))
    assert kept(path) == (row(agent="codex"),)
    assert path.with_name("usage.sqlite.damaged-1").exists()


def test_what_other_processes_have_spent_today_is_seen_and_our_own_is_not_counted_twice(tmp_path: Path) -> None:
    path, today, now = tmp_path / "usage.sqlite", local_day(time.time()), time.time()
    store = UsageStore.open(path)
    store.append([row(time=now, cost_usd=2.0), row(time=now - 3 * 86_400, cost_usd=50.0)])
    with running(UsageRecorder(path)) as recorder:
        wait_until(lambda: recorder.others_usd(today) == 2.0, "the earlier spending was not loaded")
        recorder.put(row(time=now, cost_usd=4.0))
        wait_until(lambda: len(kept(path)) == 3, "the row was not kept")
        store.append([row(time=now, cost_usd=8.0)])
        recorder.put(row(time=now, cost_usd=16.0))
        wait_until(lambda: recorder.others_usd(today) == 10.0, "the other process's spending was not seen")
    assert recorder.others_usd("1999-01-01") == 0.0
    store.close()


def test_a_recorder_without_a_file_keeps_nothing_and_loses_nothing() -> None:
    with running(UsageRecorder(None)) as recorder:
        recorder.put(ROW)
        recorder.refresh()
    assert (recorder.lost, recorder.others_usd(local_day(time.time()))) == (0, 0.0)


DAY_S = 86_400.0


def days_ago(days: float, **changes: object) -> RequestRecord:
    return row(time=time.time() - days * DAY_S, **changes)


def test_what_is_older_than_it_is_to_be_kept_goes_with_its_sums_and_nothing_else_does(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    old = [days_ago(12 - number / 10_000, project="old") for number in range(2 * FORGET_ROWS + 1)]
    young = [days_ago(8), days_ago(0)]
    with closing(UsageStore.open(path)) as store:
        store.append([*old, *young])
    with running(UsageRecorder(path, keep_days=10)):
        wait_until(lambda: kept(path) == tuple(young), "the old rows were not deleted")
    reader = UsageReader.find(path)
    assert reader is not None
    assert [(each.key, each.requests) for each in reader.sums(Grouping.PROJECT, "1970-01-02")] == [("/home/me/app", 2)]
    assert reader.first_day() == local_day(young[0].time)


def test_today_is_kept_whatever_is_said(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    with closing(UsageStore.open(path)) as store:
        store.append([days_ago(3), days_ago(0)])
    with running(UsageRecorder(path, keep_days=1)):
        wait_until(lambda: len(kept(path)) == 1, "the old row was not deleted")
    assert local_day(kept(path)[0].time) == local_day(time.time())


@pytest.mark.parametrize("keep_days", [None, 400, 10**9])
def test_nothing_is_deleted_that_is_to_be_kept(tmp_path: Path, keep_days: int | None) -> None:
    path = tmp_path / "usage.sqlite"
    rows = (days_ago(399), days_ago(1))
    with closing(UsageStore.open(path)) as store:
        store.append(rows)
    with running(UsageRecorder(path, keep_days=keep_days)) as recorder:
        recorder.put(ROW)
    assert kept(path) == tuple(sorted((*rows, ROW), key=lambda each: each.time))


def test_rows_are_written_while_old_ones_are_deleted(tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    with closing(UsageStore.open(path)) as store:
        store.append([days_ago(12)] * (5 * FORGET_ROWS))
    new = [days_ago(0, session=str(number)) for number in range(50)]
    with running(UsageRecorder(path, keep_days=10)) as recorder:
        for each in new:
            recorder.put(each)
        wait_until(lambda: kept(path) == tuple(new), "the old rows were not deleted, or new ones not kept")
        assert recorder.lost == 0
