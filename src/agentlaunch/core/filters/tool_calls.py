"""Calls that a model wrote as text become calls; their markup is never told."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace

from agentlaunch.core.filters.limits import hit_limit
from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.think import channels_as_calls
from agentlaunch.core.filters.tool_text.markdown import Markdown
from agentlaunch.core.filters.tool_text.markup import OPENING, FoundCall, only_marks
from agentlaunch.core.filters.tool_text.reading import (
    NAME_TRIGGER,
    TRIGGER,
    Opening,
    Search,
    Segment,
    Undecided,
    example_end,
    is_example,
    read,
)
from agentlaunch.core.ir import (
    ChatEvent,
    ChatRequest,
    Failed,
    Finished,
    Ping,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)

DELTAS_A_PING = 32
"""While a call is held back the client hears this: Codex gives up after 300 s of silence (facts/agents.md 4.6)."""

_DECIDING = "`})]"
"""With one of these ends what may turn out to be an example after all."""


class TextCalls:
    """Finds calls in the text of one answer. A call is told when the answer ends: no agent acts on it earlier.

    Text that may be the beginning of a call is held back until that is decided, at most `LONGEST_HEAD` characters;
    once a call of an offered tool has plainly begun, everything is held, since only then is it known where its values
    end. An example in a block of code is told as soon as other text follows it. Reasoning is told as it comes; the
    call in it counts when the answer has neither text nor call (field report B121).
    """

    def __init__(self, request: ChatRequest, offered: OfferedTools) -> None:
        self._offered = offered
        self._max_output_tokens = request.max_output_tokens
        self._seed = f"{len(request.messages)}"
        self._count = MendCount()
        self._markdown = Markdown()
        self._undecided = ""
        self._blank = ""
        self._held: list[str] = []
        self._opening: Opening | None = None
        self._looked_at = 0
        self._held_length = 0
        self._has_said = False
        self._has_call = False
        self._thought: list[str] = []
        self._usage: list[UsageReport] = []
        self._made = 0
        self.written: set[str] = set()
        """The ids of the calls that were found."""
        self._has_shown_mark = False

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind."""
        return self._count.snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case TextDelta(text):
                yield from self._text(text, event)
            case UsageReport():
                self._usage.append(event)
            case Finished():
                yield from self._finished(event)
            case Failed():
                yield from self._plain()
                self._drop()
                yield from self._usage
                yield event
            case Ping() | ToolCallDelta() | ToolCallEnd():
                yield event
            case _:
                yield from self._other(event)

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended. Without an end of the answer before it, only plain text is still told."""
        yield from self._plain()
        self._drop()

    def _other(
        self, event: Started | ThinkingDelta | ThinkingSignature | RefusalDelta | ToolCallStart
    ) -> Iterator[ChatEvent]:
        match event:
            case Started(id_):
                self._seed += id_
            case ThinkingDelta(text):
                self._thought.append(text)
                yield from self._plain()
            case ToolCallStart():
                if only_marks(self._undecided):  # which the server has left in front of the call that it read
                    self._undecided = ""
                yield from self._plain()
                self._has_call = True
                if self._opening is not None:
                    yield from self._read(cut=False)
            case RefusalDelta():
                self._has_said = True
                yield from self._plain()
            case _:
                yield from self._plain()
        yield event

    # --- text ------------------------------------------------------------------------------------------------------

    def _text(self, text: str, event: TextDelta) -> Iterator[ChatEvent]:
        if self._opening is not None:
            yield from self._hold(text)
        elif self._undecided or self._may_begin_in(text):
            yield from self._search(self._undecided + text, final=False)
        elif self._has_said:
            self._markdown = self._markdown.after(text)
            yield event
        else:
            self._markdown = self._markdown.after(text)
            yield from self._say(text)

    def _may_begin_in(self, text: str) -> bool:
        if TRIGGER.search(text) is not None:
            return True
        if not self._markdown.blank and "\n" not in text:
            return False
        return any(self._offered.may_begin(found[1]) for found in NAME_TRIGGER.finditer(text))

    def _say(self, text: str) -> Iterator[ChatEvent]:
        """Tell text. White space before the first word waits: it goes away when a call follows."""
        if not text:
            return
        if not self._has_said and text.isspace():
            self._blank += text
            return
        self._has_said = True
        blank, self._blank = self._blank, ""
        yield TextDelta(blank + text)

    def _search(self, text: str, *, final: bool) -> Iterator[ChatEvent]:
        """Tell what is plain, keep what may become a call, begin to hold when one has begun."""
        search = Search(text, self._offered, final, self._markdown)
        found = search.next()
        self._undecided = ""
        self._markdown = search.markdown
        if found is None:
            self._has_shown_mark = self._has_shown_mark or OPENING.search(text) is not None
            yield from self._say(text)
            return
        yield from self._say(text[: found.start])
        self._has_shown_mark = self._has_shown_mark or OPENING.search(text, 0, found.start) is not None
        if isinstance(found, Undecided):
            self._undecided = text[found.start :]
            return
        self._opening = found
        self._looked_at = self._held_length = 0
        yield from self._hold(text[found.start :])

    def _hold(self, text: str) -> Iterator[ChatEvent]:
        self._held.append(text)
        self._held_length += len(text)
        if len(self._held) % DELTAS_A_PING == 0:
            yield Ping()
        if self._opening is None or not self._opening.head.alone:
            return
        grown = self._held_length - self._looked_at
        if grown > self._looked_at // 16 and (self._looked_at or any(mark in text for mark in _DECIDING)):
            self._looked_at = self._held_length
            yield from self._let_go(self._opening, "".join(self._held))

    def _let_go(self, opening: Opening, text: str) -> Iterator[ChatEvent]:
        """Tell what only looks like a call as soon as other text follows it."""
        head = replace(opening.head, position=opening.head.position - opening.start)
        if not is_example(text, head, self._offered):
            return
        search = Search(text, self._offered, final=True, markdown=self._markdown)
        search.skip_example(0, example_end(text, head, self._offered))
        self._markdown = search.markdown
        self._drop()
        yield from self._say(text[: search.position])
        yield from self._search(text[search.position :], final=False)

    def _plain(self) -> Iterator[ChatEvent]:
        """The text that was undecided is no call: something else follows it."""
        if self._undecided:
            yield from self._search(self._undecided, final=True)

    def _drop(self) -> None:
        self._held.clear()
        self._opening = None

    # --- the end ---------------------------------------------------------------------------------------------------

    def _finished(self, end: Finished) -> Iterator[ChatEvent]:
        cut = hit_limit(end, self._usage[-1].usage if self._usage else None, self._max_output_tokens)
        yield from self._plain()
        if self._opening is not None:
            calls = yield from self._read(cut=cut)
        else:
            calls = self._thought_calls()
            yield from self._tell(calls, cut=cut)
        if self._has_shown_mark:  # what ends a call is dropped only where nothing begins one
            yield from self._say(self._undecided)
        if self._blank and not self._has_call:
            yield TextDelta(self._blank)
        yield from self._usage
        self._usage.clear()
        if not calls:
            yield end
        elif cut and any(call.unclosed for call in calls):
            yield Finished(StopReason.MAX_TOKENS)
        else:
            yield Finished(StopReason.TOOL_CALLS)

    def _read(self, *, cut: bool) -> Generator[ChatEvent, None, list[FoundCall]]:
        """Tell what was held; returns the calls in it. Beside a call of the server's, an example is an example."""
        text = "".join(self._held)
        is_example = self._has_call and self._opening is not None and self._opening.head.alone
        segments = [text] if is_example else read(text, self._offered, self._markdown)
        self._markdown = self._markdown.after_example(text)
        self._drop()
        yield from self._tell(segments, cut=cut)
        calls = [segment for segment in segments if isinstance(segment, FoundCall)]
        self._count.add(Mend.TEXT_CALL for _ in calls)
        return calls

    def _thought_calls(self) -> list[FoundCall]:
        """The last calls in the reasoning, if the answer is nothing else and their markup is whole."""
        if self._has_call or self._has_said or not self._thought:
            return []
        segments = read(channels_as_calls("".join(self._thought)), self._offered, Markdown())
        while segments and isinstance(segments[-1], str):
            segments.pop()
        calls: list[FoundCall] = []
        while segments and isinstance(call := segments.pop(), FoundCall) and not call.unclosed:
            calls.insert(0, call)
        self._count.add(Mend.THOUGHT_CALL for _ in calls)
        return calls

    def _tell(self, segments: Sequence[Segment], *, cut: bool) -> Iterator[ChatEvent]:
        for segment in segments:
            if isinstance(segment, str):
                yield from self._say(segment)
                continue
            self._has_call = True
            self._blank = ""
            arguments = segment.unclosed if cut and segment.unclosed else segment.arguments
            id_ = self._new_id(segment)
            self.written.add(id_)
            yield ToolCallStart(id_, segment.name)
            if arguments:
                yield ToolCallDelta(arguments)
            yield ToolCallEnd()

    def _new_id(self, call: FoundCall) -> str:
        """An id that no other call of the conversation has: by the turn, the answer, the call and its number."""
        self._made += 1
        identity = f"{self._seed}\0{self._made}\0{call.name}\0{call.arguments}"
        return "call_" + hashlib.blake2s(identity.encode("utf-8", "replace"), digest_size=12).hexdigest()
