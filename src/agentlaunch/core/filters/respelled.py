"""Notations of single families, written anew in the common ones, so that whoever reads those reads them too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agentlaunch.core.filters.mending import MendCount
from agentlaunch.core.filters.tool_text.markdown import CodeLines
from agentlaunch.core.filters.tool_text.markup import OPENING
from agentlaunch.core.ir import ChatEvent, Ping, Started, TextDelta, ThinkingDelta

_CLOSES = "\0"
"""In a replacement's place: the mark ends whatever was opened last."""
_INVOKES = "\1"
"""A call begins, unless its name stands before the mark, as where the prompt has begun the message."""

_MARKS = (
    # Kimi K3: four tokens, the tags' names between them (llama.cpp #26185, xgrammar #806)
    (r'<\|open\|>call tool="(?P<call>[^"<]{1,200})"[^<]{0,200}<\|sep\|>', '<invoke name="{call}">'),
    (r'<\|open\|>argument key="(?P<key>[^"<]{1,200})"[^<]{0,200}<\|sep\|>', '<parameter name="{key}">'),
    (r"<\|open\|>think<\|sep\|>", "<think>"),
    (r"<\|close\|>think<\|sep\|>", "</think>"),
    (r"<\|close\|>argument<\|sep\|>", "</parameter>"),
    (r"<\|close\|>call<\|sep\|>", "</invoke>"),
    (r"<\|(?:open|close)\|>(?:response|tools|message)[^<]{0,200}<\|sep\|>|<\|end_of_msg\|>", ""),
    # Tencent's Hy3 and Hy4 behind each tag, K2 Horizon in front of its name (vLLM hy_v3, k2_horizon)
    (r"<(?P<tencent>/?(?:think|answer|(?:end_of_)?tool_calls?|tool_sep|arg_key|arg_value)):opensource>", "<{tencent}>"),
    (r"<(?P<slash>/?)ifm\|(?P<ifm>think|tool_calls?|arg_key|arg_value)>", "<{slash}{ifm}>"),
    # Inkling: blocks of one kind each, which end alike (vLLM's inkling parser, SGLang #32861)
    (r"<\|message_model\|>(?P<named>[\w.:/-]{1,100})<\|content_invoke_tool_json\|>", "<tool_call>{named}"),
    (r"<\|content_invoke_tool_json\|>", _INVOKES),
    (r"<\|content_thinking\|>", "<think>"),
    (r"<\|message_model\|>|<\|content_(?:text|invoke_tool_text|tool_error)\|>", ""),
    (r"<\|end_message\|>|<\|content_model_end_sampling\|>", _CLOSES),
    # Solar Open 2 (vLLM solar_open2)
    (r"<\|tool_call:start\|>", "<tool_call>"),
    (r"<\|tool_call:end\|>", "</tool_call>"),
    (r"<\|tool_arg:start\|>", "<arg_key>"),
    (r"<\|tool_arg:value\|>", "</arg_key><arg_value>"),
    (r"<\|tool_arg:end\|>", "</arg_value>"),
    # PLaMo 3 (vLLM plamo3)
    (r"<\|plamo:begin_tool_request:plamo\|>", "<tool_call>"),
    (r"<\|plamo:end_tool_request:plamo\|>", "</tool_call>"),
    (r"<\|plamo:begin_tool_name:plamo\|>", "<name>"),
    (r"<\|plamo:end_tool_name:plamo\|>", "</name>"),
    (r"<\|plamo:begin_tool_arguments:plamo\|>(?:<\|plamo:constrain\|>json<\|plamo:msg\|>)?", "<arguments>"),
    (r"<\|plamo:end_tool_arguments:plamo\|>", "</arguments>"),
    (r"<\|plamo:begin_think:plamo\|>", "<think>"),
    (r"<\|plamo:end_think:plamo\|>", "</think>"),
    (r"<\|plamo:(?:begin|end)_tool_requests:plamo\|>|<\|plamo:tag\|>", ""),
)
"""What a family writes, and the common notation of the same."""

_MARK = re.compile("|".join(f"(?P<mark_{number}>{pattern})" for number, (pattern, _) in enumerate(_MARKS)))
_COMMON = {f"mark_{number}": common for number, (_, common) in enumerate(_MARKS)}
_OPENS = {"<think>": "</think>", "<tool_call>": "</tool_call>"}

_ANGLE = re.compile("<")
_BEGUN = re.compile(
    r"<(?:/?(?:ifm(?:\||\Z))?[a-z_]{0,30}(?::[a-z]{0,10})?"
    r"|\|(?:open|close)\|>[^<]{0,400}(?:<\|?s?e?p?\|?)?"
    r"|\|message_model\|>[\w.:/-]{0,100}(?:<\|?[a-z_]{0,30}\|?)?"
    r"|\|plamo:begin_tool_arguments:plamo\|>(?:<[|a-z:]{0,30}(?:>[json]{0,4})?(?:<[|a-z:]{0,20})?)?"
    r"|\|[a-z_:]{0,40}\|?)\Z"
)
"""A mark that has begun where the text ends."""
_LONGEST = 500
_LONGEST_OPENING = 40


