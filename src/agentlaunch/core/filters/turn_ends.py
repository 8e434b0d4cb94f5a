"""Tokens that begin and end a turn, where a server has let them into the text, and turns that a model makes up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto

from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.filters.tool_text.markdown import CodeLines
from agentlaunch.core.ir import (
    ChatEvent,
    Finished,
    Ping,
    Started,
    StopReason,
    TextDelta,
    ToolCallStart,
)

_ENDS = (
    *("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<|end_of_text|>", "<|end_of_turn|>", "<turn|>"),
    *("<end_of_turn>", "</end_of_turn>", "</s>", "<|END_OF_TURN_TOKEN|>", "<|user|>", "<|observation|>"),
    *(
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
        "<|eot|>",
        "<|EOT|>",
        "<|return|>",
        "<|role_end|>",
        "<|assistant_end|>",
    ),
    *("<seed:eos>", "<eos>", "<|eos|>", "<|end_of_sentence|>", "</assistant>"),
)
"""Of ChatML, Llama 3, GPT-2, Gemma, Mistral, Command, GLM, DeepSeek, Llama 4, gpt-oss, Ling,
Apertus, Seed, ERNIE, Laguna (ollama #11276, #13912; llama.cpp #6837)."""

_TURNS = (
    *("<|im_start|>", "<|start_header_id|>", "<start_of_turn>", "<|turn>", "<|user|>", "<|assistant|>", "<|system|>"),
    *("[INST]", "<s>", "<\uff5cUser\uff5c>", "Human:", "User:", "user\n"),
)
"""How another turn begins: behind the end of one, it is the model's own invention."""

_LEADS = (
    *("<|im_start|>assistant\n", "<|start_header_id|>assistant<|end_header_id|>\n\n", "<start_of_turn>model\n"),
    *("<|assistant|>\n", "<|assistant|>", "assistant\n\n"),
)
"""What some models write once more before they answer; the template has written it already."""

_MOST_INVENTED = 400
"""Characters of an invented turn after which the answer is ended: a model would go on to its limit."""


def _partial(literal: str) -> str:
    """A pattern for every beginning of `literal` but the whole."""
    pattern = ""
    for character in reversed(literal[1:-1]):
        pattern = f"(?:{re.escape(character)}{pattern})?"
    return re.escape(literal[0]) + pattern


_END = re.compile("|".join(map(re.escape, sorted(_ENDS, key=len, reverse=True))))
_END_BEGUN = re.compile(f"(?:{'|'.join(map(_partial, _ENDS))})\\Z")
_MORE_ENDS = re.compile(rf"(?:\s|{_END.pattern})*")


class _What(Enum):
    """What a mark is, by what follows it."""

    END = auto()
    TEXT = auto()
    UNDECIDED = auto()


class TurnEnds:
    """Drops the tokens around an answer, and ends it where the model goes on with a turn of somebody else's.

    A token counts when nothing follows it but others of its kind and such a turn; in code it is code.
    """

    def __init__(self) -> None:
        self._rest = ""
        self._code = CodeLines()
        self._is_fresh = True
        self._is_plain = False
        """Whether nothing is held, so that text without marks goes through at once."""
        self._has_strike = False
        self._has_call = False
        self._invented: int | None = None
        self._is_over = False
        self._count = MendCount()

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind."""
        return self._count.snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case TextDelta(text) if self._is_plain and "<" not in text:
                self._code.add(text)
                yield event
            case _ if self._is_over:
                return
            case TextDelta(text) if self._invented is not None:
                yield from self._invents(len(text))
            case TextDelta(text):
                yield from self._scan(self._rest + text, final=False)
                self._is_plain = not (self._is_fresh or self._rest or self._invented is not None)
            case Ping() | Started():
                yield event
            case Finished() if self._invented is not None:
                yield self._end()
            case _:
                yield from self.finish()
                self._has_call = self._has_call or isinstance(event, ToolCallStart)
                yield event

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended: tokens behind which nothing came are dropped."""
        if self._rest:
            yield from self._scan(self._rest, final=True)
            self._is_plain = self._invented is None

    def _end(self) -> Finished:
        return Finished(StopReason.TOOL_CALLS if self._has_call else StopReason.END_TURN)

    def _invents(self, length: int) -> Iterator[ChatEvent]:
        self._invented = (self._invented or 0) + length
        if self._invented > _MOST_INVENTED:
            self._is_over = True
            yield self._end()

    def _scan(self, text: str, *, final: bool) -> Iterator[ChatEvent]:
        """Tell what is decided of `text`; the rest waits."""
        self._rest = ""
        position = self._lead(text, final=final) if self._is_fresh else 0
        if position is None:
            self._rest = text
            return
        while (found := _END.search(text, position)) is not None:
            yield from self._tell(text[position : found.start()])
            position = found.start()
            what = self._what(text, found, final=final)
            if what is _What.UNDECIDED:
                self._rest = text[position:]
                return
            if what is _What.END:
                self._count.add([Mend.TURN_END])
                self._invented = 0
                yield from self._invents(len(text) - found.end())
                return
            position = found.end()
            yield from self._tell(found[0])
        begun = None if final else _END_BEGUN.search(text, position)
        end = len(text) if begun is None else begun.start()
        yield from self._tell(text[position:end])
        self._rest = text[end:]

    def _lead(self, text: str, *, final: bool) -> int | None:
        """Where the answer begins behind a role that stands before it; None while that is not known."""
        if not final and any(lead.startswith(text) for lead in _LEADS):
            return None
        lead = next((lead for lead in _LEADS if text.startswith(lead)), "")
        self._is_fresh = not text[len(lead) :]
        self._count.add([Mend.TURN_END] if lead else ())
        return len(lead)

    def _tell(self, text: str) -> Iterator[ChatEvent]:
        if text:
            self._code.add(text)
            self._has_strike = self._has_strike or "<s" in text
            yield TextDelta(text)

    def _what(self, text: str, found: re.Match[str], *, final: bool) -> _What:
        if self._code.is_code or (found[0] == "</s>" and self._has_strike):
            return _What.TEXT
        rest = text[_MORE_ENDS.match(text, found.start()).end() :]  # type: ignore[union-attr]
        if rest.startswith(_TURNS) or (found[0] in _TURNS and "\n" in text[found.end() :].lstrip(" ")[:1] and rest):
            return _What.END
        if final:
            return _What.TEXT if rest else _What.END
        if not rest or any(mark.startswith(rest) for mark in (*_TURNS, *_ENDS)):
            return _What.UNDECIDED
        return _What.TEXT
