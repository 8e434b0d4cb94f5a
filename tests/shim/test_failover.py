"""Which upstream gets the bytes when one fails: two or three real ones behind the live shim."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest
from tests.shim.doubles import (
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
)

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.pipeline import FilterChain
from agentlaunch.core.health import BreakerRules, BreakerStatus, FailureKind, Health
from agentlaunch.core.ir import ChatRequest, Failed, Finished, StopReason, TextDelta
from agentlaunch.core.policy import Policy, Route, RouteMatch
from agentlaunch.core.routing import Spent
from agentlaunch.shim.answer import KeepAlive
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.router import Router
from agentlaunch.shim.session import SessionRouting

wires = pytest.mark.parametrize("wire", sorted(PATHS))
TOOLS = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}]


def error(status: int, message: str = "no", **headers: str) -> list[Step]:
    body = json.dumps({"error": {"message": message, "type": "error"}}).encode()
    return [Head(status, "application/json", tuple(headers.items())), Data(body)]


@dataclass
class Team:
    """The shim before upstreams called `a` (the session's own), `b`, `c`."""

    url: str
    upstreams: list[ScriptedUpstream]

    @property
    def received(self) -> list[int]:
        """How many requests each has got."""
        return [len(upstream.received) for upstream in self.upstreams]

    async def ask(self, wire: str = "openai_chat", *, stream: bool = True, **extra: object) -> httpx.Response:
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=GENEROUS_S, trust_env=False) as client:
            return await client.post(PATHS[wire], json=request_body(wire, stream=stream, **extra))

    async def text(self, **extra: object) -> str:
        events = read_events("openai_chat", (await self.ask(**extra)).content)
        return "".join(event.text for event in events if isinstance(event, TextDelta))


@asynccontextmanager
async def team(
    *scripts: Sequence[list[Step]],
    policy: Policy | None = None,
    router: Router | None = None,
    keep_alive: KeepAlive = SLOW,
    options: RelayOptions | None = None,
    **facts: dict[str, object],
) -> AsyncIterator[Team]:
    """`facts` are fields of the endpoint with that name."""
    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(ScriptedUpstream(list(each)).running()) for each in scripts]
        endpoints = [
            replace(Endpoint(name, "openai_chat", upstream.url, f"model-{name}", key=KEY), **facts.get(name, {}))
            for name, upstream in zip("abc", upstreams, strict=False)
        ]
        names = tuple(endpoint.name for endpoint in endpoints[1:])
        routing = SessionRouting(policy or Policy(fallbacks=names), tuple(endpoints[1:]))
        session = replace(make_session(), endpoint=endpoints[0], routing=routing)
        url = await stack.enter_async_context(live(session, keep_alive, router, options))
        yield Team(url, upstreams)


@wires
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [401, 403, 404, 408, 413, 429, 500, 502, 503, 529])
def test_an_upstream_that_refuses_is_followed_by_the_next_and_no_third_is_asked(
    wire: str, stream: bool, status: int
) -> None:
    async def run() -> tuple[int, bytes, list[int]]:
        async with team([error(status)], [answer(hello())], [answer(hello())]) as made:
            response = await made.ask(wire, stream=stream)
            return response.status_code, response.content, made.received

    code, content, received = asyncio.run(run())
    assert (code, b"Hello" in content, received) == (200, True, [1, 1, 0])


def test_a_refused_connection_is_followed_by_the_next() -> None:
    async def run() -> tuple[str, list[int]]:
        async with team([], [answer(hello("from b"))], a={"base_url": "http://127.0.0.1:9"}) as made:
            return await made.text(), made.received

    assert asyncio.run(run()) == ("from b", [0, 1])


def test_a_connection_that_breaks_before_anything_went_out_is_followed_by_the_next() -> None:
    async def run() -> tuple[str, list[int]]:
        async with team([[*answer(STARTED), Cut()]], [answer(hello("from b"))]) as made:
            return await made.text(), made.received

    assert asyncio.run(run()) == ("from b", [1, 1])


def test_an_error_inside_the_stream_before_the_first_word_is_followed_by_the_next() -> None:
    broken = answer(STARTED, b'data: {"error":{"message":"engine died","code":500}}\n\n')

    async def run() -> tuple[str, list[int]]:
        async with team([broken], [answer(hello("from b"))]) as made:
            return await made.text(), made.received

    assert asyncio.run(run()) == ("from b", [1, 1])


