"""Kept prefixes and slots on the real llama.cpp, by its own counts of cached tokens."""

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
from tests.shim.doubles import TOKEN, live, make_session
from tests.shim.tiny_models import TINY_MODELS

from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.scripted_gguf import Call, Script, Turn
from agentlaunch.runtimes.llama_cpp import LlamaCppHost
from agentlaunch.shim import prefix_files

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

T = TypeVar("T")

RULES = "You are an agent. " + " ".join(f"Rule {number}: do it." for number in range(150))
TITLE = {"role": "system", "content": "Make a title of at most five words."}
WRITE = {
    "type": "function",
    "function": {
        "name": "Write",
        "description": "Writes a file. " * 40,
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}
SCRIPT = Script(turns=tuple(Turn(text=f"Step {n}.", calls=(Call("Write", {"path": f"f{n}"}),)) for n in range(3)))


def run(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 100))


@dataclass
class Shim:
    """A shim with an engine of its own; `ask` is one request, `usage` what the engine counted, oldest first."""

    http: httpx.AsyncClient
    usage: list[tuple[int, int]] = field(default_factory=list)

    async def ask(self, *messages: dict[str, object], tools: bool = True) -> dict[str, object]:
        body: dict[str, object] = {"model": "local-model", "messages": messages, "max_tokens": 100, "temperature": 0}
        if tools:
            body["tools"] = [WRITE]
        response = await self.http.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        answer = response.json()
        counted = answer["usage"]
        self.usage.append((counted["prompt_tokens"], counted["prompt_tokens_details"]["cached_tokens"]))
        message: dict[str, object] = answer["choices"][0]["message"]
        return message

    @property
    def computed(self) -> list[int]:
        """The prompt tokens that each request cost behind what was cached."""
        return [total - cached for total, cached in self.usage]


@asynccontextmanager
async def shim_with(model: Path, home: Path, window: int = 16_384) -> AsyncIterator[Shim]:
    host = LlamaCppHost(home / "logs", {**os.environ, "AGENTLAUNCH_HOME": str(home)})
    try:
        endpoint = await host.ensure(EngineSpec(str(model), "scripted", window))
        session = replace(make_session(), endpoint=endpoint)
        async with (
            live(session) as url,
            httpx.AsyncClient(
                base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=60
            ) as http,
        ):
            yield Shim(http)
    finally:
        await host.close()


def system(text: str = RULES) -> dict[str, object]:
    return {"role": "system", "content": text}


def user(text: str) -> dict[str, object]:
    return {"role": "user", "content": text}


@pytest.fixture
def model(scripted_model: Callable[[Script], Path]) -> Path:
    return scripted_model(SCRIPT)


def test_after_a_restart_another_first_prompt_costs_its_own_words(tmp_path: Path, model: Path) -> None:
    async def work() -> list[list[int]]:
        costs = []
        for words in ("Mend the parser", "Now explain the whole of this"):
            async with shim_with(model, tmp_path) as shim:
                await shim.ask(system(), user(words))
                costs.append(shim.computed)
                assert shim.usage[0][0] > 1_500
        return costs

    first, second = run(work())
    assert second[0] <= 60
    assert first[0] <= 60  # computed beforehand, and saved
    (kept,) = prefix_files.read_kept(tmp_path / "cache" / "prefixes")
    assert kept.token_count > 1_500


def test_a_title_between_two_turns_costs_the_conversation_nothing(tmp_path: Path, model: Path) -> None:
    async def work() -> list[int]:
        async with shim_with(model, tmp_path) as shim:
            messages = [system(), user("Mend the parser")]
            for number in range(3):
                message = await shim.ask(*messages)
                (call,) = message["tool_calls"]  # type: ignore[misc, attr-defined]
                messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": f"done {number}"}]
                await shim.ask(TITLE, user(f"title {number}"), tools=False)
            return shim.computed[::2]

    assert max(run(work())) <= 150


