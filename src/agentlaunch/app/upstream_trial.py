"""`upstream test`: is the server there, does it take the key, which models has it, does it answer, and how fast."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, assert_never

from agentlaunch.app.offline import refuse_far_offline
from agentlaunch.app.upstream_add import survey_of
from agentlaunch.app.upstream_facts import write_facts
from agentlaunch.app.upstream_keys import find_key
from agentlaunch.app.upstreams import consent, facts_of, find_upstream, model_needed, stored_endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentlaunch.app.upstream_store import StoredUpstream
    from agentlaunch.app.world import World
    from agentlaunch.core.endpoint import Endpoint
    from agentlaunch.core.ir import ChatEvent, ChatFault
    from agentlaunch.shim.upstream import UpstreamClient
    from agentlaunch.upstreams.listing import ModelFacts
    from agentlaunch.upstreams.survey import Survey

ANSWER_TOKENS = 16
"""What the answer may hold: reasoning models of some vendors refuse a limit of 1, and 16 cost next to nothing."""

PATIENCE_S = 120.0
"""How long the answer may take: a server that loads a model first needs a minute."""


@dataclass(frozen=True)
class Step:
    """One thing that was tried; `failed` tells why it did not work, empty when it did."""

    name: str
    told: str
    failed: str = ""


@dataclass(frozen=True)
class Trial:
    """All that was tried, in order; it ends with the first failure that makes the rest pointless."""

    upstream: StoredUpstream
    model: str
    steps: tuple[Step, ...]

    @property
    def failure(self) -> Step | None:
        """The first step that failed."""
        return next((step for step in self.steps if step.failed), None)


@dataclass(frozen=True)
class _Answer:
    """A whole answer; the first byte and the last in seconds after the question, `tokens` 0 when not told."""

    first_s: float
    total_s: float
    tokens: int


def try_upstream(name: str, world: World) -> Trial:
    """Try the upstream `NAME`, or `NAME/MODEL`. Raises UserError as `endpoint_named` does; what the server does wrong
    is a step that failed.

    What it lists is kept, so that later launches know its windows and prices.
    """
    head, _, rest = name.partition("/")
    upstream = find_upstream(head, world.dirs)
    from agentlaunch.upstreams.kind import load_kind

    refuse_far_offline(head, upstream.url, world)
    if not upstream.may_leave:
        upstream = replace(upstream, may_leave=consent(head, upstream.url, world, yes=False))
    key = find_key(upstream, world)
    with world.talk.waiting(f"asking `{head}`"):
        survey = survey_of(upstream, load_kind(upstream.kind), key)
    steps, models = _listing_steps(survey)
    if models:
        write_facts(head, models, world.dirs)
    model = rest or upstream.model or (models[0].name if len(models) == 1 else "")
    if any(step.failed for step in steps):
        return Trial(upstream, model, tuple(steps))
    if not model:
        raise model_needed(head)
    steps.append(_model_step(facts_of(upstream, model, world.dirs), models))
    with world.talk.waiting(f"waiting for `{model}`"):
        steps += asyncio.run(_answer_steps(stored_endpoint(upstream, model, world)))
    return Trial(upstream, model, tuple(steps))


def _listing_steps(survey: Survey) -> tuple[list[Step], tuple[ModelFacts, ...]]:
    """A list that came says nothing of the key: OpenRouter's is for everybody."""
    from agentlaunch.upstreams.survey import Listed, Reach

    if isinstance(survey, Listed):
        return [Step("reach", "answers"), Step("models", f"{len(survey.models)} listed")], survey.models
    match survey.reach:
        case Reach.SILENT:
            return [Step("reach", "", survey.reason)], ()
        case Reach.REFUSED:
            return [Step("reach", "answers"), Step("key", "", survey.reason)], ()
        case Reach.NO_LIST:  # no reason not to ask for an answer
            return [Step("reach", "answers"), Step("models", f"not told: it {survey.reason}")], ()
        case never:
            assert_never(never)


def _model_step(facts: ModelFacts, listed: Sequence[ModelFacts]) -> Step:
    known = "" if not listed or any(model.name == facts.name for model in listed) else ", which it does not list"
    window = f"{facts.context_window} tokens" if facts.context_window else "window not told: see --context"
    prices = facts.prices
    cost = "" if prices is None else f", USD {prices.input_usd:g}/{prices.output_usd:g} per million"
    return Step("model", f"`{facts.name}`{known}, {window}{cost}")


async def _answer_steps(endpoint: Endpoint) -> list[Step]:
    """A very short answer, asked for as every other one is: what became of the key, and of the answer."""
    from agentlaunch.core.ir import ChatFault, ErrorKind
    from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed

    client = UpstreamClient()
    try:
        async with asyncio.timeout(PATIENCE_S):
            said = await _ask(endpoint, client)
    except UpstreamFailed as failed:
        said = failed.fault
    except TimeoutError:
        said = ChatFault(ErrorKind.TIMEOUT, f"no answer within {PATIENCE_S:.0f} s")
    finally:
        await client.aclose()
    if isinstance(said, ChatFault):
        is_key = said.kind in (ErrorKind.AUTHENTICATION, ErrorKind.PERMISSION)
        return [Step("key" if is_key else "answer", "", said.message)]
    counted = f", {said.tokens} tokens" if said.tokens else ""
    key = Step("key", "taken" if endpoint.key else "none sent, none asked for")
    return [key, Step("answer", f"first byte after {said.first_s:.2f} s, whole after {said.total_s:.2f} s{counted}")]


async def _ask(endpoint: Endpoint, client: UpstreamClient) -> _Answer | ChatFault:
    from agentlaunch.core.filters import tool_forms
    from agentlaunch.core.ir import ChatRequest, Failed, Finished, Message, Role, TextPart
    from agentlaunch.core.wire.base import load_wire
    from agentlaunch.core.wire.options import wire_for_call
    from agentlaunch.shim.translation import Translation

    turn = Message(Role.USER, (TextPart("Say yes."),))
    request = ChatRequest(endpoint.model, (turn,), max_output_tokens=ANSWER_TOKENS, stream=True)
    wire = wire_for_call(load_wire(endpoint.wire), endpoint, request)
    began = monotonic()
    async with client.post(endpoint, wire.path, wire.encode_request(request)) as response:
        if response.status != 200:
            return wire.decode_fault(response.status, response.headers, await response.read())
        translation = Translation(wire, endpoint.name, tool_forms.lower(request)[1].restore())
        events: list[ChatEvent] = []
        first_s: float | None = None
        async for piece in response.body:
            first_s = monotonic() - began if first_s is None else first_s
            events += translation.feed(piece)
        if not any(isinstance(event, Finished | Failed) for event in events):
            events += translation.finish()
    return _judged(events, first_s or 0.0, monotonic() - began)


def _judged(events: Sequence[ChatEvent], first_s: float, total_s: float) -> _Answer | ChatFault:
    from agentlaunch.core.ir import Failed, UsageReport

    tokens = 0
    for event in events:
        match event:
            case Failed(fault):
                return fault
            case UsageReport(usage):
                tokens = usage.output_tokens
            case _:
                pass
    return _Answer(first_s, total_s, tokens)
