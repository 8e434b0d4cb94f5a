"""What is computed beforehand on the real llama.cpp, embedded and installed, by its own counts of cached tokens."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from tests.doubles import llama_server
from tests.shim.doubles import TOKEN, OneSession, make_session, serving
from tests.shim.tiny_models import TINY_MODELS

from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.runtimes.hosts import RuntimeHosts
from agentlaunch.shim import prefix_files
from agentlaunch.shim.application import build_application
from agentlaunch.shim.prewarm import Prewarm
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.upstream import UpstreamClient

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

T = TypeVar("T")

RULES = "You are an agent. " + " ".join(f"Rule {number}: do it." for number in range(150))
TOOL = {"type": "function", "function": {"name": "Write", "parameters": {"type": "object", "properties": {}}}}
SERVER = llama_server.real_program()


def run(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 100))


@dataclass
class Shim:
    """A session of a shim with an engine of its own; `computed` are the tokens that each request cost."""

    http: httpx.AsyncClient
    prewarm: Prewarm
    computed: list[int] = field(default_factory=list)

    async def ask(self, words: str, system: str = RULES) -> str:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": words}]
        body = {"model": "m", "messages": messages, "max_tokens": 16, "temperature": 0, "tools": [TOOL]}
        response = await self.http.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        usage = response.json()["usage"]
        self.computed.append(usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"])
        return str(response.json()["choices"][0]["message"])

    async def warmed(self) -> None:
        self.prewarm.begin("session-1")
        await self.quiet()

    async def quiet(self) -> None:
        while self.prewarm.is_busy:  # noqa: ASYNC110 - nobody tells when it ends
            await asyncio.sleep(0.01)


@asynccontextmanager
async def shim_with(model: Path, home: Path, runtime: str = "llama_cpp") -> AsyncIterator[Shim]:
    hosts = RuntimeHosts(home / "logs", {**os.environ, "AGENTLAUNCH_HOME": str(home)})
    upstream = UpstreamClient()
    try:
        endpoint = await hosts.ensure(EngineSpec(str(model), "m", 8192, runtime=runtime, program=SERVER or ""))
        session = replace(make_session(), endpoint=endpoint, variant="claude 2.1 lean")
        prewarm = Prewarm(home / "cache" / "prefixes", upstream, lambda _id: session)
        app = build_application(OneSession(session), upstream, options=RelayOptions(turns=prewarm.turns))
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with (
            serving(app) as url,
            httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as http,
        ):
            yield Shim(http, prewarm)
            await prewarm.aclose()
    finally:
        await upstream.aclose()
        await hosts.close()


def forget_states(home: Path) -> None:
    folder = home / "cache" / "prefixes"
    for kept in prefix_files.read_kept(folder):
        prefix_files.remove(folder, kept)


async def second_session(model: Path, home: Path, runtime: str, *, is_kept: bool) -> tuple[int, str, str]:
    """Tokens that the second session's first request cost; its answer warmed, and without anything kept."""
    async with shim_with(model, home, runtime) as shim:
        await shim.ask("Mend the parser")
        await shim.quiet()
    if not is_kept:
        forget_states(home)
    async with shim_with(model, home, runtime) as shim:
        await shim.warmed()
        warmed = await shim.ask("Explain it")
        (cost,) = shim.computed
    assert len(prefix_files.read_kept(home / "cache" / "prefixes")) == 1  # what was warmed is what is kept
    async with shim_with(model, home / "elsewhere", runtime) as shim:
        return cost, warmed, await shim.ask("Explain it")


@pytest.mark.parametrize("is_kept", [True, False], ids=["restored", "computed in steps"])
@pytest.mark.parametrize("kind", TINY_MODELS)
def test_whatever_its_state_is_made_of_a_warmed_model_computes_the_words_and_answers_the_same(
    tmp_path: Path, kind: str, is_kept: bool
) -> None:
    path = tmp_path / "tiny.gguf"
    TINY_MODELS[kind](path)
    cost, warmed, plain = run(second_session(path, tmp_path, "llama_cpp", is_kept=is_kept))
    assert cost <= 100
    assert warmed == plain


@pytest.mark.skipif(SERVER is None, reason=f"no llama-server: name one with {llama_server.REAL_VARIABLE}")
@pytest.mark.parametrize("is_kept", [True, False], ids=["restored", "computed in steps"])
def test_an_installed_llama_server_is_warmed_and_keeps_prefixes_like_the_embedded_one(
    tmp_path: Path, scripted_model: Callable[[Script], Path], is_kept: bool
) -> None:
    cost, warmed, plain = run(second_session(scripted_model(Script()), tmp_path, "llama_server", is_kept=is_kept))
    assert cost <= 100
    assert warmed == plain


def test_a_request_in_the_middle_of_a_warming_is_answered_right_whatever_it_asks(
    tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    async def work() -> tuple[str, str, list[int]]:
        model = scripted_model(Script())
        async with shim_with(model, tmp_path) as shim:
            plain = await shim.ask("Explain it")
            await shim.quiet()
        await asyncio.to_thread(forget_states, tmp_path)
        async with shim_with(model, tmp_path) as shim:
            shim.prewarm.begin("session-1")
            await asyncio.sleep(0.02)
            await shim.ask("What is this?", "Other rules.")
            await shim.quiet()
            return plain, await shim.ask("Explain it"), shim.computed

    plain, answered, computed = run(work())
    assert answered == plain
    assert computed[-1] <= 100
