"""Calls as the tools' schemas want them: the name, the arguments, and what becomes of a call that broke off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from agentlaunch.core.filters.arguments import Arguments, mended
from agentlaunch.core.filters.call_ids import another_id
from agentlaunch.core.filters.json_repair import strict
from agentlaunch.core.filters.json_schema import Schema
from agentlaunch.core.filters.limits import hit_limit
from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_calls import DELTAS_A_PING
from agentlaunch.core.filters.tool_text.markdown import Markdown
from agentlaunch.core.filters.tool_text.markup import FoundCall
from agentlaunch.core.filters.tool_text.reading import read
from agentlaunch.core.ir import (
    ChatEvent,
    ChatRequest,
    Failed,
    Finished,
    Ping,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)

_HAS_MARKS = re.compile(r"[<({]")

CUT_OFF = "[This call was cut off by the output limit. It was not run.]"
"""No patch, no program and no JSON: whichever tool gets it refuses it, and the model reads why."""


@dataclass(frozen=True)
class _Doubtful:
    """A call that may have been cut off: `whole` is what it is when it was not."""

    start: ToolCallStart
    text: str
    whole: Arguments


class CallMender:
    """Holds each call until it has ended, and mends its arguments; a valid call is told byte for byte as it came.

    Agents act on whole calls only, so nothing is lost by waiting; meanwhile there are Pings. A call whose JSON does
    not end waits for the end of the answer. If a limit cut it, or if a string in it never closes, it is told as it
    is, with MAX_TOKENS: every agent answers broken JSON with an error to the model and goes on (facts/agents.md 5),
    and none runs it. Free text, which an agent would run as far as it goes, is `CUT_OFF` instead.
    """

    def __init__(self, request: ChatRequest, offered: OfferedTools, written: AbstractSet[str] = frozenset()) -> None:
        self._written = written
        self._written_calls: list[tuple[str, object]] = []
        self._offered = offered
        self._max_output_tokens = request.max_output_tokens
        self._count = MendCount()
        self._open: ToolCallStart | None = None
        self._chunks: list[str] = []
        self._doubtful: _Doubtful | None = None
        self._usage: list[UsageReport] = []

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind."""
        return self._count.snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case TextDelta() | ThinkingDelta() if self._doubtful is None:
                yield event
            case ToolCallStart():
                yield from self._settle(cut=False)
                self._open = event
                self._chunks.clear()
            case ToolCallDelta(arguments):
                self._chunks.append(arguments)
                if len(self._chunks) % DELTAS_A_PING == 0:
                    yield Ping()
            case ToolCallEnd():
                yield from self._ended()
            case UsageReport():
                self._usage.append(event)
            case Finished():
                yield from self._finished(event)
            case Failed():
                self._open = self._doubtful = None
                yield from self._usage
                yield event
            case Ping():
                yield event
            case _:
                yield from self._settle(cut=False)
                yield event

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended without an end of the answer: a call that is open or in doubt is not told."""
        self._open = self._doubtful = None
        yield from ()

    def _ended(self) -> Iterator[ChatEvent]:
        start, self._open = self._open, None
        if start is None:
            return
        text = self._text()
        name = self._offered.find(start.name) if start.kind == "function" and not start.namespace else None
        if name is None:
            yield from _told(start, (text,))
            return
        if name != start.name:
            self._count.add([Mend.NAME])
        text = self._without_markup(start.name, name, text)
        start = start if name == start.name else ToolCallStart(start.id, name)
        schema = self._offered.schema(name)
        if _is_free_text(schema):
            whole = Arguments((text,))
            is_sure = strict(text) is not None
        else:
            whole = mended(text, schema)
            is_sure = whole.whole and Mend.UNTERMINATED not in whole.kinds
        self._doubtful = _Doubtful(start, text, whole)
        if is_sure:
            yield from self._settle(cut=False)

    def _text(self) -> str:
        """The arguments. Some servers send all of them so far each time, in place of what is new: then the last holds.

        Only what is no JSON when put together is read so (Qianfan, GLM: hermes-agent #35592, opencode #12425).
        """
        chunks, text = self._chunks, "".join(self._chunks)
        is_growing = len(chunks) > 1 and chunks[0].startswith("{") and all(map(str.startswith, chunks[1:], chunks))
        if not is_growing or _is_whole(text):
            return text
        self._count.add([Mend.JSON])
        return chunks[-1]

    def _without_markup(self, said: str, name: str, text: str) -> str:
        """The arguments of a call that a server's parser has read in part: the rest is in its name, or still in tags
        (zai-org/GLM-5 #84, vLLM #53642)."""
        if text.lstrip().startswith("<") and not _is_free_text(self._offered.schema(name)):
            markup = f"<tool_call>{name}\n{text}</tool_call>"
        elif _HAS_MARKS.search(said) and text.strip() in ("", "{}"):
            markup = f"<tool_call>{said}</tool_call>"
        else:
            return text
        found = [each for each in read(markup, self._offered, Markdown()) if isinstance(each, FoundCall)]
        if [each.name for each in found] != [name] or found[0].unclosed or strict(found[0].arguments) is None:
            return text
        self._count.add([Mend.TEXT_CALL])
        return found[0].arguments

    def _settle(self, *, cut: bool) -> Iterator[ChatEvent]:
        """Tell the call that waited."""
        doubtful, self._doubtful = self._doubtful, None
        if doubtful is None:
            return
        if not cut and self._is_told_already(doubtful):
            self._count.add([Mend.TWICE])
            return
        if not cut:
            self._count.add(doubtful.whole.kinds)
            yield from _told(doubtful.start, doubtful.whole.texts)
            return
        self._count.add([Mend.CUT_OFF])
        free = _is_free_text(self._offered.schema(doubtful.start.name))
        yield from _told(doubtful.start, (CUT_OFF if free else doubtful.text,))

    def _is_told_already(self, doubtful: _Doubtful) -> bool:
        """Whether the same call stood in the text, which the server has passed on beside it (LocalAI #10052)."""
        values = [(strict(text) or (text, 0))[0] for text in doubtful.whole.texts]
        said = (doubtful.start.name, values)
        if doubtful.start.id in self._written:
            self._written_calls.append(said)
            return False
        return said in self._written_calls

    def _finished(self, end: Finished) -> Iterator[ChatEvent]:
        usage = self._usage[-1].usage if self._usage else None
        if self._doubtful is not None:
            cut = hit_limit(end, usage, self._max_output_tokens) or not self._doubtful.whole.whole
            yield from self._settle(cut=cut)
            if cut:
                end = Finished(StopReason.MAX_TOKENS)
        yield from self._usage
        self._usage.clear()
        yield end


def _told(start: ToolCallStart, texts: tuple[str, ...]) -> Iterator[ChatEvent]:
    for number, text in enumerate(texts, 1):
        yield start if number == 1 else ToolCallStart(another_id(start.id, number), start.name)
        if text:
            yield ToolCallDelta(text)
        yield ToolCallEnd()


def _is_whole(text: str) -> bool:
    """Whether `text` is one JSON value and nothing else."""
    found = strict(text)
    return found is not None and found[1] == len(text)


def _is_free_text(schema: Schema) -> bool:
    """Whether the tool stands for a custom one (`tool_forms`), whose text is found in whatever the model sends."""
    return schema.is_closed() and schema.properties().keys() == {"input"} == schema.required()
