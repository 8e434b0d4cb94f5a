"""Reasoning that a server left in the text: told as thinking, whatever tags or channels it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.filters.tool_text.markdown import CodeLines
from agentlaunch.core.filters.tool_text.markup import CHANNEL
from agentlaunch.core.ir import ChatEvent, Ping, TextDelta, ThinkingDelta

_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<mm:think>": "</mm:think>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel>thought": "<channel|>",
    "\u25c1think\u25b7": "\u25c1/think\u25b7",
}
_STRAY = (
    "</think>",
    "</mm:think>",
    "</seed:think>",
    "[/THINK]",
    "<|END_THINKING|>",
    "<channel|>",
    "\u25c1/think\u25b7",
)
"""Closing tags that no text needs; those named by ordinary words may be somebody's XML."""

_AROUND_ANSWERS = ("<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|begin_of_box|>", "<|end_of_box|>")
"""Command's and GLM's tokens around the answer itself, which mean nothing to anybody."""

_HEADERS = ("<|start|>", "<|channel|>")
"""gpt-oss begins every message with one of these and a header up to `<|message|>` (OpenAI's harmony format)."""

_ENDS = ("<|end|>", "<|call|>", "<|return|>", "<|eom|>", "<|eot|>")
_HEADER = re.compile(
    r"(?:<\|start\|>[^<]*)?(?:<\|channel\|>([^<]*))?(?:<\|constrain\|>[^<]*)*<\|message\|>"
    r"|(?:<\|start\|>[^<{]*)?<\|channel\|>([^<{]*to=[^<{]*)(?:<\|constrain\|>[^<{]*)*(?=\{)"
)
"""The second form lacks its last token: gpt-oss goes from the recipient straight to the arguments."""
_RECIPIENT = re.compile(r"to=([\w.:-]+)")
_BUILT_IN = ("python", "browser", "container", "assistant", "user", "all", "self")
"""Recipients that are no functions: what gpt-oss was trained with, which no agent offers; Muse Glimmer's reasoning is
to itself, and its answer to the user (vLLM muse_glimmer)."""

_LONGEST_HEADER = 300

_BARE_THOUGHT = re.compile(r"analysis(?=[A-Z\"'])")
_BARE_CALL = "commentary to="
_BARE_ENDS = (
    *("assistantfinal", "assistantanalysis to=", "assistantanalysis", "assistantcommentary to=", "assistantcommentary"),
)
"""The same channels when a server has dropped the special tokens (field report B147)."""

_BARE_CALL_HEAD = re.compile(r"([\w.:-]+)\s*(?:<\|constrain\|>)?\s*(?:json|code)?\s*(?:<\|message\|>)?\s*(?=\{)")
_ROLE_RECIPIENT = re.compile(r"(?:assistant\s*)?to=[\w.:-]+\s*(?=<\|)")
"""The prompt ends with `<|start|>assistant`, so an answer may begin with the recipient (llama.cpp #15181)."""
_ROLE_RECIPIENT_BEGUN = re.compile(r"(?:assistant\s*)?to=[\w.:-]*\s*<?\Z")


class _Kind(Enum):
    TEXT = auto()
    THINKING = auto()
    CALL = auto()


def _partial(literal: str) -> str:
    """A pattern for every beginning of `literal` but the whole."""
    pattern = ""
    for character in reversed(literal[1:-1]):
        pattern = f"(?:{re.escape(character)}{pattern})?"
    return re.escape(literal[0]) + pattern


@dataclass(frozen=True)
class _Marks:
    """Literals that may end or begin something: where one stands, and where one may begin at the end of the text."""

    whole: re.Pattern[str]
    partial: re.Pattern[str]

    @classmethod
    def of(cls, literals: Sequence[str]) -> _Marks:
        longest_first = sorted(literals, key=len, reverse=True)
        return cls(
            re.compile("|".join(map(re.escape, longest_first))),
            re.compile(f"(?:{'|'.join(map(_partial, literals))})\\Z"),
        )


_IN_TEXT = _Marks.of((*_TAGS, *_TAGS.values(), *_AROUND_ANSWERS, *_HEADERS, *_ENDS))
_QUICK = re.compile(r"<(?:[trmsc|/]|\Z)|\[(?:[T/]|\Z)|\u25c1")
"""Where one of them may begin. Most text has no such place."""
_IN_CHANNEL = _Marks.of((*_HEADERS, *_ENDS))
_IN_BARE = _Marks.of(_BARE_ENDS)
_BY_TAG = {opening: _Marks.of((closing,)) for opening, closing in _TAGS.items()}


