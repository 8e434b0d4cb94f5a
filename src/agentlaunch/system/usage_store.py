"""The file of finished requests: its schema, its opening whatever lies there, rows in. One SQLite database in WAL."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Self

import msgspec

from agentlaunch.core.metering import CANCELLED, OK, Grouping, RequestRecord
from agentlaunch.errors import MachineError
from agentlaunch.system.locks import held

_log = logging.getLogger(__name__)

COLUMNS = tuple(field.name for field in msgspec.structs.fields(RequestRecord))

_BUSY_S = 5.0
"""How long a write waits for the other process's: the background shim and `serve` may both keep rows."""

_CREATE = (
    """CREATE TABLE requests (
        id INTEGER PRIMARY KEY, time REAL NOT NULL, session TEXT NOT NULL, agent TEXT NOT NULL, project TEXT NOT NULL,
        route TEXT NOT NULL, upstream TEXT NOT NULL, model TEXT NOT NULL, attempts INTEGER NOT NULL,
        status TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_cached INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
        first_byte_ms REAL, total_ms REAL NOT NULL, mended INTEGER NOT NULL, cost_usd REAL, reference_cost_usd REAL,
        decode_tok_s REAL)""",
    "CREATE INDEX requests_by_time ON requests (time)",
    # Sums a calendar day, as this machine's clock named it when the row came, for each name in each grouping: a year's
    # million rows are some ten thousand here.
    """CREATE TABLE sums (
        grouping TEXT NOT NULL, day TEXT NOT NULL, name TEXT NOT NULL,
        requests INTEGER NOT NULL, failed INTEGER NOT NULL, cancelled INTEGER NOT NULL, answered INTEGER NOT NULL,
        tokens_in INTEGER NOT NULL, tokens_cached INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
        first_byte_ms REAL NOT NULL, total_ms REAL NOT NULL, mended INTEGER NOT NULL, cost_usd REAL NOT NULL,
        saved_usd REAL NOT NULL,
        PRIMARY KEY (grouping, day, name)) WITHOUT ROWID""",
    f"""CREATE TRIGGER add_to_sums AFTER INSERT ON requests BEGIN
        INSERT INTO sums
        SELECT
            names.column1, date(new.time, 'unixepoch', 'localtime'), names.column2,
            1, new.status NOT IN ('{OK}', '{CANCELLED}'), new.status = '{CANCELLED}', new.first_byte_ms IS NOT NULL,
            new.tokens_in, new.tokens_cached, new.tokens_out, ifnull(new.first_byte_ms, 0), new.total_ms, new.mended,
            ifnull(new.cost_usd, 0), ifnull(new.reference_cost_usd - new.cost_usd, 0)
        FROM (VALUES
            ('{Grouping.DAY}', date(new.time, 'unixepoch', 'localtime')), ('{Grouping.MODEL}', new.model),
            ('{Grouping.PROJECT}', new.project), ('{Grouping.AGENT}', new.agent), ('{Grouping.UPSTREAM}', new.upstream)
        ) AS names
        WHERE true -- or SQLite reads the next ON as a join's
        ON CONFLICT DO UPDATE SET
            requests = requests + 1, failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
            answered = answered + excluded.answered, tokens_in = tokens_in + excluded.tokens_in,
            tokens_cached = tokens_cached + excluded.tokens_cached, tokens_out = tokens_out + excluded.tokens_out,
            first_byte_ms = first_byte_ms + excluded.first_byte_ms, total_ms = total_ms + excluded.total_ms,
            mended = mended + excluded.mended, cost_usd = cost_usd + excluded.cost_usd,
            saved_usd = saved_usd + excluded.saved_usd;
        END""",  # noqa: S608 - words of ours
)

MIGRATIONS: tuple[Sequence[str], ...] = (_CREATE,)
"""The n-th makes version n+1 of the one before it; a file's `user_version` says how many it has seen."""

_INSERT = f"INSERT INTO requests ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - the same

_FORGET = "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE time < ? LIMIT ?)"
_FORGET_SUMS = f"DELETE FROM sums WHERE grouping IN ({', '.join('?' * len(Grouping))}) AND day < ?"  # noqa: S608 - the same

_APPLICATION_ID = 0x61676C75
"""Ours in SQLite's header: `aglu`. A database without it is some other program's."""

_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


class StoreUnusable(Exception):
    """Rows cannot be kept now; the message says why, for a log line."""


class StoreDamaged(StoreUnusable):
    """What lies there is no database, or a broken one: `set_aside` makes room for a new one."""


