"""The writer of finished requests: one thread behind a bounded queue, so that no answer ever waits for the disk."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from agentlaunch.core.metering import RequestRecord
from agentlaunch.system.usage_store import StoreDamaged, StoreUnusable, UsageStore, set_aside

_log = logging.getLogger(__name__)

QUEUE_LENGTH = 4096
"""Requests that may wait for the disk: minutes of the busiest shim."""

BATCH = 512
GATHER_S = 0.2
"""How soon the writer writes again: a commit costs the same for one row and for hundreds. A row that comes alone is
written at once, for the user may look at it next."""

RETRY_S = 30.0
"""After a failure rows are dropped, not kept, until so much later: the disk may have room again."""

_LOOK_S = 2.0
"""How old the other process's spending may be when a request begins."""

_CLOSE_S = 5.0

FORGET_ROWS = 1000
"""Deleted at once: 1 ms, 70 ms when SQLite tidies up in it (benchmarks/usage.py); a row that comes waits so long."""
_FORGET_PAUSE_S = 0.1
"""Between two of them."""


class _Look:
    """Read what others have spent."""


class _End:
    """Write what is there, and end."""


_Order: TypeAlias = RequestRecord | _Look | _End

OpenStore = Callable[[Path], UsageStore]


class UsageRecorder:
    """Takes rows from the event loop's thread and keeps them in `path`; None keeps nothing and counts nothing as lost.

    Rows older than `keep_days` calendar days, today among them, are deleted little by little: at the start, and with
    the first row of each day. None keeps them for ever.

    No call waits or raises: a row that cannot be kept is counted in `lost`, and the log says so once.
    """

    def __init__(
        self,
        path: Path | None,
        open_store: OpenStore = UsageStore.open,
        queue_length: int = QUEUE_LENGTH,
        retry_s: float = RETRY_S,
        keep_days: int | None = None,
        gather_s: float = GATHER_S,
    ) -> None:
        self._path = path
        self._open_store = open_store
        self._retry_s = retry_s
        self._keep_days = keep_days
        self._forgotten_on = ""
        self._has_old_rows = False
        self._gather_s = gather_s
        self._orders: queue.Queue[_Order] = queue.Queue(queue_length)
        self._overflowed = 0
        self._refused = 0
        self._told = 0
        self._own_usd: dict[str, float] = {}
        self._others = ("", 0.0)
        self._looked_at = float("-inf")
        self._retry_at = float("-inf")
        self._wrote_at = float("-inf")
        self._store: UsageStore | None = None
        self._is_failing = False
        self._thread = threading.Thread(target=self._write, name="usage-recorder", daemon=True)

    @property
    def lost(self) -> int:
        """Rows that were not kept: the queue was full, or the disk refused them."""
        return self._overflowed + self._refused

    def start(self) -> None:
        """Begin to write. Until then rows wait in the queue."""
        if self._path is not None:
            self._thread.start()
            self.refresh()

    def put(self, record: RequestRecord) -> None:
        """Keep this row when there is time."""
        if self._path is None:
            return
        try:
            self._orders.put_nowait(record)
        except queue.Full:
            self._overflowed += 1

    def refresh(self) -> None:
        """Have what other processes have spent today looked up again, unless that was done a moment ago."""
        now = time.monotonic()
        if self._path is None or now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        try:
            self._orders.put_nowait(_Look())
        except queue.Full:
            return

    def others_usd(self, day: str) -> float:
        """US dollars of this local calendar day from before our start or by other processes, as last seen."""
        seen_day, usd = self._others
        return usd if seen_day == day else 0.0

    def close(self) -> None:
        """Write what waits and end; a disk that hangs is not waited for longer than a few seconds."""
        if not self._thread.is_alive():
            return
        try:
            self._orders.put(_End(), timeout=_CLOSE_S)
        except queue.Full:
            return
        self._thread.join(_CLOSE_S)

    # --- the writer's thread ---

    def _write(self) -> None:
        is_open = True
        while is_open:
            orders = self._gather()
            is_open = not any(isinstance(order, _End) for order in orders)
            rows = [order for order in orders if isinstance(order, RequestRecord)]
            self._work(rows)
            if rows:
                self._wrote_at = time.monotonic()
            self._tell_lost()
        if self._store is not None:
            self._store.close()

    def _gather(self) -> list[_Order]:
        """At least one order, and after a row what else is there, or comes while the last writing is a moment ago.

        None while there is something to forget and nobody orders anything.
        """
        orders: list[_Order] = []
        with suppress(queue.Empty):
            orders.append(self._orders.get(timeout=_FORGET_PAUSE_S if self._has_old_rows else None))
        until = self._wrote_at + self._gather_s
        while 0 < len(orders) < BATCH and isinstance(orders[-1], RequestRecord):
            try:
                orders.append(self._orders.get(timeout=max(until - time.monotonic(), 0.0)))
            except queue.Empty:
                break
        return orders

    def _work(self, rows: list[RequestRecord]) -> None:
        waiting = len(rows)
        try:
            store = self._opened()
            if rows:
                store.append(rows)
                waiting = 0
                self._count_own(rows)
            self._look(store)
            self._forget(store)
        except StoreUnusable as error:
            self._refused += waiting
            self._fail(error)
        else:
            if self._is_failing:
                self._is_failing = False
                _log.info("requests are kept again")

    def _opened(self) -> UsageStore:
        """The store, opened when it is not. Raises StoreUnusable, also while a retry is not due."""
        if self._store is None:
            if self._path is None or time.monotonic() < self._retry_at:
                raise StoreUnusable("not tried again yet")
            self._store = self._open_store(self._path)
        return self._store

    def _count_own(self, rows: list[RequestRecord]) -> None:
        for row in rows:
            day = local_day(row.time)
            self._own_usd[day] = self._own_usd.get(day, 0.0) + (row.cost_usd or 0.0)

    def _look(self, store: UsageStore) -> None:
        day = local_day(time.time())
        self._others = (day, max(0.0, store.spent_usd(day) - self._own_usd.get(day, 0.0)))

    def _forget(self, store: UsageStore) -> None:
        """Delete some of what is too old, once a day until nothing of it is left."""
        today = date.fromisoformat(local_day(time.time()))
        if self._keep_days is None or self._forgotten_on == today.isoformat():
            return
        first_day = today - timedelta(days=min(self._keep_days, today.toordinal()) - 1)
        self._has_old_rows = store.forget(first_day.isoformat(), FORGET_ROWS)
        if not self._has_old_rows:
            self._forgotten_on = today.isoformat()

    def _fail(self, error: StoreUnusable) -> None:
        self._has_old_rows = False
        if not self._is_failing:
            self._is_failing = True
            _log.warning("requests are not kept, which stops nothing else: %s", error)
        if self._store is not None:
            self._store.close()
            if isinstance(error, StoreDamaged):
                self._put_aside(self._store.path, error)
            self._store = None
        if time.monotonic() >= self._retry_at:
            self._retry_at = time.monotonic() + self._retry_s

    def _put_aside(self, path: Path, error: StoreDamaged) -> None:
        try:
            set_aside(path, str(error))
        except OSError as refusal:
            _log.warning("`%s` cannot be renamed: %s", path, refusal)

    def _tell_lost(self) -> None:
        """One line for all that the queue did not take since the last one."""
        if self._overflowed > self._told:
            _log.warning("%d requests were not kept: they came faster than the disk takes them", self.lost)
            self._told = self._overflowed


def local_day(unix_s: float) -> str:
    """The local calendar day of a moment, as SQLite's `date(..., 'localtime')` writes it."""
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d")
