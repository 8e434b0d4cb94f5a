"""What happens between a session's opening and its first request: the engine gets to compute what will be asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest
from tests.shim.doubles import (
    GENEROUS_S,
    TOKEN,
    OneSession,
    Pause,
    ScriptedUpstream,
    answer,
    hello,
    make_session,
    serving,
)
from tests.shim.slot_engine import SlotEngine

from agentlaunch.core.filters.pipeline import FilterChain
from agentlaunch.core.ir import ChatRequest, Message, Role, TextPart, Usage, UsageReport
from agentlaunch.core.prefix_openings import MAX_OPENINGS, Opening
from agentlaunch.shim import prefix_files, prewarm_files
from agentlaunch.shim.application import build_application
from agentlaunch.shim.engine_turns import EngineTurns
from agentlaunch.shim.prewarm import Prewarm
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.session import Session
from agentlaunch.shim.upstream import UpstreamClient

T = TypeVar("T")

RULES = "Rules. " * 200
TOOL = {"type": "function", "function": {"name": "Write", "parameters": {"type": "object"}}}
TITLE = {"role": "system", "content": "Make a title."}


def run(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


@dataclass
class Shim:
    """A shim with one session, which is not open before `begin`."""

    http: httpx.AsyncClient
    prewarm: Prewarm
    session: Session
    is_open: bool = True

    async def ask(self, words: str, system: str = RULES, *, tools: bool = True) -> None:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": words}]
        body: dict[str, object] = {"model": "local-model", "messages": messages, "stream": False}
        response = await self.http.post("/v1/chat/completions", json={**body, "tools": [TOOL]} if tools else body)
        assert response.status_code == 200, response.text

    async def warmed(self) -> None:
        """Open the session, and wait until all is quiet."""
        self.prewarm.begin(self.session.id)
        await self.quiet()

    async def quiet(self) -> None:
        async with asyncio.timeout(GENEROUS_S):
            while self.prewarm.is_busy:  # noqa: ASYNC110 - nobody tells when it ends
                await asyncio.sleep(0.01)

    def find(self, session_id: str) -> Session | None:
        return self.session if self.is_open and session_id == self.session.id else None


@asynccontextmanager
async def shim_of(session: Session, folder: Path, variant: str = "claude 2.1 lean") -> AsyncIterator[Shim]:
    session = replace(session, variant=variant, project="/work/project")
    upstream = UpstreamClient()
    shim: list[Shim] = []
    prewarm = Prewarm(folder, upstream, lambda session_id: shim[0].find(session_id))  # noqa: PLW0108 - not there yet
    app = build_application(OneSession(session), upstream, options=RelayOptions(turns=prewarm.turns))
    headers = {"authorization": f"Bearer {TOKEN}"}
    try:
        async with (
            serving(app) as url,
            httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=GENEROUS_S) as http,
        ):
            shim.append(Shim(http, prewarm, session))
            yield shim[0]
    finally:
        await prewarm.aclose()
        await upstream.aclose()


@asynccontextmanager
async def engine_shim(engine: SlotEngine, window: int = 0, variant: str = "claude 2.1 lean") -> AsyncIterator[Shim]:
    async with engine.running(window=window) as session, shim_of(session, engine.folder, variant) as shim:
        yield shim


async def first_session(folder: Path) -> int:
    """A session that leaves an opening and a kept prefix behind; the prefix's tokens."""
    async with engine_shim(SlotEngine(folder)) as shim:
        await shim.ask("my secret")
        await shim.quiet()
    (kept,) = prefix_files.read_kept(folder)
    return kept.token_count


def the_file(folder: Path, suffix: str) -> Path:
    (path,) = folder.glob(f"*{suffix}")
    return path


