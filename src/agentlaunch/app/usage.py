"""What was used: sums of finished requests, or the requests themselves, from the file that the shim keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from agentlaunch.core.metering import Grouping, RequestRecord, UsageSum, total
from agentlaunch.errors import MachineError, UserError
from agentlaunch.system.dirs import Dirs, usage_path
from agentlaunch.system.usage_reader import UsageReader
from agentlaunch.system.usage_store import StoreUnusable

DEFAULT_DAYS = 30
DAYS_VARIABLE = "AGENTLAUNCH_USAGE_DAYS"


@dataclass(frozen=True)
class UsageOrder:
    """Which days: the last `days` with today, or those from `since` on (`2026-11-25`), not both."""

    days: int | None = None
    since: str | None = None


@dataclass(frozen=True)
class UsageFound:
    """Sums by `by` from the local calendar day `since` to `today`. `path` None: nothing has been kept yet.

    `kept_since` is the first day of which anything is kept, None where nothing is.
    """

    path: Path | None
    by: Grouping
    since: date
    today: date
    groups: tuple[UsageSum, ...]
    total: UsageSum
    kept_since: date | None = None


@dataclass(frozen=True)
class RequestsFound:
    """Single requests, newest last. `path` None: nothing has been kept yet."""

    path: Path | None
    requests: tuple[RequestRecord, ...]


def find_usage(order: UsageOrder, by: Grouping, dirs: Dirs, today: date) -> UsageFound:
    """Sums, also while no shim runs. Raises UserError `bad-date`, MachineError `usage-unreadable`."""
    since = _since(order, today)
    try:
        reader = UsageReader.find(usage_path(dirs))
        groups = () if reader is None else reader.sums(by, since.isoformat())
        first = None if reader is None else reader.first_day()
    except StoreUnusable as error:
        raise _unreadable(error) from error
    path, kept_since = None if reader is None else reader.path, None if first is None else date.fromisoformat(first)
    return UsageFound(path, by, since, today, groups, total(groups), kept_since)


def kept_days(dirs: Dirs, environment: Mapping[str, str]) -> int:
    """How many days of requests the shim keeps: the user's setting, wherever it stands. Raises UserError."""
    from agentlaunch.core.settings import resolve_settings
    from agentlaunch.system.settings_files import read_user_settings

    own = {name: environment[name] for name in (DAYS_VARIABLE,) if name in environment}  # the others are a launch's
    return resolve_settings({}, own, read_user_settings(dirs.config)).usage_days.value


def find_requests(order: UsageOrder, limit: int, dirs: Dirs, today: date) -> RequestsFound:
    """The last `limit` requests, 0 for all. Raises UserError `bad-date`, MachineError `usage-unreadable`."""
    since = _since(order, today)
    try:
        reader = UsageReader.find(usage_path(dirs))
        requests = () if reader is None else reader.requests(since.isoformat(), limit)
    except StoreUnusable as error:
        raise _unreadable(error) from error
    return RequestsFound(None if reader is None else reader.path, requests)


def _since(order: UsageOrder, today: date) -> date:
    if order.since is None:
        days = DEFAULT_DAYS if order.days is None else order.days
        return today - timedelta(days=min(days, today.toordinal()) - 1)
    if order.days is not None:
        raise UserError("bad-date", "`--days` and `--since` both say where to begin", "give one of them")
    try:
        return date.fromisoformat(order.since)
    except ValueError as error:
        hint = f"write it as in: agentlaunch usage --since {today.isoformat()}"
        raise UserError("bad-date", f"cannot read the date `{order.since}`", hint) from error


def _unreadable(error: StoreUnusable) -> MachineError:
    hint = "the next launch sets a damaged file aside and begins a new one; what it did with it: agentlaunch logs"
    return MachineError("usage-unreadable", f"cannot read what was used: {error}", hint)
