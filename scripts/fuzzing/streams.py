"""One fuzzed stream: damaged, cut anywhere, read through every filter and written to every client wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random

import msgspec
from tests.core.filters.answers import REQUEST, TOOLS
from tests.core.grammar import grammar_error

from agentlaunch.core.assemble import Assembler
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.filters.tool_forms import lower
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    CustomTool,
    Failed,
    Finished,
    HostedTool,
    RefusalPart,
    Started,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolChoice,
)
from agentlaunch.core.wire.base import WIRES, AnswerContext, Frame, load_wire
from agentlaunch.shim.translation import Translation
from fuzzing.mutations import cut, mutated_bytes, mutated_document, mutated_frames, spelled
from fuzzing.oracles import READERS, Malformed, strict_object
from fuzzing.vendor_streams import random_answer, vendor_streams, written

CUTS_A_STREAM = 8
"""In how many ways each stream is cut; each is one split."""

_WIRES = {name: load_wire(name) for name in sorted(WIRES)}
_VENDORS = {name: vendor_streams(name) for name in _WIRES}
_REQUESTS: dict[str, ChatRequest] = {
    "tools": REQUEST,
    "no tools": ChatRequest("m", ()),
    "tools not to be used": msgspec.structs.replace(REQUEST, tool_choice=ToolChoice("none")),
    "other tools": ChatRequest(
        "m",
        (),
        tools=(CustomTool("apply_patch"), *TOOLS[:2], HostedTool("web_search", msgspec.Raw(b"{}"))),
        stream=True,
        include_usage=False,
    ),
}


@dataclass(frozen=True)
class StreamCase:
    """An upstream's bytes on the wire `wire`, in answer to `_REQUESTS[request]`, and the pieces in which they come."""

    wire: str
    request: str
    data: bytes
    cuts: tuple[tuple[bytes, ...], ...]

    def smaller(self, data: bytes) -> StreamCase:
        """The case with other bytes, cut at each one."""
        return replace(self, data=data, cuts=(tuple(data[at : at + 1] for at in range(len(data))),))

    def shown(self) -> str:
        """Everything that the case needs to be tried again."""
        return f"wire={self.wire!r} request={self.request!r}\ndata={self.data!r}"


def make_stream(rng: Random) -> StreamCase:
    """A stream of a random wire, with none to three damages."""
    wire = rng.choice(list(_WIRES))
    frames = _frames(rng, wire)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        match rng.randrange(3):
            case 0:
                frames = mutated_frames(rng, frames, _frames(rng, rng.choice((wire, *_WIRES))))
            case 1 if frames:
                at = rng.randrange(len(frames))
                frames[at] = _mutated_frame(rng, frames[at])
            case _:
                frames = [mutated_bytes(rng, b"".join(frames))]
    data = b"".join(frames)
    cuts = tuple(tuple(cut(rng, data)) for _ in range(CUTS_A_STREAM))
    return StreamCase(wire, rng.choice(list(_REQUESTS)), data, cuts)


def _frames(rng: Random, wire: str) -> list[bytes]:
    if rng.random() < 0.4:
        return list(rng.choice(_VENDORS[wire]))
    return written(wire, random_answer(rng))


def _mutated_frame(rng: Random, frame: bytes) -> bytes:
    """The frame with its JSON changed in one place."""
    head, colon, rest = frame.partition(b"data: ") if b"data: " in frame else (b"", b"", frame)
    try:
        document = json.loads(rest)
    except (ValueError, RecursionError):
        return mutated_bytes(rng, frame)
    end = b"\n\n" if colon else b"\n"
    return head + colon + spelled(rng, mutated_document(rng, document)).replace(b"\n", b" ") + end


# --- the claims ---------------------------------------------------------------------------------------------------


def check_stream(case: StreamCase) -> None:
    """Raises for a claim that does not hold: the reading never does, whatever the bytes are."""
    whole = _translated(case, (case.data,))
    for pieces in case.cuts:
        if _translated(case, pieces) != whole:
            raise Malformed("another cut gives other events")
    events = whole if isinstance(whole[0], Started) else [Started(), *whole]
    problem = grammar_error(events)
    if problem:
        raise Malformed(f"not in the grammar: {problem}")
    told = _gist(events)
    for name in _WIRES:
        _check_client(name, case, events, told)


def _translated(case: StreamCase, pieces: Sequence[bytes]) -> list[ChatEvent]:
    """What the relay would hear: it stops listening when the answer has ended."""
    lowered, forms = lower(_REQUESTS[case.request])
    chain = FilterChain(answer_filters(lowered), forms.restore())
    translation = Translation(_WIRES[case.wire], "double", chain)
    events: list[ChatEvent] = []
    for piece in pieces:
        events += translation.feed(piece)
        if events and isinstance(events[-1], Finished | Failed):
            return events
    return events + translation.finish()


def _check_client(name: str, case: StreamCase, events: Sequence[ChatEvent], told: _Gist) -> None:
    """The frames are well formed, and a client that reads them has been told what the events say."""
    frames = encoded(name, _REQUESTS[case.request], events)
    try:
        READERS[name](frames)
    except Malformed as error:
        raise Malformed(f"to {name}: {error}") from error
    decoder = _WIRES[name].event_decoder()
    read = [*(event for frame in frames for event in decoder.feed(frame)), *decoder.finish()]
    problem = grammar_error(read)
    if problem:
        raise Malformed(f"read back by {name}: {problem}")
    if not _says(_gist(read), told):
        raise Malformed(f"{name} is told something else: {_gist(read)} for {told}")


def encoded(name: str, request: ChatRequest, events: Sequence[ChatEvent]) -> list[Frame]:
    """The frames of the answer on the wire `name`."""
    numbers = count(1)
    encoder = _WIRES[name].event_encoder(AnswerContext(request, lambda prefix: f"{prefix}{next(numbers)}", 1))
    frames = [frame for event in events for frame in encoder.feed(event)]
    return [*frames, *encoder.finish()]


@dataclass(frozen=True)
class _Gist:
    """What every wire can carry: all that was said, all that was thought, the calls. A failure tells only of itself.

    The arguments of a call are None where they are no object: the wires differ in how they carry these.
    """

    said: str = ""
    thought: str = ""
    calls: tuple[tuple[str, object], ...] = ()
    has_failed: bool = False


def _says(read: _Gist, told: _Gist) -> bool:
    known = tuple(
        (name, None if old is None else new) for (name, new), (_, old) in zip(read.calls, told.calls, strict=False)
    )
    return replace(read, calls=(*known, *read.calls[len(known) :])) == told


def _gist(events: Sequence[ChatEvent]) -> _Gist:
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    answer = assembler.result()
    if isinstance(answer, ChatFault):
        return _Gist(has_failed=True)
    return _Gist(
        "".join(part.text for part in answer.parts if isinstance(part, TextPart | RefusalPart)),
        "".join(part.text for part in answer.parts if isinstance(part, ThinkingPart)),
        tuple((part.name, _arguments(part)) for part in answer.parts if isinstance(part, ToolCallPart)),
    )


def _arguments(call: ToolCallPart) -> object:
    if call.kind == "custom":
        return None
    try:
        return strict_object((call.arguments or "{}").encode("utf-8", "surrogatepass"))
    except Malformed:
        return None
