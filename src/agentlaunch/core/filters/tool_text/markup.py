"""The marks that models put around calls, and a cursor over text that may not have arrived in full."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BARS = ("\uff5c", "\u2016", "|")
"""DeepSeek's full-width bar, and what tokenizers and terminals make of it (field report B133)."""

_PREFIXES = ("", "antml:", "minimax:", "mm:", "seed:", "steptml:", "atem:", *(f"{bar}DSML{bar}" for bar in _BARS))

NAMESPACE_MARK = "]<]minimax[>["
"""MiniMax-M3 writes it before each of its tags (field report B156)."""

_WRAPPERS = ("tool_call", "tool_calls", "function_call", "function_calls", "tools", "tool", "tool_use", "function")

OPENERS = (
    *(f"<{prefix}{name}>" for prefix in _PREFIXES for name in _WRAPPERS),
    "<|tool_call|>",
    "<|tool_call>",
    "<|tool_calls|>",
    "<|tool_call_start|>",
    "<|python_tag|>",
    "<|python_start|>",
    "[TOOL_CALLS]",
    "[TOOL_CALL]",
    "<TOOLCALL>",
    "<|START_ACTION|>",
    "<|tools_prefix|>",
    "<|action_start|>",
    "<|plugin|>",
    "<|tool_calls_section_begin|>",
    "<|tool_call_begin|>",
    *(f"<{bar}tool\u2581calls\u2581begin{bar}>" for bar in _BARS),
    *(f"<{bar}tool\u2581call\u2581begin{bar}>" for bar in _BARS),
    "<start_function_call>",
    NAMESPACE_MARK,
)
"""What may stand before a call. Families mix them, so any of them may stand before any form of call."""

CLOSERS = (
    *(f"</{prefix}{name}>" for prefix in _PREFIXES for name in (*_WRAPPERS, "invoke")),
    "<|/tool_call|>",
    "<tool_call|>",
    "<|tool_call_end|>",
    "<|python_end|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "[/TOOL_CALLS]",
    "[/TOOL_CALL]",
    "</TOOLCALL>",
    "<|END_ACTION|>",
    "<|tools_suffix|>",
    "<|action_end|>",
    "<|tool_calls_section_end|>",
    *(f"<{bar}tool\u2581call\u2581end{bar}>" for bar in _BARS),
    *(f"<{bar}tool\u2581calls\u2581end{bar}>" for bar in _BARS),
    "<end_function_call>",
    "<|call|>",
    "<|end|>",
    "<|im_end|>",
    "<end_of_turn>",
    "<turn|>",
)
"""What may stand behind a call."""

STOPPERS = (
    "<tool_response",
    "<|tool_response",
    "<tool_result",
    "<function_results",
    "[TOOL_RESULTS]",
    "<|im_start|>",
    "<start_of_turn>",
    "<|start|>",
    "<|start_header_id|>",
    "<|start_of_role|>",
    "<|observation|>",
    "<|user|>",
    *(f"<{bar}tool\u2581outputs\u2581begin{bar}>" for bar in _BARS),
)
"""Behind a call: the model goes on to make up the result. Nothing after it is worth hearing."""

TAGS = tuple(
    f"<{prefix}{start}"
    for prefix in _PREFIXES
    for start in ("function=", "function name=", "invoke name=", "invoke=", "tool name=")
)
"""How a call begins whose name stands in a tag."""

PARAMETER_TAGS = tuple(f"<{prefix}parameter" for prefix in _PREFIXES)

CHANNEL = "<|channel|>commentary to="
"""How `ThinkSplitter` writes every head of a call in gpt-oss's channels."""

SEPARATORS = (
    "[ARGS]",
    "[CALL_ID]",
    "<|tool_call_argument_begin|>",
    *(f"<{bar}tool\u2581sep{bar}>" for bar in _BARS),
    "<|message|>",
)
"""Between a bare name and its arguments: Mistral, Kimi, DeepSeek, gpt-oss."""

FENCES = (
    *("json", "jsonc", "json5", "javascript", "js", "tool_code", "tool_call", "tool", "xml", "python"),
    *("bash", "sh", "shell", "text", "plaintext", ""),
)
"""Languages of a markdown block that may hold a call."""

LONGEST_HEAD = 600
"""Characters in which it must be plain whether a call has begun; text is never held back longer than this."""

_LONGEST_LITERAL = 80

_NAME = re.compile(r"[\w.:/-]+")
_SPACE = re.compile(r"\s*")

CLOSER = re.compile("|".join(map(re.escape, sorted(CLOSERS, key=len, reverse=True))))
BOUNDARY = re.compile("|".join(map(re.escape, sorted((*CLOSERS, *OPENERS), key=len, reverse=True))))


class More(Exception):
    """The text so far may become a call."""


class NoCall(Exception):
    """The text is no call."""


@dataclass(frozen=True)
class FoundCall:
    """A call read from text: the offered name, and its arguments as JSON text.

    `unclosed` is empty for a call that its own markup ended. Else the text ended before that, and this is what the
    model had written: JSON without its end. It is told in place of `arguments` when the answer was cut off.
    """

    name: str
    arguments: str
    unclosed: str = ""


class Cursor:
    """A place in text of which more may come, unless it is `final`.

    A question that the missing rest could answer raises More; a final text's rest is empty.
    """

    def __init__(self, text: str, position: int, *, final: bool) -> None:
        self.text = text
        self.position = position
        self.final = final
        self._limit = position + LONGEST_HEAD

    def one_of(self, literals: Sequence[str]) -> str | None:
        """The literal that stands here, which is passed over; None when none does."""
        for literal in literals:
            if self.text.startswith(literal, self.position):
                self.position += len(literal)
                return literal
        if len(self.text) - self.position < _LONGEST_LITERAL:
            rest = self.text[self.position :]
            if any(literal.startswith(rest) for literal in literals):
                self.more()
        return None

    def space(self) -> None:
        """Pass over white space."""
        self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]

    def peek(self) -> str:
        """The next character; empty at the end of a final text."""
        if self.position >= len(self.text):
            self.more()
        return self.text[self.position : self.position + 1]

    def name(self) -> str:
        """A tool's name or a key, which must have ended; NoCall when there is none."""
        found = _NAME.match(self.text, self.position)
        if found is None:
            if self.position >= len(self.text):
                self.more()
            raise NoCall
        if found.end() == len(self.text):
            self.more()
        self.position = found.end()
        return found[0]

    def more(self) -> None:
        """The text ends here: NoCall when too much of it was needed already, nothing when it is final."""
        if self.final:
            return
        if len(self.text) > self._limit:
            raise NoCall
        raise More
