"""Edits TOML in place through tomlkit: comments, order and spelling stay."""

from __future__ import annotations

import tomllib
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING

from agentlaunch.core.config_edit.steps import Put, Step

if TYPE_CHECKING:
    from tomlkit.items import Item


class NotToml(ValueError):
    """The text is not TOML, or no TOML that can be edited safely."""


def read_toml(text: str) -> dict[str, object]:
    """What the text says. Raises NotToml."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotToml(str(error)) from error


def edit_toml(text: str, steps: Sequence[Step]) -> str:
    """The text after the steps, lines ending as most of them do. Raises NotToml."""
    if not steps:
        return text
    has_crlf = "\r\n" in text and "\n" not in text.replace("\r\n", "")
    plain = text.replace("\r\n", "\n") if has_crlf else text
    gap = "" if not plain or plain.endswith("\n") else "\n"  # tomlkit would go on in the last line
    edited = _edit(plain + gap, steps)
    if gap:
        edited = edited.rstrip("\n")
    return edited.replace("\n", "\r\n") if has_crlf else edited


def _edit(text: str, steps: Sequence[Step]) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        if tomlkit.dumps(document) != text:
            raise NotToml("its form cannot be kept")
        for step in steps:
            _apply(document, step)
        return tomlkit.dumps(document)
    except (TOMLKitError, RecursionError, KeyError, IndexError, TypeError, AttributeError) as error:
        # tomlkit's own errors, and what its containers raise for tables in unusual order
        raise NotToml(f"it cannot be edited: {error}") from error


def _apply(document: MutableMapping[str, object], step: Step) -> None:
    from tomlkit.items import InlineTable

    table: object = document
    is_inline = False
    for key in step.path[:-1]:
        table = table[key] if isinstance(table, MutableMapping) else None
        is_inline = is_inline or isinstance(table, InlineTable)
    if not isinstance(table, MutableMapping):
        raise NotToml(f"`{'.'.join(step.path[:-1])}` is no table")
    if isinstance(step, Put):
        table[step.path[-1]] = _item(step.value, is_inline=is_inline)
    else:
        del table[step.path[-1]]


def _item(value: object, *, is_inline: bool) -> Item:
    """A table of tables alone gets no header of its own; within braces all tables have braces."""
    import tomlkit

    if not isinstance(value, dict):
        return tomlkit.item(value)
    has_header = not value or not all(isinstance(inner, dict) for inner in value.values())
    table = tomlkit.inline_table() if is_inline else tomlkit.table(is_super_table=not has_header)
    for key, inner in value.items():
        table.append(key, _item(inner, is_inline=is_inline))
    return table