def test_after_the_first_word_nobody_else_is_asked() -> None:
    async def run() -> tuple[object, list[int]]:
        async with team([[*answer(STARTED, chunk({"content": "Hel"})), Cut()]], [answer(hello())]) as made:
            return read_events("openai_chat", (await made.ask()).content)[-1], made.received

    last, received = asyncio.run(run())
    assert (isinstance(last, Failed), received) == (True, [1, 0])


def test_an_answer_that_is_not_streamed_moves_on_even_from_its_middle() -> None:
    async def run() -> tuple[object, list[int]]:
        broken = [*answer(STARTED, chunk({"content": "Hel"})), Cut()]
        async with team([broken], [answer(hello("whole"))]) as made:
            response = await made.ask(stream=False)
            return response.json()["choices"][0]["message"]["content"], made.received

    assert asyncio.run(run()) == ("whole", [1, 1])


def test_signs_of_life_do_not_bind_an_answer_to_an_upstream() -> None:
    async def run() -> tuple[bytes, list[int]]:
        waits = asyncio.Event()
        async with team([[Head(), Pause(waits), Cut()]], [answer(hello("from b"))], keep_alive=QUICK) as made:
            asking = asyncio.create_task(made.ask("anthropic_messages"))
            await asyncio.sleep(0.2)
            waits.set()
            return (await asking).content, made.received

    content, received = asyncio.run(run())
    events = read_events("anthropic_messages", content)
    assert (content.count(b"message_start"), TextDelta("from b") in events, received) == (2, True, [1, 1])
    assert events[-1] == Finished(StopReason.END_TURN)


def test_a_bad_request_is_told_and_goes_nowhere_else() -> None:
    async def run() -> tuple[int, list[int]]:
        async with team([error(400, "bad field")], [answer(hello())]) as made:
            return (await made.ask()).status_code, made.received

    assert asyncio.run(run()) == (400, [1, 0])


def test_an_overflow_goes_to_the_longer_window_alone() -> None:
    overflow = error(400, "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens")

    async def run() -> tuple[str, list[int]]:
        windows = {"a": {"context_window": 8192}, "b": {"context_window": 8192}, "c": {"context_window": 131072}}
        async with team([overflow], [answer(hello())], [answer(hello("from c"))], **windows) as made:
            return await made.text(), made.received

    assert asyncio.run(run()) == ("from c", [1, 0, 1])


def test_a_rate_limit_everywhere_is_told_with_the_time_to_wait() -> None:
    limited = error(429, "slow down", **{"retry-after": "7"})

    async def run() -> tuple[int, str, list[int]]:
        async with team([limited], [limited]) as made:
            response = await made.ask()
            return response.status_code, response.headers["retry-after"], made.received

    assert asyncio.run(run()) == (429, "7", [1, 1])


def test_a_hosted_upstream_that_stalls_is_left_and_its_connection_closed() -> None:
    async def run() -> str:
        never = asyncio.Event()
        stalled = [[Head(), Pause(never)]]
        router = Router(stall_s=1.0)
        async with team(stalled, [answer(hello("from b"))], router=router, a={"kind": "vllm"}) as made:
            text = await made.text()
            async with asyncio.timeout(GENEROUS_S):
                await made.upstreams[0].client_left.wait()
            return text

    assert asyncio.run(run()) == "from b"


def test_a_local_server_may_compute_a_prompt_for_as_long_as_it_takes() -> None:
    async def run() -> tuple[str, list[int]]:
        slow = asyncio.Event()
        script = [[Head(), Pause(slow), Data(hello("from a"))]]
        async with team(script, [answer(hello())], router=Router(stall_s=0.05), a={"kind": "llamacpp"}) as made:
            asking = asyncio.create_task(made.text())
            await asyncio.sleep(0.3)
            slow.set()
            return await asking, made.received

    assert asyncio.run(run()) == ("from a", [1, 0])


def test_a_client_that_leaves_in_the_middle_of_a_failover_ends_it() -> None:
    async def run() -> list[int]:
        never = asyncio.Event()
        async with team([error(500)], [[Pause(never)]], [answer(hello())]) as made:
            asking = asyncio.create_task(made.ask())
            async with asyncio.timeout(GENEROUS_S):
                await made.upstreams[1].arrivals.acquire()
                asking.cancel()
                await made.upstreams[1].client_left.wait()
            return made.received

    assert asyncio.run(run()) == [1, 1, 0]


