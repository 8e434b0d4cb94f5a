"""What an upstream says that it charges reaches the representation."""

from __future__ import annotations

import pytest

from agentlaunch.core.ir import Usage, UsageReport
from agentlaunch.core.wire.base import Frame
from agentlaunch.core.wire.openai_chat import OpenAIChat


def _usage(cost: str) -> Usage:
    decoder = OpenAIChat().event_decoder()
    chunks = (
        b'{"choices":[{"index":0,"delta":{"content":"hi"}}]}',
        b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        f'{{"choices":[],"usage":{{"prompt_tokens":7,"completion_tokens":2{cost}}}}}'.encode(),
        b"[DONE]",
    )
    events = [event for chunk in chunks for event in decoder.feed(Frame(chunk))]
    return next(event.usage for event in events if isinstance(event, UsageReport))


@pytest.mark.parametrize(("cost", "expected"), [("0.00042", 0.00042), ("0", 0.0), ("1", 1.0), ("5e-7", 5e-7)])
def test_openrouters_cost_is_told_in_dollars(cost: str, expected: float) -> None:
    assert _usage(f',"cost":{cost}') == Usage(7, 0, 2, 0, expected)


@pytest.mark.parametrize("cost", ["", ',"cost":null', ',"cost":{"total_cost":0.1}', ',"cost":"much"', ',"cost":-1'])
def test_what_is_no_amount_is_no_cost(cost: str) -> None:
    assert _usage(cost) == Usage(7, 0, 2)
