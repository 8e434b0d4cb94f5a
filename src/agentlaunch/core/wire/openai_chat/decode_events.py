"""An upstream's answer on the Chat wire to events: a stream of chunks, or one JSON object where it did not stream."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

import msgspec
from msgspec import UNSET

from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.base import CUT_OFF, Frame, decode_json
from agentlaunch.core.wire.openai_chat.arguments import arguments_text
from agentlaunch.core.wire.openai_chat.tool_calls import AnswerQueue, CallPiece, Said, made_id_prefix
from agentlaunch.core.wire.openai_chat.types import (
    EMPTY,
    AnswerPart,
    Choice,
    Chunk,
    Delta,
    Number,
    Timings,
    TokenUsage,
    ToolCall,
)
from agentlaunch.core.wire.stop_sequences import named_stop
from agentlaunch.core.wire.upstream_faults import decode_stream_fault, is_bare_error

_chunks = msgspec.json.Decoder(Chunk)

_REASONS = {
    "length": StopReason.MAX_TOKENS,
    "max_tokens": StopReason.MAX_TOKENS,
    "max_output_tokens": StopReason.MAX_TOKENS,
    "model_length": StopReason.MAX_TOKENS,
    "content_filter": StopReason.REFUSAL,
    "sensitive": StopReason.REFUSAL,
    "safety": StopReason.REFUSAL,
    "model_context_window_exceeded": StopReason.CONTEXT_FULL,
    "context_length_exceeded": StopReason.CONTEXT_FULL,
}
"""`finish_reason` in lower case (OpenAI; `model_length` is Mistral's, `sensitive` and `model_context_window_exceeded`
Z.ai's, `safety` and capitals Google's). Every other word means that the model had done."""

_NO_ERROR = frozenset({b"", b"null", b"false", b'""', b"{}", b"[]"})
_BROKEN_OFF = ("error", "abort", "network_error", "insufficient_system_resource")
"""Words of OpenRouter, vLLM, Z.ai and DeepSeek for an answer that the server gave up."""
_MALFORMED = "malformed_function_call"
"""In Google's words for a call that it could not read and does not tell: asked again, the model may make it well."""


class _State(Enum):
    WAITING = auto()
    ANSWERING = auto()
    ENDED = auto()


