"""Turns at an engine of ours, over HTTP, before a double that counts its slots' tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from tests.shim.doubles import GENEROUS_S, TOKEN, live
from tests.shim.slot_engine import SlotEngine

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import ChatRequest, FunctionTool, Message, Role, TextPart
from agentlaunch.shim import prefix_files
from agentlaunch.shim.engine_turns import EngineTurns, Turn
from agentlaunch.shim.upstream import UpstreamClient

T = TypeVar("T")

SYSTEM = {"role": "system", "content": "Rules. " * 200}
PREFIX = len("<system>" + "Rules. " * 200 + "<user>")


def run(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


class Client:
    """An agent: `ask` is one turn, with the whole history each time."""

    def __init__(self, http: httpx.AsyncClient, *messages: dict[str, str]) -> None:
        self._http = http
        self.messages = list(messages)

    async def ask(self, words: str) -> str:
        self.messages.append({"role": "user", "content": words})
        body = {"model": "local-model", "messages": self.messages, "stream": False}
        response = await self._http.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        answer = str(response.json()["choices"][0]["message"]["content"])
        self.messages.append({"role": "assistant", "content": answer})
        return answer


@asynccontextmanager
async def shim_of(engine: SlotEngine, max_bytes: int = 10**6, window: int = 0) -> AsyncIterator[httpx.AsyncClient]:
    """A shim of its own before the engine, as after a restart."""
    async with (
        engine.running(max_bytes, window) as session,
        live(session) as url,
        httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=GENEROUS_S
        ) as http,
    ):
        yield http


def test_a_prefix_is_saved_at_its_first_use_and_restored_for_the_next_session(tmp_path: Path) -> None:
    async def work() -> tuple[SlotEngine, SlotEngine]:
        first, second = SlotEngine(tmp_path), SlotEngine(tmp_path)
        async with shim_of(first) as http:
            assert await Client(http, SYSTEM).ask("Mend it") == "Yes."
        async with shim_of(second) as http:
            assert await Client(http, SYSTEM).ask("Explain it") == "Yes."
        return first, second

    first, second = run(work())
    assert (first.calls, first.cached) == (["prefill 0", "save 0", "chat 0"], [PREFIX])
    assert (second.calls, second.cached) == (["restore 0", "chat 0"], [PREFIX])


def test_what_is_saved_holds_nothing_of_the_user_s_own_words(tmp_path: Path) -> None:
    async def work() -> None:
        async with shim_of(SlotEngine(tmp_path)) as http:
            await Client(http, SYSTEM).ask("my secret")

    run(work())
    (kept,) = prefix_files.read_kept(tmp_path)
    assert kept.token_count == PREFIX
    assert all(b"secret" not in path.read_bytes() for path in tmp_path.iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_a_title_and_another_session_leave_the_conversation_in_its_slot(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path)
        async with shim_of(engine) as http:
            conversation = Client(http, SYSTEM)
            await conversation.ask("Mend it")
            await Client(http, {"role": "system", "content": "A title."}).ask("Mend it")
            await conversation.ask("Go on")
            await Client(http, {"role": "system", "content": "Another title."}).ask("Go on")
            await conversation.ask("And on")
        return engine

    engine = run(work())
    chats = [call for call in engine.calls if call.startswith("chat")]
    assert chats == ["chat 0", "chat 1", "chat 0", "chat 1", "chat 0"]
    turns = [PREFIX + len("Mend it"), PREFIX + len("Mend it" + "<assistant>Yes.<user>" + "Go on")]
    assert engine.cached[2::2] == turns


@pytest.mark.report("B183")
@pytest.mark.report("B181")
def test_one_request_is_answered_at_a_time_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path, hold=asyncio.Event())
        async with shim_of(engine) as http:
            asking = []
            for number in range(3):
                asking.append(asyncio.create_task(Client(http).ask(f"question {number}")))
                await asyncio.sleep(0.05)
            assert engine.hold is not None
            engine.hold.set()
            await asyncio.gather(*asking)
        return engine

    engine = run(work())
    assert engine.most_at_once == 1
    assert engine.calls == ["chat 0", "chat 1", "chat 0"]


def test_a_client_that_leaves_leaves_the_queue(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path, hold=asyncio.Event())
        async with shim_of(engine) as http:
            first = asyncio.create_task(Client(http).ask("first"))
            await engine.arrived.acquire()
            waiting = asyncio.create_task(Client(http).ask("never asked"))
            last = asyncio.create_task(Client(http).ask("last"))
            await asyncio.sleep(0.1)
            waiting.cancel()
            await asyncio.wait({waiting})
            await asyncio.sleep(0.1)
            assert engine.hold is not None
            engine.hold.set()
            await asyncio.gather(first, last)
        return engine

    engine = run(work())
    assert sorted(engine.slots) == ["<user>first", "<user>last"]


def test_a_client_that_leaves_in_its_turn_gives_the_engine_to_the_next(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path, hold=asyncio.Event())
        async with shim_of(engine) as http:
            leaving = asyncio.create_task(Client(http).ask("never answered"))
            await engine.arrived.acquire()
            following = asyncio.create_task(Client(http).ask("next"))
            await asyncio.sleep(0.1)
            assert len(engine.calls) == 1
            leaving.cancel()
            await engine.arrived.acquire()
            assert engine.hold is not None
            engine.hold.set()
            await following
        return engine

    assert run(work()).cached == [0]


async def _sessions(engine: SlotEngine, count: int, **options: int) -> SlotEngine:
    """So many sessions on one shim, each with a question of its own."""
    async with shim_of(engine, **options) as http:
        for number in range(count):
            assert await Client(http, SYSTEM).ask(f"{number}. question") == "Yes."
    return engine


def damage(folder: Path) -> None:
    (state,) = folder.glob("*.slot")
    state.write_bytes(state.read_bytes()[:-100])


def test_a_damaged_state_never_reaches_the_engine(tmp_path: Path) -> None:
    run(_sessions(SlotEngine(tmp_path), 1))
    damage(tmp_path)
    engine = run(_sessions(SlotEngine(tmp_path), 1))
    assert engine.calls == ["prefill 0", "save 0", "chat 0"]
    assert len(prefix_files.read_kept(tmp_path)) == 1


def test_other_conversations_make_room_for_what_is_restored(tmp_path: Path) -> None:
    engine = SlotEngine(tmp_path, room=2000)
    run(_sessions(engine, 2))
    assert engine.calls[3:] == ["restore 1", "erase 0", "restore 1", "chat 1"]
    assert engine.cached == [PREFIX, PREFIX]


def test_a_state_that_the_engine_does_not_use_is_removed_and_at_last_not_asked_for(tmp_path: Path) -> None:
    engine = SlotEngine(tmp_path, uses_restored=False, cuts=False)
    run(_sessions(engine, 6))
    assert [call.split()[0] for call in engine.calls] == [
        *("prefill", "save", "chat"),
        *("restore", "chat"),
        *("prefill", "save", "chat"),
        *("restore", "chat"),
        "chat",
        "chat",
    ]
    assert prefix_files.read_kept(tmp_path) == ()


def test_a_state_that_cannot_be_cut_serves_only_what_begins_with_all_of_it(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path, cuts=False)
        changed = {"role": "system", "content": "Rules. " * 150 + "Others."}
        async with shim_of(engine) as http:
            await Client(http, SYSTEM).ask("first")
            await Client(http, changed).ask("second: nothing of the cut state is used")
            await Client(http, {**changed, "content": changed["content"] + "!"}).ask("third: it is not tried again")
            await Client(http, SYSTEM).ask("fourth: whole")
        return engine

    engine = run(work())
    assert [call.split()[0] for call in engine.calls] == [
        *("prefill", "save", "chat"),
        *("restore", "chat"),
        *("prefill", "save", "chat"),
        *("restore", "chat"),
    ]
    assert engine.cached == [PREFIX, 0, len("<system>" + "Rules. " * 150 + "Others.!<user>"), PREFIX]


@pytest.mark.parametrize(("limit", "kept"), [(1400, 0), (1500, 1), (2000, 1), (4000, 2)])
def test_the_states_fit_the_limit_and_one_that_never_fits_is_not_saved_again(
    tmp_path: Path, limit: int, kept: int
) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path)
        async with shim_of(engine, limit) as http:
            for name in ("one", "two"):
                await Client(http, {"role": "system", "content": f"{name} " * 350}).ask("hi")
        return engine

    engine = run(work())
    assert len(list(tmp_path.glob("*.slot"))) == len(prefix_files.read_kept(tmp_path)) == kept
    assert engine.calls.count("save 0") + engine.calls.count("save 1") == (1 if kept == 0 else 2)


def test_past_the_window_the_other_conversation_is_known_to_be_gone(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path)
        async with shim_of(engine, window=2500) as http:
            conversation = Client(http, SYSTEM)
            await conversation.ask("Mend it")
            await Client(http, {"role": "system", "content": "Other. " * 200}).ask("hi")
            engine.slots[0] = ""  # as llama.cpp does when the cache that they share is full
            await conversation.ask("Go on")
        return engine

    engine = run(work())
    assert engine.calls[-2].startswith("restore")
    assert engine.cached[-1] == PREFIX


def test_a_prompt_that_does_not_fit_is_not_computed_for_nothing(tmp_path: Path) -> None:
    engine = SlotEngine(tmp_path)
    run(_sessions(engine, 1, window=1000))
    assert engine.calls == ["chat 0"]


def test_a_short_prompt_is_not_worth_a_file(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path)
        async with shim_of(engine) as http:
            await Client(http).ask("hi")
        return engine

    assert run(work()).calls == ["chat 0"]
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_knows_no_slots_still_answers(tmp_path: Path) -> None:
    class Old(SlotEngine):
        async def _template(self, request: object) -> object:  # type: ignore[override]
            from starlette.responses import JSONResponse

            return JSONResponse({"error": {"message": "not found"}}, 404)

    engine = Old(tmp_path)
    run(_sessions(engine, 2))
    assert engine.calls == ["chat 0", "chat 1"]


TOOLS = [{"type": "function", "function": {"name": "Write", "description": "Writes. " * 100}}]


async def compacted(http: httpx.AsyncClient, words: str) -> None:
    """A turn with tools, and the same conversation without them, as Codex compacts (facts/agents.md 3.3)."""
    messages: list[dict[str, str]] = [SYSTEM, {"role": "user", "content": "Mend it"}]
    summary = [*messages, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": words}]
    for body in ({"messages": messages, "tools": TOOLS}, {"messages": summary}):
        response = await http.post("/v1/chat/completions", json={"model": "m", "stream": False, **body})
        assert response.status_code == 200, response.text


def test_a_compaction_without_tools_is_asked_with_those_that_the_engine_has_computed(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path)
        async with shim_of(engine) as http:
            await compacted(http, "Summarise.")
        return engine

    engine = run(work())
    assert engine.choices == [None, "none"]
    assert engine.cached[1] > PREFIX + len("Mend it")


def test_a_compaction_that_has_no_room_for_the_tools_goes_without(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path)
        async with shim_of(engine, window=4_000) as http:
            await compacted(http, "Summarise.")
        return engine

    assert run(work()).choices == [None, None]


def test_a_title_while_a_subagent_works_takes_the_subagent_s_slot_and_not_the_conversation_s(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path)
        async with shim_of(engine) as http:

            async def ask(system: str, *words: str, tools: bool = True) -> None:
                messages = [{"role": "system", "content": system}]
                for number, each in enumerate(words):
                    messages += [{"role": "assistant", "content": "Yes."}] if number else []
                    messages.append({"role": "user", "content": each})
                body = {"model": "m", "stream": False, "messages": messages, **({"tools": TOOLS} if tools else {})}
                response = await http.post("/v1/chat/completions", json=body)
                assert response.status_code == 200, response.text

            await ask("Rules. " * 200, "Mend it")
            await ask("A subagent. ", "Look at it")
            await ask("A subagent. ", "Look at it", "Go on")
            await ask("A classifier. ", "Is it safe?", tools=False)
            await ask("A title. ", "Mend it", tools=False)
            await ask("Rules. " * 200, "Mend it", "Now commit")
        return engine

    engine = run(work())
    assert [call for call in engine.calls if call.startswith("chat")] == [
        "chat 0", "chat 1", "chat 1", "chat 1", "chat 1", "chat 0",
    ]  # fmt: skip
    assert engine.cached[-1] > PREFIX + len("Mend it")


def subagent(http: httpx.AsyncClient, name: str) -> Client:
    return Client(http, {"role": "system", "content": f"{name}. " * 100})


def test_two_subagents_at_once_leave_the_conversation_in_its_slot_where_there_are_three(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path, slots=["", "", ""])
        async with shim_of(engine) as http:
            main, first, second = Client(http, SYSTEM), subagent(http, "First"), subagent(http, "Second")
            await main.ask("Divide it")
            for words in ("begin", "go on"):
                await asyncio.gather(first.ask(words), second.ask(words))
            await main.ask("Both are done")
        return engine

    engine = run(work())
    assert engine.calls[-1] == "chat 0"
    assert engine.cached[-1] == len("<system>" + "Rules. " * 200 + "<user>Divide it")


def test_a_subagent_without_room_takes_it_from_the_one_before_and_not_from_the_conversation(tmp_path: Path) -> None:
    """llama.cpp would clear the slot with the lowest number, which is the conversation's."""

    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path, slots=["", "", ""])
        async with shim_of(engine, window=2400) as http:
            main = Client(http, SYSTEM)
            for number, name in enumerate(("Early", "Later")):
                await main.ask(f"Delegate {number}")
                await subagent(http, name).ask("do it")
            await main.ask("Thanks")
        return engine

    engine = run(work())
    assert [call for call in engine.calls if call.startswith(("erase", "chat"))] == [
        "chat 0", "chat 1", "chat 0", "erase 1", "chat 2", "chat 0",
    ]  # fmt: skip


