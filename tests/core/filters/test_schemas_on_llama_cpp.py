"""The real llama.cpp given schemas: it refuses what clients write, and takes every one that was simplified."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.core.filters.schema_cases import argument_cases
from tests.core.filters.test_schema_for_engine import PARTS, ROOTS, of

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.filters.simple_schema import Root, simplified
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.runtimes.llama_cpp import LlamaCppHost

pytestmark = pytest.mark.real

Json = Any

ROUNDS = 12
TOOLS_A_ROUND = 25
GENEROUS_S = 120.0

REFUSED = {
    "a true": of(True),
    "an empty enum": of({"enum": []}),
    "a lower bound of 5,000": of({"type": "string", "minLength": 5_000}),
    "a bound beyond 64 bits": of({"type": "string", "maxLength": 10**20}),
    "a reference to the root": of({"$ref": "#"}),
    "a type of Google's": of({"type": "STRING"}),
    "a pattern that is none": of({"type": "string", "pattern": "^(a$"}),
}


def tools_of(schemas: list[Json]) -> list[Json]:
    return [
        {"type": "function", "function": {"name": f"f{number}", "parameters": schema}}
        for number, schema in enumerate(schemas)
    ]


def with_engine(model: Path, logs: Path, test: Callable[[Callable[[Json], Awaitable[int]]], Awaitable[None]]) -> None:
    """Run `test` with a function that sends a body's fields to one engine and gives the status of the answer."""

    async def work() -> None:
        host = LlamaCppHost(logs, os.environ)
        try:
            endpoint = await host.ensure(EngineSpec(str(model), "scripted", 65_536))
            await test(lambda fields: _status(endpoint, fields))
        finally:
            await host.close()

    asyncio.run(asyncio.wait_for(work(), 2 * GENEROUS_S))


async def _status(endpoint: Endpoint, fields: Json) -> int:
    body = {"model": endpoint.model, "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}], **fields}
    headers = {"Authorization": f"Bearer {endpoint.key}"}
    async with httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S, headers=headers) as client:
        return (await client.post(f"{endpoint.base_url}/v1/chat/completions", json=body)).status_code


def test_llama_cpp_refuses_what_clients_write_and_takes_all_of_it_simplified(
    tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    async def test(status: Callable[[Json], Awaitable[int]]) -> None:
        for schema in REFUSED.values():
            assert await status({"tools": tools_of([schema])}) == 400
        written = [*REFUSED.values(), *(of(part) for part, _ in PARTS.values()), *(root for root, _ in ROOTS.values())]
        simple = [simplified(schema, Root.ARGUMENTS) for schema in written]
        for choice in ("auto", "required"):
            assert await status({"tools": tools_of(simple), "tool_choice": choice}) == 200
        for schema in simple:
            as_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
            assert await status({"response_format": as_format}) == 200

    with_engine(scripted_model(Script()), tmp_path, test)


def test_llama_cpp_takes_every_random_schema_once_it_is_simplified(
    tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    batches: list[list[Json]] = []

    # What the engine is asked is drawn first: it runs in one event loop, which hypothesis cannot enter again and again.
    @settings(
        max_examples=ROUNDS,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(argument_cases(), min_size=TOOLS_A_ROUND, max_size=TOOLS_A_ROUND))
    def draw(cases: list[tuple[Json, Json]]) -> None:
        batches.append([simplified(schema, Root.ARGUMENTS) for schema, _ in cases])

    draw()
    assert len(batches) >= ROUNDS // 2

    async def test(status: Callable[[Json], Awaitable[int]]) -> None:
        for number, schemas in enumerate(batches):
            choice = ("auto", "required")[number % 2]
            assert await status({"tools": tools_of(schemas), "tool_choice": choice}) == 200, schemas

    with_engine(scripted_model(Script()), tmp_path, test)
