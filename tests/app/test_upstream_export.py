"""The configuration of a LiteLLM proxy: whole texts, the policy's fallbacks, and a real proxy that starts from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.app.conftest import MakeWorld
from tests.doubles import openai_server
from tests.doubles.litellm_proxy import LiteLLM, litellm_proxy
from tests.doubles.scripted_upstream import Refuse, Say, script

from agentlaunch.app.upstream_export import export_litellm, yaml_lines
from agentlaunch.app.upstream_facts import write_facts
from agentlaunch.app.upstream_store import KeyFile, KeyVariable, StoredUpstream, write_upstream
from agentlaunch.app.world import World
from agentlaunch.core.endpoint import Prices
from agentlaunch.core.policy import Policy, Route, RouteMatch
from agentlaunch.errors import UserError
from agentlaunch.upstreams.listing import ModelFacts

GPU = StoredUpstream("gpu", "vllm", "http://127.0.0.1:8000", "qwen", KeyVariable("GPU_KEY"), 65536)
ROUTER = StoredUpstream(
    "router",
    "openrouter",
    "https://openrouter.ai/api",
    "qwen/qwen3-coder",
    KeyFile("/k"),
    262144,
    Prices(0.22, 0.95, 0.11),
    takes_images=False,
    may_leave=True,
)
POLICY = Policy(
    name="team",
    privacy="any",
    routes=(
        Route("haiku", RouteMatch(model="claude-haiku-*"), ("gpu",)),
        Route("long", RouteMatch(role="long_context"), ("router", "local")),
    ),
    fallbacks=("gpu", "router/z-ai/glm-5"),
    budget_day_usd=5.0,
    budget_session_usd=1.0,
)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world().world
    write_upstream(GPU, world.dirs)
    write_upstream(ROUTER, world.dirs)
    write_facts("router", (ModelFacts("z-ai/glm-5", 131072),), world.dirs)
    return world


def test_without_a_policy_every_upstream_is_there_by_its_name(world: World) -> None:
    assert (
        export_litellm(world)
        == """\
# Written by `agentlaunch upstream export litellm`. Start it: litellm --config config.yaml
# Set before: LITELLM_MASTER_KEY, GPU_KEY, ROUTER_API_KEY

model_list:
  - model_name: "gpu"
    litellm_params:
      model: "hosted_vllm/qwen"
      api_base: "http://127.0.0.1:8000/v1"
      api_key: "os.environ/GPU_KEY"
    model_info:
      max_input_tokens: 65536
  - model_name: "router"
    litellm_params:
      model: "openrouter/qwen/qwen3-coder"
      api_base: "https://openrouter.ai/api/v1"
      api_key: "os.environ/ROUTER_API_KEY"
      extra_body:
        usage:
          include: true
        provider:
          data_collection: "deny"
    model_info:
      max_input_tokens: 262144
      supports_vision: false
      input_cost_per_token: 2.2e-07
      output_cost_per_token: 9.5e-07
      cache_read_input_token_cost: 1.1e-07
router_settings:
  num_retries: 0
general_settings:
  master_key: "os.environ/LITELLM_MASTER_KEY"
"""
    )


def test_a_policy_becomes_fallbacks_names_and_a_budget(world: World) -> None:
    text = export_litellm(world, POLICY)
    tail = text[text.index("router_settings:") :]
    assert (
        tail
        == """\
router_settings:
  num_retries: 0
  fallbacks:
    - gpu:
        - "router/z-ai/glm-5"
    - router:
        - "gpu"
        - "router/z-ai/glm-5"
    - "router/z-ai/glm-5":
        - "gpu"
  context_window_fallbacks:
    - gpu:
        - "router/z-ai/glm-5"
litellm_settings:
  default_fallbacks:
    - "gpu"
    - "router/z-ai/glm-5"
  max_budget: 5.0
  budget_duration: "1d"
general_settings:
  master_key: "os.environ/LITELLM_MASTER_KEY"
"""
    )
    names = [line.split('"')[1] for line in text.splitlines() if "model_name:" in line]
    assert names == ["gpu", "router", "router/z-ai/glm-5", "claude-haiku-*"]


def test_what_a_gateway_cannot_do_is_told_in_comments(world: World) -> None:
    comments = [line for line in export_litellm(world, POLICY).splitlines() if line.startswith("#")][2:]
    assert comments == [
        "# `local` is the model of each launch on its own machine: and no gateway has it",
        "# the route `long` goes by more than a name: this proxy cannot know that; agents name a model",
        "# max_budget counts only where the proxy has a database; then all requests stop once it is spent",
        "# a session's budget: give each user a virtual key with a max_budget of its own",
    ]


def test_a_local_only_policy_exports_nothing_that_leaves(world: World) -> None:
    text = export_litellm(world, replace(POLICY, privacy="local-only"))
    assert 'model_name: "gpu"' in text
    assert 'api_base: "https://openrouter.ai' not in text


def test_a_policy_that_names_nobodys_upstream_is_refused(world: World) -> None:
    with pytest.raises(UserError) as error:
        export_litellm(world, replace(POLICY, fallbacks=("gone",)))
    assert error.value.code == "unknown-upstream"


def test_nothing_stored_is_nothing_to_export(make_world: MakeWorld) -> None:
    with pytest.raises(UserError) as error:
        export_litellm(make_world().world)
    assert error.value.code == "nothing-to-export"


def test_texts_that_yaml_would_read_as_something_else_stay_texts() -> None:
    value = {"a": "no", "b c": ["1", "x: y", {"k": "#"}], "9": {}, "d": {"e": None, "f": []}}
    assert yaml_lines(value) == [
        'a: "no"',
        '"b c":',
        '  - "1"',
        '  - "x: y"',
        '  - k: "#"',
        '"9": {}',
        "d:",
        "  e: null",
        "  f: []",
    ]


@pytest.mark.real
def test_the_real_proxy_starts_from_it_answers_and_falls_back(make_world: MakeWorld, tmp_path: Path) -> None:
    key = openai_server.KEY
    with (
        openai_server.openai_server(script(then=Refuse(503)), ("first",)) as broken,
        openai_server.openai_server(script(then=Say(("Hel", "lo"))), ("second",)) as well,
    ):
        world = make_world().world
        write_upstream(StoredUpstream("a", "vllm", broken.url, "first", KeyVariable("A_KEY"), 8192), world.dirs)
        write_upstream(StoredUpstream("b", "openai", well.url, "second", KeyVariable("A_KEY"), 65536), world.dirs)
        policy = Policy(routes=(Route("all", RouteMatch(model="claude-*"), ("b",)),), fallbacks=("a", "b"))
        with litellm_proxy(export_litellm(world, policy), tmp_path, {"A_KEY": key}) as proxy:
            told = [_ask(proxy, name) for name in ("b", "a", "claude-sonnet-5")]
            listed = proxy.get("/v1/models").json()
    assert told == ["Hello", "Hello", "Hello"]
    assert {model["id"] for model in listed["data"]} >= {"a", "b"}
    assert [json.loads(request.body)["model"] for request in broken.chats] == ["first"]
    assert [json.loads(request.body)["model"] for request in well.chats] == ["second", "second", "second"]


def _ask(proxy: LiteLLM, model: str) -> str:
    reply = proxy.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "hi"}]})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["choices"][0]["message"]["content"])