class ChatDecoder:
    """Chunks to events, one instance a response. Raises only ProtocolError, for a frame that is no JSON of this wire.

    Usage may come in any chunk, also after the finish reason, so the end is told at `[DONE]` or with the stream.
    """

    def __init__(self, stop: tuple[str, ...] = ()) -> None:
        self._state = _State.WAITING
        self._queue = AnswerQueue()
        self._reason = ""
        self._asked_stop = stop
        self._stop_sequence = ""
        self._usage: TokenUsage | None = None
        self._timings: Timings | None = None
        self._is_counted = False
        """Whether the counts of the whole answer have come in a chunk of their own, behind all that it says."""

    def feed(self, frame: Frame) -> Iterator[ChatEvent]:
        """Translate one frame; what follows the end is ignored."""
        if self._state is _State.ENDED:
            return
        data = frame.data
        if data.strip() == b"[DONE]":
            yield from self._start(Chunk())
            yield from self._end()
            return
        chunk = decode_json(data, _chunks, is_answer=True)
        yield from self._start(chunk)
        if frame.event == "error" or _is_error(chunk) or (chunk.choices is None and _is_error_alone(chunk, data)):
            yield from self._fail(decode_stream_fault(data))
            return
        for usage in (chunk.usage, *(choice.usage for choice in chunk.choices or ())):
            self._usage = _latest(self._usage, usage)
        self._is_counted = not chunk.choices and chunk.usage is not None and bool(_answered(chunk.usage))
        if chunk.timings is not None:
            self._timings = chunk.timings
        if chunk.prompt_progress:
            yield Ping()
        # One answer is asked for, so whatever its index is, it is the first: Foundry Local counts the tokens there.
        for choice in (chunk.choices or [])[:1]:
            yield from self._choice(choice)

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended. That is a failure unless a finish reason has come, or last of all the answer's counts,
        which some gateways let end it (pi #7441)."""
        if self._state is _State.ENDED:
            return
        yield from self._start(Chunk())
        if self._reason or (self._is_counted and self._has_answered):
            yield from self._end()
        else:
            yield from self._fail(CUT_OFF)

    @property
    def _has_answered(self) -> bool:
        return self._queue.has_said or self._queue.has_calls

    def _start(self, chunk: Chunk) -> Iterator[ChatEvent]:
        if self._state is _State.WAITING:
            self._state = _State.ANSWERING
            id_ = "" if chunk.id is None else str(chunk.id)
            created = "" if chunk.created is None else f"{chunk.created:.0f}"
            self._queue.id_prefix = made_id_prefix(id_ or created)
            yield Started(id_, chunk.model or "")

    def _choice(self, choice: Choice) -> Iterator[ChatEvent]:
        delta = choice.delta
        if delta is None or (choice.message is not None and delta == Delta()):
            delta = self._whole(choice)
        yield from self._delta(delta)
        if choice.error is not EMPTY and _is_given(choice.error):
            yield from self._fail(decode_stream_fault(bytes(choice.error)))
            return
        if choice.finish_reason:
            self._reason = choice.finish_reason.lower()
            self._stopped(choice)
        if self._reason in _BROKEN_OFF or (_MALFORMED in self._reason and not self._has_answered):
            reason = f"the upstream gave up its answer (finish_reason `{choice.finish_reason}`)"
            yield from self._fail(ChatFault(ErrorKind.UNAVAILABLE, reason))

    def _whole(self, choice: Choice) -> Delta:
        """A message in place of a delta. Beside one it repeats the deltas; where none has spoken, it is the answer."""
        if choice.delta is not None and self._has_answered:
            return choice.delta
        return choice.message or Delta(choice.text)

    def _delta(self, delta: Delta) -> Iterator[ChatEvent]:
        # vLLM sends two names with the same text in versions that rename the one to the other.
        thinking = (
            delta.reasoning_content or delta.reasoning or delta.reasoning_text or delta.thinking or _detailed(delta)
        )
        if thinking:
            yield from self._queue.say(ThinkingDelta(thinking))
        if isinstance(delta.content, str):
            if delta.content:
                yield from self._queue.say(TextDelta(delta.content))
        elif delta.content:
            for part in delta.content:
                for said in _said(part):
                    yield from self._queue.say(said)
        if delta.refusal:
            yield from self._queue.say(RefusalDelta(delta.refusal))
        for position, call in enumerate(delta.tool_calls or ()):
            yield from self._queue.call(_piece(call, position))
        if delta.function_call is not None:
            call = ToolCall(index=0, function=delta.function_call)
            yield from self._queue.call(_piece(call, 0))

    def _end(self) -> Iterator[ChatEvent]:
        self._state = _State.ENDED
        yield from self._queue.close()
        usage = _usage(self._usage, self._timings)
        if usage is not None:
            yield UsageReport(usage)
        yield self._finished()

    def _finished(self) -> Finished:
        reason = _REASONS.get(self._reason, StopReason.END_TURN)
        if self._queue.has_calls and (reason is not StopReason.MAX_TOKENS or self._queue.all_whole()):
            return Finished(StopReason.TOOL_CALLS)
        if self._stop_sequence:
            return Finished(StopReason.STOP_SEQUENCE, self._stop_sequence)
        return named_stop(Finished(reason), self._asked_stop) if self._reason == "stop" else Finished(reason)

    def _stopped(self, choice: Choice) -> None:
        """Keep what the server says about its stop. One that says anything is not guessed about."""
        told = [word for word in (choice.stop_reason, choice.matched_stop, choice.stopping_word) if word is not UNSET]
        if told and choice.finish_reason == "stop":
            self._asked_stop = ()
            self._stop_sequence = next((word for word in told if isinstance(word, str)), "")

    def _fail(self, fault: ChatFault) -> Iterator[ChatEvent]:
        self._state = _State.ENDED
        yield from self._queue.close()
        yield Failed(fault)


def decode_answer(body: bytes, stop: tuple[str, ...] = ()) -> list[ChatEvent]:
    """The events of an answer that is one JSON document. Raises ProtocolError for one that is no answer."""
    chunk = decode_json(body, _chunks, is_answer=True)  # a mere `[DONE]`, which ends a stream, is no answer
    decoder = ChatDecoder(stop)
    events = [*decoder.feed(Frame(body))]
    if chunk.choices:  # an answer in one piece is whole, whether it says why it ended or not
        events += decoder.feed(Frame(b"[DONE]"))
    return [*events, *decoder.finish()]


def _is_error(chunk: Chunk) -> bool:
    """The forms of report B008; `error: null` beside a good chunk is none."""
    if chunk.object == "error":
        return True
    return _is_given(chunk.error)


def _is_error_alone(chunk: Chunk, data: bytes) -> bool:
    """A document that is nothing but an error, in the forms of servers that have no `error` in it.

    No chunk has a `type`, so one may stand in the error (Cerebras).
    """
    return chunk.usage is None and is_bare_error(data, may_have_type=True)


def _is_given(error: msgspec.Raw) -> bool:
    """Whether an `error` says anything: some servers send an empty one with every chunk."""
    return bytes(error) not in _NO_ERROR


def _detailed(delta: Delta) -> str:
    return "".join(piece.text or piece.summary or "" for piece in delta.reasoning_details or ())


def _said(part: AnswerPart) -> Iterator[Said]:
    """A content array's element; reasoning may be text or an array of texts (Mistral's API reference)."""
    thinking = part.thinking
    if thinking:
        text = thinking if isinstance(thinking, str) else "".join(piece.text for piece in thinking)
        if text:
            yield ThinkingDelta(text)
    if part.text:
        yield TextDelta(part.text)
    if part.refusal:
        yield RefusalDelta(part.refusal)


def _piece(call: ToolCall, position: int) -> CallPiece:
    id_ = "" if call.id is None else str(call.id)
    if call.custom is not None:
        return CallPiece(call.index, position, id_, call.custom.name or "", call.custom.input or "", "custom")
    function = call.called()
    if function is None:
        return CallPiece(call.index, position, id_, "", "", "function")
    return CallPiece(call.index, position, id_, function.name or "", arguments_text(function.arguments), "function")


def _latest(before: TokenUsage | None, usage: TokenUsage | None) -> TokenUsage | None:
    """The counts that hold: the latest ones, unless they count nothing where counts have come (LocalAI #9927)."""
    says_something = usage is not None and bool(_asked(usage) or _answered(usage))
    return usage if says_something or before is None else before


def _asked(usage: TokenUsage) -> Number:
    return usage.input_tokens if usage.prompt_tokens is None else usage.prompt_tokens


def _answered(usage: TokenUsage) -> Number:
    return usage.output_tokens if usage.completion_tokens is None else usage.completion_tokens


def _usage(usage: TokenUsage | None, timings: Timings | None) -> Usage | None:
    """Token counts, with llama.cpp's timings for what `usage` leaves out. None when the upstream said nothing."""
    if usage is None:
        if timings is None:
            return None
        cached = _count(timings.cache_n)
        return Usage(_count(timings.prompt_n) + cached, cached, _count(timings.predicted_n))
    prompt = usage.prompt_tokens_details
    cached_tokens = prompt.cached_tokens if prompt else None
    if cached_tokens is None:
        cached_tokens = usage.prompt_cache_hit_tokens
    if cached_tokens is None and timings is not None:
        cached_tokens = timings.cache_n
    details = usage.completion_tokens_details
    total = _count(_asked(usage))
    return Usage(
        total,
        min(_count(cached_tokens), total),
        _count(_answered(usage)),
        _count(details.reasoning_tokens if details else None),
        _cost_usd(usage.cost),
    )


def _cost_usd(cost: msgspec.Raw) -> float | None:
    """What OpenRouter charges ("Usage accounting" in its documentation); None for what is no amount."""
    try:
        value = msgspec.json.decode(cost, type=float) if cost else -1.0
    except msgspec.DecodeError:
        return None
    return value if value >= 0 else None


def _count(value: float | None) -> int:
    return 0 if value is None else max(0, int(value))
