"""`agentlaunch cache`."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Annotated

import typer

from agentlaunch.cli.launch import JsonFlag

if TYPE_CHECKING:
    from agentlaunch.app.cache import PrefixCache

Action = Annotated[str, typer.Argument(metavar="[list|clear]", help="Show them, or remove them all.")]


def cache(action: Action = "list", json: JsonFlag = False) -> None:
    """Show or remove the prompt prefixes that make the first answer fast."""
    from os import environ

    from agentlaunch.app.cache import run_cache
    from agentlaunch.cli import render
    from agentlaunch.cli.canvas import stdout_columns
    from agentlaunch.system.dirs import find_dirs

    found = run_cache(action, find_dirs(environ))
    if json:
        render.json_result("cache", cache_data(found))
    else:
        render.data(cache_text(found, time(), stdout_columns()))


def cache_data(found: PrefixCache) -> dict[str, object]:
    """The keys of `cache --json`."""
    from dataclasses import asdict

    return {
        "folder": str(found.folder),
        "size_bytes": found.size_bytes,
        "cleared": found.is_cleared,
        "prefixes": [asdict(prefix) for prefix in found.prefixes],
        "openings": found.openings,
        "refusals": [asdict(refusal) for refusal in found.refusals],
    }


def cache_text(found: PrefixCache, now: float, columns: int | None = None) -> str:
    """A table and a sum; `now` in Unix seconds."""
    from agentlaunch.cli.fitted_table import narrow_table
    from agentlaunch.cli.status import duration_text

    count = f"{len(found.prefixes)} prompt prefix{'' if len(found.prefixes) == 1 else 'es'}"
    plural = "" if found.openings == 1 else "s"
    openings = f", and {found.openings} remembered opening{plural}" if found.openings else ""
    if found.is_cleared:
        return f"removed {count}, {_size_text(found.size_bytes)}{openings}"
    notes = "".join(f"\n`{one.model}`: {one.reason}" for one in found.refusals)
    if not found.prefixes:
        return f"no prompt prefixes are kept yet{notes}"
    rows = [
        (prefix.model, str(prefix.tokens), _size_text(prefix.size_bytes), f"{duration_text(now - prefix.used_at)} ago")
        for prefix in found.prefixes
    ]
    rows_text = narrow_table(("MODEL", "TOKENS", "SIZE", "USED"), rows, columns, ("TOKENS",))
    total = f"{count}, {_size_text(found.size_bytes)} in {found.folder}{openings}"
    return f"{rows_text}\n\n{total}{notes}"


def _size_text(size_bytes: int) -> str:
    if size_bytes >= 2**30:
        return f"{size_bytes / 2**30:.1f} GiB"
    return f"{size_bytes / 2**20:.1f} MiB"
