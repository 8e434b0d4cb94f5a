"""The entry point: finds the command, runs it, and turns every failure into one line and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from agentlaunch import __version__
from agentlaunch.errors import AgentlaunchError, Bug, Interrupted, MachineError, UserError

if TYPE_CHECKING:
    from typer.core import TyperCommand

COMMANDS: Mapping[str, tuple[str, str]] = {
    "again": ("agentlaunch.cli.again:again", "Start the last launch once more."),
    "check": ("agentlaunch.cli.check:check", "Show what this machine is, what fits it, what to run."),
    "fit": ("agentlaunch.cli.fit:fit", "Show one model on this machine: memory, speed, windows."),
    "models": ("agentlaunch.cli.models:models", "List, find, fetch and delete models."),
    "runtime": ("agentlaunch.cli.runtime:runtime", "Show which llama.cpp runs models here, and why."),
    "cache": ("agentlaunch.cli.cache:cache", "Show or remove kept prompt prefixes."),
    "upstream": ("agentlaunch.cli.upstream:upstream", "Add, list, try and remove other servers."),
    "policy": ("agentlaunch.cli.policy:policy", "Show which requests go where, and what a given one would do."),
    "serve": ("agentlaunch.cli.serve:serve", "Run only the local server, for an IDE, another agent or CI."),
    "config": ("agentlaunch.cli.config:config", "Configure an agent that you start yourself; show our settings."),
    "agents": ("agentlaunch.cli.agents:agents", "List the agents: what is here, what works, how to install."),
    "doctor": ("agentlaunch.cli.doctor:doctor", "Look for what will defeat a launch, and how to mend it."),
    "bench": ("agentlaunch.cli.bench:bench", "Measure this machine; the figures then correct the estimates."),
    "verify": ("agentlaunch.cli.verify:verify", "Find out whether a model drives a coding agent; gives a score."),
    "status": ("agentlaunch.cli.status:status", "Show what is running."),
    "usage": ("agentlaunch.cli.usage:usage", "Show tokens, seconds, cache hits, money spent and saved."),
    "top": ("agentlaunch.cli.top:top", "Show what the local server is doing, live."),
    "stop": ("agentlaunch.cli.stop:stop", "Stop the local server and the models it runs."),
    "logs": ("agentlaunch.cli.logs:logs", "Show the end of our logs."),
    "completion": ("agentlaunch.cli.completion:completion", "Print what makes your shell complete our words."),
}
"""Name -> (function, one line of help). The agents are commands too: they come from their own table."""

EXIT_PIPE_CLOSED = 141
"""128 + SIGPIPE, what a shell reports for any program whose reader went away."""


class Invocation(NamedTuple):
    """What a command finds in its context: the agent for a launch, and the words behind `--`.

    A tuple, since `dataclasses` alone would be a third of the time of `--version`.
    """

    agent: str = ""
    arguments: tuple[str, ...] | None = None


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a path need not be encodable, an error message must be
    code = run(words)
    gc.freeze()  # or the interpreter's last collection walks all that was loaded: a tenth of what `check` takes
    sys.exit(code)


def _open_missing_streams() -> None:
    """A stream that the user closed (`>&-`) is the null device: else a file of ours would get its number, and the agent
    would inherit that."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
        os.set_inheritable(opened, opened == number)
        setattr(sys, name, os.fdopen(opened, "r" if number == 0 else "w", encoding="utf-8"))


def run(words: Sequence[str]) -> int:
    """One command to its exit code. Only a launch that succeeds does not come back from here."""
    own, rest = split_at_dashes(words)
    try:
        return _dispatch(own, rest)
    except BrokenPipeError:
        _discard_stdout()
        return EXIT_PIPE_CLOSED
    except KeyboardInterrupt:
        failure: AgentlaunchError = Interrupted("interrupted", "interrupted")
    except AgentlaunchError as known:
        failure = known
    except Exception as unexpected:  # noqa: BLE001 - the one place that may: everything below told what it expects
        failure = _as_known(unexpected, own) or _as_lost_output(unexpected) or _save_crash(unexpected)
    return _show(failure, own)


def split_at_dashes(words: Sequence[str]) -> tuple[list[str], tuple[str, ...] | None]:
    """Our own words, and the agent's: those behind the first `--`, None when there is none."""
    if "--" not in words:
        return list(words), None
    at = list(words).index("--")
    return list(words[:at]), tuple(words[at + 1 :])


def _dispatch(own: Sequence[str], rest: tuple[str, ...] | None) -> int:
    from agentlaunch.cli import render

    match own:
        case []:
            return _pick_or_help(rest)
        case ["help" | "--help" | "-h", *_]:
            render.data(overview())
            return 0
        case ["_words", kind]:
            from agentlaunch.cli.completion_words import print_words

            print_words(kind)
            return 0
        case ["--version" | "-V", *_]:
            render.data(f"agentlaunch {__version__}")
            return 0
        case [name, *words]:
            return _run_command(name, words, rest)
    raise Bug("argv", f"cannot read the command line `{own}`")