def test_a_slot_that_cannot_be_emptied_is_left_to_the_engine(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        engine = SlotEngine(tmp_path, slots=["", "", ""], erases=False)
        async with shim_of(engine, window=2400) as http:
            main = Client(http, SYSTEM)
            for name in ("Early", "Later"):
                await main.ask(f"Delegate to {name}")
                await subagent(http, name).ask("do it")
        return engine

    engine = run(work())
    assert (engine.calls.count("erase 1"), engine.calls[-1]) == (1, "chat 2")


def turn_of(turns: EngineTurns, endpoint: Endpoint, words: str) -> Turn:
    """A turn of the conversation that begins with `words`."""
    request = ChatRequest("m", (Message(Role.USER, (TextPart(words),)),), tools=(FunctionTool("Bash"),))
    return turns.turn(request, endpoint, lambda _: b'{"model":"m"}')


async def slots_taken(turns: EngineTurns, conversations: Sequence[tuple[Endpoint, str]]) -> list[int]:
    """The slots that they get, one after the other."""
    slots: list[int] = []
    for endpoint, words in conversations:
        async with turn_of(turns, endpoint, words).taken(UpstreamClient()) as body:
            slots.append(json.loads(body)["id_slot"])
    return slots


def test_of_engine_processes_those_used_last_are_remembered_and_those_that_are_busy() -> None:
    engine, *others = (
        Endpoint("llama_cpp", "openai_chat", f"http://127.0.0.1:{port}", "m", slots=2) for port in range(1, 20)
    )
    starts = [(other, "first") for other in others]
    second = (engine, "second")

    async def work() -> list[list[int]]:
        turns = EngineTurns()
        slots = [await slots_taken(turns, [(engine, "first"), second, second])]
        await slots_taken(turns, starts[:15])
        slots.append(await slots_taken(turns, [second]))
        async with turn_of(turns, *second).taken(UpstreamClient()):
            await slots_taken(turns, starts)
        slots.append(await slots_taken(turns, [second]))
        await slots_taken(turns, starts)
        slots.append(await slots_taken(turns, [second]))
        return slots

    assert run(work()) == [[0, 1, 1], [1], [1], [0]]
