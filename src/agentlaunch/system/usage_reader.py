"""Questions to the file of finished requests. Reading stops no writer, and writes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agentlaunch.core.metering import Grouping, RequestRecord, UsageSum
from agentlaunch.system.usage_store import COLUMNS, MIGRATIONS, UsageStore, beside, day_began, read_version, refusals

_SUMMED = ("requests", "failed", "cancelled", "answered", "tokens_in", "tokens_cached", "tokens_out")
_MEASURED = ("first_byte_ms", "total_ms", "mended", "cost_usd", "saved_usd")
_SUMS = ", ".join(f"sum({name})" for name in (*_SUMMED, *_MEASURED))

_BY_NAME, _MOST_TOKENS_FIRST = "1", "sum(tokens_in) + sum(tokens_out) DESC, 1"


@dataclass(frozen=True)
class UsageReader:
    """What has been kept; each call raises StoreUnusable."""

    path: Path

    @classmethod
    def find(cls, path: Path) -> UsageReader | None:
        """The file that our version writes where `path` is wanted; None when there is none yet.

        A file of an older version is brought to ours first. Raises StoreUnusable for one that is no database of ours.
        """
        version = _version(path)
        if version > len(MIGRATIONS):
            path = beside(path, len(MIGRATIONS))
            version = _version(path)
        if version == 0:
            return None
        if version < len(MIGRATIONS):
            UsageStore.open(path).close()
        return cls(path)

    def sums(self, by: Grouping, since_day: str) -> tuple[UsageSum, ...]:
        """Sums from a local calendar day on (`2026-11-25`): days in order, anything else by tokens, most first."""
        order = _BY_NAME if by is Grouping.DAY else _MOST_TOKENS_FIRST
        question = f"SELECT name, {_SUMS} FROM sums WHERE grouping = ? AND day >= ? GROUP BY name ORDER BY {order}"  # noqa: S608 - ours
        with refusals(self.path), closing(_connect(self.path)) as connection:
            return tuple(UsageSum(*row) for row in connection.execute(question, (by.value, since_day)))

    def first_day(self) -> str | None:
        """The first local calendar day of which anything is kept, None where nothing is."""
        question = "SELECT min(day) FROM sums WHERE grouping = ?"
        with refusals(self.path), closing(_connect(self.path)) as connection:
            day: str | None = connection.execute(question, (Grouping.DAY.value,)).fetchone()[0]
        return day

    def requests(self, since_day: str, limit: int) -> tuple[RequestRecord, ...]:
        """The last `limit` requests since a local calendar day, newest last; 0: all of them."""
        question = f"SELECT {', '.join(COLUMNS)} FROM requests WHERE time >= ? ORDER BY time DESC, id DESC LIMIT ?"  # noqa: S608 - ours
        with refusals(self.path), closing(_connect(self.path)) as connection:
            rows = connection.execute(question, (day_began(since_day), limit or -1)).fetchall()
        return tuple(RequestRecord(*row) for row in reversed(rows))


def _version(path: Path) -> int:
    """The file's version, 0 when there is none or nothing in it."""
    if not path.exists():
        return 0
    with refusals(path), closing(_connect(path)) as connection:
        return read_version(connection)


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    address = path.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=5)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        # In a folder that may not be written, SQLite cannot make the companions that WAL wants; nobody else can either.
        return sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)
    return connection
