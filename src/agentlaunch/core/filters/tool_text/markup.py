"""The marks that models put around calls, and a cursor over text that may not have arrived in full."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BARS = ("\uff5c", "\u2016", "|")
"""DeepSeek's full-width bar, and what tokenizers and terminals make of it (field report B133)."""

_PREFIXES = (
    *("", "antml:", "minimax:", "mm:", "seed:", "steptml:", "atem:", "longcat_", "zyphra_", "iquestcoder_", "DSML:"),
    *(f"{bar}{word}{bar}" for word in ("DSML", "GCML") for bar in (*_BARS, *(bar * 2 for bar in _BARS))),
)

NAMESPACE_MARK = "]<]minimax[>["
"""MiniMax-M3 writes it before each of its tags (field report B156)."""


def _deepseek(words: str) -> tuple[str, ...]:
    """DeepSeek's mark of these words, with what stands for the spaces in its tokenizer and in texts about it."""
    return tuple(f"<{bar}{words.replace(' ', space)}{bar}>" for bar in _BARS for space in ("\u2581", "_"))


FUNCTOOLS = "functools["
"""Phi-4-mini's, at the start of a line: the list in it is one of calls (vLLM #14682)."""

_WRAPPERS = ("tool_call", "tool_calls", "function_call", "function_calls", "tools", "tool", "tool_use", "function")
_MORE_WRAPPERS = ("tool_code", "FUNCTION_CALL", "TOOL_CALL")
_MISSPELLED = ("toolcalls", "tool_ccalls", "tool_cs", "calls")
"""By DeepSeek V4 behind its `DSML` (vLLM #51914, osaurus #1242)."""

OPENERS = (
    *(f"<{prefix}{name}>" for prefix in _PREFIXES for name in _WRAPPERS),
    *(f"<{name}>" for name in _MORE_WRAPPERS),
    *(f"<{bar}DSML{bar}{name}>" for bar in (*_BARS, *(bar * 2 for bar in _BARS)) for name in _MISSPELLED),
    "<|tool_call|>",
    "<|tool_call>",
    "<|tool_calls|>",
    "<|tool_call_start|>",
    "<|python_tag|>",
    "<|python_start|>",
    "[TOOL_CALLS]",
    "[TOOL_CALL]",
    "[TOOL_REQUEST]",
    "<TOOLCALL>",
    "<functioncall>",
    "<|function_call|>",
    "<|START_ACTION|>",
    "<|tools_prefix|>",
    "<|action_start|>",
    "<|plugin|>",
    "<|tool_calls_section_begin|>",
    "<|tool_call_section_begin|>",
    "<|tool_call_begin|>",
    *_deepseek("tool calls begin"),
    *_deepseek("tool call begin"),
    "<start_function_call>",
    NAMESPACE_MARK,
)
"""What may stand before a call. Families mix them, so any of them may stand before any form of call."""

CLOSERS = (
    *(f"</{prefix}{name}>" for prefix in _PREFIXES for name in (*_WRAPPERS, "invoke")),
    *(f"</{name}>" for name in _MORE_WRAPPERS),
    *(f"</{bar}DSML{bar}{name}>" for bar in (*_BARS, *(bar * 2 for bar in _BARS)) for name in _MISSPELLED),
    *("<end_of_tool_call>", "<|/tool_calls|>"),
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
    "<|tool_call_section_end|>",
    "[END_TOOL_REQUEST]",
    *_deepseek("tool call end"),
    *_deepseek("tool calls end"),
    "<end_function_call>",
    "<|call|>",
    "<|end|>",
    "<|im_end|>",
    "<end_of_turn>",
    "<turn|>",
    "[e~[",
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
    *_deepseek("tool outputs begin"),
)
"""Behind a call: the model goes on to make up the result. Nothing after it is worth hearing."""

TAGS = tuple(
    f"<{prefix}{start}"
    for prefix in _PREFIXES
    for start in (
        *("function=", "function name=", "invoke name=", "invoke=", "tool name="),
        *("tool_call name=", "tool_call=", "tool_use name=", "function_call name="),
    )
)
"""How a call begins whose name stands in a tag."""

