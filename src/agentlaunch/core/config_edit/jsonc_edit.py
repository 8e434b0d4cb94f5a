"""Edits JSON with comments in place: what is not changed keeps its bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentlaunch.core.config_edit.jsonc_tree import Member, Node, read_root
from agentlaunch.core.config_edit.steps import KeyPath, Put, Remove, Step

_INDENT = re.compile(r"\n([ \t]+)\"")
_COMMENT_OR_BLANK = re.compile(r"//[^\r\n]*|/\*(?:[^*]|\*(?!/))*\*/|[ \t\r\n]+")
DEFAULT_INDENT = "  "


class _Edit(NamedTuple):
    """text[start:end] becomes `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class _Style:
    """How the file is written."""

    newline: str
    indent: str


def read_jsonc(text: str) -> dict[str, object]:
    """The object that the text says; a text of blanks and comments alone says an empty one. Raises NotJsonc."""
    root = read_root(text)
    return {} if root is None or not isinstance(root.plain, dict) else root.plain


def edit_jsonc(text: str, steps: Sequence[Step]) -> str:
    """The text after the steps. Raises NotJsonc for a text that cannot be read."""
    root = read_root(text)
    if root is None:  # an object is put behind the comments
        gap = "" if not text or text.endswith("\n") else "\n"
        text = f"{text}{gap}{{}}\n"
        root = read_root(text)
    if root is None or not steps:
        return text
    found = _INDENT.search(text)
    style = _Style("\r\n" if "\r\n" in text else "\n", found.group(1) if found else DEFAULT_INDENT)
    parents: dict[KeyPath, list[Step]] = {}
    for step in steps:
        parents.setdefault(step.path[:-1], []).append(step)
    edits: list[_Edit] = []
    for path, own in parents.items():
        edits += _Table(text, _find(root, path), style).edits(own)
    edits.sort(key=lambda edit: edit.start)
    for edit in reversed(edits):  # of two at one place the first stays the first
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _find(root: Node, path: KeyPath) -> Node:
    for key in path:
        root = next(member.value for member in root.members if member.key == key)
    return root


class _Table:
    """One object of the text, and the edits that change its own members."""

    def __init__(self, text: str, node: Node, style: _Style) -> None:
        self._text = text
        self._node = node
        self._style = style
        self._members = {member.key: member for member in node.members}

    def edits(self, steps: Sequence[Step]) -> Iterable[_Edit]:
        """All steps at once, since they share the object's commas."""
        puts = [step for step in steps if isinstance(step, Put)]
        removed = {step.path[-1] for step in steps if isinstance(step, Remove)}
        for put in puts:
            member = self._members.get(put.path[-1])
            if member is not None:
                yield _Edit(
                    member.value.start, member.value.end, self._dump(put.value, self._line_indent(member.start))
                )
        yield from self._removals(removed)
        added = [put for put in puts if put.path[-1] not in self._members]
        if added:
            yield from self._additions(added)

    def _removals(self, keys: set[str]) -> Iterable[_Edit]:
        for member in self._node.members:
            if member.key in keys:
                yield _Edit(self._with_blanks_before(member.start), member.value.end, "")
                if member.comma >= 0:
                    yield _Edit(member.comma, member.comma + 1, "")
        last = self._node.members[-1] if self._node.members else None
        staying = [member for member in self._node.members if member.key not in keys]
        if last is not None and last.key in keys and last.comma < 0 and staying:
            yield _Edit(staying[-1].comma, staying[-1].comma + 1, "")

    def _with_blanks_before(self, at: int) -> int:
        """Back over the blanks of this line and its beginning, so that no empty line stays."""
        while at > 0 and self._text[at - 1] in " \t":
            at -= 1
        if at > 0 and self._text[at - 1] == "\n" and not self._ends_line_comment(at):
            at -= 2 if self._text[at - 2 : at] == "\r\n" else 1
        return at

    def _ends_line_comment(self, at: int) -> bool:
        """Whether the line before ends in a comment, which would swallow what follows."""
        return "//" in self._text[self._text.rfind("\n", 0, at - 1) + 1 : at - 1]

    def _additions(self, puts: Sequence[Put]) -> Iterable[_Edit]:
        last = self._node.members[-1] if self._node.members else None
        inside = self._node.end - 1
        end = self._end_of_content(last)
        is_wide = self._is_wide(end)
        if last is not None and last.comma < 0:
            yield _Edit(last.value.end, last.value.end, ",")
        outer = self._line_indent(self._node.start)
        indent = self._line_indent(last.start) if last is not None and is_wide else outer + self._style.indent
        separator = f",{self._style.newline}{indent}" if is_wide else ", "
        body = separator.join(f"{_quoted(put.path[-1])}: {self._dump(put.value, indent, is_wide)}" for put in puts)
        tail = "," if last is not None and last.comma >= 0 else ""
        if not is_wide:
            yield _Edit(end, end, f"{' ' if last is not None else ''}{body}{tail}")
            return
        has_own_line = "\n" in self._text[end:inside]
        closing = "" if has_own_line else self._style.newline + outer
        yield _Edit(end, end, f"{self._style.newline}{indent}{body}{tail}{closing}")

    def _end_of_content(self, last: Member | None) -> int:
        """Behind the last value, its comma, and the comments that follow them."""
        at = self._node.start + 1 if last is None else max(last.value.end, last.comma + 1)
        end = at
        while at < self._node.end - 1:
            found = _COMMENT_OR_BLANK.match(self._text, at)
            at = found.end() if found else at + 1  # a comma
            if found is None or found.group()[0] == "/":
                end = at
        return end

    def _is_wide(self, end: int) -> bool:
        """Whether members stand on lines of their own: as they do, in an empty root, and behind a line comment."""
        if "\n" in self._text[self._node.start : self._node.end]:
            return True
        return "//" in self._text[self._node.start : end] or not self._node.members

    def _line_indent(self, at: int) -> str:
        """The blanks that begin the line of this place."""
        begin = self._text.rfind("\n", 0, at) + 1
        stop = begin
        while self._text[stop : stop + 1] in (" ", "\t"):
            stop += 1
        return self._text[begin:stop]

    def _dump(self, value: object, indent: str, is_wide: bool = True) -> str:
        if not is_wide:
            return _json(value, None)
        lines = _json(value, self._style.indent).split("\n")
        return f"{self._style.newline}{indent}".join(lines)


def _quoted(key: str) -> str:
    return _json(key, None)


def _json(value: object, indent: str | None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which a file may write as an escape alone
        return json.dumps(value, indent=indent)
    return text
