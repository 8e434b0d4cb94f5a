"""The background shim's process: one a user, started by a launch, ended by idleness, a signal or `agentlaunch stop`."""

from __future__ import annotations

import contextlib
import os
import sys

from agentlaunch.errors import AgentlaunchError, MachineError


def main() -> int:
    """Run the shim of this user to its end; the exit code. What went wrong is told to the launcher and to the log."""
    _leave_parent()
    try:
        _run()
    except AgentlaunchError as error:
        _tell_failure(" ".join(error.message.split()))
        return error.exit_code
    return 0


def _tell_failure(sentence: str) -> None:
    """The last line of the log, and the launcher's first: the disk may be full, and its pipe is not on it."""
    line = f"{sentence}\n".encode("utf-8", "backslashreplace")
    for descriptor in (2, 1):
        with contextlib.suppress(OSError):
            os.write(descriptor, line)


def _leave_parent() -> None:
    """Become a child of init: the launcher turns into the agent, and whoever kills its process tree must not kill us.

    Done before anything is imported, so it costs a millisecond. On Windows the start's flags do it.
    """
    if sys.platform != "win32" and os.fork() != 0:
        os._exit(0)


def _run() -> None:
    import logging
    import secrets

    from agentlaunch import __version__
    from agentlaunch.app.knowledge import reference_prices
    from agentlaunch.app.usage import kept_days
    from agentlaunch.runtimes.hosts import RuntimeHosts
    from agentlaunch.shim.server import ServerConfig, run_server
    from agentlaunch.shim.state import ShimState, remove_state, shim_lock, write_state
    from agentlaunch.shim.watch import read_idle_policy
    from agentlaunch.system.dirs import find_dirs, usage_path
    from agentlaunch.system.locks import held
    from agentlaunch.system.log_lines import OneLineFormatter
    from agentlaunch.system.process import identify

    handler = logging.StreamHandler()
    handler.setFormatter(OneLineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    for talkative in ("httpx", "uvicorn.error"):  # the one would log every request, the other each start and end
        logging.getLogger(talkative).setLevel(logging.WARNING)
    dirs = find_dirs(os.environ)
    token = secrets.token_urlsafe(32)
    me = identify(os.getpid())

    def on_ready(url: str) -> None:
        started = me.started if me is not None else 0.0
        write_state(dirs, ShimState(url, os.getpid(), started, token, __version__))
        _tell_ready()

    with held(shim_lock(dirs), timeout_s=5) as taken:  # a command that looks for the shim may hold it for an instant
        if not taken:
            raise MachineError("shim-failed", "another shim is running", "see which: agentlaunch status")
        remove_state(dirs)
        config = ServerConfig(
            control_token=token,
            sessions_dir=dirs.sessions,
            usage_path=usage_path(dirs),
            usage_days=kept_days(dirs, os.environ),
            openings_dir=dirs.prefixes,
            reference=reference_prices(),
            idle=read_idle_policy(os.environ),
            on_ready=on_ready,
            on_stop=lambda: remove_state(dirs),
        )
        run_server(config, RuntimeHosts(dirs.logs, os.environ))


def _tell_ready() -> None:
    """Tell the launcher, if it still waits, and let its pipe go: an engine of ours must not keep it open."""
    from agentlaunch.app.shim_spawn import READY_LINE

    try:
        os.write(1, READY_LINE)
    except OSError:
        return
    finally:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