class ThinkSplitter:
    """Splits one answer's text. Tags open reasoning where the answer begins, and later only on a line of their own.

    A closing tag without an opening one goes away (field report B149). Calls in gpt-oss's channels are told as text in
    one notation, which `TextCalls` reads.
    """

    def __init__(self) -> None:
        self._count = MendCount()
        self._rest = ""
        self._kind = _Kind.TEXT
        self._marks: _Marks | None = None
        """What ends the part that is open; None in plain text."""
        self._code = CodeLines()
        self._is_fresh = True
        self._is_first = True
        self._skips_breaks = False
        self._in_channels = False

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind."""
        return self._count.snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case TextDelta(text):
                if self._is_plain(text):
                    self._code.add(text)
                    yield event
                else:
                    yield from self._run(self._rest + text, final=False)
            case Ping():
                yield event
            case _:
                yield from self.finish()
                yield event

    def finish(self) -> Iterator[ChatEvent]:
        """Tell what was held back."""
        if self._rest:
            yield from self._run(self._rest, final=True)

    def _is_plain(self, text: str) -> bool:
        return not (
            self._marks or self._rest or self._is_fresh or self._skips_breaks or _QUICK.search(text) is not None
        )

    def _run(self, text: str, *, final: bool) -> Iterator[ChatEvent]:
        """Tell all of `text` that is decided; the rest waits for more."""
        self._rest = ""
        position = 0
        while position < len(text):
            told: list[ChatEvent] = []
            after = self._step(text, position, told, final=final)
            yield from told
            if after is None:
                return
            position = after

    def _step(self, text: str, start: int, told: list[ChatEvent], *, final: bool) -> int | None:
        """Decide the text from `start` on a bit further; the index behind that, None when more must come first."""
        if self._skips_breaks:
            while text[start : start + 1] in ("\n", "\r"):
                start += 1
            if start == len(text):
                return start
            self._skips_breaks = False
        if self._is_fresh and self._marks is None and not text[start:].isspace():
            bare = self._bare(text, start, told, final=final)
            if bare != start:
                return bare
        if self._is_first and not final and text[start:].isspace():
            self._rest = text[start:]
            return None
        marks = self._marks or _IN_TEXT
        found = marks.whole.search(text, start)
        if found is None:
            partial = None if final else marks.partial.search(text, start)
            end = len(text) if partial is None else partial.start()
            self._tell(text[start:end], told)
            self._rest = text[end:]
            return None
        self._tell(text[start : found.start()], told)
        return self._mark(text, found, told, final=final)

    def _tell(self, text: str, told: list[ChatEvent]) -> None:
        if not text:
            return
        if self._kind is _Kind.THINKING:
            told.append(ThinkingDelta(text))
            return
        if not text.isspace():
            self._is_fresh = self._is_first = False
        self._code.add(text)
        told.append(TextDelta(text))

    def _mark(self, text: str, found: re.Match[str], told: list[ChatEvent], *, final: bool) -> int | None:
        """What the mark found in the text means."""
        mark, start = found[0], found.start()
        if self._kind is _Kind.TEXT and self._code.is_code:
            return self._literally(found, told)
        if mark in _HEADERS:
            return self._header(text, found, told, final=final)
        if mark in _BARE_ENDS:
            return self._bare_end(text, found, told, final=final)
        if mark in _AROUND_ANSWERS:
            return found.end()
        if mark in _TAGS:
            return self._opening(text, found, told, final=final)
        if self._marks is None and mark not in (_ENDS if self._in_channels else _STRAY):
            return self._literally(found, told)
        if self._kind is _Kind.CALL:
            told.append(TextDelta("<|call|>"))
        self._open(_Kind.TEXT, None)
        self._skips_breaks = mark not in _ENDS
        return start + len(mark)

    def _literally(self, found: re.Match[str], told: list[ChatEvent]) -> int:
        self._tell(found[0], told)
        return found.end()

    def _open(self, kind: _Kind, marks: _Marks | None) -> None:
        self._kind = kind
        self._marks = marks
        if kind is _Kind.THINKING:
            self._count.add([Mend.THINKING])
        if kind is _Kind.TEXT:
            self._is_fresh = True

    def _opening(self, text: str, found: re.Match[str], told: list[ChatEvent], *, final: bool) -> int | None:
        """A tag that opens reasoning: where the answer begins, or alone on its line."""
        end = found.end()
        if not self._is_fresh:
            if end == len(text) and not final:
                self._rest = found[0]
                return None
            if not self._code.is_blank or text[end : end + 1] != "\n":
                return self._literally(found, told)
        self._open(_Kind.THINKING, _BY_TAG[found[0]])
        self._skips_breaks = True
        return end

    # --- gpt-oss's channels ----------------------------------------------------------------------------------------

    def _header(self, text: str, found: re.Match[str], told: list[ChatEvent], *, final: bool) -> int | None:
        """A message begins: its channel and recipient say what it is."""
        start = found.start()
        header = _HEADER.match(text, start)
        if header is None:
            if not final and len(text) - start < _LONGEST_HEADER and "<|message|>" not in text[start:]:
                self._rest = text[start:]
                return None
            return self._literally(found, told)
        if self._kind is _Kind.CALL:
            told.append(TextDelta("<|call|>"))
        self._in_channels = True
        self._message(header, told)
        return header.end()

    def _message(self, header: re.Match[str], told: list[ChatEvent]) -> None:
        recipient = _RECIPIENT.search(header[0])
        if recipient is not None and not recipient[1].startswith(_BUILT_IN):
            self._open_call(recipient[1], told, _IN_CHANNEL)
        elif (recipient is not None and recipient[1] != "user") or (header[1] or header[2] or "").strip().startswith(
            "analysis"
        ):
            self._open(_Kind.THINKING, _IN_CHANNEL)
        else:
            self._open(_Kind.TEXT, _IN_CHANNEL)

    def _open_call(self, name: str, told: list[ChatEvent], marks: _Marks) -> None:
        self._open(_Kind.CALL, marks)
        self._is_first = False
        told.append(TextDelta(f"{CHANNEL}{name}<|message|>"))

    def _bare(self, text: str, start: int, told: list[ChatEvent], *, final: bool) -> int | None:
        """Channels without their special tokens, which only the very beginning of an answer can show."""
        if not self._is_first:
            return start
        begin = len(text) - len(text[start:].lstrip())
        rest = text[begin:]
        if not final and _is_bare_begun(rest):
            self._rest = text[start:]
            return None
        if _ROLE_RECIPIENT.match(rest):
            return self._role_recipient(text, start, begin, told, final=final)
        thought = _BARE_THOUGHT.match(rest)
        if thought is not None:
            self._tell(text[start:begin], told)
            self._is_first = False
            self._open(_Kind.THINKING, _IN_BARE)
            return begin + thought.end()
        if rest.startswith(_BARE_CALL):
            self._tell(text[start:begin], told)
            return self._bare_call(text, begin, begin + len(_BARE_CALL), told, final=final)
        self._is_first = False
        return start

    def _role_recipient(self, text: str, start: int, begin: int, told: list[ChatEvent], *, final: bool) -> int | None:
        """The recipient stands where the role does, whose token was in the prompt."""
        header = _HEADER.match(f"<|start|>{text[begin:]}")
        if header is not None:
            self._is_first = False
            self._in_channels = True
            self._message(header, told)
            return begin + header.end() - len("<|start|>")
        if not final and len(text) - begin < _LONGEST_HEADER:
            self._rest = text[start:]
            return None
        self._is_first = False
        return start

    def _bare_call(self, text: str, mark: int, start: int, told: list[ChatEvent], *, final: bool) -> int | None:
        head = _BARE_CALL_HEAD.match(text, start)
        if head is not None:
            self._open_call(head[1], told, _IN_BARE)
            return head.end()
        if not final and len(text) - start < _LONGEST_HEADER:
            self._rest = text[mark:]
            return None
        self._is_first = False
        self._tell(text[mark:start], told)
        return start

    def _bare_end(self, text: str, found: re.Match[str], told: list[ChatEvent], *, final: bool) -> int | None:
        mark = found[0]
        if not final and any(longer.startswith(text[found.start() :]) and longer != mark for longer in _BARE_ENDS):
            self._rest = text[found.start() :]
            return None
        if mark.endswith("to="):
            return self._bare_call(text, found.start(), found.end(), told, final=final)
        if self._kind is _Kind.CALL:
            told.append(TextDelta("<|call|>"))
        if mark == "assistantanalysis":
            self._open(_Kind.THINKING, _IN_BARE)
        else:
            self._open(_Kind.TEXT, None)
        return found.end()


def _is_bare_begun(rest: str) -> bool:
    """Whether an answer that begins with `rest` may yet begin with a channel whose tokens were dropped."""
    whole = ("analysis", _BARE_CALL, "assistant to=", "to=")
    return any(each.startswith(rest) for each in whole) or _ROLE_RECIPIENT_BEGUN.match(rest) is not None


def channels_as_calls(text: str) -> str:
    """`text`, which was told as reasoning, with each head of a call in gpt-oss's channels in the one notation."""
    return _HEADER.sub(_head_of_call, text) if "to=" in text else text


def _head_of_call(header: re.Match[str]) -> str:
    recipient = _RECIPIENT.search(header[0])
    return header[0] if recipient is None else f"{CHANNEL}{recipient[1]}<|message|>"