class Respelled:
    """Writes the marks of one answer anew. What stands in code is left alone, and so is an answer whose first call is
    in a common notation: a mark in the text of a file that it writes is that file's.
    """

    def __init__(self) -> None:
        self._text = _Speller()
        self._thought = _Speller()

    @property
    def mended(self) -> Mapping[str, int]:
        """Nothing: reasoning and calls are counted where they are found."""
        return MendCount().snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case TextDelta(text) if not self._thought.holds and self._text.passes(text):
                yield event
            case TextDelta(text):
                yield from _told(ThinkingDelta, self._thought.rest())
                yield from _told(TextDelta, self._text.respell(text))
            case ThinkingDelta(text) if not self._text.holds and self._thought.passes(text):
                yield event
            case ThinkingDelta(text):
                yield from _told(TextDelta, self._text.rest())
                yield from _told(ThinkingDelta, self._thought.respell(text))
            case Ping() | Started():
                yield event
            case _:
                yield from self.finish()
                yield event

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended: what was held back is text."""
        yield from _told(ThinkingDelta, self._thought.rest())
        yield from _told(TextDelta, self._text.rest())


def _told(kind: type[TextDelta] | type[ThinkingDelta], text: str) -> tuple[ChatEvent, ...]:
    return (kind(text),) if text else ()


class _Speller:
    """One part of an answer: its text, or its reasoning."""

    def __init__(self) -> None:
        self._held = ""
        self._plain: list[str] = []
        """What was told without a look at it."""
        self._tail = ""
        """The end of what was told."""
        self._code = CodeLines()
        self._has_marks = False
        self._is_common = False
        """Whether a call in a common notation has begun before any mark."""
        self._closing = ""

    @property
    def holds(self) -> bool:
        """Whether something is held back."""
        return self._held != ""

    def passes(self, text: str) -> bool:
        """Whether the next text is told as it is; then it counts as told.

        Nearly all deltas are such. They are looked into when the first text with a `<` comes.
        """
        if self._held or ("<" in text and not self._is_common):
            return False
        if not self._is_common:
            self._plain.append(text)
        return True

    def respell(self, text: str) -> str:
        """The text as far as it is decided."""
        if self._plain:
            told, self._plain = "".join(self._plain), []
            self._say(told, [])
        if self._held or "<" in text:
            text = self._held + text
            begun = len(text) if self._is_common else _begun(text)
            text, self._held = text[:begun], text[begun:]
        return self._respelled(text)

    def rest(self) -> str:
        """What was held back, for which nothing more comes."""
        text, self._held = self._held, ""
        return self._respelled(text)

    def _respelled(self, text: str) -> str:
        pieces: list[str] = []
        position = 0
        for mark in _marks(text):
            self._say(text[position : mark.start()], pieces)
            if self._is_common:
                position = mark.start()
                break
            self._say(mark[0] if self._code.is_code else self._common(mark), pieces)
            position = mark.end()
        self._say(text[position:], pieces)
        return "".join(pieces)

    def _say(self, text: str, pieces: list[str]) -> None:
        pieces.append(text)
        self._code.add(text)
        if not self._has_marks:
            self._is_common = self._is_common or OPENING.search(self._tail + text) is not None
        self._tail = (self._tail + text)[-_LONGEST_OPENING:]

    def _common(self, mark: re.Match[str]) -> str:
        self._has_marks = True
        common = _COMMON[next(name for name in _COMMON if mark[name] is not None)]
        if common == _CLOSES:
            common, self._closing = self._closing, ""
            return common
        if common == _INVOKES:
            common = mark[0] if self._tail[-1:].isalnum() else "<tool_call>"
        self._closing = next((closing for opening, closing in _OPENS.items() if common.startswith(opening)), "")
        return common.format_map(mark.groupdict())


def _marks(text: str) -> Iterator[re.Match[str]]:
    """As `finditer` finds them, which takes ten times as long: it tries each mark at every character."""
    position = text.find("<")
    while position >= 0:
        mark = _MARK.match(text, position)
        if mark is not None:
            yield mark
        position = text.find("<", position + 1 if mark is None else mark.end())


def _begun(text: str) -> int:
    """Where a mark may begin at the end of the text; the text's length where none does."""
    angles = _ANGLE.finditer(text, max(0, len(text) - _LONGEST))
    return next((angle.start() for angle in angles if _BEGUN.match(text, angle.start())), len(text))
