"""The whole command line as data: what completions, the man page and the reference are made from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from typer.core import TyperArgument, TyperOption

ASKED_WORDS = ("models", "upstreams", "policies")
"""What only this machine knows; the shell asks `agentlaunch _words KIND` for it."""


@dataclass(frozen=True)
class Values:
    """What may stand for a value: these words, or those of one kind of `ASKED_WORDS`; with neither, anything."""

    words: tuple[str, ...] = ()
    asked: str = ""
    is_file: bool = False


ANYTHING = Values()


@dataclass(frozen=True)
class Option:
    """An option under all its names, `-y` before `--yes`. `metavar` is empty for a flag, which takes no value."""

    names: tuple[str, ...]
    metavar: str
    help: str
    values: Values


@dataclass(frozen=True)
class Argument:
    """A word of a command that is no option."""

    metavar: str
    help: str
    values: Values


@dataclass(frozen=True)
class Command:
    """A command or an agent. `summary` is its line in the bare help, `help` the first sentences of its own."""

    name: str
    summary: str
    help: str
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    is_agent: bool


HELP = Option(("-h", "--help"), "", "Show this message and exit.", ANYTHING)


def all_commands() -> tuple[Command, ...]:
    """The agents, then the commands as the bare help groups them. Imports every command: a third of a second."""
    from agentlaunch.agents.base import AGENTS, agent_title
    from agentlaunch.cli.main import COMMANDS
    from agentlaunch.cli.overview import grouped

    agents = [
        _described(name, "agentlaunch.cli.launch:launch", f"Launch {agent_title(name)}.", is_agent=True)
        for name in AGENTS
    ]
    own = [name for names in grouped(COMMANDS).values() for name in names]
    return (*agents, *(_described(name, *COMMANDS[name], is_agent=False) for name in own))


def _described(name: str, target: str, summary: str, *, is_agent: bool) -> Command:
    from typer.core import TyperArgument, TyperOption

    from agentlaunch.cli.main import load_command

    parsed = load_command(name, target, is_agent=is_agent)
    known = option_values()
    arguments = [_argument(name, one, known) for one in parsed.params if isinstance(one, TyperArgument)]
    options = [_option(one, known) for one in parsed.params if isinstance(one, TyperOption)]
    return Command(name, summary, _one_line(parsed.help), tuple(arguments), (*options, HELP), is_agent)


def _option(option: TyperOption, known: Mapping[str, Values]) -> Option:
    names = tuple(sorted((*option.opts, *option.secondary_opts), key=lambda name: name.startswith("--")))
    choices = tuple(str(choice) for choice in getattr(option.type, "choices", ()))
    metavar = "" if option.is_flag else option.metavar or "|".join(choices) or option.type.name.upper()
    values = Values(choices) if choices else next((known[name] for name in names if name in known), ANYTHING)
    return Option(names, metavar, _one_line(option.help), ANYTHING if option.is_flag else values)


def _argument(command: str, argument: TyperArgument, known: Mapping[str, Values]) -> Argument:
    metavar = argument.metavar or str(argument.name).upper()
    choices = tuple(re.findall(r"[a-z-]+", metavar)) if metavar != metavar.upper() else ()
    named = {"models": Values(asked="models"), "upstream": Values(asked="upstreams")}
    values = Values(choices) if choices else known.get(f"--{argument.name}", named.get(command, ANYTHING))
    return Argument(metavar, _one_line(argument.help), values)


def option_values() -> dict[str, Values]:
    """What the value of an option may be, by the option's name: it means the same in every command."""
    from agentlaunch.agents.base import AGENTS
    from agentlaunch.app.orders import KNOWN_RUNTIMES
    from agentlaunch.core.engine import KVType
    from agentlaunch.core.policy import Role
    from agentlaunch.upstreams import UPSTREAMS

    return {
        "--model": Values(asked="models"),
        "--upstream": Values(asked="upstreams"),
        "--fallback": Values(asked="upstreams"),
        "--policy": Values(asked="policies"),
        "--agent": Values(tuple(AGENTS)),
        "--kv": Values(get_args(KVType)),
        "--runtime": Values(KNOWN_RUNTIMES),
        "--os": Values(("linux", "darwin", "windows")),
        "--kind": Values(tuple(UPSTREAMS)),
        "--role": Values(get_args(Role)),
        "--simulate": Values(is_file=True),
        "--key-file": Values(is_file=True),
    }


def valued_options(commands: tuple[Command, ...]) -> Iterator[Option]:
    """Every option that takes a value, once."""
    seen: set[tuple[str, ...]] = set()
    for command in commands:
        for option in command.options:
            if option.metavar and option.names not in seen:
                seen.add(option.names)
                yield option


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
