"""One call of one upstream: the client's request as this upstream gets it, and its answer's bytes into the inbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from agentlaunch.core.context import Expectation, clamp_output
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters import prefix
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.filters.schema_for_engine import for_engine
from agentlaunch.core.ir import ChatEvent, ChatFault, ChatRequest, ErrorKind, Failed, Usage
from agentlaunch.core.secrets import without_key
from agentlaunch.core.sse import unframed
from agentlaunch.core.wire.base import Wire
from agentlaunch.core.wire.options import wire_for_call
from agentlaunch.shim.counting import TokenCounter
from agentlaunch.shim.engine_turns import EngineTurns, Turn, UsageTap
from agentlaunch.shim.inbox import Arrival, Ended, Inbox, Outcome, Piece, Refused, Whole
from agentlaunch.shim.missing_usage import MissingUsage
from agentlaunch.shim.openings import Openings
from agentlaunch.shim.output_limits import OutputLimits
from agentlaunch.shim.session import Session
from agentlaunch.shim.translation import EventFilter, Translation
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed, UpstreamResponse
from agentlaunch.shim.verbatim import Original, verbatim_body

_CUTTING = frozenset({"lmstudio"})
"""Kinds that drop the middle or the beginning of what does not fit, and answer (report B176)."""

_ANTHROPIC_WIRE = "anthropic_messages"
"""Has a place of its own for notices in mid-conversation, and marks for what to cache: its prompts stay as they are."""


class ToolForms(Protocol):
    """What lowering has changed in the tools, so that the answer's calls get their own form back."""

    def restore(self) -> EventFilter:
        """A filter for one answer."""
        ...


Lower = Callable[[ChatRequest], tuple[ChatRequest, ToolForms]]
"""Rewrites the tools that only some wires know into functions that every model knows."""


@dataclass(frozen=True)
class CallMaking:
    """What calls are made with. `wire_named` gives a wire by its name in `WIRES`.

    The counter learns from each answer how the upstream counts; without one nothing is suspected of being cut.
    """

    lower: Lower
    turns: EngineTurns
    wire_named: Callable[[str], Wire]
    counter: TokenCounter | None = None
    openings: Openings = field(default_factory=Openings)
    limits: OutputLimits = field(default_factory=OutputLimits)


@dataclass(frozen=True)
class UpstreamCall:
    """A request as the upstream gets it, and how its answer is read; `is_verbatim`: both in their makers' own bytes.

    `overflow` is told in place of asking: the prompt does not fit, and the upstream would cut it without a word.
    """

    endpoint: Endpoint
    wire: Wire
    turn: Turn
    translation: Translation
    mending: FilterChain
    headers: Mapping[str, str] = field(default_factory=dict)
    is_verbatim: bool = False
    overflow: ChatFault | None = None

    def mended(self) -> int:
        """How many things of its answer were mended so far."""
        return sum(self.mending.mended.values())

    def events(self, arrival: Arrival) -> list[ChatEvent]:
        """What an arrival of this call says; none for those that are not the upstream's."""
        match arrival:
            case Piece(data):
                said = self.translation.feed(data)
            case Ended(fault):
                said = self.translation.finish(fault)
            case Whole(body):
                said = self.translation.whole(body)
            case Refused(fault):
                said = self.translation.refused(fault)
            case _:
                said = []
        return [self._kept_secret(event) if isinstance(event, Failed) else event for event in said]

    def _kept_secret(self, failed: Failed) -> Failed:
        """An error inside a stream may quote the key, too."""
        message = without_key(failed.fault.message, self.endpoint.key)
        return Failed(msgspec.structs.replace(failed.fault, message=message))


