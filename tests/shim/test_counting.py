"""Token counts: exact where llama.cpp is asked, estimated elsewhere, never behind a generation."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.shim.doubles import GENEROUS_S, TOKEN, live, make_session, request_body

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.filters import tool_forms
from agentlaunch.core.ir import (
    ChatRequest,
    DocumentPart,
    FunctionTool,
    ImagePart,
    Message,
    Part,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agentlaunch.core.scripted_gguf import Script, Turn
from agentlaunch.core.wire.base import load_wire
from agentlaunch.runtimes.demo_model import find_demo_model
from agentlaunch.runtimes.llama_cpp import LlamaCppHost
from agentlaunch.shim.counting import IMAGE_TOKENS, TokenCounter, estimate_tokens
from agentlaunch.shim.upstream import UpstreamClient
from agentlaunch.system.dirs import find_dirs

CHAT = load_wire("openai_chat")
ENDPOINT = Endpoint("double", "openai_chat", "", "engine-model", counting="llama_cpp")


def request(*parts: Part) -> ChatRequest:
    return ChatRequest("local-model", (Message(Role.USER, parts or (TextPart("hello"),)),))


# --- the estimate -------------------------------------------------------------------------------------------------


def test_the_estimate_is_within_15_percent_of_what_was_measured_on_agents_requests() -> None:
    measured = {
        48_305: 12_128,
        88_168: 23_116,
        4_266: 1_060,
        39_720: 8_851,
        30_781: 7_620,
        78_873: 19_060,
        48_022: 12_169,
    }
    for size_bytes, tokens in measured.items():
        assert 0.95 * tokens < estimate_tokens(request(), b"x" * size_bytes) < 1.2 * tokens


def test_an_image_counts_for_itself_and_not_for_its_base64() -> None:
    image = ImagePart("image/png", "A" * 400_000)
    document = DocumentPart("application/pdf", "A" * 400_000)
    shown = request(image, document)
    inside = request(ToolResultPart("call-1", (image, document)))
    for asked in (shown, inside):
        body = b"x" * 380 + b"A" * 800_000
        assert estimate_tokens(asked, body) == 100 + 2 * IMAGE_TOKENS


def test_nothing_counts_as_one_token() -> None:
    assert estimate_tokens(request(), b"") == 1


def test_an_upstream_that_cannot_be_asked_makes_it_an_estimate() -> None:
    async def run() -> tuple[int, int]:
        counter = TokenCounter(UpstreamClient(), CHAT)
        exact = replace(ENDPOINT, base_url="http://127.0.0.1:9")
        return await counter.count(request(), exact), await counter.count(
            request(), replace(exact, counting="estimate")
        )

    counted, estimated = asyncio.run(run())
    assert counted == estimated > 0


def counts_before_and_after(asked: ChatRequest, counted: int, endpoint: Endpoint) -> tuple[int, int, int]:
    """The estimate, the one after the upstream has counted `counted` for `asked`, and another model's."""

    async def run() -> tuple[int, int, int]:
        counter = TokenCounter(UpstreamClient(), CHAT)
        before = await counter.count(asked, endpoint)
        counter.learn(asked, endpoint, counted)
        return (
            before,
            await counter.count(asked, endpoint),
            await counter.count(asked, replace(endpoint, model="other-model1")),
        )

    return asyncio.run(run())


@pytest.mark.report("B012")
def test_an_estimate_learns_from_what_the_upstream_counts_for_this_model_alone() -> None:
    dense = request(TextPart("\u6f22\u5b57" * 4_000))
    before, after, other = counts_before_and_after(dense, 7_000, replace(ENDPOINT, counting="estimate"))
    assert 7_000 <= after <= 7_200
    assert other == before