def test_a_dead_primary_is_not_asked_again_and_again_and_is_tried_by_one_probe_later() -> None:
    clock = [100.0]
    health = Health(lambda: clock[0], BreakerRules(failures=1, open_s=30))

    async def run() -> list[list[int]]:
        primary = [error(500), answer(hello("back"))]
        seen: list[list[int]] = []
        async with team(primary, [answer(hello())] * 3, router=Router(health)) as made:
            for _ in range(3):
                await made.ask()
                seen.append(made.received)
            clock[0] += 31
            assert await made.text() == "back"
            return [*seen, made.received]

    assert asyncio.run(run()) == [[1, 1], [1, 2], [1, 3], [2, 3]]


def test_the_user_is_told_once_who_answers_in_whose_place_and_again_when_it_is_back() -> None:
    clock = [100.0]
    health = Health(lambda: clock[0], BreakerRules(failures=1, open_s=30))

    async def run() -> list[str]:
        primary = [error(500), answer(hello("back"))]
        async with team(primary, [answer(hello("hi"))] * 2, router=Router(health)) as made:
            texts = [await made.text(tools=TOOLS), await made.text(tools=TOOLS)]
            clock[0] += 31
            return [*texts, await made.text(tools=TOOLS)]

    assert asyncio.run(run()) == [
        "[agentlaunch: `b/model-b` answers in place of `a/model-a`]\n\nhi",
        "hi",
        "[agentlaunch: `a/model-a` answers in place of `b/model-b`]\n\nback",
    ]


@pytest.mark.parametrize("stream", [True, False])
def test_every_answer_names_its_upstream_and_model_in_its_headers(stream: bool) -> None:
    async def run() -> tuple[str, str]:
        async with team([error(500)], [answer(hello())]) as made:
            headers = (await made.ask(stream=stream)).headers
            return headers["x-agentlaunch-upstream"], headers["x-agentlaunch-model"]

    assert asyncio.run(run()) == ("b", "model-b")


def test_a_route_sends_background_requests_to_another_upstream_and_work_to_the_first() -> None:
    policy = Policy(routes=(Route("small", RouteMatch(role="background"), ("b",)),))

    async def run() -> list[int]:
        async with team([answer(hello())], [answer(hello())], policy=policy) as made:
            await made.ask(max_tokens=50)
            await made.ask(tools=TOOLS)
            return made.received

    assert asyncio.run(run()) == [1, 1]


def test_another_model_of_the_same_upstream_is_asked_by_its_name() -> None:
    policy = Policy(routes=(Route("all", RouteMatch(), ("b/tiny",)),))

    async def run() -> list[object]:
        async with team([], [answer(hello())], policy=policy) as made:
            await made.ask()
            return [each.body["model"] for each in made.upstreams[1].received]

    assert asyncio.run(run()) == ["tiny"]


def test_under_local_only_no_byte_leaves_even_when_nobody_else_is_left() -> None:
    async def run() -> tuple[int, str]:
        far = {"base_url": "http://192.0.2.1:9", "may_leave": True}
        async with team([error(500)], [], b=far) as made:
            response = await made.ask()
            return response.status_code, response.json()["error"]["message"]

    assert asyncio.run(run()) == (500, "no")


def test_a_spent_budget_leaves_the_upstreams_that_cost_nothing() -> None:
    from agentlaunch.core.endpoint import Prices

    policy = Policy(routes=(Route("all", RouteMatch(), ("b",)),), budget_day_usd=1.0)
    router = Router(spent=lambda session: Spent(day_usd=2.0))

    async def run() -> list[int]:
        async with team(
            [answer(hello())], [answer(hello())], policy=policy, router=router, b={"prices": Prices(1, 1)}
        ) as made:
            await made.ask()
            return made.received

    assert asyncio.run(run()) == [1, 0]


def test_a_spent_budget_that_stops_is_told_with_what_to_do() -> None:
    policy = Policy(budget_day_usd=1.0, over_budget="stop")

    async def run() -> tuple[int, str, list[int]]:
        router = Router(spent=lambda session: Spent(day_usd=2.0))
        async with team([answer(hello())], policy=policy, router=router) as made:
            response = await made.ask()
            return response.status_code, response.json()["error"]["message"], made.received

    status, message, received = asyncio.run(run())
    assert (status, "agentlaunch usage" in message, received) == (403, True, [0])


@pytest.mark.report("B113")
def test_an_engine_that_cannot_read_its_own_models_answer_is_asked_once_more() -> None:
    unread = error(500, "The model produced output that does not match the expected peg-native format")

    async def run() -> tuple[str, list[int]]:
        async with team([unread, answer(hello("second try"))], [answer(hello())]) as made:
            return await made.text(tools=TOOLS), made.received

    assert asyncio.run(run()) == ("second try", [2, 0])


