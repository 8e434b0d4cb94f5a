"""Writes what is made from the command line's tables: completions/, docs/man/agentlaunch.1, docs/reference.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentlaunch.cli.command_line import Command, Option, all_commands
from agentlaunch.cli.completion_scripts import FILES, SHELLS
from agentlaunch.cli.overview import grouped

ROOT = Path(__file__).parent.parent

ENVIRONMENT = {
    "AGENTLAUNCH_MODEL, AGENTLAUNCH_CONTEXT, AGENTLAUNCH_KV, AGENTLAUNCH_RUNTIME, AGENTLAUNCH_LEAN, "
    "AGENTLAUNCH_POLICY, AGENTLAUNCH_YES": (
        "The options of the same names. `agentlaunch config --show` lists every setting and where its value comes from."
    ),
    "AGENTLAUNCH_HOME": "One folder for settings, state, cache and logs, in place of the system's usual ones.",
    "AGENTLAUNCH_IDLE_SECONDS": "How long the local server stays when nobody uses it. Default: 600.",
    "AGENTLAUNCH_OFFLINE": "With 1, as --offline: nothing leaves this machine.",
    "AGENTLAUNCH_SERVERS": "Where other model servers listen, as NAME=PORT with commas between; none asks for none.",
    "OLLAMA_HOST, HF_HOME, HF_TOKEN, HF_ENDPOINT, HTTP_PROXY, HTTPS_PROXY, NO_PROXY": "Their usual meaning.",
    "CLAUDE_CONFIG_DIR, CODEX_HOME, OPENCODE_CONFIG": "The agents' own, honoured.",
    "NO_COLOR, TERM=dumb": "No colours; no line that is painted over.",
}
EXITS = {
    "0": "fine; after the start the agent's own code",
    "2": "what was typed or configured",
    "3": "the machine, or a missing part",
    "4": "an upstream or a download",
    "70": "a bug",
    "130": "interrupted",
}


def pages() -> dict[Path, str]:
    """The text of every generated file by its path in the repository."""
    commands = all_commands()
    completions = {Path("completions") / FILES[shell]: script(commands) for shell, script in SHELLS.items()}
    return {
        **completions,
        Path("docs/man/agentlaunch.1"): man_page(commands),
        Path("docs/reference.md"): reference(commands),
    }


def main() -> None:
    """Write them all."""
    for path, text in pages().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, "utf-8", newline="\n")


def reference(commands: tuple[Command, ...]) -> str:
    """Every command, argument and option in Markdown."""
    lines = [
        "# Reference",
        "",
        "Every command and option, written by `scripts/generate_command_line.py` from the tables that the program",
        "itself reads. `agentlaunch COMMAND --help` says the same. Words behind `--` are the agent's own.",
        "",
        *_reference_agents(commands),
    ]
    own = {command.name: command for command in commands if not command.is_agent}
    for title, names in grouped(own).items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += _reference_command(own[name])
    return "\n".join([*lines, *_reference_rest()]) + "\n"


def _reference_agents(commands: tuple[Command, ...]) -> Iterator[str]:
    agents = [command for command in commands if command.is_agent]
    yield from ("## Agents", "", "    agentlaunch AGENT [OPTIONS] [-- AGENT ARGS...]", "")
    for agent in agents:
        yield f"- `agentlaunch {agent.name}`: {agent.summary}"
    yield from ("", "`agentlaunch` without a word, on a terminal: choose the agent and the model from lists.", "")
    yield from _reference_options(agents[0].options)


def _reference_command(command: Command) -> Iterator[str]:
    yield from (f"### agentlaunch {command.name}", "", f"    {_usage(command)}", "", _md(command.help), "")
    for argument in command.arguments:
        yield f"- `{argument.metavar}`: {_md(argument.help)}"
    if command.arguments:
        yield ""
    yield from _reference_options(command.options)


def _reference_options(options: tuple[Option, ...]) -> Iterator[str]:
    yield from ("| option | |", "|---|---|")
    for option in options:
        names = ", ".join(f"`{name}{f' {option.metavar}' if option.metavar else ''}`" for name in option.names)
        yield f"| {names.replace('|', chr(92) + '|')} | {_md(option.help).replace('|', chr(92) + '|')} |"
    yield ""


def _reference_rest() -> Iterator[str]:
    yield from ("## Environment", "")
    for names, meaning in ENVIRONMENT.items():
        yield f"- {', '.join(f'`{name}`' for name in names.split(', '))}: {_md(meaning)}"
    yield from ("", "## Exit codes", "", "| code | |", "|---|---|")
    for code, meaning in EXITS.items():
        yield f"| {code} | {meaning} |"


def man_page(commands: tuple[Command, ...]) -> str:
    """Section 1, in the man macros (groff_man(7))."""
    agents = [command for command in commands if command.is_agent]
    lines = [
        '.TH AGENTLAUNCH 1 2026-11-25 agentlaunch "User Commands"',
        ".SH NAME",
        "agentlaunch \\- launch a coding agent on a local model",
        ".SH SYNOPSIS",
        ".B agentlaunch",
        r"\fIAGENT\fR [\fIOPTIONS\fR] [\-\- \fIAGENT ARGS\fR...]",
        ".br",
        ".B agentlaunch",
        r"\fICOMMAND\fR [\fIOPTIONS\fR]",
        ".SH DESCRIPTION",
        _roff(
            "One command from a laptop to a working coding agent on a local model. Without a word, on a terminal, "
            "agent and model are chosen from lists."
        ),
        ".SH AGENTS",
    ]
    for agent in agents:
        lines += [".TP", f".B {_roff(agent.name)}", _roff(agent.summary)]
    lines += [".PP", "Options of every agent:", *_man_options(agents[0].options), ".SH COMMANDS"]
    for command in commands:
        lines += [] if command.is_agent else _man_command(command)
    lines += [".SH ENVIRONMENT"]
    for names, meaning in ENVIRONMENT.items():
        lines += [".TP", f".B {_roff(names)}", _roff(meaning)]
    lines += [".SH EXIT STATUS"]
    for code, meaning in EXITS.items():
        lines += [".TP", f".B {code}", _roff(meaning)]
    return "\n".join(lines) + "\n"


def _man_command(command: Command) -> Iterator[str]:
    yield from (f".SS {_roff(_usage(command))}", _roff(command.help))
    for argument in command.arguments:
        yield from (".TP", f".I {_roff(argument.metavar)}", _roff(argument.help))
    yield from _man_options(command.options)


def _man_options(options: tuple[Option, ...]) -> Iterator[str]:
    for option in options:
        value = rf" \fI{_roff(option.metavar)}\fR" if option.metavar else ""
        names = ", ".join(rf"\fB{_roff(name)}\fR" for name in option.names)
        yield from (".TP", f"{names}{value}", _roff(option.help))


def _usage(command: Command) -> str:
    words = (argument.metavar for argument in command.arguments)
    return " ".join(["agentlaunch", command.name, *words, "[OPTIONS]", *(["[-- AGENT ARGS...]"] * command.is_agent)])


def _md(text: str) -> str:
    """A `[policies.NAME]` in a help text is no link."""
    return text.replace("[", "\\[")


def _roff(text: str) -> str:
    """Hyphens that are to be typed, no escape but ours, no line that begins as a request does."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    main()
