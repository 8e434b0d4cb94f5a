"""Token counts that an upstream leaves out: the client gets an estimate, since it compacts by them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest
from tests.shim.doubles import (
    DONE,
    GENEROUS_S,
    PATHS,
    STARTED,
    TOKEN,
    USAGE,
    answer,
    chunk,
    read_events,
    request_body,
    shim_before,
)

from agentlaunch.core.ir import ChatEvent, ChatFault, ErrorKind, Failed, Finished, StopReason, Usage, UsageReport
from agentlaunch.shim.missing_usage import MissingUsage

PROMPT = "x" * 3800
"""About a thousand tokens."""
TEXT = "y" * 38
ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


FAILED = Failed(ChatFault(ErrorKind.UNAVAILABLE, "gone"))


class Failing:
    """A filter that lets everything pass, and fails at the end."""

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        yield event

    def finish(self) -> Iterator[ChatEvent]:
        yield FAILED


async def asked(wire: str, usage: dict[str, int] | None, *, stream: bool) -> bytes:
    said = STARTED + chunk({"content": TEXT}) + chunk({}, "stop", usage) + DONE
    async with shim_before([answer(said)]) as (url, _):
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=GENEROUS_S, trust_env=False) as http:
            body = request_body(wire, stream=stream, stream_options={"include_usage": True})
            body["input" if wire == "openai_responses" else "messages"] = [{"role": "user", "content": PROMPT}]
            return (await http.post(PATHS[wire], json=body)).content


@pytest.mark.parametrize("usage", [None, ZEROS])
@pytest.mark.parametrize("wire", PATHS)
def test_counts_that_the_upstream_leaves_out_are_estimated(wire: str, usage: dict[str, int] | None) -> None:
    events = read_events(wire, asyncio.run(asked(wire, usage, stream=True)))
    [counted] = [event.usage for event in events if isinstance(event, UsageReport)]
    assert (900 < counted.input_tokens < 1200, counted.output_tokens) == (True, 10)


def test_an_answer_that_is_not_streamed_has_them_too() -> None:
    usage = json.loads(asyncio.run(asked("openai_chat", None, stream=False)))["usage"]
    assert (900 < usage["prompt_tokens"] < 1200, usage["completion_tokens"]) == (True, 10)


def test_counts_that_come_stay_as_they_are() -> None:
    events = read_events("openai_chat", asyncio.run(asked("openai_chat", USAGE, stream=True)))
    assert [event.usage for event in events if isinstance(event, UsageReport)] == [Usage(7, 0, 2)]


def test_a_failure_keeps_what_was_counted_and_adds_nothing() -> None:
    report = UsageReport(Usage(5, 0, 1))
    counting = MissingUsage(lambda: 9, Failing())
    assert [*counting.feed(report), *counting.finish()] == [report, FAILED]
    assert [*MissingUsage(lambda: 9, Failing()).feed(FAILED)] == [FAILED]
    assert [*MissingUsage(lambda: 9, Failing()).feed(Finished(StopReason.END_TURN))] == [
        UsageReport(Usage(9)),
        Finished(StopReason.END_TURN),
    ]
