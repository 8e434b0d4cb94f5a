"""Asking servers for their models: the doubles of the vendors, and servers that are broken in every way."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.doubles import anthropic_server, openai_server, openrouter_server
from tests.doubles.http_server import Cut, HttpReply, HttpRequest, HttpServer

from agentlaunch.core.endpoint import Prices
from agentlaunch.upstreams.kind import load_kind
from agentlaunch.upstreams.listing import ModelFacts
from agentlaunch.upstreams.survey import Listed, Reach, Unlisted, ask_models


@contextmanager
def _answering(*replies: HttpReply) -> Iterator[tuple[str, list[HttpRequest]]]:
    seen: list[HttpRequest] = []

    async def answer(request: HttpRequest) -> HttpReply:
        seen.append(request)
        return replies[min(len(seen), len(replies)) - 1]

    with HttpServer(answer).running() as server:
        yield server.url, seen


def test_openrouters_list_comes_without_a_key() -> None:
    with openrouter_server.openrouter_server() as server:
        assert ask_models(load_kind("openrouter"), server.url, {}) == Listed(
            (
                ModelFacts("qwen/qwen3-coder", 262_144, Prices(0.22, 0.95, 0.11), takes_images=False),
                ModelFacts("anthropic/claude-sonnet-4.5", 1_000_000, Prices(3.0, 15.0, 0.3), takes_images=True),
            )
        )


def test_openais_list_needs_the_key() -> None:
    with openai_server.openai_server() as server:
        kind = load_kind("openai")
        assert ask_models(kind, server.url, {}) == Unlisted(Reach.REFUSED, "refuses the key (HTTP 401)")
        headers = {"authorization": f"Bearer {openai_server.KEY}"}
        assert ask_models(kind, server.url, headers) == Listed((ModelFacts("gpt-4.1"), ModelFacts("gpt-5")))


def test_anthropics_list_needs_the_key_and_the_version() -> None:
    with anthropic_server.anthropic_server() as server:
        headers = {"x-api-key": anthropic_server.KEY, "anthropic-version": "2023-06-01"}
        assert ask_models(load_kind("anthropic"), server.url, headers) == Listed(
            (
                ModelFacts("claude-sonnet-5", 200_000),
                ModelFacts("claude-haiku-4-5", 200_000),
            )
        )


def test_a_litellm_that_hides_its_prices_is_asked_for_the_names() -> None:
    names = HttpReply(body=b'{"data": [{"id": "gpu"}]}')
    with _answering(HttpReply(401), names) as (url, seen):
        assert ask_models(load_kind("litellm"), url, {}) == Listed((ModelFacts("gpu"),))
        assert [request.path for request in seen] == ["/model/info", "/v1/models"]


def test_nobody_there_is_told() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused
        found = ask_models(load_kind("vllm"), f"http://127.0.0.1:{held.getsockname()[1]}", {})
    assert found == Unlisted(Reach.SILENT, "cannot be reached")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (HttpReply(404), "answers /v1/models with HTTP 404"),
        (HttpReply(500), "answers /v1/models with HTTP 500"),
        (HttpReply(body=b"<html>"), "answers /v1/models with what is no list of models"),
        (HttpReply(302, headers=(("location", "http://127.0.0.1:9/"),)), "answers /v1/models with HTTP 302"),
    ],
)
def test_a_server_without_a_list_is_told(reply: HttpReply, reason: str) -> None:
    with _answering(reply) as (url, seen):
        assert ask_models(load_kind("vllm"), url, {}) == Unlisted(Reach.NO_LIST, reason)
        assert len(seen) == 1


def test_a_connection_that_breaks_is_told_without_the_key() -> None:
    async def cut(request: HttpRequest) -> HttpReply:
        raise Cut

    with HttpServer(cut).running() as server:
        found = ask_models(load_kind("vllm"), server.url, {"authorization": "Bearer sk-secret"})
    assert found == Unlisted(Reach.SILENT, "cannot be reached")