def prepare_call(request: ChatRequest, session: Session, endpoint: Endpoint, making: CallMaking) -> UpstreamCall:
    """Rewrite the client's request for `endpoint`; upstreams are always asked for a stream.

    Raises ProtocolError for a request that the endpoint's wire cannot say.
    """
    lowered, forms = making.lower(request)
    upstream_wire = making.wire_named(endpoint.wire)
    outgoing = msgspec.structs.replace(
        lowered if upstream_wire.name == _ANTHROPIC_WIRE else prefix.stable(lowered),
        model=endpoint.model,
        max_output_tokens=clamp_output(
            lowered.max_output_tokens, making.limits.within(endpoint, session.max_output_tokens)
        ),
        stream=True,
    )
    asked = for_engine(outgoing, endpoint)
    wire = wire_for_call(upstream_wire, endpoint, asked)
    turn = making.turns.turn(asked, endpoint, wire.encode_request, session)
    expected = _expectation(outgoing, endpoint, making.counter)
    reasoning = request.reasoning
    is_off = reasoning is not None and reasoning.enabled is False and endpoint.counting == "llama_cpp"
    opened = making.openings.filter(endpoint, is_streamed=request.stream, is_off=is_off)
    mending = FilterChain(answer_filters(outgoing, expected, opened), forms.restore())
    counted = _counted(outgoing, endpoint, making.counter, mending)
    observed = turn.observing(_learning(outgoing, endpoint, making.counter, counted))
    return UpstreamCall(
        endpoint,
        wire,
        turn,
        Translation(wire, endpoint.name, observed),
        mending,
        overflow=expected.fault() if expected is not None and expected.surely_overflows else None,
    )


def _expectation(request: ChatRequest, endpoint: Endpoint, counter: TokenCounter | None) -> Expectation | None:
    """What a server should count that may cut a prompt without a word; None for the others. Ollama's wire looks itself.

    A count below a quarter of the window is none: a server that cuts keeps what it has room for.
    """
    window = endpoint.context_window
    if counter is None or window is None or endpoint.overflow == "refused" or endpoint.kind not in _CUTTING:
        return None
    return Expectation(counter.expected(request, endpoint), window, endpoint.overflow, window // 4)


def _counted(
    request: ChatRequest, endpoint: Endpoint, counter: TokenCounter | None, mending: EventFilter
) -> EventFilter:
    """`mending` and behind it the counts that the upstream may leave out; the estimates are learnt from by nobody."""
    return mending if counter is None else MissingUsage(lambda: counter.expected(request, endpoint), mending)


def _learning(
    request: ChatRequest, endpoint: Endpoint, counter: TokenCounter | None, behind: EventFilter
) -> EventFilter:
    """A filter before `behind` that tells the counter how the upstream has counted."""
    if counter is None:
        return behind

    def learn(usage: Usage) -> None:
        if usage.input_tokens:
            counter.learn(request, endpoint, usage.input_tokens)

    return UsageTap(learn, behind)


def verbatim_call(
    original: Original, request: ChatRequest, endpoint: Endpoint, making: CallMaking
) -> UpstreamCall | None:
    """The call that passes the client's own bytes on; None where the request has to be written anew."""
    body = verbatim_body(original, request, endpoint)
    asked = request.max_output_tokens or 0
    if body is None or making.limits.within(endpoint, asked) < asked:
        return None
    wire = making.wire_named(endpoint.wire)
    turn = making.turns.turn(request, endpoint, lambda _request: body)
    unmended = FilterChain(())
    translation = Translation(wire, endpoint.name, unmended)
    return UpstreamCall(endpoint, wire, turn, translation, unmended, original.headers, is_verbatim=True)


async def ask_upstream(call: UpstreamCall, upstream: UpstreamClient, inbox: Inbox) -> Outcome:
    """Everything that the upstream says into the inbox; how it ended. Raises UpstreamFailed when it cannot be asked."""
    async with (
        call.turn.taken(upstream) as body,
        upstream.post(call.endpoint, call.wire.path, body, more=call.headers) as response,
    ):
        return await _read(response, call, inbox)


async def _read(response: UpstreamResponse, call: UpstreamCall, inbox: Inbox) -> Outcome:
    if not 200 <= response.status < 300:
        # Gateways that were asked for a stream send their errors as one, too.
        said = unframed(await response.read())
        return Refused(call.wire.decode_fault(response.status, response.headers, said))
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    match media_type:
        case "application/json":
            return Whole(await response.read())
        case "text/html":
            what = f"the upstream `{call.endpoint.name}` answered with a web page: is its address right?"
            return Refused(ChatFault(ErrorKind.UNAVAILABLE, what))
        case _:
            return await _read_stream(response, inbox)


async def _read_stream(response: UpstreamResponse, inbox: Inbox) -> Outcome:
    try:
        async for piece in response.body:
            inbox.put(piece)
            if inbox.is_full:
                await inbox.room()
    except UpstreamFailed as failure:
        return Ended(failure.fault)
    return Ended()