class UsageStore:
    """An open database, for one thread. Every call raises StoreUnusable."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> Self:
        """Open or create the file, mode 0600, and bring it to our version.

        A damaged file, or one of another program, is renamed and a new one begun. A file of a newer version stays as it
        is, for the newer agentlaunch: rows then go to a file of our own version beside it. Nothing is ever deleted.
        """
        with refusals(path), held(path.with_suffix(".lock"), timeout_s=_BUSY_S) as is_ours:
            if not is_ours:
                raise StoreUnusable(f"`{path}`: another process has been opening it for {_BUSY_S:g} s")
            try:
                return cls._opened(path, migrations)
            except _Newer:
                own = beside(path, len(migrations))
                _log.warning("`%s` is of a newer agentlaunch: requests are kept in `%s`", path, own.name)
                return cls._opened(own, migrations)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                set_aside(path, str(error))
                return cls._opened(path, migrations)

    @classmethod
    def _opened(cls, path: Path, migrations: Sequence[Sequence[str]]) -> Self:
        _make_private(path)
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        with contextlib.ExitStack() as failing:
            failing.callback(connection.close)
            version = read_version(connection)
            if version > len(migrations):
                raise _Newer
            # WAL keeps readers and the writer apart; NORMAL loses no commit to a kill, and none is half there after a
            # power cut (sqlite.org/pragma.html#pragma_synchronous).
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if version < len(migrations):
                _migrate(connection, version, migrations)
            failing.pop_all()
        return cls(path, connection)

    def append(self, records: Sequence[RequestRecord]) -> None:
        """Keep these rows, all or none."""
        rows = [msgspec.structs.astuple(record) for record in records]
        with refusals(self.path), _transaction(self._connection):
            self._connection.executemany(_INSERT, rows)

    def spent_usd(self, day: str) -> float:
        """US dollars of one local calendar day (`2026-11-25`), of all processes."""
        with refusals(self.path):
            row = self._connection.execute(
                "SELECT total(cost_usd) FROM sums WHERE grouping = ? AND day = ?", (Grouping.DAY.value, day)
            ).fetchone()
            return float(row[0])

    def forget(self, first_day: str, limit: int) -> bool:
        """Delete up to `limit` rows from before a local calendar day, and its sums; whether more may be left.

        The file does not shrink: what is deleted makes room for what comes.
        """
        with refusals(self.path), _transaction(self._connection):
            found = self._connection.execute(_FORGET, (day_began(first_day), limit)).rowcount
            names = tuple(grouping.value for grouping in Grouping)
            self._connection.execute(_FORGET_SUMS, (*names, first_day))
        return found == limit

    def close(self) -> None:
        """Give the file back; what was appended is kept already."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()


def set_aside(path: Path, reason: str) -> None:
    """Rename a damaged file and its companions to a name that is free, so that it can be looked at."""
    number = next(n for n in count(1) if not path.with_name(f"{path.name}.damaged-{n}").exists())
    for suffix in ("-wal", "-shm", ""):
        companion = path.with_name(path.name + suffix)
        with contextlib.suppress(FileNotFoundError):
            companion.rename(path.with_name(f"{path.name}.damaged-{number}{suffix}"))
    _log.warning(
        "`%s` is damaged (%s): it is now `%s.damaged-%d`, and a new one is begun", path, reason, path.name, number
    )


class _Newer(Exception):
    """The file has seen more migrations than we know."""


def read_version(connection: sqlite3.Connection) -> int:
    """How many migrations a file has seen, 0 for an empty one. Raises sqlite3.DatabaseError for another program's."""
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    is_empty = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
    if owner != _APPLICATION_ID and not is_empty:
        raise _foreign()
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def day_began(day: str) -> float:
    """The first moment of a local calendar day (`2026-11-25`), in Unix seconds; 0 for those of which nothing can be."""
    if day <= "1970-01-01":  # and no clock can tell the local time of the first years
        return 0.0
    return datetime.strptime(day, "%Y-%m-%d").astimezone().timestamp()


def beside(path: Path, version: int) -> Path:
    """Where an older agentlaunch keeps its rows while `path` is of a newer one."""
    return path.with_name(f"{path.stem}.v{version}{path.suffix}")


def _migrate(connection: sqlite3.Connection, version: int, migrations: Sequence[Sequence[str]]) -> None:
    """Bring the file to the last version, whole or not at all."""
    with _transaction(connection):
        for statements in migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID:d}")
        connection.execute(f"PRAGMA user_version = {len(migrations):d}")


def _foreign() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("a database of another program")
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    return error


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", None) in _DAMAGED


def _make_private(path: Path) -> None:
    """The file exists and is its owner's alone; SQLite gives its companions the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
    path.chmod(0o600)


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """What SQLite and the system say against this file, as StoreUnusable or StoreDamaged."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        kind = StoreDamaged if _is_damage(error) else StoreUnusable
        raise kind(f"`{path}`: {error}") from error
    except (
        sqlite3.Error,
        OSError,
        OverflowError,
        UnicodeEncodeError,
    ) as error:  # the last two: what no column can hold
        raise StoreUnusable(f"`{path}`: {error}") from error
    except MachineError as error:
        raise StoreUnusable(error.message) from error


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise
