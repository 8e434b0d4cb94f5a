"""`upstream test`: what each way to fail looks like, against the vendors' doubles."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.app.conftest import MakeWorld
from tests.doubles import anthropic_server, openai_server, openrouter_server
from tests.doubles.http_server import HttpReply, HttpRequest, HttpServer
from tests.doubles.scripted_upstream import Refuse, Say, ScriptedUpstream, script

from agentlaunch.app.upstream_facts import read_facts
from agentlaunch.app.upstream_store import KeyVariable, StoredUpstream, write_upstream
from agentlaunch.app.upstream_trial import Step, Trial, try_upstream
from agentlaunch.app.world import World
from agentlaunch.errors import UserError

ROUTER = StoredUpstream("router", "openrouter", "", "qwen/qwen3-coder", KeyVariable("KEY"))


def _world(make_world: MakeWorld, upstream: StoredUpstream, url: str, key: str) -> World:
    world = make_world(KEY=key).world
    write_upstream(replace(upstream, url=url), world.dirs)
    return world


def _names(trial: Trial) -> list[str]:
    return [step.name for step in trial.steps]


def test_a_server_that_is_well_passes_every_step(make_world: MakeWorld) -> None:
    with openrouter_server.openrouter_server() as server:
        world = _world(make_world, ROUTER, server.url, openrouter_server.KEY)
        trial = try_upstream("router", world)
    assert trial.failure is None
    assert trial.steps[:4] == (
        Step("reach", "answers"),
        Step("models", "2 listed"),
        Step("model", "`qwen/qwen3-coder`, 262144 tokens, USD 0.22/0.95 per million"),
        Step("key", "taken"),
    )
    assert _names(trial)[4:] == ["answer"]
    assert server.complaints == []
    assert len(read_facts("router", world.dirs)) == 2


def test_openrouter_is_asked_for_its_cost_and_told_to_keep_nothing(make_world: MakeWorld) -> None:
    with openrouter_server.openrouter_server() as server:
        try_upstream("router", _world(make_world, ROUTER, server.url, openrouter_server.KEY))
    sent = json.loads(server.chats[0].body)
    assert (sent["usage"], sent["provider"]) == ({"include": True}, {"data_collection": "deny"})
    assert not {"http-referer", "x-title"} & set(server.chats[0].headers)


def test_anthropic_gets_its_headers(make_world: MakeWorld) -> None:
    upstream = StoredUpstream("claude", "anthropic", "", "claude-sonnet-5", KeyVariable("KEY"))
    with anthropic_server.anthropic_server() as server:
        trial = try_upstream("claude", _world(make_world, upstream, server.url, anthropic_server.KEY))
    assert trial.failure is None
    assert server.complaints == []


def test_openai_answers(make_world: MakeWorld) -> None:
    upstream = StoredUpstream("o", "openai", "", "gpt-4.1", KeyVariable("KEY"))
    with openai_server.openai_server() as server:
        trial = try_upstream("o", _world(make_world, upstream, server.url, openai_server.KEY))
    assert trial.failure is None
    assert server.complaints == []


def test_another_model_may_be_named(make_world: MakeWorld) -> None:
    with openrouter_server.openrouter_server() as server:
        world = _world(make_world, ROUTER, server.url, openrouter_server.KEY)
        trial = try_upstream("router/anthropic/claude-sonnet-4.5", world)
    assert trial.model == "anthropic/claude-sonnet-4.5"
    assert json.loads(server.chats[0].body)["model"] == "anthropic/claude-sonnet-4.5"


def test_a_wrong_key_at_a_public_list_fails_where_the_key_is_asked_for(make_world: MakeWorld) -> None:
    with openrouter_server.openrouter_server() as server:
        trial = try_upstream("router", _world(make_world, ROUTER, server.url, "sk-or-wrong-1"))
    assert _names(trial) == ["reach", "models", "model", "key"]
    assert trial.failure is not None
    assert "User not found." in trial.failure.failed
    assert "sk-or-wrong-1" not in repr(trial)


def test_a_wrong_key_at_a_closed_list_is_the_end(make_world: MakeWorld) -> None:
    upstream = StoredUpstream("o", "openai", "", "gpt-4.1", KeyVariable("KEY"))
    with openai_server.openai_server() as server:
        trial = try_upstream("o", _world(make_world, upstream, server.url, "sk-wrong-123456"))
    assert trial.steps == (Step("reach", "answers"), Step("key", "", "refuses the key (HTTP 401)"))
    assert server.chats == []


def test_nobody_there_is_the_end(make_world: MakeWorld) -> None:
    trial = try_upstream("router", _world(make_world, ROUTER, "http://127.0.0.1:9", "k"))
    assert trial.steps == (Step("reach", "", "cannot be reached"),)


@pytest.mark.parametrize(("status", "step"), [(401, "key"), (403, "key"), (429, "answer"), (503, "answer")])
def test_an_answer_that_is_refused_tells_which_step_failed(make_world: MakeWorld, status: int, step: str) -> None:
    with openrouter_server.openrouter_server(script(then=Refuse(status))) as server:
        trial = try_upstream("router", _world(make_world, ROUTER, server.url, openrouter_server.KEY))
    assert trial.failure is not None
    assert trial.failure.name == step


@pytest.mark.parametrize("act", [Say(cut_after=2), Say(error_after=2)])
def test_an_answer_that_breaks_off_is_no_answer(make_world: MakeWorld, act: Say) -> None:
    with openrouter_server.openrouter_server(script(then=act)) as server:
        trial = try_upstream("router", _world(make_world, ROUTER, server.url, openrouter_server.KEY))
    assert trial.failure is not None
    assert trial.failure.name == "answer"


def test_a_server_without_a_list_is_asked_for_an_answer_all_the_same(make_world: MakeWorld) -> None:
    double = ScriptedUpstream(openai_server.OpenAI(("m",)), script(), "k")

    async def answer(request: HttpRequest) -> HttpReply:
        return HttpReply(404) if request.method == "GET" else await double._answer(request)

    upstream = StoredUpstream("plain", "vllm", "", "m", KeyVariable("KEY"))
    with HttpServer(answer).running() as server:
        trial = try_upstream("plain", _world(make_world, upstream, server.url, "k"))
    assert trial.failure is None
    assert trial.steps[1] == Step("models", "not told: it answers /v1/models with HTTP 404")


def test_which_model_must_be_known(make_world: MakeWorld) -> None:
    with openrouter_server.openrouter_server() as server:
        world = _world(make_world, replace(ROUTER, model=""), server.url, openrouter_server.KEY)
        with pytest.raises(UserError) as error:
            try_upstream("router", world)
    assert error.value.code == "model-needed"
    assert server.chats == []


def test_nothing_is_sent_to_where_nothing_may_leave(make_world: MakeWorld) -> None:
    world = _world(make_world, ROUTER, "http://gpu.invalid:8000", "k")
    with pytest.raises(UserError) as error:
        try_upstream("router", world)
    assert error.value.code == "consent-needed"
