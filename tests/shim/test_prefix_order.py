"""Which upstreams get a conversation's opening in the stable order."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.shim.doubles import GENEROUS_S, TOKEN, Head, shim_before

ENVIRONMENT = "# Environment\nLinux"
OPENING = {
    "model": "local-model",
    "max_tokens": 10,
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Mend it"}]},
        {"role": "system", "content": ENVIRONMENT},
    ],
}


def sent_to(wire: str) -> object:
    """The messages that an upstream of this wire got for Claude Code's opening."""

    async def work() -> object:
        async with (
            shim_before([[Head(500, "application/json")]], wire) as (url, upstream),
            httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as http,
        ):
            await http.post(f"{url}/v1/messages", json=OPENING, headers={"x-api-key": TOKEN})
            return upstream.received[0].body["messages"]

    return asyncio.run(asyncio.wait_for(work(), 20))


def test_a_chat_server_gets_the_environment_before_the_question() -> None:
    reminder = f"<system-reminder>\n{ENVIRONMENT}\n</system-reminder>"
    (message,) = sent_to("openai_chat")  # type: ignore[misc]
    told = str(message["content"])
    assert told.index(ENVIRONMENT) < told.index("Mend it")
    assert reminder.splitlines()[1] in told


@pytest.mark.parametrize("wire", ["anthropic_messages"])
def test_anthropic_s_own_api_gets_it_where_it_stood(wire: str) -> None:
    told = str(sent_to(wire))
    assert told.index("Mend it") < told.index("Linux")