def _pick_or_help(rest: tuple[str, ...] | None) -> int:
    """Without a word: a launch out of two lists; the help where nobody could choose."""
    from agentlaunch.cli.picker import can_pick, pick_words

    if can_pick(os.environ):
        name, *words = pick_words()
        return _run_command(name, words, rest)
    from agentlaunch.cli import render

    render.data(overview())
    return 0


def _run_command(name: str, words: Sequence[str], rest: tuple[str, ...] | None) -> int:
    target, agent = _find(name)
    if rest is not None and not (agent or name == "again"):
        raise UserError("usage", f"`{name}` takes no words behind `--`", f"agentlaunch {name} --help")
    import typer

    command = load_command(name, target, is_agent=bool(agent))
    try:
        # Not `command.main`: it has opinions of its own about Ctrl-C and closed pipes.
        with command.make_context(f"agentlaunch {name}", list(words), obj=Invocation(agent, rest)) as context:
            command.invoke(context)
    except typer.Exit as end:  # --help
        return end.exit_code
    return 0


def load_command(name: str, target: str, *, is_agent: bool) -> TyperCommand:
    """The command's options and function, as the option parser knows them; `target` is MODULE:FUNCTION."""
    import typer
    from typer.core import TyperCommand
    from typer.main import get_command

    from agentlaunch.cli.help_page import GroupedCommand, narrow_page

    module, _, function = target.partition(":")
    callback: Callable[..., None] = getattr(import_module(module), function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    metavar = "[OPTIONS] [-- AGENT ARGS...]" if is_agent else "[OPTIONS]"
    app.command(
        name,
        cls=GroupedCommand,
        options_metavar=metavar,
        help=_agent_help(name) if is_agent else None,
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
            "terminal_width": narrow_page(),
        },
    )(callback)
    command = get_command(app)
    if not isinstance(command, TyperCommand):
        raise Bug("no-command", f"`{target}` is no command of the option parser")
    return command


def _find(name: str) -> tuple[str, str]:
    """The command's function, and the agent's name when it is one. Raises UserError `unknown-command`."""
    if name in COMMANDS:
        return COMMANDS[name][0], ""
    from agentlaunch.agents.base import AGENTS

    if name in AGENTS:
        return "agentlaunch.cli.launch:launch", name
    from difflib import get_close_matches

    known = (*AGENTS, *COMMANDS)
    if name.startswith("-"):
        raise UserError("unknown-option", f"unknown option `{name}` before a command", "agentlaunch --help")
    near = get_close_matches(name, known, 1)
    hint = f"did you mean `agentlaunch {near[0]}`?" if near else f"known: {', '.join(known)}"
    raise UserError("unknown-command", f"unknown command `{name}`", hint)


def overview() -> str:
    """The help of the bare command, from the two tables."""
    from shutil import get_terminal_size

    from agentlaunch.cli.overview import COLUMNS, overview_text

    lines = {name: line for name, (_, line) in COMMANDS.items()}
    return overview_text(lines, min(COLUMNS, get_terminal_size().columns))


def _agent_help(name: str) -> str:
    from agentlaunch.cli.overview import agent_help

    return agent_help(name)


def _discard_stdout() -> None:
    """What stdout did not take is dropped; the interpreter would flush it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _as_lost_output(error: Exception) -> MachineError | None:
    """The failure of a stdout that takes nothing, a full disk's for one; None when that is not what failed.

    Whoever wrote does not say where to, so stdout is asked once more.
    """
    if not isinstance(error, OSError):
        return None
    try:
        sys.stdout.flush()
    except OSError as lost:
        _discard_stdout()
        reason = lost.strerror or str(lost)
        return MachineError(
            _LOST_OUTPUT, f"cannot write to stdout: `{reason}`", "send it elsewhere: agentlaunch ... > FILE"
        )
    return None


_LOST_OUTPUT = "output-not-writable"


def _as_known(error: Exception, own: Sequence[str]) -> UserError | None:
    """The option parser's complaint as one of ours; None when `error` is none of its own."""
    from agentlaunch.cli.usage_error import as_usage_error

    return as_usage_error(error, own)


def _save_crash(error: Exception) -> AgentlaunchError:
    """Keep the traceback in our logs, so that the user sees one line and a report can carry the rest."""
    from agentlaunch.cli.crash import save_crash

    return save_crash(error)


def _show(failure: AgentlaunchError, own: Sequence[str]) -> int:
    from agentlaunch.cli import render

    if "--json" in own and failure.code != _LOST_OUTPUT:
        try:
            render.json_error("" if own[0].startswith("-") else own[0], failure)
        except OSError:  # stdout takes nothing, stderr may
            _discard_stdout()
            render.error(failure)
    elif isinstance(failure, Interrupted):
        render.talk(failure.message)  # the user knows why
    else:
        render.error(failure)
    return failure.exit_code
