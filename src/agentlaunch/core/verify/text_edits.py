"""Judges of edits that stand in an answer's text, as Aider reads them; the forms are those of its prompts (0.86.2)."""

from __future__ import annotations

import re
from collections.abc import Callable

from agentlaunch.core.verify.case import Judge, Reading
from agentlaunch.core.verify.judges import edited, said_of, shown

_BLOCK = re.compile(
    r"^<{5,9} SEARCH[ \t]*\n(?P<search>(?:.*\n)*?)={5,9}[ \t]*\n(?P<replace>(?:.*\n)*?)>{5,9} REPLACE", re.MULTILINE
)
_FENCE = re.compile(r"^```[^\n`]*\n(?P<text>(?:.*\n)*?)```[ \t]*$", re.MULTILINE)


def edits_by_blocks(path: str, before: str, after: str) -> Judge:
    """No call; blocks of search and replace, the first below a line `path`, turn `before` into `after`.

    `before` empty: a file that is not there yet, made by one block that searches for nothing.
    """

    def judge(text: str, reading: Reading) -> str:
        blocks = list(_BLOCK.finditer(text))
        if not blocks:
            return said_of(reading)
        if not _is_below(path, text[: blocks[0].start()]):
            return f"no line {path} above the block"
        found = [(block["search"], block["replace"]) for block in blocks]
        if not before and [search for search, _ in found] == [""]:
            return "" if found[0][1] == after else f"the content differs: {shown(found[0][1])}"
        return edited([pair if pair[0] else None for pair in found], ("SEARCH", "REPLACE"), before, after)

    return _without_calls(judge)


def gives_whole(path: str, content: str) -> Judge:
    """No call; a line `path`, and below it a fence with exactly this content."""

    def judge(text: str, reading: Reading) -> str:
        fence = next((fence for fence in _FENCE.finditer(text) if _is_below(path, text[: fence.start()])), None)
        if fence is None:
            return f"no fence below a line {path}; {said_of(reading)}"
        return "" if fence["text"] == content else f"the content differs: {shown(fence['text'])}"

    return _without_calls(judge)


def _without_calls(judge: Callable[[str, Reading], str]) -> Judge:
    def whole(reading: Reading) -> str:
        if reading.calls:
            return f"a call where none is needed: {reading.calls[0].name}"
        return judge(reading.text, reading)

    return whole


def _is_below(path: str, above: str) -> bool:
    """Whether one of the two last lines is the path, marked up or not; the other may open a fence."""
    return path in (line.strip("`*#: ") for line in above.rstrip().splitlines()[-2:])