DSML_TAGS = tuple(f"<{bar}DSML{bar}" for bar in (*_BARS, *(bar * 2 for bar in _BARS)))

KEY_TAGS = ("<arg_key>", "<longcat_arg_key>")
"""Before the keys in GLM's and LongCat's notation."""
STRAY_TAGS = ("</arg_value>", "</arg_key>", "</longcat_arg_value>", "</longcat_arg_key>")
"""GLM ends a call without arguments with one of its own (Fireworks' python-sdk #119)."""

OPENING = re.compile("|".join(map(re.escape, (*OPENERS, *TAGS))))

QUOTATION_MARKS = ('"', "'", "\u201c", "\u201d")
"""Around names in tags; typographic ones are somebody's autocorrection (paper-chat-for-zotero #28)."""

PARAMETER_TAGS = tuple(f"<{prefix}parameter" for prefix in _PREFIXES)

CHANNEL = "<|channel|>commentary to="
"""How `ThinkSplitter` writes every head of a call in gpt-oss's channels."""

SEPARATORS = (
    "[ARGS]",
    "[CALL_ID]",
    "<|tool_call_argument_begin|>",
    *_deepseek("tool sep"),
    "<tool_sep>",
    "<|content_invoke_tool_json|>",
    "<|message|>",
)
"""Between a bare name and its arguments: Mistral, Kimi, DeepSeek, Hy3, Inkling, gpt-oss."""

FENCES = (
    *("json", "jsonc", "json5", "javascript", "js", "tool_code", "tool_call", "tool", "xml", "python"),
    *("tool_calls", "tool_use", "function_call"),
    *("bash", "sh", "shell", "text", "plaintext", ""),
)
"""Languages of a markdown block that may hold a call."""

LONGEST_HEAD = 600
"""Characters in which it must be plain whether a call has begun; text is never held back longer than this."""

_LONGEST_LITERAL = 80

_NAME = re.compile(r"[\w.:-]+(?:/[\w.:-]+)*(?:/\Z)?")
_SPACE = re.compile(r"\s*")

CLOSER = re.compile("|".join(map(re.escape, sorted(CLOSERS, key=len, reverse=True))))
BOUNDARY = re.compile("|".join(map(re.escape, sorted((*CLOSERS, *OPENERS), key=len, reverse=True))))

_PARAMETER_ENDS = tuple(f"</{prefix}parameter>" for prefix in _PREFIXES)
_PARAMETER_END = "|".join(map(re.escape, _PARAMETER_ENDS))
_ONLY_CLOSERS = re.compile(rf"(?:\s*(?:{_PARAMETER_END}))?(?:\s|{CLOSER.pattern})*")
_ONLY_MARKS = re.compile(rf"(?:\s|{BOUNDARY.pattern})*")
_SHORTEST_PART = 4
"""Characters of a mark that was cut: fewer may be anything."""


def only_closers(text: str, start: int, *, final: bool) -> bool:
    """Whether nothing but marks that close calls stands from `start` on; unless `final`, the last may be a part."""
    end = _ONLY_CLOSERS.match(text, start).end()  # type: ignore[union-attr]
    rest = text[end:]
    begun = (*CLOSERS, *_PARAMETER_ENDS) if end == start else CLOSERS
    return not rest or (not final and any(closer.startswith(rest) for closer in begun))


def only_marks(text: str) -> bool:
    """Whether nothing but marks of calls stands in `text`, of which the last may have been cut."""
    rest = text[_ONLY_MARKS.match(text).end() :]  # type: ignore[union-attr]
    return not rest or (len(rest) >= _SHORTEST_PART and any(mark.startswith(rest) for mark in (*OPENERS, *CLOSERS)))


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
        if self.text.startswith(tuple(literals), self.position):
            literal = next(each for each in literals if self.text.startswith(each, self.position))
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

    def word(self) -> str:
        """What stands here of a name, which may not have ended."""
        found = _NAME.match(self.text, self.position)
        return "" if found is None else found[0]

    def more(self) -> None:
        """The text ends here: NoCall when too much of it was needed already, nothing when it is final."""
        if self.final:
            return
        if len(self.text) > self._limit:
            raise NoCall
        raise More
