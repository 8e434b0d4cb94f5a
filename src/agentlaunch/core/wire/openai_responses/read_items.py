"""One output item of an upstream's stream: its deltas and its `done` forms as events, nothing told twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import TypeAlias

from agentlaunch.core.ir import (
    ChatEvent,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolKind,
)
from agentlaunch.core.wire.base import ProtocolError
from agentlaunch.core.wire.openai_responses.event_types import ReadItem, ReadPart
from agentlaunch.core.wire.openai_responses.sealed_reasoning import unseal


class _Told:
    """How much of each text has been told, so that a `done` adds only what is missing."""

    def __init__(self) -> None:
        self._lengths: dict[tuple[str, int], int] = {}

    def delta(self, field: str, index: int, text: str) -> str:
        key = (field, index)
        self._lengths[key] = self._lengths.get(key, 0) + len(text)
        return text

    def missing(self, field: str, index: int, whole: str) -> str:
        return self.delta(field, index, whole[self._lengths.get((field, index), 0) :])

    @property
    def anything(self) -> bool:
        return bool(self._lengths)

    def has(self, field: str, index: int) -> bool:
        return (field, index) in self._lengths


class ReadMessage:
    """A message: text and refusal."""

    open = False
    """Whether other items have to wait: never for text."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.events: list[ChatEvent] = []
        self.refused = False
        self._told = _Told()

    @property
    def begun(self) -> bool:
        """Whether this is surely an item that was added before."""
        return self._told.anything

    def text(self, index: int, delta: str | None, whole: str | None) -> None:
        """A piece of the text at a content index, or all of it."""
        text = self._told.delta("text", index, delta) if delta else self._told.missing("text", index, whole or "")
        if text:
            self.events.append(TextDelta(text))

    def refusal(self, index: int, delta: str | None, whole: str | None) -> None:
        """A piece of the refusal at a content index, or all of it."""
        told = self._told
        text = told.delta("refusal", index, delta) if delta else told.missing("refusal", index, whole or "")
        if text:
            self.refused = True
            self.events.append(RefusalDelta(text))

    def finish(self, item: ReadItem) -> None:
        """The item as a whole."""
        for index, part in enumerate(item.content or ()):
            if part.type == "refusal":
                self.refusal(index, None, part.refusal)
            elif part.text is not None:
                self.text(index, None, part.text)

    def close(self) -> None:
        """The response is over."""


class ReadReasoning:
    """Reasoning: its own text or a summary, whichever comes first; the other would tell it again."""

    open = False

    def __init__(self, index: int) -> None:
        self.index = index
        self.events: list[ChatEvent] = []
        self._told = _Told()
        self._field: str | None = None
        self._signed: ThinkingSignature | None = None

    @property
    def begun(self) -> bool:
        """Whether this is surely an item that was added before."""
        return self._told.anything

    def text(self, field: str, index: int, delta: str | None, whole: str | None) -> None:
        """A piece of `field` (`content` or `summary`) at an index, or all of it."""
        if not (delta or whole) or self._field not in (None, field):
            return
        separator = "\n\n" if self._field is not None and not self._told.has(field, index) else ""
        text = self._told.delta(field, index, delta) if delta else self._told.missing(field, index, whole or "")
        if text:
            self._field = field
            self.events.append(ThinkingDelta(separator + text))

    def finish(self, item: ReadItem) -> None:
        """The item as a whole, with what the client is to send back."""
        self._pieces("content", item.content or ())
        self._pieces("summary", item.summary or ())
        encrypted = item.encrypted_content or ""
        if not encrypted or self._signed:
            return
        sealed = unseal(encrypted)
        if sealed is None:
            self._signed = ThinkingSignature(encrypted=encrypted)
        else:
            if self._field is None:
                self.text("sealed", 0, None, sealed.text)
            self._signed = ThinkingSignature(sealed.signature, sealed.encrypted)
        if self._signed != ThinkingSignature():
            self.events.append(self._signed)

    def close(self) -> None:
        """The response is over."""

    def _pieces(self, field: str, pieces: Iterable[ReadPart]) -> None:
        for index, piece in enumerate(pieces):
            self.text(field, index, None, piece.text)


class _CallState(Enum):
    NAMELESS = auto()
    OPEN = auto()
    ENDED = auto()


class ReadCall:
    """A call of either kind. It starts when its name is known, which some servers tell only in the end.

    `call_id` makes the call's id of the one that the upstream gives it, which may be empty.
    """

    def __init__(self, index: int, kind: ToolKind, call_id: Callable[[str], str]) -> None:
        self.index = index
        self.kind = kind
        self.events: list[ChatEvent] = []
        self._call_id = call_id
        self._state = _CallState.NAMELESS
        self._told = _Told()
        self._held: list[ChatEvent] = []

    @property
    def open(self) -> bool:
        """Whether other items have to wait until this one has ended."""
        return self._state is _CallState.OPEN

    @property
    def begun(self) -> bool:
        """Whether this is surely an item that was added before."""
        return self._state is not _CallState.NAMELESS

    def begin(self, item: ReadItem) -> None:
        """The item is added; arguments in it are not read yet, because deltas repeat them."""
        if item.name and self._state is _CallState.NAMELESS:
            self._state = _CallState.OPEN
            call_id = self._call_id(item.call_id or item.id or "")
            self.events += [ToolCallStart(call_id, item.name, self.kind, item.namespace or ""), *self._held]
            self._held.clear()

    def arguments(self, delta: str | None, whole: str | None) -> None:
        """A piece of the arguments, or all of them."""
        if self._state is _CallState.ENDED:
            return
        text = self._told.delta("", 0, delta) if delta else self._told.missing("", 0, whole or "")
        if text:
            (self.events if self.open else self._held).append(ToolCallDelta(text))

    def finish(self, item: ReadItem) -> None:
        """The item as a whole. Raises ProtocolError when it has no name even now."""
        self.begin(item)
        self.arguments(None, item.input if self.kind == "custom" else item.arguments)
        self.close()

    def close(self) -> None:
        """The call is over. Raises ProtocolError when it never got a name."""
        if self._state is _CallState.NAMELESS:
            raise ProtocolError(f"a call without a name - at `$.output[{self.index}].name`")
        if self._state is _CallState.OPEN:
            self.events.append(ToolCallEnd())
        self._state = _CallState.ENDED


Track: TypeAlias = ReadMessage | ReadReasoning | ReadCall
