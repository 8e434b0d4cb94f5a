"""The background shim's process: one a user, started by a launch, ended by idleness, a signal or `agentlaunch stop`."""

from __future__ import annotations

import os
import sys

from agentlaunch.errors import AgentlaunchError, MachineError


def main() -> int:
    """Run the shim of this user to its end; the exit code. What went wrong is the last line on stderr, its log."""
    if sys.platform != "win32":
        _leave_parent()
    try:
        _run()
    except AgentlaunchError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code
    return 0


def _leave_parent() -> None:
    """Become a child of init: the launcher turns into the agent, and whoever kills its process tree must not kill us.

    Done before anything is imported, so it costs a millisecond.
    """
    if os.fork() != 0:
        os._exit(0)


def _run() -> None:
    import logging
    import secrets

    from agentlaunch import __version__
    from agentlaunch.runtimes import load_host
    from agentlaunch.shim.server import ServerConfig, run_server
    from agentlaunch.shim.state import ShimState, remove_state, shim_lock, write_state
    from agentlaunch.shim.watch import read_idle_policy
    from agentlaunch.system.dirs import find_dirs
    from agentlaunch.system.locks import held
    from agentlaunch.system.process import identify

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log every request
    dirs = find_dirs(os.environ)
    token = secrets.token_urlsafe(32)
    me = identify(os.getpid())

    def on_ready(url: str) -> None:
        started = me.started if me is not None else 0.0
        write_state(dirs, ShimState(url, os.getpid(), started, token, __version__))
        _tell_ready()

    with held(shim_lock(dirs), timeout_s=5) as taken:  # a command that looks for the shim may hold it for an instant
        if not taken:
            raise MachineError("shim-failed", "another shim is running")
        remove_state(dirs)
        config = ServerConfig(
            control_token=token,
            sessions_dir=dirs.sessions,
            idle=read_idle_policy(os.environ),
            on_ready=on_ready,
            on_stop=lambda: remove_state(dirs),
        )
        run_server(config, load_host("llama_cpp", dirs.logs, os.environ))


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
