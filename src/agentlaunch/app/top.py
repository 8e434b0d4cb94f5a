"""The traffic of the running shim, for the live view in the terminal and in a browser."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.shim.live_token import live_token
from agentlaunch.shim.protocol import CONTROL_PREFIX
from agentlaunch.shim.state import ShimState, find_serves, find_shim
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.files import write_private

if TYPE_CHECKING:
    from agentlaunch.shim.live_status import LiveStatus


def read_live(dirs: Dirs) -> LiveStatus | None:
    """This moment's traffic, None when no server runs, or it has just ended. Raises ShimUnreachable."""
    from agentlaunch.shim.control_client import ControlClient, ShimGone, ShimStopping

    state = _shown(dirs)
    if state is None:
        return None
    try:
        return ControlClient(state).live()
    except (ShimGone, ShimStopping):
        return None


def page_file(dirs: Dirs, url: str) -> Path:
    """A file of mode 0600 that sends a browser to `url`: in a browser's argv, others would see the token.

    Raises MachineError `folder-not-writable`.
    """
    path = dirs.state / "live.html"
    target = html.escape(url)
    write_private(path, f'<!doctype html><meta http-equiv="refresh" content="0; url={target}">\n'.encode())
    return path


def page_url(dirs: Dirs) -> str | None:
    """Where a browser sees the live view, None when no server runs.

    The token stands in the fragment, which browsers keep to themselves, and opens nothing but this view.
    """
    state = _shown(dirs)
    return None if state is None else f"{state.url}{CONTROL_PREFIX}/page#{live_token(state.control_token)}"


def _shown(dirs: Dirs) -> ShimState | None:
    """The shim behind launches; without it the latest `agentlaunch serve`."""
    return find_shim(dirs) or next(iter(find_serves(dirs)), None)