def test_a_cut_off_state_is_removed_and_the_engine_lives(tmp_path: Path, model: Path) -> None:
    """Restored, it would end llama.cpp: GGML_ASSERT(nread <= state_size)."""
    folder = tmp_path / "cache" / "prefixes"

    async def work() -> list[int]:
        async with shim_with(model, tmp_path) as shim:
            await shim.ask(system(), user("first"))
        (state,) = folder.glob("*.slot")
        state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
        async with shim_with(model, tmp_path) as shim:
            await shim.ask(system(), user("second"))
            await shim.ask(system(), user("third"))
            return shim.computed

    assert max(run(work())) <= 60
    (state,) = folder.glob("*.slot")
    assert state.stat().st_mode & 0o777 == 0o600


def test_an_engine_that_a_state_has_ended_does_not_get_it_again(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "cache" / "prefixes"

    async def work() -> int:
        async with shim_with(model, tmp_path) as shim:
            await shim.ask(system(), user("first"))
        (kept,) = prefix_files.read_kept(folder)
        state = folder / prefix_files.state_name(kept.name)
        state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
        prefix_files.seal(folder, kept, state.stat().st_size)  # as if it had been whole
        async with shim_with(model, tmp_path) as shim:
            body = {"model": "m", "messages": [system(), user("second")], "tools": [WRITE]}
            return (await shim.http.post("/v1/chat/completions", json=body)).status_code

    assert run(work()) == 503
    assert prefix_files.read_kept(folder) == ()


@pytest.mark.parametrize("changed", ["window", "weights"])
def test_another_engine_gets_no_state_of_this_one(tmp_path: Path, model: Path, changed: str) -> None:
    async def work() -> None:
        async with shim_with(model, tmp_path) as shim:
            await shim.ask(system(), user("first"))
        if changed == "weights":
            os.utime(model, (1, 1))
        async with shim_with(model, tmp_path, window=8_192 if changed == "window" else 16_384) as shim:
            await shim.ask(system(), user("second"))

    run(work())
    assert len({kept.engine for kept in prefix_files.read_kept(tmp_path / "cache" / "prefixes")}) == 2


def test_a_subagent_a_classifier_and_a_title_cost_the_conversation_nothing(tmp_path: Path, model: Path) -> None:
    async def work() -> list[int]:
        async with shim_with(model, tmp_path) as shim:
            messages = [system(), user("Mend the parser")]
            answer = await shim.ask(*messages)
            for number in range(2):
                await shim.ask(system("You are a subagent."), user(f"Look at part {number}"))
            await shim.ask(system("Is this command safe?"), user("rm f"), tools=False)
            await shim.ask(TITLE, user("Mend the parser"), tools=False)
            messages += [{"role": "assistant", "content": str(answer["content"])}, user("Go on")]
            await shim.ask(*messages)
            return shim.computed

    assert run(work())[-1] <= 60


def test_a_compaction_without_tools_costs_its_instruction_alone(tmp_path: Path, model: Path) -> None:
    """Codex's kind (facts/agents.md 3.3); without the tools the whole conversation is computed again."""

    async def work() -> list[int]:
        async with shim_with(model, tmp_path) as shim:
            messages = [system(), user("Mend the parser")]
            for number in range(3):
                answer = await shim.ask(*messages)
                messages += [{"role": "assistant", "content": str(answer["content"])}, user(f"Go on, {number}")]
            await shim.ask(*messages, user("Summarise all of this."), tools=False)
            return shim.computed

    assert run(work())[-1] <= 60


@pytest.mark.parametrize("kind", TINY_MODELS)
def test_a_state_that_cannot_be_cut_is_restored_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tiny.gguf"
    TINY_MODELS[kind](path)

    async def work() -> tuple[list[int], list[object]]:
        costs, answers = [], []
        for words in ("Mend the parser", "Explain it"):
            async with shim_with(path, tmp_path, window=8_192) as shim:
                answers.append((await shim.ask(system(), user(words), tools=False))["content"])
                costs += shim.computed
        async with shim_with(path, tmp_path / "elsewhere", window=8_192) as shim:
            answers.append((await shim.ask(system(), user("Explain it"), tools=False))["content"])
        return costs, answers

    costs, (_, restored, computed) = run(work())
    assert max(costs) <= 100
    assert restored == computed