def spoil(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def forget_states(folder: Path) -> None:
    for kept in prefix_files.read_kept(folder):
        prefix_files.remove(folder, kept)


def test_the_next_session_has_its_prefix_before_it_asks(tmp_path: Path) -> None:
    async def work() -> tuple[int, list[str], SlotEngine]:
        prefix = await first_session(tmp_path)
        engine = SlotEngine(tmp_path)
        async with engine_shim(engine) as shim:
            await shim.warmed()
            before = list(engine.calls)
            await shim.ask("Explain it")
        return prefix, before, engine

    prefix, before, engine = run(work())
    assert before == ["restore 0"]
    assert engine.calls == ["restore 0", "chat 0"]
    assert engine.cached == [prefix]


def test_a_prefix_that_is_not_on_the_disk_any_more_is_computed_and_saved_beforehand(tmp_path: Path) -> None:
    async def work() -> tuple[int, list[str], SlotEngine]:
        prefix = await first_session(tmp_path)
        await forget_states(tmp_path)
        engine = SlotEngine(tmp_path)
        async with engine_shim(engine) as shim:
            await shim.warmed()
            before = list(engine.calls)
            await shim.ask("Explain it")
        return prefix, before, engine

    prefix, before, engine = run(work())
    assert before[-1] == "save 0"
    assert set(before) == {"prefill 0", "save 0"}
    assert engine.calls == [*before, "chat 0"]
    assert engine.cached == [prefix]


def test_the_session_s_request_takes_over_in_the_middle_and_loses_nothing(tmp_path: Path) -> None:
    async def work() -> tuple[int, SlotEngine, int]:
        prefix = await first_session(tmp_path)
        await forget_states(tmp_path)
        engine = SlotEngine(tmp_path, steps=asyncio.Semaphore(2))
        async with engine_shim(engine) as shim:
            shim.prewarm.begin("session-1")
            for _ in range(3):
                await engine.stepping.acquire()
            asking = asyncio.create_task(shim.ask("Explain it"))
            await asyncio.sleep(0.1)
            warmed = len(engine.calls)
            assert engine.steps is not None
            for _ in range(99):
                engine.steps.release()
            await asking
        return prefix, engine, warmed

    prefix, engine, warmed = run(work())
    assert engine.calls == ["prefill 0"] * warmed + ["prefill 0", "save 0", "chat 0"]
    assert warmed == 3
    assert engine.cached == [prefix]


def test_a_request_with_another_prefix_ends_the_warming_after_its_step(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        await first_session(tmp_path)
        await forget_states(tmp_path)
        engine = SlotEngine(tmp_path, steps=asyncio.Semaphore(0))
        async with engine_shim(engine) as shim:
            shim.prewarm.begin("session-1")
            await engine.stepping.acquire()
            asking = asyncio.create_task(shim.ask("Mend it", "Short.", tools=False))
            await asyncio.sleep(0.1)
            assert engine.steps is not None
            engine.steps.release()
            await asking
            await shim.quiet()
        return engine

    engine = run(work())
    assert engine.calls == ["prefill 0", "chat 1"]


def test_a_title_that_comes_first_leaves_the_warmed_slot_to_the_conversation(tmp_path: Path) -> None:
    async def work() -> tuple[int, SlotEngine]:
        prefix = await first_session(tmp_path)
        engine = SlotEngine(tmp_path)
        async with engine_shim(engine) as shim:
            await shim.warmed()
            await shim.ask("Explain it", "Make a title.", tools=False)
            await shim.ask("Another", "Make a title.", tools=False)
            await shim.ask("Explain it")
        return prefix, engine

    prefix, engine = run(work())
    assert engine.calls == ["restore 0", "chat 1", "chat 1", "chat 0"]
    assert engine.cached[-1] == prefix


def test_a_session_that_has_closed_ends_its_warming(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        await first_session(tmp_path)
        await forget_states(tmp_path)
        engine = SlotEngine(tmp_path, steps=asyncio.Semaphore(0))
        async with engine_shim(engine) as shim:
            shim.prewarm.begin("session-1")
            await engine.stepping.acquire()
            shim.is_open = False
            await shim.quiet()
        return engine

    assert run(work()).calls == ["prefill 0"]


def test_what_other_conversations_hold_does_not_give_way_to_a_warming(tmp_path: Path) -> None:
    async def work() -> tuple[int, SlotEngine]:
        prefix = await first_session(tmp_path)
        engine = SlotEngine(tmp_path)
        async with engine_shim(engine, window=prefix + 900) as shim:
            await shim.ask("Mend it " * 110, "Other rules.", tools=False)
            await shim.warmed()
        return prefix, engine

    _, engine = run(work())
    assert [call for call in engine.calls if not call.startswith("chat")] == []


def test_a_damaged_state_ends_in_a_prefill_and_a_right_answer(tmp_path: Path) -> None:
    async def work() -> tuple[int, SlotEngine]:
        prefix = await first_session(tmp_path)
        spoil(the_file(tmp_path, ".slot"), b"cut off")
        engine = SlotEngine(tmp_path)
        async with engine_shim(engine) as shim:
            await shim.warmed()
            await shim.ask("Explain it")
        return prefix, engine

    prefix, engine = run(work())
    assert "restore 0" not in engine.calls
    assert engine.cached == [prefix]


def test_what_a_warmed_slot_does_not_serve_is_found_out_by_the_answer(tmp_path: Path) -> None:
    async def work() -> None:
        await first_session(tmp_path)
        async with engine_shim(SlotEngine(tmp_path, uses_restored=False)) as shim:
            await shim.warmed()
            await shim.ask("Explain it")

    run(work())
    assert prefix_files.read_kept(tmp_path) == ()


@pytest.mark.parametrize("content", [b"", b"{", b'{"model": 1}', b"[" * 100_000])
def test_an_opening_that_cannot_be_read_warms_nothing(tmp_path: Path, content: bytes) -> None:
    async def work() -> SlotEngine:
        await first_session(tmp_path)
        spoil(the_file(tmp_path, ".opening"), content)
        engine = SlotEngine(tmp_path)
        async with engine_shim(engine) as shim:
            await shim.warmed()
        return engine

    assert run(work()).calls == []


def test_an_opening_is_private_holds_no_words_of_the_user_s_and_goes_with_clear(tmp_path: Path) -> None:
    run(first_session(tmp_path))
    (opening,) = tmp_path.glob("*.opening")
    assert opening.stat().st_mode & 0o077 == 0
    assert b"secret" not in opening.read_bytes()
    assert RULES.encode() in opening.read_bytes()
    prefix_files.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_session_without_a_variant_is_neither_remembered_nor_warmed(tmp_path: Path) -> None:
    async def work() -> SlotEngine:
        async with engine_shim(SlotEngine(tmp_path), variant="") as shim:
            await shim.ask("Mend it")
            await shim.quiet()
        assert prewarm_files.count_openings(tmp_path) == 0
        await first_session(tmp_path)
        engine = SlotEngine(tmp_path)
        async with engine_shim(engine, variant="") as shim:
            await shim.warmed()
        return engine

    assert run(work()).calls == []


def test_the_longest_unused_openings_are_forgotten(tmp_path: Path) -> None:
    run(first_session(tmp_path))
    (path,) = tmp_path.glob("*.opening")
    opening = msgspec.json.decode(path.read_bytes(), type=Opening)
    for number in range(MAX_OPENINGS + 5):
        prewarm_files.write_opening(tmp_path, f"n{number}", opening)
    assert prewarm_files.count_openings(tmp_path) == MAX_OPENINGS
    assert prewarm_files.read_opening(tmp_path, f"n{MAX_OPENINGS + 4}") == opening


def test_another_server_of_this_machine_is_asked_for_one_token_and_left_when_a_request_comes(tmp_path: Path) -> None:
    async def work() -> ScriptedUpstream:
        never = Pause(asyncio.Event())
        scripts = [answer(hello()), [*answer(), never], answer(hello())]
        async with ScriptedUpstream(scripts).running() as upstream:
            session = make_session(upstream.url)
            session = replace(session, endpoint=replace(session.endpoint, kind="vllm"))
            async with shim_of(session, tmp_path) as shim:
                await shim.ask("Mend it")
                await shim.quiet()
                shim.prewarm.begin("session-1")
                await upstream.arrivals.acquire()
                await upstream.arrivals.acquire()
                assert not upstream.client_left.is_set()
                await shim.ask("Explain it")
                await asyncio.wait_for(upstream.client_left.wait(), GENEROUS_S)
                await shim.quiet()
        return upstream

    first, warming, second = (received.body for received in run(work()).received)
    assert warming["max_tokens"] == 1
    assert warming["tools"] == first["tools"] == second["tools"]
    assert [messages[0] for messages in (first["messages"], warming["messages"])] == [  # type: ignore[index]
        {"role": "system", "content": RULES}
    ] * 2
    assert "Mend it" not in str(warming)


def test_a_server_that_is_at_work_is_not_warmed(tmp_path: Path) -> None:
    async def work() -> ScriptedUpstream:
        until = asyncio.Event()
        scripts = [answer(hello()), [*answer(), Pause(until), *answer(hello())[1:]]]
        async with ScriptedUpstream(scripts).running() as upstream:
            session = make_session(upstream.url)
            session = replace(session, endpoint=replace(session.endpoint, kind="lmstudio"))
            async with shim_of(session, tmp_path) as shim:
                await shim.ask("Mend it")
                await shim.quiet()
                asking = asyncio.create_task(shim.ask("Explain it"))
                await upstream.arrivals.acquire()
                await upstream.arrivals.acquire()
                await shim.warmed()
                until.set()
                await asking
        return upstream

    assert len(run(work()).received) == 2


def test_a_server_that_refuses_the_warming_costs_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        scripts = [answer(hello())]
        async with ScriptedUpstream(scripts).running() as upstream:
            session = replace(make_session(upstream.url))
            async with shim_of(session, tmp_path) as shim:
                await shim.ask("Mend it")
                await shim.quiet()
                shim.session = replace(
                    shim.session, endpoint=replace(shim.session.endpoint, base_url="http://127.0.0.1:9")
                )
                await shim.warmed()

    run(work())


@pytest.mark.parametrize("kind", ["openai", "openrouter", "anthropic", "litellm"])
def test_what_goes_to_a_server_that_may_cost_money_is_not_even_remembered(tmp_path: Path, kind: str) -> None:
    async def work() -> ScriptedUpstream:
        async with ScriptedUpstream([answer(hello())]).running() as upstream:
            session = make_session(upstream.url)
            async with shim_of(replace(session, endpoint=replace(session.endpoint, kind=kind)), tmp_path) as shim:
                await shim.ask("Mend it")
                await shim.warmed()
        return upstream

    assert len(run(work()).received) == 1
    assert prewarm_files.count_openings(tmp_path) == 0


def test_a_request_that_was_routed_to_another_upstream_is_not_remembered() -> None:
    told: list[ChatRequest] = []
    turns = EngineTurns(lambda _session, request: told.append(request))
    session = make_session()
    request = ChatRequest("m", (Message(Role.USER, (TextPart("Mend it"),)),))
    usage = UsageReport(Usage(7, 0, 2))
    for endpoint in (
        session.endpoint,
        replace(session.endpoint, name="elsewhere"),
        replace(session.endpoint, model="x"),
    ):
        turn = turns.turn(request, endpoint, lambda _request: b"{}", session)
        list(turn.observing(FilterChain(())).feed(usage))
    assert told == [request]
