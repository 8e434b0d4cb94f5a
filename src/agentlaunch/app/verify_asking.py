"""Puts cases to a model through the shim, one after the other, as an agent would: over HTTP, streamed, with a token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from agentlaunch.core.assemble import Assembler
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.pipeline import FilterChain
from agentlaunch.core.ir import Answer, ChatEvent, ChatFault, ErrorKind, Failed, Finished, ThinkingPart
from agentlaunch.core.secrets import without_secrets
from agentlaunch.core.verify.case import read_answer
from agentlaunch.core.verify.score import CaseResult, Outcome
from agentlaunch.core.wire.base import load_wire
from agentlaunch.shim.translation import Translation
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed

if TYPE_CHECKING:
    from agentlaunch.core.verify.case import Case
    from agentlaunch.shim.protocol import SessionGrant

GENERAL_WIRE = "openai_chat"
"""What cases of no agent are asked over, unless an agent was named."""

EXCERPT_CHARACTERS = 2_000
"""What is kept of an answer."""


@dataclass(frozen=True)
class Bounds:
    """What a run may take: tokens for each answer, seconds for each case and for all of them."""

    answer_tokens: int = 1_024
    case_s: float = 180.0
    total_s: float = 1_800.0


@dataclass(frozen=True)
class AskedCase:
    """A case with what came back: `excerpt` is the answer as the shim gave it on, its reasoning first."""

    result: CaseResult
    excerpt: str = ""


def ask_all(
    cases: Sequence[Case], grant: SessionGrant, wire: str, bounds: Bounds, on_case: Callable[[CaseResult], None]
) -> tuple[AskedCase, ...]:
    """Every case in order; those for which no time is left are unfinished. Tells each as it ends."""
    return asyncio.run(_ask_all(cases, grant, wire, bounds, on_case))


async def _ask_all(
    cases: Sequence[Case], grant: SessionGrant, wire: str, bounds: Bounds, on_case: Callable[[CaseResult], None]
) -> tuple[AskedCase, ...]:
    client = UpstreamClient()
    asked: list[AskedCase] = []
    until = monotonic() + bounds.total_s
    try:
        for case in cases:
            left = min(bounds.case_s, until - monotonic())
            asked.append(await _ask(case, _shim(grant, case.wire or wire), client, bounds.answer_tokens, left))
            on_case(asked[-1].result)
    finally:
        await client.aclose()
    return tuple(asked)


def _shim(grant: SessionGrant, wire: str) -> Endpoint:
    """The shim as a client's endpoint."""
    return Endpoint("the shim", wire, grant.url, grant.model, grant.token)


async def _ask(case: Case, shim: Endpoint, client: UpstreamClient, answer_tokens: int, limit_s: float) -> AskedCase:
    began = monotonic()
    if limit_s <= 0:
        return AskedCase(_result(case, Outcome.UNFINISHED, "no time was left", 0.0, 0))
    try:
        async with asyncio.timeout(limit_s):
            answer = await _answer(case, shim, client, answer_tokens)
    except UpstreamFailed as failed:
        answer = failed.fault
    except TimeoutError:
        answer = ChatFault(ErrorKind.TIMEOUT, f"no whole answer within {limit_s:.0f} s")
    took_s = monotonic() - began
    if isinstance(answer, ChatFault):
        why = without_secrets(answer.message)
        return AskedCase(_result(case, Outcome.FAILED, why, took_s, 0), why)
    why = without_secrets(case.judge(read_answer(answer)))
    outcome = Outcome.FAILED if why else Outcome.PASSED
    return AskedCase(_result(case, outcome, why, took_s, answer.usage.output_tokens), _excerpt(answer))


async def _answer(case: Case, shim: Endpoint, client: UpstreamClient, answer_tokens: int) -> Answer | ChatFault:
    wire = load_wire(shim.wire)
    request = case.request(shim.model, answer_tokens)
    async with client.post(shim, wire.path, wire.encode_request(request)) as response:
        if response.status != 200:
            return wire.decode_fault(response.status, response.headers, await response.read())
        translation, assembler = Translation(wire, shim.name, FilterChain(())), Assembler()
        events: list[ChatEvent] = []
        async for piece in response.body:
            events += translation.feed(piece)
        if not any(isinstance(event, Finished | Failed) for event in events):
            events += translation.finish()
    for event in events:
        assembler.feed(event)
    return assembler.result()


def _result(case: Case, outcome: Outcome, why: str, seconds: float, tokens: int) -> CaseResult:
    return CaseResult(case.name, case.title, case.weight, outcome, why, None, round(seconds, 2), tokens)


def _excerpt(answer: Answer) -> str:
    reading = read_answer(answer)
    thought = "".join(part.text for part in answer.parts if isinstance(part, ThinkingPart))
    calls = [f"{call.name} {call.arguments}" for call in reading.calls]
    parts = [f"(thinking) {json.dumps(thought[:500])}"] if thought else []
    return without_secrets("\n".join([*parts, *([reading.text] if reading.text else []), *calls]))[:EXCERPT_CHARACTERS]
