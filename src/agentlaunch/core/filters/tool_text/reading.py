"""Text with calls in it, read when all of it is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from agentlaunch.core.filters.json_repair import strict
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.gemma_calls import read_gemma
from agentlaunch.core.filters.tool_text.heads import Form, Head, Place, head_at
from agentlaunch.core.filters.tool_text.json_calls import read_json
from agentlaunch.core.filters.tool_text.markdown import Markdown
from agentlaunch.core.filters.tool_text.markup import (
    CHANNEL,
    CLOSER,
    CLOSERS,
    NAMESPACE_MARK,
    OPENERS,
    STOPPERS,
    TAGS,
    Cursor,
    FoundCall,
    More,
    NoCall,
    only_closers,
    only_marks,
)
from agentlaunch.core.filters.tool_text.named_calls import read_named
from agentlaunch.core.filters.tool_text.nested_calls import read_nested
from agentlaunch.core.filters.tool_text.python_calls import read_python
from agentlaunch.core.filters.tool_text.tag_calls import read_tags

Segment: TypeAlias = str | FoundCall
Reader: TypeAlias = Callable[[str, int, OfferedTools], tuple[list[FoundCall], int]]

_ANGLED = (literal for literal in (*OPENERS, *CLOSERS, *TAGS, CHANNEL) if literal[0] == "<")
_AFTER_ANGLE = re.escape("".join(sorted({literal[1] for literal in _ANGLED})))

_READERS: dict[Form, Reader] = {
    Form.TAGS: read_tags,
    Form.JSON: read_json,
    Form.NAMED: read_named,
    Form.PYTHON: read_python,
    Form.GEMMA: read_gemma,
    Form.NESTED: read_nested,
}

_TRIGGER = (
    rf"<(?:[{_AFTER_ANGLE}]|\Z)|\[(?:T|\Z)|\](?:<|\Z)|```|`{{1,2}}\Z"
    r"|^[ \t]*(?:[\[{]|c(?:all:|(?:a(?:l{1,2})?)?\Z)|f(?:unctools(?:\[|\Z)|(?:u(?:n(?:c(?:t(?:o(?:ol?)?)?)?)?)?)?\Z))"
)
TRIGGER = re.compile(_TRIGGER, re.MULTILINE)
"""Where a call, or a block of code, may begin. Most text has no such place."""

_NAME_TRIGGER = r"^[ \t]*([A-Za-z_][\w.:-]*)(?=\[(?:A|\Z)|\s*(?:<(?:[|\uff5cal]|\Z)|\{|\Z))"
NAME_TRIGGER = re.compile(_NAME_TRIGGER, re.MULTILINE)
"""The same for a call that lacks its opening mark, where a line begins."""

_ANY_TRIGGER = re.compile(f"{_TRIGGER}|{_NAME_TRIGGER}", re.MULTILINE)

_BEHIND = re.compile(rf"(?:\s|,|;|{CLOSER.pattern}|[\]}}]+(?=\s*(?:{CLOSER.pattern}|\Z)))*")


_BARS = ("|", "\uff5c", "\u2016")
_BRACKETS = re.compile(r"[\]}\s]*")

_NAME_BEGUN = re.compile(r"[\w.:/(-]*\Z")
"""Perhaps the next of several calls in Python."""


@dataclass(frozen=True)
class Opening:
    """A call begins at `start`, its wrapper included."""

    start: int
    head: Head


@dataclass(frozen=True)
class Undecided:
    """From `start` on, the text may become a call."""

    start: int


@dataclass
class Search:
    """Looks for the next call in `text`, of which `markdown` stood before; keeps track of blocks of code."""

    text: str
    offered: OfferedTools
    final: bool
    markdown: Markdown
    position: int = 0
    """Up to here the text is decided: no call begins before it, and `markdown` is the state there."""

    def next(self) -> Opening | Undecided | None:
        """The next call; None when there is none, and all of the text is decided."""
        search = self.position
        while (trigger := _ANY_TRIGGER.search(self.text, search)) is not None:
            start = trigger.end() - len(trigger[0].lstrip())
            self._pass(start)
            found = self._at(start, self.markdown)
            if not isinstance(found, int):
                return found
            search = max(found, trigger.end() if found == start else found)
        self._pass(len(self.text))
        return None

    def skip(self, end: int) -> None:
        """What stands before `end` is decided."""
        self._pass(end)

    def skip_example(self, start: int, end: int) -> None:
        """From `start` to `end` stands a call that is none; it may be a block of code."""
        self._pass(start)
        self.markdown = self.markdown.after_example(self.text[start:end])
        self.position = end

    def _pass(self, end: int) -> None:
        self.markdown = self.markdown.after(self.text[self.position : end])
        self.position = end

    def _at(self, start: int, before: Markdown) -> Opening | Undecided | int:
        """What begins at `start`; where to look on when nothing does."""
        if before.is_code:
            return self._close_block(start, before)
        if _may_close(self.text, start, before) and only_closers(self.text, start, final=self.final):
            return Undecided(start)  # nobody is shown the end of a call that was told otherwise
        cursor = Cursor(self.text, start, final=self.final)
        try:
            return Opening(start, head_at(cursor, self.offered, Place(line_start=before.blank)))
        except More:
            return Undecided(start)
        except NoCall:
            return self._close_block(start, before)

    def _close_block(self, start: int, before: Markdown) -> Undecided | int:
        """Pass a fence, which opens or closes a block."""
        if not before.blank or self.text[start] != "`":
            return start
        if self.text.startswith("```", start):
            self.markdown = before.toggled()
            self.position = start + 3
            return start + 3
        return start if self.final else Undecided(start)


def _may_close(text: str, start: int, before: Markdown) -> bool:
    """Whether a mark may stand there that closes what nothing opens: on a line of its own, or one of bars anywhere."""
    return text[start] in "<[" and (before.blank or text[start + 1 : start + 3].strip("/")[:1] in _BARS)


def example_end(text: str, head: Head, offered: OfferedTools) -> int:
    """The index behind the first call of an example."""
    return _run(text, head, offered).first_end


def read(text: str, offered: OfferedTools, markdown: Markdown) -> list[Segment]:
    """`text` as the calls in it and what stands between them, in order; `markdown` is the state before it."""
    given, text = text, text.replace(NAMESPACE_MARK, "")
    search = Search(text, offered, final=True, markdown=markdown)
    segments: list[Segment] = []
    said = 0
    while isinstance(opening := search.next(), Opening):
        run = _run(text, opening.head, offered)
        if not run.calls:
            search.skip(opening.start + 1)
        elif not run.counts:
            search.skip_example(opening.start, run.first_end)
        else:
            if text[said : opening.start].strip():
                segments.append(text[said : opening.start])
            segments += run.calls
            said = run.end
            search.skip(said)
    if not segments:
        return [given]
    if not _is_closer_begun(text[said:].strip()) and not only_marks(text[said:]):
        segments.append(text[said:])
    return segments


def _is_closer_begun(text: str) -> bool:
    """Whether the answer was cut inside a mark that closes a call; also true of nothing at all."""
    return any(closer.startswith(text) for closer in CLOSERS)


@dataclass
class _Run:
    """Calls with nothing between them. `counts` is false for examples, which something else follows."""

    calls: list[FoundCall]
    first_end: int
    end: int
    counts: bool = True


def _run(text: str, head: Head, offered: OfferedTools) -> _Run:
    run = _Run([], head.position, head.position)
    following: Head | None = head
    while following is not None and following.alone == head.alone:
        try:
            found, stop = _READERS[following.form](text, following.position, offered)
        except NoCall:
            break
        end = _behind(text, stop, fenced=following.fenced)
        run = _Run([*run.calls, *found], run.first_end if run.calls else end, end)
        following = _following(text, end, offered, after_call=not head.alone)
    if text.startswith(STOPPERS, run.end):
        run.end = len(text)
    elif head.alone:
        run.counts = not text[run.end :].strip()
    return run


def _behind(text: str, position: int, *, fenced: bool) -> int:
    """The index behind what may stand after a call."""
    position = _BEHIND.match(text, position).end()  # type: ignore[union-attr]
    if fenced and text.startswith("```", position):
        position = _BEHIND.match(text, position + 3).end()  # type: ignore[union-attr]
    return position


def _following(text: str, start: int, offered: OfferedTools, *, after_call: bool) -> Head | None:
    try:
        return head_at(Cursor(text, start, final=True), offered, Place(line_start=True, after_call=after_call))
    except NoCall:
        return None


def is_example(text: str, head: Head, offered: OfferedTools) -> bool:
    """Whether what only looks like a call is followed by other text, or by a call in a model's own marks."""
    while head.alone:
        stop = _certain_end(text, head, offered)
        if stop is None:
            return False
        end = _behind(text, stop, fenced=head.fenced)
        cursor = Cursor(text, end, final=False)
        try:
            head = head_at(cursor, offered, Place(line_start=True))
        except More:
            return False
        except NoCall:
            return _is_other_text(text, end, head.form)
    return True


def _is_other_text(text: str, start: int, form: Form) -> bool:
    if form is Form.PYTHON and _NAME_BEGUN.match(text, start):
        return False
    brackets = _BRACKETS.match(text, start).end()  # type: ignore[union-attr]
    try:
        return Cursor(text, brackets, final=False).one_of((*CLOSERS, *STOPPERS, "```")) is None
    except More:
        return False


def _certain_end(text: str, head: Head, offered: OfferedTools) -> int | None:
    """The end of a call that later text cannot move; None while there is none."""
    if head.form is Form.JSON:
        found = strict(text, head.position)
        return None if found is None else found[1]
    if head.form is not Form.PYTHON:
        return None
    try:
        calls, end = _READERS[head.form](text, head.position, offered)
    except NoCall:
        return None
    return None if calls[-1].unclosed else end
