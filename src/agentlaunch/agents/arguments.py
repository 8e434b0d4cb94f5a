"""Looks options up in a user's arguments for an agent, without changing their meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """One option with its value, at `start` and `end` (exclusive) in the arguments."""

    value: str
    start: int
    end: int


def find_options(arguments: tuple[str, ...], name: str) -> tuple[Option, ...]:
    """Every `--name VALUE` and `--name=VALUE` before a bare `--`, in order."""
    return tuple(_options(arguments, name))


def _options(arguments: tuple[str, ...], name: str) -> Iterator[Option]:
    position = 0
    while position < len(arguments) and arguments[position] != "--":
        word, start = arguments[position], position
        position += 1
        if word.startswith(f"{name}="):
            yield Option(word.removeprefix(f"{name}="), start, position)
        elif word == name and position < len(arguments):
            position += 1
            yield Option(arguments[start + 1], start, position)


def has_option(arguments: tuple[str, ...], *names: str) -> bool:
    """Whether one of the long options `names` is given before a bare `--`, with a value or without."""
    for word in arguments:
        if word == "--":
            return False
        if word.partition("=")[0] in names:
            return True
    return False


def without_options(arguments: tuple[str, ...], options: tuple[Option, ...]) -> tuple[str, ...]:
    """The arguments with `options` cut out; everything else in its order."""
    cut = {position for option in options for position in range(option.start, option.end)}
    return tuple(word for position, word in enumerate(arguments) if position not in cut)
