"""What the option parser complains of, in our form: the value in backticks, and a hint that says what it may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from typing import Protocol

    class Parameter(Protocol):
        """What we read of a parser's option or argument."""

        opts: Sequence[str]
        metavar: str | None
        type: object


_BAD_VALUE = re.compile(r"'?(?P<value>.*?)'? is not (?:a valid|in the range|one of) ", re.DOTALL)
_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((?P<words>.*)\)", re.DOTALL)
_NOUNS = {"int": "a whole number", "integer": "a whole number", "float": "a number"}
_STRAY = ("unknown option ", "nothing is known to do with ")
_QUOTED = re.compile(r"'([^']*)'")


def as_usage_error(error: Exception, own: Sequence[str]) -> UserError | None:
    """The option parser's complaint about the words `own` as one of ours; None when `error` is none of its own.

    Its base class is public under no stable name across typer's versions; BadParameter is, and derives from it.
    """
    import typer

    if not isinstance(error, typer.BadParameter.__mro__[2]):
        return None
    context = getattr(error, "ctx", None)
    # An option without its value is reported before there is a context; then the first word is the command.
    first = own[0] if own else ""
    path = f"agentlaunch {first}" if context is None else context.command_path
    from agentlaunch.agents.base import AGENTS

    message, advice = _told(error)
    is_stray = message.startswith(_STRAY)
    agents_own = "the agent's own arguments go behind `--`" if first in AGENTS and is_stray else ""
    hint = "; ".join(part for part in (advice, agents_own, f"{path} --help") if part)
    return UserError("usage", message, hint)


def _told(error: Exception) -> tuple[str, str]:
    """The message, and what to write instead; the second is empty where nothing is known."""
    said = str(getattr(error, "message", ""))
    option = getattr(error, "option_name", None)
    parameter: Parameter | None = getattr(error, "param", None)
    bad, extra = _BAD_VALUE.match(said), _EXTRA.match(said)
    if option and said.startswith("No such option"):
        from difflib import get_close_matches

        near = get_close_matches(option, getattr(error, "possibilities", None) or (), 1)
        return f"unknown option `{option}`", f"did you mean `{near[0]}`?" if near else ""
    if extra:
        return f"nothing is known to do with `{extra['words']}`", ""
    if parameter is not None and not said:
        return f"missing argument `{_name(parameter)}`", ""
    if parameter is not None and bad:
        return f"{_name(parameter)} cannot be `{bad['value']}`", _wanted_text(parameter.type)
    told: Callable[[], str] = getattr(error, "format_message", error.__str__)
    sentence = _QUOTED.sub(r"`\1`", told().rstrip("."))
    return sentence[:1].lower() + sentence[1:], ""


def _name(parameter: Parameter) -> str:
    """An option's long name, an argument's word in the usage line."""
    options = [name for name in parameter.opts if name.startswith("-")]
    return max(options, key=len) if options else parameter.metavar or parameter.opts[0].upper()


def _wanted_text(kind: object) -> str:
    """What a value of the type `kind` may be: a choice's words, else the kind of number and its bounds."""
    choices: Sequence[object] | None = getattr(kind, "choices", None)
    if choices:
        return f"known: {', '.join(map(str, choices))}"
    noun = _NOUNS.get(str(getattr(kind, "name", "")).partition(" ")[0], "")
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    bounds = {
        (True, False): f" of at least {low}",
        (False, True): f" of at most {high}",
        (True, True): f" from {low} to {high}",
    }.get((low is not None, high is not None), "")
    return f"write {noun}{bounds}" if noun else ""