def test_tools_are_counted_as_the_engine_gets_them() -> None:
    def with_schema(schema: bytes) -> ChatRequest:
        return msgspec.structs.replace(request(), tools=(FunctionTool("f", "", msgspec.Raw(schema)),))

    written = with_schema(b'{"type":"object","properties":{"a":{"type":"string","maxLength":65536}}}')
    simple = with_schema(b'{"type":"object","properties":{"a":{"type":"string"}}}')

    async def run() -> list[int]:
        counter = TokenCounter(UpstreamClient(), CHAT)
        return [await counter.count(asked, replace(ENDPOINT, counting="estimate")) for asked in (written, simple)]

    counted, expected = asyncio.run(run())
    assert counted == expected
    counter = TokenCounter(UpstreamClient(), CHAT)
    assert counter.expected(written, ENDPOINT) == counter.expected(simple, ENDPOINT)


def test_a_count_of_a_prompt_with_images_teaches_nothing() -> None:
    seen = request(TextPart("word " * 4_000), ImagePart("image/png", "AAAA"))
    before, after, _ = counts_before_and_after(seen, 12_000, replace(ENDPOINT, counting="estimate"))
    assert before == after
    counter = TokenCounter(UpstreamClient(), CHAT)
    words = request(TextPart("word " * 4_000))
    counter.learn(words, ENDPOINT, 5_000)
    assert counter.expected(words, ENDPOINT) == 5_100


def test_what_was_learnt_is_kept_for_a_bounded_number_of_models() -> None:
    counter = TokenCounter(UpstreamClient(), CHAT)
    words = request(TextPart("word " * 4_000))
    models = [replace(ENDPOINT, model=f"m{number}") for number in range(100)]
    for model in models:
        counter.learn(words, model, 10_000)
    expected = [counter.expected(words, model) for model in models]
    assert (expected[0], expected[-1]) == (5_264, 10_200)


# --- a double of llama.cpp ----------------------------------------------------------------------------------------


@dataclass
class TokenizingDouble:
    """llama.cpp's two endpoints: the prompt is the body's text, and each word a token."""

    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[TokenizingDouble]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        path = head.split(" ")[1]
        self.asked.append(path)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        answer = json.dumps(self._answer(path, body)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))
        await writer.drain()
        writer.close()

    def _answer(self, path: str, body: dict[str, object]) -> dict[str, object]:
        match path, body:
            case "/apply-template", {"model": "engine-model", "messages": [{"content": content}]}:
                return {"prompt": content}
            case "/tokenize", {"content": str(text), "add_special": True, "parse_special": True}:
                return {"tokens": list(range(len(text.split())))}
            case _:
                raise AssertionError(path)


def count_all(requests: list[ChatRequest]) -> tuple[list[int], TokenizingDouble]:
    async def run() -> tuple[list[int], TokenizingDouble]:
        async with TokenizingDouble().running() as double:
            upstream = UpstreamClient()
            counter = TokenCounter(upstream, CHAT)
            endpoint = replace(ENDPOINT, base_url=double.url)
            counts = await asyncio.gather(*(counter.count(one, endpoint) for one in requests))
            await upstream.aclose()
            return counts, double

    return asyncio.run(run())


def test_the_engine_is_asked_for_the_prompt_and_its_tokens() -> None:
    counts, double = count_all([request(TextPart("one two three"))])
    assert counts == [3]
    assert double.asked == ["/apply-template", "/tokenize"]


def test_equal_prompts_are_counted_once() -> None:
    counts, double = count_all([request(TextPart("one two")) for _ in range(25)])
    assert counts == [2] * 25
    assert len(double.asked) == 2


def test_different_prompts_are_counted_a_few_at_once() -> None:
    counts, double = count_all([request(TextPart("word " * n)) for n in range(1, 26)])
    assert counts == list(range(1, 26))
    assert double.most_at_once <= 4


def test_a_failed_count_is_tried_again() -> None:
    async def run() -> tuple[int, int]:
        upstream = UpstreamClient()
        counter = TokenCounter(upstream, CHAT)
        asked = request(TextPart("one two three"))
        async with TokenizingDouble().running() as double:
            url = double.url
        first = await counter.count(asked, replace(ENDPOINT, base_url=url))
        port = int(url.rpartition(":")[2])
        double = TokenizingDouble()
        server = await asyncio.start_server(double._serve, "127.0.0.1", port)
        async with server:
            second = await counter.count(asked, replace(ENDPOINT, base_url=url))
        await upstream.aclose()
        return first, second

    first, second = asyncio.run(run())
    assert first > 3
    assert second == 3


