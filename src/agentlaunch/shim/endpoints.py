"""What the agents call: each wire's own endpoint, the token count, and the list of models."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from agentlaunch.core.ir import ChatFault, ChatRequest, ErrorKind
from agentlaunch.core.wire.base import AnswerContext, ProtocolError, Reply, Wire
from agentlaunch.shim.answer import make_answer
from agentlaunch.shim.auth import admit
from agentlaunch.shim.body import BodyRefused, read_body
from agentlaunch.shim.counting import TokenCounter, estimate_tokens
from agentlaunch.shim.exchange import Exchange
from agentlaunch.shim.relay import ClientRequest, RelayOptions, relay
from agentlaunch.shim.session import Session, SessionLookup
from agentlaunch.shim.upstream import UpstreamClient
from agentlaunch.shim.verbatim import FORWARDED_HEADERS, Original

_EPOCH = "1970-01-01T00:00:00Z"
"""When our models were "created": a constant, since nobody knows and clients only parse it."""


class _Model(msgspec.Struct):
    """A model in the shapes of OpenAI and Anthropic at once, with the window as vLLM and OpenRouter tell it."""

    id: str
    display_name: str
    max_input_tokens: int
    max_model_len: int
    context_length: int
    max_tokens: int
    object: str = "model"
    type: str = "model"
    lifecycle: str = "active"
    owned_by: str = "agentlaunch"
    created: int = 0
    created_at: str = _EPOCH


class _Models(msgspec.Struct):
    """A list of models, OpenAI's and Anthropic's page of one."""

    data: tuple[_Model, ...]
    first_id: str
    last_id: str
    object: str = "list"
    has_more: bool = False


class _Count(msgspec.Struct):
    """Anthropic's answer to count_tokens."""

    input_tokens: int


@dataclass(frozen=True)
class _Asked:
    """A client's request, and about how many tokens its prompt has."""

    request: ChatRequest
    prompt_tokens: int
    original: Original


@dataclass(frozen=True)
class DataPath:
    """The handlers behind the routes."""

    sessions: SessionLookup
    upstream: UpstreamClient
    counter: TokenCounter
    options: RelayOptions

    async def chat(self, wire: Wire, exchange: Exchange) -> None:
        """POST of a wire's own endpoint: an answer of the session's model, streamed or whole."""
        session = await admit(exchange, wire, self.sessions)
        asked = None if session is None else await self._asked(wire, exchange)
        if session is None or asked is None:
            return
        options, request = self.options, _named(asked.request, session)
        trace = options.traffic.begin(session, session.project)
        routed = options.router.route(request, session, asked.prompt_tokens)
        if isinstance(routed, ChatFault):
            trace.finish(routed.kind, 0)
            await exchange.reply(wire.encode_fault(routed))
            return
        trace.routed(routed.route, len(routed.endpoints), asked.prompt_tokens)
        context = AnswerContext(request, options.new_id, int(options.now()))
        exchange.answer = make_answer(wire, context, exchange.send, options.keep_alive)
        client = ClientRequest(session, wire, request, routed, trace, exchange.receive, asked.original)
        await relay(client, exchange.answer, self.upstream, options)

    async def count(self, wire: Wire, exchange: Exchange) -> None:
        """POST /v1/messages/count_tokens."""
        session = await admit(exchange, wire, self.sessions)
        asked = None if session is None else await self._asked(wire, exchange)
        if session is None or asked is None:
            return
        lowered, _ = self.options.lower(asked.request)
        counted = await self.counter.count(lowered, session.endpoint)
        await exchange.reply(Reply(200, msgspec.json.encode(_Count(counted))))

    async def models(self, wire: Wire, exchange: Exchange) -> None:
        """GET /v1/models: the session's model alone."""
        session = await admit(exchange, wire, self.sessions)
        if session is not None:
            model = _model(session)
            await exchange.reply(Reply(200, msgspec.json.encode(_Models((model,), model.id, model.id))))

    async def model(self, wire: Wire, exchange: Exchange) -> None:
        """GET /v1/models/ID: the session's model under any name, since it answers whatever model a request names.

        Agents ask by names of their own: subagents by `haiku`, side jobs by `gpt-5-nano` (report B235).
        """
        session = await admit(exchange, wire, self.sessions)
        if session is not None:
            named = msgspec.structs.replace(_model(session), id=exchange.parameters["model_id"])
            await exchange.reply(Reply(200, msgspec.json.encode(named)))

    async def _asked(self, wire: Wire, exchange: Exchange) -> _Asked | None:
        """What the body asks for; None when the client has been told what is wrong with it."""
        try:
            body = await read_body(exchange.headers, exchange.receive)
            request = wire.decode_request(body)
            headers = {name: exchange.headers[name] for name in FORWARDED_HEADERS if name in exchange.headers}
            return _Asked(request, estimate_tokens(request, body), Original(wire.name, body, headers))
        except BodyRefused as refusal:
            reply = wire.encode_fault(refusal.fault)
            if refusal.status is not None:
                reply = msgspec.structs.replace(reply, status=refusal.status)
        except ProtocolError as error:
            reply = wire.encode_fault(ChatFault(ErrorKind.BAD_REQUEST, str(error)))
        await exchange.reply(reply)
        return None


def _named(request: ChatRequest, session: Session) -> ChatRequest:
    """The request, which may leave the model out as with other servers of one model: then the answer names it."""
    return request if request.model else msgspec.structs.replace(request, model=session.model)


def _model(session: Session) -> _Model:
    window = session.context_window
    return _Model(
        id=session.model,
        display_name=session.model,
        max_input_tokens=window,
        max_model_len=window,
        context_length=window,
        max_tokens=session.max_output_tokens,
    )
