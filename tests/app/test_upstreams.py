"""From a name to an endpoint: what is stored, what the server has listed, keys, and consent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.app.conftest import MakeWorld

from agentlaunch.app.choose_order import choose_launch
from agentlaunch.app.models import ModelTarget, resolve_model
from agentlaunch.app.orders import LaunchFlags, ModelFlags, ModelOrder
from agentlaunch.app.upstream_facts import facts_path, read_facts, write_facts
from agentlaunch.app.upstream_store import KeyVariable, StoredUpstream, write_upstream
from agentlaunch.app.upstreams import consent, endpoint_named, known_upstreams, names_upstream, ordered_endpoint
from agentlaunch.app.window import Terms
from agentlaunch.app.world import World
from agentlaunch.core.endpoint import Endpoint, Prices
from agentlaunch.errors import UserError
from agentlaunch.upstreams.listing import ModelFacts

ROUTER = StoredUpstream(
    name="router",
    kind="openrouter",
    url="https://openrouter.ai/api",
    model="qwen/qwen3-coder",
    key=KeyVariable("ROUTER_KEY"),
    context_window=200_000,
    prices=Prices(1.0, 2.0),
    may_leave=True,
)
BODY = '{"usage":{"include":true},"provider":{"data_collection":"deny"}}'
ENDPOINT = Endpoint(
    name="router",
    wire="openai_chat",
    base_url="https://openrouter.ai/api",
    model="qwen/qwen3-coder",
    key="sk-key",
    context_window=200_000,
    kind="openrouter",
    may_leave=True,
    prices=Prices(1.0, 2.0),
    body_fields=BODY,
)
GPU = StoredUpstream("gpu", "vllm", "http://127.0.0.1:8000", "qwen")
VENDOR = StoredUpstream("claude", "anthropic", "https://api.anthropic.com", "claude-haiku-4-5", may_leave=True)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world(ROUTER_KEY="sk-key").world
    for upstream in (ROUTER, GPU, VENDOR):
        write_upstream(upstream, world.dirs)
    return world


def test_what_was_added_is_known(world: World) -> None:
    assert known_upstreams(world) == (ROUTER, GPU, VENDOR)


def test_a_name_is_its_stored_model_with_everything_that_is_known(world: World) -> None:
    assert endpoint_named("router", world) == ENDPOINT


def test_another_model_has_what_the_server_listed_and_not_the_stored_models_figures(world: World) -> None:
    listed = ModelFacts("z-ai/glm-5", 131_072, Prices(0.5, 1.5, 0.1), takes_images=True)
    write_facts("router", (ModelFacts("other", 1), listed), world.dirs)
    expected = replace(
        ENDPOINT, model="z-ai/glm-5", context_window=131_072, prices=Prices(0.5, 1.5, 0.1), takes_images=True
    )
    assert endpoint_named("router/z-ai/glm-5", world) == expected
    assert endpoint_named("router", world, "z-ai/glm-5") == expected


def test_a_model_that_nobody_listed_is_asked_for_all_the_same(world: World) -> None:
    expected = replace(ENDPOINT, model="new", context_window=None, prices=None)
    assert endpoint_named("router/new", world) == expected


def test_what_the_user_states_goes_before_what_the_server_lists(world: World) -> None:
    write_facts("router", (ModelFacts("qwen/qwen3-coder", 1000, Prices(9, 9), takes_images=True),), world.dirs)
    assert endpoint_named("router", world) == replace(ENDPOINT, takes_images=True)


def test_the_vendors_price_list_fills_what_its_server_does_not_tell(world: World) -> None:
    assert endpoint_named("claude", world).prices == Prices(1.0, 5.0, 0.1)
    elsewhere = replace(VENDOR, name="proxy", url="http://127.0.0.1:4000")
    write_upstream(elsewhere, world.dirs)
    assert endpoint_named("proxy", world).prices is None


def test_the_users_body_goes_over_the_kinds(world: World) -> None:
    write_upstream(replace(ROUTER, body='{"provider":{"order":["deepinfra"]}}'), world.dirs)
    assert endpoint_named("router", world).body_fields == (
        '{"usage":{"include":true},"provider":{"order":["deepinfra"]}}'
    )


@pytest.mark.parametrize("junk", [b"", b"{", b'[{"name": 1}]', b"\xff\xfe"])
def test_junk_in_the_cache_is_as_good_as_nothing(world: World, junk: bytes) -> None:
    path = facts_path("router", world.dirs)
    path.parent.mkdir(parents=True)
    path.write_bytes(junk)
    assert read_facts("router", world.dirs) == ()
    assert endpoint_named("router", world) == ENDPOINT


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("ruoter", "unknown upstream `ruoter`", "did you mean `router`? known: router, gpu, claude"),
        ("zzz/model", "unknown upstream `zzz`", "known: router, gpu, claude"),
        ("vllm/m", "no upstream is called `vllm` yet", "agentlaunch upstream add vllm --kind vllm"),
    ],
)
def test_an_unknown_name_gets_the_nearest(world: World, name: str, message: str, hint: str) -> None:
    with pytest.raises(UserError) as error:
        endpoint_named(name, world)
    assert (error.value.code, error.value.message, error.value.hint) == ("unknown-upstream", message, hint)


def test_a_missing_key_is_told(make_world: MakeWorld) -> None:
    world = make_world().world
    write_upstream(ROUTER, world.dirs)
    with pytest.raises(UserError, match="the variable `ROUTER_KEY` is not set"):
        endpoint_named("router", world)


def test_an_upstream_without_a_model_needs_one(world: World) -> None:
    write_upstream(replace(GPU, model=""), world.dirs)
    with pytest.raises(UserError) as error:
        endpoint_named("gpu", world)
    assert error.value.code == "model-needed"
    assert endpoint_named("gpu/qwen", world).model == "qwen"


def test_a_launch_finds_a_stored_upstream_by_both_ways_to_name_it(world: World) -> None:
    target = ModelTarget("qwen/qwen3-coder", ENDPOINT, "router", 200_000)
    assert resolve_model(ModelOrder("router/qwen/qwen3-coder"), world, Terms()) == target
    assert resolve_model(ModelOrder("qwen/qwen3-coder", upstream="router"), world, Terms()) == target


def test_upstream_alone_means_its_stored_model(world: World) -> None:
    order = choose_launch("claude", (), ModelFlags(upstream="router"), LaunchFlags(), world)
    assert order.model == ModelOrder("qwen/qwen3-coder", upstream="router")


def test_a_key_that_a_flag_names_goes_before_the_stored_one(make_world: MakeWorld) -> None:
    world = make_world(OTHER="sk-other").world
    write_upstream(ROUTER, world.dirs)
    order = ModelOrder("qwen/qwen3-coder", upstream="router", key_variable="OTHER")
    assert ordered_endpoint(order, world, yes=False).key == "sk-other"


def test_a_stored_name_goes_before_a_bare_kind(world: World) -> None:
    write_upstream(StoredUpstream("vllm", "litellm", "http://127.0.0.1:4000", "x"), world.dirs)
    assert ordered_endpoint(ModelOrder("m", upstream="vllm"), world, yes=False) == Endpoint(
        "vllm", "openai_chat", "http://127.0.0.1:4000", "m", kind="litellm"
    )


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("router/x", True),
        ("gpu/qwen", True),
        ("openrouter/qwen/qwen3-coder", True),  # a kind: the error says how to add it
        ("openai/gpt-oss-20b", False),  # what LM Studio calls an open model
        ("router", False),
        ("router/", False),
        ("models/router.gguf", False),
        ("router/model.GGUF", False),
        ("hf:qwen/x", False),
    ],
)
def test_which_names_mean_an_upstream(world: World, model: str, expected: bool) -> None:
    assert names_upstream(ModelOrder(model), world) is expected


def test_a_file_of_that_name_goes_before_a_kind_and_a_runtime_before_both(world: World) -> None:
    (world.folder / "vllm").mkdir()
    (world.folder / "vllm" / "m").touch()
    assert not names_upstream(ModelOrder("vllm/m"), world)
    assert not names_upstream(ModelOrder("router/x", runtime="ollama"), world)


def test_a_folders_file_may_not_send_what_is_in_the_folder_to_an_upstream(world: World) -> None:
    (world.folder / ".agentlaunch.toml").write_text('model = "router/qwen/qwen3-coder"\n')
    with pytest.raises(UserError) as error:
        choose_launch("claude", (), ModelFlags(), LaunchFlags(), world)
    assert (error.value.code, error.value.hint) == (
        "foreign-upstream",
        "if you want it: --model router/qwen/qwen3-coder",
    )
    named = choose_launch("claude", (), ModelFlags(model="gpu/qwen"), LaunchFlags(), world)
    assert named.model.model == "gpu/qwen"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:8000/x", "http://[::1]:1", "http://127.9.9.9"])
def test_nothing_leaves_for_this_machine_so_nobody_is_asked(make_world: MakeWorld, url: str) -> None:
    made = make_world(answer=True)
    assert consent("x", url, made.world, yes=True) is False
    assert made.talk.questions == []


@pytest.mark.parametrize("url", ["http://10.0.0.5", "https://127.0.0.1.example.com", "http://0.0.0.0:1", "http://gpu"])
def test_without_a_terminal_the_flag_is_named(make_world: MakeWorld, url: str) -> None:
    with pytest.raises(UserError) as error:
        consent("x", url, make_world().world, yes=False)
    assert error.value.code == "consent-needed"
    assert "--yes" in error.value.hint


def test_on_a_terminal_it_is_a_question(make_world: MakeWorld) -> None:
    made = make_world(answer=True)
    assert consent("x", "https://h", made.world, yes=False) is True
    assert made.talk.questions == ["`x` is not on this machine: what agents send goes to https://h. Allow it?"]
    with pytest.raises(UserError):
        consent("x", "https://h", make_world(answer=False).world, yes=False)


def test_a_policy_that_is_not_local_only_has_answered_already(make_world: MakeWorld) -> None:
    assert consent("x", "https://h", make_world().world, yes=False, privacy="any") is True


def test_a_typed_address_elsewhere_needs_consent(make_world: MakeWorld) -> None:
    order = ModelOrder("m", upstream="openai=https://h")
    with pytest.raises(UserError) as error:
        ordered_endpoint(order, make_world().world, yes=False)
    assert error.value.code == "consent-needed"
    assert ordered_endpoint(order, make_world().world, yes=True) == Endpoint(
        "openai", "openai_chat", "https://h", "m", kind="openai", may_leave=True
    )


def test_an_upstream_whose_consent_was_taken_back_asks_again(world: World, make_world: MakeWorld) -> None:
    write_upstream(replace(ROUTER, may_leave=False), world.dirs)
    assert endpoint_named("router", world).may_leave is False
    for order in (ModelOrder("router/x"), ModelOrder("x", upstream="router")):
        with pytest.raises(UserError) as error:
            ordered_endpoint(order, world, yes=False)
        assert error.value.code == "consent-needed"
        assert ordered_endpoint(order, world, yes=True).may_leave is True