@pytest.mark.report("B021")
def test_an_engine_that_cannot_make_a_grammar_is_asked_with_types_alone() -> None:
    refused = error(400, "failed to parse grammar")
    hard = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}}, "required": ["a"]}
    tools = [{"type": "function", "function": {"name": "read", "parameters": hard}}]

    async def run() -> list[object]:
        async with team([refused, answer(hello())]) as made:
            assert (await made.ask(tools=tools)).status_code == 200
            return [len(json.dumps(each.body["tools"])) for each in made.upstreams[0].received]

    first, second = asyncio.run(run())
    assert second < first


@pytest.mark.report("B177")
@pytest.mark.parametrize(
    ("refusal", "asked_again"),
    [
        ("This model's maximum context length is 8192 tokens and your request has 6000 input tokens", 8192 - 6000 - 32),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 2000]", 2000),
    ],
)
def test_a_prompt_that_fits_is_asked_for_the_answer_that_fits_too(refusal: str, asked_again: int) -> None:
    async def run() -> list[object]:
        async with team([error(400, refusal), answer(hello())], [answer(hello())]) as made:
            assert (await made.ask(max_tokens=3000)).status_code == 200
            return [*(each.body["max_tokens"] for each in made.upstreams[0].received), made.received]

    assert asyncio.run(run()) == [3000, asked_again, [2, 0]]


@pytest.mark.report("B176")
def test_a_prompt_that_lm_studio_would_cut_is_an_overflow_before_anything_is_sent() -> None:
    async def run() -> tuple[int, str, list[int]]:
        small = {"kind": "lmstudio", "context_window": 1000}
        async with team([answer(hello())], a=small) as made:
            response = await made.ask("anthropic_messages", messages=[{"role": "user", "content": "word " * 4000}])
            return response.status_code, response.json()["error"]["message"], made.received

    status, message, received = asyncio.run(run())
    assert (status, message.startswith("prompt is too long"), received) == (400, True, [0])


@pytest.mark.report("B176")
def test_an_answer_to_a_prompt_that_was_cut_becomes_an_overflow() -> None:
    cut = STARTED + chunk({"content": "garbage"}) + chunk({}, "stop", {"prompt_tokens": 502, "completion_tokens": 1})

    async def run() -> tuple[int, str]:
        small = {"kind": "lmstudio", "context_window": 1000}
        async with team([answer(cut)], a=small) as made:
            response = await made.ask("anthropic_messages", messages=[{"role": "user", "content": "word " * 800}])
            return response.status_code, response.json()["error"]["message"]

    status, message = asyncio.run(run())
    assert (status, message.startswith("prompt is too long")) == (400, True)


def test_what_was_kept_here_is_no_failure_of_the_upstream_that_did_not_get_it() -> None:
    far = {"base_url": "http://192.0.2.1:9", "may_leave": False}
    router = Router()

    async def run() -> str:
        async with team(
            [], [answer(hello("from b"))], router=router, a=far, policy=Policy(privacy="any", fallbacks=("b",))
        ) as made:
            return await made.text()

    assert (asyncio.run(run()), router.breakers()) == ("from b", ())


def test_an_upstream_that_is_left_alone_learns_nothing_from_those_who_passed_it_by() -> None:
    clock = [100.0]
    health = Health(lambda: clock[0], BreakerRules(failures=1, open_s=30))

    async def run() -> tuple[list[int], list[float]]:
        async with team([error(500)], [error(500), error(429), error(429)], router=Router(health)) as made:
            await made.ask()
            clock[0] += 1
            await made.ask()
            return made.received, [each.tried_again_in_s for each in health.states()]

    received, waits = asyncio.run(run())
    assert (received, waits) == ([1, 2], [29.0, 29.0])


def test_when_all_others_fail_the_one_that_failed_a_moment_ago_is_asked_after_all() -> None:
    health = Health(lambda: 100.0, BreakerRules(failures=1, open_s=30))

    async def run() -> tuple[str, list[int]]:
        primary = [error(500), answer(hello("back"))]
        async with team(primary, [answer(hello()), error(500)], router=Router(health)) as made:
            await made.ask()
            return await made.text(), made.received

    assert asyncio.run(run()) == ("back", [2, 2])


LMSTUDIO = {"kind": "lmstudio", "context_window": 1000}
TOO_LONG = [{"role": "user", "content": "word " * 4000}]


def test_an_upstream_that_we_did_not_ask_is_not_called_well() -> None:
    health = Health(lambda: 100.0)

    async def run() -> tuple[BreakerStatus, ...]:
        async with team([error(500), error(500)], router=Router(health), a=LMSTUDIO) as made:
            await made.ask()
            await made.ask()
            await made.ask(messages=TOO_LONG)
            return tuple(replace(each, upstream="a") for each in health.states())

    assert asyncio.run(run()) == (BreakerStatus("a", "closed", 2, 0.0, FailureKind.SERVER_ERROR),)


