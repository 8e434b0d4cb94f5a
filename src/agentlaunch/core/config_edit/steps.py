"""Which keys of a configuration change so that it says what we want, and so that it no longer does: pure decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Document: TypeAlias = Mapping[str, object]
"""A parsed configuration, or what we want of one: tables are dicts, and TOML brings its dates."""
KeyPath: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What a configuration shall say. `listed` are lists that must name a value, where the file has them at all;
    `defaults` are for a file that says nothing about their keys."""

    values: Document
    listed: tuple[tuple[KeyPath, str], ...] = ()
    defaults: Document = field(default_factory=dict)

    def over(self, current: Document) -> Document:
        """The values for a file that says `current`."""
        whole: Document = {key: value for key, value in self.defaults.items() if key not in current} | dict(self.values)
        for path, value in self.listed:
            names = _at(current, path)
            if isinstance(names, list) and value not in names:
                whole = _with(whole, path, [*names, value])
        return whole


@dataclass(frozen=True)
class Put:
    """The key gets this value, and is made where it is missing. Its parent is there, and a table."""

    path: KeyPath
    value: object


@dataclass(frozen=True)
class Remove:
    """The key goes. It is there."""

    path: KeyPath


Step: TypeAlias = Put | Remove


@dataclass(frozen=True)
class Undone:
    """How our keys are taken out. `kept` are keys of ours whose value somebody has changed since: they stay."""

    steps: tuple[Step, ...]
    kept: tuple[KeyPath, ...]


def steps_to(wanted: Document, current: Document, above: KeyPath = ()) -> Iterator[Put]:
    """What makes `current` say `wanted`: tables are merged, everything else is replaced; nothing for what it says."""
    for key, value in wanted.items():
        path = (*above, key)
        if key not in current:
            yield Put(path, value)
            continue
        old = current[key]
        if isinstance(value, dict) and isinstance(old, dict):
            yield from steps_to(value, old, path)
        elif not same(value, old):
            yield Put(path, value)


def steps_back(wanted: Document, current: Document, original: Document) -> Undone:
    """What takes `wanted` out of `current`, which others may have changed since; `original` is what stood before.

    A key that still has our value gets its old one, or goes. A table that we made goes when nothing is left in it.
    """
    steps, kept, _ = _back(wanted, current, original, ())
    return Undone(tuple(steps), tuple(kept))


def _back(
    wanted: Document, current: Document, original: Document, above: KeyPath
) -> tuple[list[Step], list[KeyPath], bool]:
    """Steps, kept keys, and whether nothing would be left here."""
    steps: list[Step] = []
    kept: list[KeyPath] = []
    left = len(current)
    for key, value in wanted.items():
        if key not in current:
            continue
        path, now, before = (*above, key), current[key], original.get(key)
        if isinstance(value, dict) and isinstance(now, dict):
            inner, inner_kept, is_empty = _back(value, now, before if isinstance(before, dict) else {}, path)
            kept += inner_kept
            if not is_empty or isinstance(before, dict):
                steps += inner
                continue
        elif not same(value, now):
            if not (key in original and same(before, now)):  # what it had before needs no word
                kept.append(path)
            continue
        if key in original:
            steps += [] if same(before, now) else [Put(path, before)]
        else:
            steps.append(Remove(path))
            left -= 1
    return steps, kept, left == 0


def applied(document: Document, steps: tuple[Step, ...]) -> dict[str, object]:
    """The document after the steps: what an edited text must parse to."""
    whole = _copy(document)
    for step in steps:
        table = whole
        for key in step.path[:-1]:
            inner = table[key]
            if not isinstance(inner, dict):
                raise TypeError(f"{'.'.join(step.path)} is in no table")
            table = inner
        if isinstance(step, Put):
            table[step.path[-1]] = step.value
        else:
            del table[step.path[-1]]
    return whole


def _at(document: Document, path: KeyPath) -> object:
    """The value at a path, None where there is none."""
    value: object = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _with(document: Document, path: KeyPath, value: object) -> Document:
    key, *rest = path
    inner = document.get(key)
    below = inner if isinstance(inner, dict) else {}
    return {**document, key: _with(below, tuple(rest), value) if rest else value}


def _copy(document: Document) -> dict[str, object]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in document.items()}


def same(one: object, other: object) -> bool:
    """Equality of configuration values. Python's own takes 1, 1.0 and true for one value."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return repr(one) == repr(other)  # not a number is the same as itself
    return type(one) is type(other) and one == other
