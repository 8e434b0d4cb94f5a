"""Answers on their way through the shim: whole, broken, late, and nobody waiting for them any more."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Awaitable
from dataclasses import replace

import httpx
import pytest
from starlette.types import Message
from tests.shim.doubles import (
    DONE,
    GENEROUS_S,
    KEY,
    PATHS,
    QUICK,
    SLOW,
    STARTED,
    TOKEN,
    Cut,
    Data,
    Head,
    Pause,
    ScriptedUpstream,
    Step,
    answer,
    chunk,
    hello,
    live,
    make_session,
    read_events,
    request_body,
    shim_before,
)

from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.base import AnswerContext, load_wire
from agentlaunch.shim.answer import ClientAnswer, KeepAlive, Stage, WholeAnswer, make_answer

PIECES = 2000
ANTHROPIC_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    b'"model":"x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":0}}}'
    b"\n\n"
)
ANTHROPIC_STOP = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":1}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
wires = pytest.mark.parametrize("wire", PATHS)
UNAVAILABLE = {wire: load_wire(wire).encode_fault(ChatFault(ErrorKind.UNAVAILABLE, "")).status for wire in PATHS}
AUTH = {"authorization": f"Bearer {TOKEN}"}


def client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers=AUTH, timeout=GENEROUS_S, trust_env=False)


async def ask(url: str, wire: str, *, stream: bool, **extra: object) -> httpx.Response:
    async with client(url) as http:
        return await http.post(PATHS[wire], json=request_body(wire, stream=stream, **extra))


async def ask_once(
    steps: list[Step],
    wire: str,
    *,
    stream: bool = True,
    keep_alive: KeepAlive = SLOW,
    upstream_wire: str = "openai_chat",
) -> httpx.Response:
    async with shim_before([steps], upstream_wire, keep_alive) as (url, _):
        return await ask(url, wire, stream=stream)


def texts(events: list[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def error_of(response: httpx.Response) -> str:
    message: str = response.json()["error"]["message"]
    return message


# --- whole answers ------------------------------------------------------------------------------------------------


@wires
def test_a_stream_reaches_each_client_in_its_own_wire(wire: str) -> None:
    response = asyncio.run(ask_once(answer(hello()), wire))
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = read_events(wire, response.content)
    assert isinstance(events[0], Started)
    assert texts(events) == "Hello"
    assert events[-1] == Finished(StopReason.END_TURN)


def test_usage_reaches_the_client() -> None:
    response = asyncio.run(ask_once(answer(hello()), "anthropic_messages"))
    usages = [
        event.usage for event in read_events("anthropic_messages", response.content) if isinstance(event, UsageReport)
    ]
    assert usages[-1] == Usage(input_tokens=7, output_tokens=2)


@wires
def test_an_answer_that_is_not_streamed_is_the_assembled_stream(wire: str) -> None:
    response = asyncio.run(ask_once(answer(hello()), wire, stream=False))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    match wire:
        case "anthropic_messages":
            assert body["content"] == [{"type": "text", "text": "Hello"}]
        case "openai_responses":
            assert body["output"][0]["content"][0]["text"] == "Hello"
        case _:
            assert body["choices"][0]["message"]["content"] == "Hello"


@wires
@pytest.mark.parametrize("piece_bytes", [1, 7, 100])
def test_the_cut_of_the_upstreams_bytes_does_not_matter(wire: str, piece_bytes: int) -> None:
    body = hello("Grüße 🙂")
    pieces = [body[start : start + piece_bytes] for start in range(0, len(body), piece_bytes)]
    response = asyncio.run(ask_once(answer(*pieces), wire))
    assert texts(read_events(wire, response.content)) == "Grüße 🙂"


def test_the_upstream_gets_its_own_model_a_clamped_output_and_always_a_stream() -> None:
    async def run() -> dict[str, object]:
        async with shim_before([answer(hello())]) as (url, upstream):
            await ask(url, "anthropic_messages", stream=False, max_tokens=128_000)
            return upstream.received[0].body

    body = asyncio.run(run())
    assert (body["model"], body["stream"]) == ("engine-model", True)
    assert body.get("max_tokens", body.get("max_completion_tokens")) == 4096


@pytest.mark.parametrize("wire", ["openai_chat", "anthropic_messages"])
@pytest.mark.parametrize("kind", ["", "anthropic"], ids=["written-anew", "its-own-bytes"])
def test_a_limit_that_a_refusal_has_told_is_kept_by_every_later_request(wire: str, kind: str) -> None:
    told = "max_tokens: 4000 > 1024, which is the maximum allowed"
    refusal = Data(json.dumps({"error": {"type": "invalid_request_error", "message": told}}).encode())
    whole = (ANTHROPIC_START + ANTHROPIC_STOP) if wire == "anthropic_messages" else hello()
    scripts = [[Head(400, "application/json"), refusal], *(answer(whole) for _ in range(3))]

    async def run() -> list[object]:
        async with ScriptedUpstream(scripts).running() as upstream:
            session = make_session(upstream.url, wire)
            session = replace(session, endpoint=replace(session.endpoint, kind=kind))
            async with live(session) as url:
                for limit in (4000, 4000, 100):
                    response = await ask(url, "anthropic_messages", stream=True, max_tokens=limit)
                    assert response.status_code == 200
            return [received.body["max_tokens"] for received in upstream.received]

    assert asyncio.run(run()) == [4000, 1024, 1024, 100]


@pytest.mark.parametrize(("wire", "header"), [("openai_chat", "authorization"), ("anthropic_messages", "x-api-key")])
def test_the_upstream_gets_its_own_key_and_never_the_clients_token(wire: str, header: str) -> None:
    async def run() -> dict[str, str]:
        async with shim_before([[Head(404, "application/json")]], wire) as (url, upstream):
            await ask(url, "anthropic_messages", stream=True)
            return upstream.received[0].headers

    headers = asyncio.run(run())
    assert headers[header].removeprefix("Bearer ") == KEY
    assert TOKEN not in str(headers)
    assert ("anthropic-version" in headers) == (wire == "anthropic_messages")


def test_an_endpoint_without_a_key_gets_no_key_header() -> None:
    async def run() -> dict[str, str]:
        async with (
            ScriptedUpstream([answer(hello())], key="").running() as upstream,
            live(make_session(upstream.url, key="")) as url,
        ):
            await ask(url, "openai_chat", stream=True)
        return upstream.received[0].headers

    assert asyncio.run(run()).keys() & {"authorization", "x-api-key"} == set()


def test_one_upstream_connection_serves_many_requests() -> None:
    async def run() -> int:
        async with shim_before([answer(hello())] * 3) as (url, upstream):
            for _ in range(3):
                await ask(url, "anthropic_messages", stream=True)
            return upstream.connections

    assert asyncio.run(run()) == 1


def test_answers_of_parallel_requests_do_not_mix() -> None:
    async def run() -> list[str]:
        gate = asyncio.Event()
        scripts: list[list[Step]] = [
            [Head(), Data(STARTED), Data(chunk({"content": f"{n}"})), Pause(gate), Data(chunk({"content": f"{n}"})),
             Data(chunk({}, "stop")), Data(DONE)]
            for n in range(8)
        ]  # fmt: skip
        async with shim_before(scripts) as (url, upstream):
            asks = [asyncio.create_task(ask(url, "openai_chat", stream=True)) for _ in scripts]
            for _ in scripts:
                await within(upstream.arrivals.acquire())
            gate.set()
            return [texts(read_events("openai_chat", (await response).content)) for response in asks]

    assert sorted(asyncio.run(run())) == [f"{n}{n}" for n in range(8)]


def test_json_in_place_of_a_stream_is_an_answer_too() -> None:
    whole = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "usage": {"prompt_tokens": 7, "completion_tokens": 2},
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    }  # fmt: skip
    steps: list[Step] = [Head(200, "application/json; charset=utf-8"), Data(json.dumps(whole).encode())]
    response = asyncio.run(ask_once(steps, "anthropic_messages"))
    assert texts(read_events("anthropic_messages", response.content)) == "Hello"


def test_one_piece_from_the_upstream_is_one_piece_to_the_client() -> None:
    async def run() -> list[bytes]:
        async with shim_before([answer(hello())]) as (url, _), client(url) as http:
            body = request_body("anthropic_messages", stream=True)
            async with http.stream("POST", "/v1/messages", json=body) as response:
                return [piece async for piece in response.aiter_raw()]

    assert len(asyncio.run(run())) == 1


# --- errors -------------------------------------------------------------------------------------------------------


@wires
@pytest.mark.parametrize("stream", [True, False])
def test_an_upstreams_error_keeps_its_status(wire: str, stream: bool) -> None:
    error = Data(b'{"error":{"message":"slow down","type":"rate_limit_error"}}')
    steps: list[Step] = [Head(429, "application/json", (("retry-after", "7"),)), error]
    response = asyncio.run(ask_once(steps, wire, stream=stream))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert "slow down" in error_of(response)


@pytest.mark.parametrize("wire", ["anthropic_messages", "openai_chat"])
def test_an_overflow_is_a_400_with_the_sessions_window(wire: str) -> None:
    error = Data(
        b'{"error":{"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}'
    )
    response = asyncio.run(ask_once([Head(400, "application/json"), error], wire))
    assert response.status_code == 400
    assert "32768" in error_of(response)


@wires
@pytest.mark.parametrize("stream", [True, False])
def test_a_blank_conversation_for_anthropic_is_refused_before_anything_is_sent(wire: str, stream: bool) -> None:
    said = "input" if wire == "openai_responses" else "messages"

    async def run() -> tuple[httpx.Response, int]:
        async with shim_before([answer(hello())], "anthropic_messages") as (url, upstream):
            response = await ask(url, wire, stream=stream, **{said: [{"role": "user", "content": " \n "}]})
            return response, len(upstream.received)

    response, received = asyncio.run(run())
    assert (response.status_code, received) == (400, 0)
    assert error_of(response) == "the conversation has no message that is not blank, and this API wants one"


@wires
def test_an_error_that_comes_as_the_first_event_has_a_status_of_its_own(wire: str) -> None:
    steps = answer(STARTED, b'data: {"error":{"message":"no memory","code":500,"type":"server_error"}}\n\n')
    response = asyncio.run(ask_once(steps, wire))
    assert response.status_code == (502 if wire == "openai_responses" else 500)
    assert "no memory" in error_of(response)


@wires
@pytest.mark.parametrize("stream", [True, False])
def test_a_refused_connection_names_the_upstream_and_not_its_key(wire: str, stream: bool) -> None:
    async def run() -> httpx.Response:
        async with live(make_session("http://127.0.0.1:9")) as url:
            return await ask(url, wire, stream=stream)

    response = asyncio.run(run())
    assert response.status_code == UNAVAILABLE[wire]
    assert error_of(response) == "the upstream `double` cannot be reached: is it running?"
    assert KEY not in response.text


@wires
def test_a_connection_closed_without_an_answer_says_unavailable(wire: str) -> None:
    response = asyncio.run(ask_once([Cut()], wire))
    assert response.status_code == UNAVAILABLE[wire]


@wires
@pytest.mark.parametrize("end", [[Cut()], []])
def test_a_stream_that_ends_too_early_ends_in_an_error(wire: str, end: list[Step]) -> None:
    steps = [*answer(STARTED, chunk({"content": "Hel"})), *end]
    response = asyncio.run(ask_once(steps, wire))
    events = read_events(wire, response.content)
    assert response.status_code == 200
    assert texts(events) == "Hel"
    assert isinstance(events[-1], Failed)


@wires
def test_a_cut_answer_that_is_not_streamed_is_an_error_and_no_half_answer(wire: str) -> None:
    steps = [*answer(STARTED, chunk({"content": "Hel"})), Cut()]
    response = asyncio.run(ask_once(steps, wire, stream=False))
    assert response.status_code == UNAVAILABLE[wire]


def test_an_answer_that_has_all_but_its_end_mark_is_whole() -> None:
    steps = [*answer(STARTED, chunk({"content": "Hello"}), chunk({}, "stop")), Cut()]
    events = read_events("openai_chat", asyncio.run(ask_once(steps, "openai_chat")).content)
    assert events[-1] == Finished(StopReason.END_TURN)


@wires
def test_junk_in_the_stream_ends_in_an_error_that_names_the_upstream(wire: str) -> None:
    response = asyncio.run(ask_once(answer(STARTED, chunk({"content": "Hel"}), b"data: [1, 2\n\n"), wire))
    last = read_events(wire, response.content)[-1]
    assert isinstance(last, Failed)
    assert "`double`" in last.fault.message


def test_a_web_page_is_an_error() -> None:
    response = asyncio.run(ask_once([Head(200, "text/html"), Data(b"<html>Welcome")], "openai_chat"))
    assert response.status_code == 503
    assert "web page" in error_of(response)


def test_a_history_without_reasoning_reaches_deepseek_with_a_word_for_it() -> None:
    told = b'{"error":{"message":"The `reasoning_content` in the thinking mode must be passed back to the API."}}'

    async def run() -> tuple[int, list[object]]:
        scripts: list[list[Step]] = [[Head(400, "application/json"), Data(told)], answer(hello())]
        async with shim_before(scripts) as (url, upstream), client(url) as http:
            body = request_body("openai_chat", stream=True)
            body["messages"] = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
            status = (await http.post(PATHS["openai_chat"], json=body)).status_code
            return status, [received.body["messages"][1] for received in upstream.received]  # type: ignore[index]

    said = {"role": "assistant", "content": "x"}
    assert asyncio.run(run()) == (200, [said, {**said, "reasoning_content": " "}])


def test_an_error_answer_that_is_a_stream_tells_its_message() -> None:
    steps: list[Step] = [Head(400), Data(b'data: {"error": {"message": "no such parameter"}}\n\n')]
    response = asyncio.run(ask_once(steps, "openai_chat"))
    assert (response.status_code, error_of(response)) == (400, "no such parameter")


def test_a_redirect_is_an_error_and_is_not_followed() -> None:
    steps: list[Step] = [Head(307, "text/plain", (("location", "http://127.0.0.1:9/elsewhere"),))]
    response = asyncio.run(ask_once(steps, "openai_chat"))
    assert response.status_code == 404
    assert "(status `307` to `http://127.0.0.1:9/elsewhere`)" in error_of(response)


# --- silence ------------------------------------------------------------------------------------------------------


@wires
def test_silence_opens_the_stream_and_keeps_it_alive(wire: str) -> None:
    async def run() -> bytes:
        release = asyncio.Event()
        steps: list[Step] = [Pause(release), *answer(hello())]
        async with shim_before([steps], keep_alive=QUICK) as (url, _), client(url) as http:
            body = request_body(wire, stream=True)
            async with http.stream("POST", PATHS[wire], json=body) as response:
                pieces: list[bytes] = []
                async for piece in response.aiter_raw():
                    pieces.append(piece)
                    if len(pieces) == 3:
                        release.set()
                return b"".join(pieces)

    events = read_events(wire, asyncio.run(run()))
    assert [type(event) for event in events].count(Started) == 1
    assert texts(events) == "Hello"
    assert events[-1] == Finished(StopReason.END_TURN)


@wires
def test_an_error_after_the_stream_was_opened_comes_in_the_stream(wire: str) -> None:
    async def run() -> httpx.Response:
        release = asyncio.Event()
        steps: list[Step] = [Pause(release), Head(500, "application/json"), Data(b'{"error":{"message":"no memory"}}')]
        body = request_body(wire, stream=True)
        async with (
            shim_before([steps], keep_alive=QUICK) as (url, _),
            client(url) as http,
            http.stream("POST", PATHS[wire], json=body) as response,
        ):
            release.set()
            await response.aread()
            return response

    response = asyncio.run(run())
    last = read_events(wire, response.content)[-1]
    assert response.status_code == 200
    assert isinstance(last, Failed)
    assert "no memory" in last.fault.message


def test_pings_go_on_between_deltas() -> None:
    async def run() -> bytes:
        release = asyncio.Event()
        steps: list[Step] = [
            *answer(STARTED, chunk({"content": "Hel"})), Pause(release),
            Data(chunk({"content": "lo"})), Data(chunk({}, "stop")), Data(DONE),
        ]  # fmt: skip
        async with (
            shim_before([steps], keep_alive=KeepAlive(after_s=600, every_s=0.05)) as (url, _),
            client(url) as http,
        ):
            body = request_body("anthropic_messages", stream=True)
            async with http.stream("POST", "/v1/messages", json=body) as response:
                pieces: list[bytes] = []
                async for piece in response.aiter_raw():
                    pieces.append(piece)
                    if sum(b"event: ping" in one for one in pieces) == 2:
                        release.set()
                return b"".join(pieces)

    events = read_events("anthropic_messages", asyncio.run(run()))
    assert texts(events) == "Hello"
    assert sum(isinstance(event, Ping) for event in events) >= 2


def test_an_answer_that_never_ends_is_given_up_when_it_is_not_streamed() -> None:
    """One field fills the memory as well as many."""

    async def run(event: ChatEvent) -> tuple[Stage, list[Message]]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        wire = load_wire("openai_chat")
        request = wire.decode_request(json.dumps(request_body("openai_chat", stream=False)).encode())
        whole = WholeAnswer(wire, AnswerContext(request, lambda prefix: f"{prefix}1", 1), send, limit_bytes=10)
        await whole.feed([Started(), event, event])
        assert (whole.stage, sent) == (Stage.HELD, [])
        await whole.feed([event])
        return whole.stage, sent

    for event in (TextDelta("12345"), ThinkingDelta("12345"), ToolCallDelta("12345"), TextDelta("äö1")):
        stage, sent = asyncio.run(run(event))
        assert (stage, sent[0]["status"], b"too big" in sent[1]["body"]) == (Stage.CLOSED, 503, True)


def answer_to(wire_name: str, sent: list[Message], *, stream: bool) -> ClientAnswer:
    """An answer whose messages come into `sent`."""

    async def send(message: Message) -> None:
        sent.append(message)

    wire = load_wire(wire_name)
    request = wire.decode_request(json.dumps(request_body(wire_name, stream=stream)).encode())
    return make_answer(wire, AnswerContext(request, lambda prefix: f"{prefix}1", 1), send, SLOW)


def test_calls_and_signatures_without_end_fill_no_memory_either() -> None:
    for event in (ToolCallStart("id-" + "x" * 500_000, "read"), ThinkingSignature("s" * 500_000)):
        sent: list[Message] = []

        async def run(event: ChatEvent, sent: list[Message]) -> Stage:
            whole = answer_to("openai_chat", sent, stream=False)
            await whole.feed([Started(), *[event] * 200])
            return whole.stage

        assert (asyncio.run(run(event, sent)), sent[0]["status"]) == (Stage.CLOSED, 503)


def test_an_upstream_that_tells_nothing_without_end_is_remembered_in_two_events() -> None:
    """Its pings, and its counts so far, each of which replaces those before it."""

    async def run() -> tuple[int, list[ChatEvent]]:
        sent: list[Message] = []
        answer = answer_to("anthropic_messages", sent, stream=True)
        tracemalloc.start()
        try:
            await answer.feed([Started()])
            for number in range(20_000):
                await answer.feed([Ping(), UsageReport(Usage(number))])
            kept_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert not sent
        await answer.feed([TextDelta("Hello"), Finished(StopReason.END_TURN)])
        body = b"".join(message.get("body", b"") for message in sent)
        return kept_bytes, read_events("anthropic_messages", body)

    kept_bytes, told = asyncio.run(run())
    reports = [event for event in told if isinstance(event, UsageReport)]
    assert (kept_bytes < 50_000, Ping() in told, reports[-1].usage.input_tokens) == (True, False, 19_999)


def test_an_upstreams_own_bytes_are_passed_on_before_they_fill_the_memory() -> None:
    async def run() -> tuple[Stage, int]:
        sent: list[Message] = []
        answer = answer_to("openai_chat", sent, stream=True)
        comment = b": " + b"x" * 100_000 + b"\n\n"
        while answer.stage is Stage.HELD:
            await answer.forward(comment, [])
        return answer.stage, sum(len(message.get("body", b"")) // len(comment) for message in sent)

    assert asyncio.run(run()) == (Stage.OPEN, 11)


# --- the client leaves ----------------------------------------------------------------------------------------------


async def open_raw(url: str, wire: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(request_body(wire, stream=True)).encode()
    head = (
        f"POST {PATHS[wire]} HTTP/1.1\r\nhost: {host}:{port}\r\n"
        f"x-api-key: {TOKEN}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


async def within(wait: Awaitable[object]) -> None:
    async with asyncio.timeout(GENEROUS_S):
        await wait


@wires
def test_a_client_that_leaves_before_the_first_byte_ends_the_upstreams_work(wire: str) -> None:
    async def run() -> None:
        async with shim_before([[Pause(asyncio.Event())]]) as (url, upstream):
            _, writer = await open_raw(url, wire)
            await within(upstream.arrivals.acquire())
            writer.close()
            await within(upstream.client_left.wait())

    asyncio.run(run())


@wires
def test_a_client_that_leaves_between_headers_and_first_event_ends_the_upstreams_work(wire: str) -> None:
    async def run() -> None:
        async with shim_before([[Head(), Pause(asyncio.Event())]]) as (url, upstream):
            _, writer = await open_raw(url, wire)
            await within(upstream.arrivals.acquire())
            writer.close()
            await within(upstream.client_left.wait())

    asyncio.run(run())


@pytest.mark.report("B175")
@wires
def test_a_client_that_leaves_in_the_middle_ends_the_upstreams_work(wire: str) -> None:
    async def run() -> None:
        steps = [*answer(STARTED, chunk({"content": "Hel"})), Pause(asyncio.Event())]
        async with shim_before([steps]) as (url, upstream):
            reader, writer = await open_raw(url, wire)
            await within(reader.readuntil(b"Hel"))
            writer.close()
            await within(upstream.client_left.wait())

    asyncio.run(run())


def test_a_client_that_leaves_during_keep_alive_ends_the_upstreams_work() -> None:
    async def run() -> None:
        async with shim_before([[Pause(asyncio.Event())]], keep_alive=QUICK) as (url, upstream):
            reader, writer = await open_raw(url, "anthropic_messages")
            await within(reader.readuntil(b"event: ping"))
            writer.close()
            await within(upstream.client_left.wait())

    asyncio.run(run())


def test_a_client_that_does_not_read_holds_the_upstream_back_and_can_still_leave() -> None:
    async def run() -> int:
        # Pieces differ: text that repeats itself to the letter ends the answer (core.filters.repeats).
        pieces = [chunk({"content": "".join(f"{piece}.{word} " for word in range(8_000))}) for piece in range(PIECES)]
        steps: list[Step] = [*answer(STARTED, *pieces), Pause(asyncio.Event())]
        async with shim_before([steps]) as (url, upstream):
            reader, writer = await open_raw(url, "openai_chat")
            await within(reader.readuntil(b"0.7 "))
            before, done = -1, upstream.steps_done
            while done > before:
                await asyncio.sleep(0.2)
                before, done = done, upstream.steps_done
            writer.transport.abort()
            await within(upstream.client_left.wait())
            return done

    assert asyncio.run(run()) < PIECES