def test_a_request_that_we_judge_ourselves_leaves_the_probe_to_the_next() -> None:
    clock = [100.0]
    health = Health(lambda: clock[0], BreakerRules(failures=1, open_s=30))

    async def run() -> tuple[str, list[int]]:
        scripts = [error(500), answer(hello("back"))], [answer(hello())] * 2
        async with team(*scripts, router=Router(health), a=LMSTUDIO, b={"context_window": 99_000}) as made:
            await made.ask()
            clock[0] += 31
            await made.ask(messages=TOO_LONG)
            return await made.text(), made.received

    assert asyncio.run(run()) == ("back", [2, 2])


def test_a_probe_that_is_asked_in_another_way_is_still_the_probe() -> None:
    clock = [100.0]
    health = Health(lambda: clock[0], BreakerRules(failures=1, open_s=30))
    unread = error(500, "The model produced output that does not match the expected peg-native format")

    async def run() -> tuple[str, list[int], tuple[BreakerStatus, ...]]:
        scripts = [error(500), unread, answer(hello("second try"))], [answer(hello())]
        async with team(*scripts, router=Router(health)) as made:
            await made.ask()
            clock[0] += 31
            return await made.text(tools=TOOLS), made.received, health.states()

    text, received, states = asyncio.run(run())
    assert (text.endswith("second try"), received, states) == (True, [3, 1], ())


class _AsTheyAre:
    """Tools that nobody has rewritten."""

    def restore(self) -> FilterChain:
        return FilterChain(())


def test_what_one_wire_cannot_say_goes_to_an_upstream_of_another_wire() -> None:
    def lower(request: ChatRequest) -> tuple[ChatRequest, _AsTheyAre]:
        return request, _AsTheyAre()

    async def run() -> tuple[int, list[int]]:
        custom = [{"type": "custom", "name": "apply_patch", "description": "d", "format": {"type": "text"}}]
        options = RelayOptions(lower=lower)
        async with team([], [error(429)], options=options, b={"wire": "openai_responses"}) as made:
            return (await made.ask("openai_responses", tools=custom)).status_code, made.received

    assert asyncio.run(run()) == (429, [0, 1])


def test_an_upstream_that_breaks_off_each_answer_is_left_alone_like_one_that_gives_none() -> None:
    clock = [100.0]
    health = Health(lambda: clock[0])
    broken = [*answer(STARTED, chunk({"content": "Hel"})), Cut()]

    async def run() -> tuple[list[list[int]], list[float]]:
        seen: list[list[int]] = []
        waits: list[float] = []
        scripts = [broken] * 4, [answer(hello())] * 2
        async with team(*scripts, router=Router(health)) as made:
            for _ in range(4):
                await made.ask()
                seen.append(made.received)
            waits.append(health.states()[0].tried_again_in_s)
            clock[0] += 6
            await made.ask()
            waits.append(health.states()[0].tried_again_in_s)
            await made.ask()
            return [*seen, made.received], waits

    received, waits = asyncio.run(run())
    assert received == [[1, 0], [2, 0], [3, 0], [3, 1], [4, 2]]
    assert waits == [5.0, 10.0]


@wires
def test_a_hosted_upstream_that_falls_silent_in_its_answer_ends_it_in_the_wires_own_form(wire: str) -> None:
    async def run() -> tuple[object, list[int]]:
        stalls = [*answer(STARTED, chunk({"content": "Hel"})), Pause(asyncio.Event())]
        options = RelayOptions(silence_s=0.2)
        async with team([stalls], [answer(hello())], options=options, a={"kind": "openrouter"}) as made:
            content = (await made.ask(wire)).content
            async with asyncio.timeout(GENEROUS_S):
                await made.upstreams[0].client_left.wait()
            return read_events(wire, content)[-1], made.received

    last, received = asyncio.run(run())
    assert isinstance(last, Failed)
    assert (last.fault.message, received) == ("the upstream `a` has said nothing for too long", [1, 0])


@wires
def test_a_lone_hosted_upstream_that_says_nothing_is_given_up_with_a_status(wire: str) -> None:
    async def run() -> int:
        options = RelayOptions(silence_s=0.2)
        async with team([[Pause(asyncio.Event())]], options=options, a={"kind": "vllm"}) as made:
            return (await made.ask(wire)).status_code

    assert asyncio.run(run()) == 504
