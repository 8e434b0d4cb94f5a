"""The doubles of hosted APIs answer the vendors' own clients, refuse what the real ones refuse, keep all that came."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import anthropic
import httpx
import openai
import pytest
from tests.doubles import anthropic_server, openai_server, openrouter_server
from tests.doubles.scripted_upstream import Drop, Overflow, Refuse, Say, Script, ScriptedUpstream, Stall, script

Start = Callable[[Script], AbstractContextManager[ScriptedUpstream]]

CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "hi"}], "stream": True}
MESSAGE = {
    "model": "claude-sonnet-5",
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 9,
    "stream": True,
}
ROUTED = {**CHAT, "model": "qwen/qwen3-coder"}

VENDORS: dict[str, tuple[Start, dict[str, object], dict[str, str]]] = {
    "openai": (openai_server.openai_server, CHAT, {"authorization": f"Bearer {openai_server.KEY}"}),
    "openrouter": (openrouter_server.openrouter_server, ROUTED, {"authorization": f"Bearer {openrouter_server.KEY}"}),
    "anthropic": (
        anthropic_server.anthropic_server,
        MESSAGE,
        {"x-api-key": anthropic_server.KEY, "anthropic-version": "2023-06-01"},
    ),
}
EACH = pytest.mark.parametrize("vendor", VENDORS)


def _post(server: ScriptedUpstream, vendor: str, body: dict[str, object], **headers: str) -> httpx.Response:
    sent = {**VENDORS[vendor][2], **headers}
    return httpx.post(server.url + server.vendor.path, json=body, headers=sent, timeout=10, trust_env=False)


def test_openais_client_reads_a_stream_with_a_call_and_usage() -> None:
    acts = script(Say(("Hel", "lo"), (("read", '{"path": "a"}'),), input_tokens=20, cached_tokens=5))
    with openai_server.openai_server(acts) as server:
        client = openai.OpenAI(api_key=openai_server.KEY, base_url=f"{server.url}/v1", max_retries=0)
        with client.chat.completions.stream(
            model="gpt-5", messages=[{"role": "user", "content": "hi"}], stream_options={"include_usage": True}
        ) as stream:
            done = stream.get_final_completion()
        client.close()
    choice = done.choices[0]
    assert choice.message.content == "Hello"
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].function.arguments == '{"path": "a"}'
    assert done.usage is not None
    assert done.usage.prompt_tokens == 20


def test_anthropics_client_reads_a_stream_with_a_call_and_usage() -> None:
    acts = script(Say(("Hel", "lo"), (("read", '{"path": "a"}'),), input_tokens=20, cached_tokens=5))
    with anthropic_server.anthropic_server(acts) as server:
        client = anthropic.Anthropic(api_key=anthropic_server.KEY, base_url=server.url, max_retries=0)
        with client.messages.stream(
            model="claude-sonnet-5", max_tokens=50, messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            done = stream.get_final_message()
        client.close()
        client.close()
    assert [block.type for block in done.content] == ["text", "tool_use"]
    assert (done.usage.input_tokens, done.usage.cache_read_input_tokens, done.usage.output_tokens) == (15, 5, 2)


def test_openrouters_answer_tells_its_cost() -> None:
    with openrouter_server.openrouter_server(script(Say(cost_usd=0.0042))) as server:
        done = _post(server, "openrouter", {**ROUTED, "stream": False})
    assert done.json()["usage"]["cost"] == 0.0042


@EACH
def test_every_request_is_kept_with_its_bytes(vendor: str) -> None:
    start, body, _ = VENDORS[vendor]
    with start(script()) as server:
        _post(server, vendor, body)
        _post(server, vendor, body, **{"x-api-key": "wrong", "authorization": "Bearer wrong"})
    assert [json.loads(request.body) for request in server.chats] == [body, body]


@EACH
@pytest.mark.parametrize("status", [401, 403, 404, 408, 413, 429, 500, 503, 529])
def test_every_failure_can_be_ordered(vendor: str, status: int) -> None:
    start, body, _ = VENDORS[vendor]
    with start(script(Refuse(status, retry_after_s=7))) as server:
        refused, then = _post(server, vendor, body), _post(server, vendor, body)
    assert (refused.status_code, refused.headers["retry-after"], then.status_code) == (status, "7", 200)
    assert refused.json()["error"]["message"]


@EACH
def test_a_wrong_key_and_an_unknown_field_are_refused(vendor: str) -> None:
    start, body, _ = VENDORS[vendor]
    with start(script()) as server:
        wrong_key = _post(server, vendor, body, **{"x-api-key": "wrong", "authorization": "Bearer wrong"})
        unknown = _post(server, vendor, {**body, "agentlaunch_field": 1})
    assert (wrong_key.status_code, unknown.status_code) == (401, 400)
    assert "agentlaunch_field" in unknown.json()["error"]["message"]
    assert len(server.complaints) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "gpt-5", "max_tokens": 5}, "'max_tokens' is not supported with this model"),
        ({"model": "gpt-5", "temperature": 0.1}, "'temperature' does not support"),
        ({"tools": []}, "Invalid 'tools'"),
        ({"stream": False, "stream_options": {"include_usage": True}}, "'stream_options'"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "must be a response to"),
        ({"messages": []}, "empty array"),
    ],
)
def test_openai_refuses_what_the_reference_refuses(change: dict[str, object], words: str) -> None:
    with openai_server.openai_server() as server:
        refused = _post(server, "openai", {**CHAT, **change})
    assert refused.status_code == 400
    assert words in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]}
                ]
            },
            "without `tool_result`",
        ),
        ({"tools": [{"name": "x"}]}, "input_schema"),
    ],
)
def test_anthropic_refuses_what_the_reference_refuses(change: dict[str, object], words: str) -> None:
    with anthropic_server.anthropic_server() as server:
        refused = _post(server, "anthropic", {**MESSAGE, **change})
        no_version = _post(server, "anthropic", MESSAGE, **{"anthropic-version": ""})
    assert (refused.status_code, no_version.status_code) == (400, 400)
    assert words in refused.json()["error"]["message"]


@pytest.mark.parametrize(("version", "status"), [("2023-06-01", 200), ("2026-10-21", 400), ("2024-01-01", 400)])
def test_anthropic_takes_a_temperature_with_the_older_version_alone(version: str, status: int) -> None:
    with anthropic_server.anthropic_server() as server:
        done = _post(server, "anthropic", {**MESSAGE, "temperature": 0.2}, **{"anthropic-version": version})
    assert done.status_code == status


@EACH
def test_a_stream_can_be_cut_or_end_in_an_error(vendor: str) -> None:
    start, body, _ = VENDORS[vendor]
    with start(script(Say(cut_after=2), Say(error_after=2), Drop(), Overflow())) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            _post(server, vendor, body)
        broken = _post(server, vendor, body)
        with pytest.raises(httpx.RemoteProtocolError):
            _post(server, vendor, body)
        assert _post(server, vendor, body).status_code == 400
    assert '"error"' in broken.text


@EACH
def test_a_server_can_take_the_request_and_fall_silent(vendor: str) -> None:
    start, body, headers = VENDORS[vendor]
    with start(script(Stall())) as server:
        url = server.url + server.vendor.path
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=body, headers=headers, timeout=0.5, trust_env=False)
        assert len(server.chats) == 1
