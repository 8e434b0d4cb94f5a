"""Keeps the traceback of a bug of ours where the user can find it."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from datetime import UTC, datetime

from agentlaunch import __version__
from agentlaunch.errors import AgentlaunchError, Bug
from agentlaunch.system.dirs import find_dirs
from agentlaunch.system.files import write_private


def save_crash(error: Exception) -> AgentlaunchError:
    """Write the traceback into our logs; the error that tells where. No argv and no environment: they carry secrets."""
    now = datetime.now(UTC)
    text = "".join(traceback.format_exception(error))
    head = f"agentlaunch {__version__}, Python {platform.python_version()}, {sys.platform}, {now.isoformat()}\n\n"
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    name = f"crash-{now:%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    return Bug("bug", f"a bug in agentlaunch: `{what}`", _keep(name, head + text))


def _keep(name: str, text: str) -> str:
    """The hint: where the traceback is. Without a place to write it goes to stderr, or it would be lost."""
    try:
        path = find_dirs(os.environ).logs / name
        write_private(path, text.encode("utf-8", "backslashreplace"))
    except AgentlaunchError:
        sys.stderr.write(text)
        return "please report it with the traceback above"
    return f"please report it with this file: {path}"
