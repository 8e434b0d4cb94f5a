"""The order of a streamed answer: gathers each call's pieces and holds back what would interleave with an open call."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from agentlaunch.core.ir import (
    ChatEvent,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolKind,
)
from agentlaunch.core.wire.call_ids import CallIds
from agentlaunch.core.wire.openai_chat.arguments import is_json_object

_UNNAMED = "unknown"
"""The name of a call whose name never came: the agent tells the model that there is no such tool."""

Said = TextDelta | ThinkingDelta | RefusalDelta


@dataclass(frozen=True)
class CallPiece:
    """What one `tool_calls` entry of a chunk says; empty strings for what it leaves out."""

    index: int | None
    position: int
    """Place within its own chunk: entries without an index that stand side by side are calls of their own."""
    id: str
    name: str
    arguments: str
    kind: ToolKind


@dataclass
class _Call:
    """A call in the making. `unsent` pieces wait until the call is the first in the queue and has a name."""

    kind: ToolKind
    id: str = ""
    name: str = ""
    started: ToolCallStart | None = None
    arguments: list[str] = field(default_factory=list)
    unsent: list[str] = field(default_factory=list)

    def is_whole(self) -> bool:
        """Nothing more can belong to it. A custom tool's free text is never known to be whole."""
        return self.kind == "function" and bool(self.arguments) and is_json_object("".join(self.arguments))

    def add(self, piece: CallPiece) -> None:
        """Join a later piece. A name comes once, or in fragments, or repeated, or growing; ids stay as they began."""
        self.id = self.id or piece.id
        if piece.name.startswith(self.name):
            self.name = piece.name
        elif not self.arguments:
            self.name += piece.name
        if piece.arguments:
            self.arguments.append(piece.arguments)
            self.unsent.append(piece.arguments)


class AnswerQueue:
    """Puts text and calls into the grammar of `core.ir`: one call at a time, in the order in which they began.

    Only the first in the queue is told as it arrives. A call ends when its arguments are a whole JSON object and
    something else has begun, or with the stream.
    """

    def __init__(self) -> None:
        self._queue: deque[_Call | Said] = deque()
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._ids = CallIds()
        self.has_said = False
        """Whether text, reasoning or a refusal has come."""
        self.id_prefix = "call"
        """Ids that the upstream leaves out begin so; the response's own id makes them unique in a conversation."""

    @property
    def has_calls(self) -> bool:
        """Whether the model called anything."""
        return bool(self._calls)

    def all_whole(self) -> bool:
        """Whether no call was cut off in its arguments."""
        return all(call.is_whole() or call.kind == "custom" for call in self._calls)

    def say(self, event: Said) -> Iterator[ChatEvent]:
        """Text, reasoning or refusal: told at once unless a call is open."""
        self.has_said = True
        if not self._queue:
            yield event
            return
        self._queue.append(event)
        yield from self._drain()

    def call(self, piece: CallPiece) -> Iterator[ChatEvent]:
        """A piece of a call."""
        known = self._find(piece)
        if known is None or _opens_another(known, piece):
            if not (piece.name or piece.arguments or (piece.id and known is None)):
                return
            known = _Call(piece.kind)
            self._calls.append(known)
            self._queue.append(known)
        if piece.index is not None:
            self._by_index[piece.index] = known
        # A piece for a call that has ended, whose arguments were whole, is no longer in the queue and goes nowhere.
        known.add(piece)
        yield from self._drain()

    def close(self) -> Iterator[ChatEvent]:
        """The stream has ended, and every call with it."""
        while self._queue:
            match self._queue.popleft():
                case _Call() as call:
                    yield from self._tell(call, last=True)
                    yield ToolCallEnd()
                case said:
                    yield said

    def _find(self, piece: CallPiece) -> _Call | None:
        if piece.index is not None:
            found = self._by_index.get(piece.index)
            return self._gone_on(piece) if found is None and not (piece.id or piece.name) else found
        if piece.id:
            for call in self._calls:
                if call.id == piece.id:
                    return call
        return self._calls[-1] if self._calls else None

    def _gone_on(self, piece: CallPiece) -> _Call | None:
        """The newest call, where a server that counts pieces in place of calls goes on with it."""
        newest = self._calls[-1] if self._calls else None
        return newest if newest is not None and newest.arguments and _goes_on(newest, piece) else None

    def _drain(self) -> Iterator[ChatEvent]:
        while self._queue:
            match self._queue[0]:
                case _Call() as call:
                    yield from self._tell(call, last=False)
                    if len(self._queue) == 1 or call.started is None or not call.is_whole():
                        return
                    yield ToolCallEnd()
                case said:
                    yield said
            self._queue.popleft()

    def _tell(self, call: _Call, *, last: bool) -> Iterator[ChatEvent]:
        """What is known of the first call in the queue. It starts with its first argument, when its name is whole."""
        if call.started is None:
            if not last and not (call.name and call.unsent):
                return
            call.started = ToolCallStart(self._id_of(call), call.name or _UNNAMED, call.kind)
            yield call.started
        for arguments in call.unsent:
            yield ToolCallDelta(arguments)
        call.unsent.clear()

    def _id_of(self, call: _Call) -> str:
        """The upstream's id; a made one where it is missing or belongs to another call of this answer already."""
        return self._ids.fresh(call.id, self.id_prefix, self._calls.index(call))


def made_id_prefix(response_id: str) -> str:
    """The prefix of made ids, with only the characters that every agent accepts in an id."""
    name = re.sub(r"[^A-Za-z0-9_-]", "", response_id)
    return f"call_{name}" if name else "call"


def _opens_another(call: _Call, piece: CallPiece) -> bool:
    """Whether `piece`, though it carries the index of `call` or none, begins a call of its own (report B028)."""
    if piece.id and call.id:
        return piece.id != call.id and not _goes_on(call, piece)
    if not piece.name:
        return False
    if piece.index is None and (piece.position > 0 or (call.name and piece.name != call.name)):
        return True
    says_more = bool(piece.arguments or piece.id) or piece.name != call.name
    return says_more and bool(call.name) and call.is_whole()


def _goes_on(call: _Call, piece: CallPiece) -> bool:
    """Whether `piece` can only be more of `call`, which is not whole: some servers make a new id, or a new index, for
    each piece, or have one id for the name and another for the arguments (Poolside's pool #9)."""
    if call.kind != "function" or call.is_whole() or piece.name not in ("", call.name):
        return False
    if not (call.arguments and piece.arguments):
        return not piece.name
    return not piece.arguments.lstrip().startswith(("{", "["))