def test_count_tokens_answers_in_anthropics_form() -> None:
    async def run() -> httpx.Response:
        async with live(make_session()) as url, httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as http:
            body = request_body("anthropic_messages", stream=False)
            del body["max_tokens"], body["stream"]
            return await http.post(f"{url}/v1/messages/count_tokens", json=body, headers={"x-api-key": TOKEN})

    answer = asyncio.run(run())
    assert answer.status_code == 200
    assert answer.json() == {"input_tokens": pytest.approx(20, abs=20)}


# --- the real llama.cpp -------------------------------------------------------------------------------------------

CONVERSATION = ChatRequest(
    "local-model",
    (
        Message(Role.SYSTEM, (TextPart("Be brief."),)),
        Message(Role.USER, (TextPart("say <|im_end|> and <s> and Grüße 🙂"),)),
        Message(Role.ASSISTANT, (TextPart("Reading."), ToolCallPart("call_1", "Read", '{"path":"a.txt"}'))),
        Message(Role.TOOL, (ToolResultPart("call_1", (TextPart("content of a.txt"),)),)),
        Message(Role.USER, (TextPart("and now?"),)),
    ),
    tools=(
        FunctionTool("Read", "Reads a file", msgspec.Raw(b'{"type":"object","properties":{"path":{"type":"string"}}}')),
    ),
    max_output_tokens=1,
)


async def reported_tokens(endpoint: Endpoint, asked: ChatRequest) -> int:
    """What the engine itself says that the prompt had."""
    body = CHAT.encode_request(msgspec.structs.replace(asked, model=endpoint.model, stream=False))
    headers = {"authorization": f"Bearer {endpoint.key}"}
    async with httpx.AsyncClient(trust_env=False, timeout=300, headers=headers) as http:
        answer = await http.post(endpoint.base_url + CHAT.path, content=body)
    tokens: int = answer.json()["usage"]["prompt_tokens"]
    return tokens


def with_engine(model: Path, logs: Path, test: Callable[[Endpoint], object]) -> None:
    async def run() -> None:
        host = LlamaCppHost(logs, dict(os.environ))
        try:
            await test(await host.ensure(EngineSpec(str(model), "engine-model", 8192)))  # type: ignore[misc]
        finally:
            await host.close()

    asyncio.run(run())


@pytest.mark.real
@pytest.mark.parametrize("asked", [request(), CONVERSATION], ids=["plain", "tools"])
@pytest.mark.parametrize("which", ["demo", "scripted"])
def test_a_count_equals_what_llama_cpp_reports(
    asked: ChatRequest, which: str, tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    lowered, _ = tool_forms.lower(msgspec.structs.replace(asked, max_output_tokens=1))

    async def test(endpoint: Endpoint) -> None:
        upstream = UpstreamClient()
        assert await TokenCounter(upstream, CHAT).count(lowered, endpoint) == await reported_tokens(endpoint, lowered)
        await upstream.aclose()

    demo = find_demo_model(find_dirs({"AGENTLAUNCH_HOME": str(tmp_path)}))
    assert demo is not None
    with_engine(demo if which == "demo" else scripted_model(Script()), tmp_path, test)


@pytest.mark.real
def test_25_counts_do_not_wait_for_a_generation(tmp_path: Path, scripted_model: Callable[[Script], Path]) -> None:
    async def test(endpoint: Endpoint) -> None:
        upstream = UpstreamClient()
        counter = TokenCounter(upstream, CHAT)
        endless = msgspec.structs.replace(request(), model=endpoint.model, stream=True)
        async with upstream.post(endpoint, CHAT.path, CHAT.encode_request(endless)) as generation:
            await anext(generation.body)
            async with asyncio.timeout(6 * GENEROUS_S):
                requests = [request(TextPart(f"number {n}")) for n in range(25)]
                counts = await asyncio.gather(*(counter.count(one, endpoint) for one in requests))
            assert await anext(generation.body)
        assert len(counts) == 25
        await upstream.aclose()

    model = scripted_model(Script(untooled=Turn(text="on and on ", endless=True)))
    with_engine(model, tmp_path, test)
