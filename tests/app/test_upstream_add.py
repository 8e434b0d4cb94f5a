"""`upstream add` and `rm` against servers that answer, refuse, or are not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.app.conftest import MakeWorld
from tests.doubles import openai_server, openrouter_server
from tests.doubles.http_server import HttpReply, HttpRequest, HttpServer
from tests.doubles.scripted_upstream import ScriptedUpstream

from agentlaunch.app.upstream_add import AddOrder, KeyOrder, add_upstream, remove
from agentlaunch.app.upstream_facts import read_facts
from agentlaunch.app.upstream_keys import own_key_file
from agentlaunch.app.upstream_store import KeyFile, KeyVariable, NoKey, StoredUpstream, read_store, store_path
from agentlaunch.core.endpoint import Prices
from agentlaunch.errors import UserError
from agentlaunch.upstreams.listing import ModelFacts

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def openai() -> Iterator[ScriptedUpstream]:
    with openai_server.openai_server() as server:
        yield server


def test_an_upstream_is_stored_with_what_its_server_lists(make_world: MakeWorld) -> None:
    world = make_world(ROUTER_KEY=openrouter_server.KEY).world
    with openrouter_server.openrouter_server() as server:
        order = AddOrder("router", "openrouter", server.url, "qwen/qwen3-coder", KeyOrder("ROUTER_KEY"))
        added = add_upstream(order, world)
        upstream = StoredUpstream("router", "openrouter", server.url, "qwen/qwen3-coder", KeyVariable("ROUTER_KEY"))
        listed = (
            ModelFacts("qwen/qwen3-coder", 262_144, Prices(0.22, 0.95, 0.11), takes_images=False),
            ModelFacts("anthropic/claude-sonnet-4.5", 1_000_000, Prices(3.0, 15.0, 0.3), takes_images=True),
        )
        assert (added.upstream, added.models, added.notes) == (upstream, listed, ())
        assert read_store(world.dirs) == (upstream,)
        assert read_facts("router", world.dirs) == listed


def test_the_only_model_of_a_server_is_its_model(make_world: MakeWorld) -> None:
    async def answer(request: HttpRequest) -> HttpReply:
        return HttpReply(body=b'{"data": [{"id": "qwen", "max_model_len": 65536}]}')

    with HttpServer(answer).running() as server:
        added = add_upstream(AddOrder("gpu", "vllm", server.url), make_world().world)
    assert (added.upstream.model, added.models) == ("qwen", (ModelFacts("qwen", 65536),))


def test_a_server_that_is_down_is_stored_and_told(make_world: MakeWorld) -> None:
    world = make_world().world
    added = add_upstream(AddOrder("gpu", "vllm", NOBODY, "m", context_window=4096, prices=Prices(1, 2)), world)
    assert added.notes == ("`gpu` cannot be reached; try again: agentlaunch upstream test gpu",)
    assert read_store(world.dirs) == (
        StoredUpstream("gpu", "vllm", NOBODY, "m", context_window=4096, prices=Prices(1, 2)),
    )


def test_a_key_that_is_not_there_yet_is_only_a_note(make_world: MakeWorld, openai: ScriptedUpstream) -> None:
    world = make_world().world
    added = add_upstream(AddOrder("o", "openai", openai.url, key=KeyOrder("LATER")), world)
    assert added.notes == ("not asked for its models: the variable `LATER` is not set",)
    assert openai.requests == []


def test_a_refused_key_is_told(make_world: MakeWorld, openai: ScriptedUpstream) -> None:
    added = add_upstream(AddOrder("o", "openai", openai.url, key=KeyOrder("K")), make_world(K="sk-wrong-123456").world)
    assert added.notes == ("`o` refuses the key (HTTP 401); try again: agentlaunch upstream test o",)


def test_a_model_that_the_server_does_not_list_gets_the_nearest(
    make_world: MakeWorld, openai: ScriptedUpstream
) -> None:
    world = make_world(K=openai_server.KEY).world
    added = add_upstream(AddOrder("o", "openai", openai.url, "gpt-4.l", KeyOrder("K")), world)
    assert added.notes == ("`o` does not list `gpt-4.l`; did you mean `gpt-4.1`?",)


def test_a_typed_key_is_kept_in_our_file_and_nowhere_else(make_world: MakeWorld, openai: ScriptedUpstream) -> None:
    world = make_world().world
    order = AddOrder("o", "openai", openai.url, key=KeyOrder(typed=f" {openai_server.KEY}\n"))
    added = add_upstream(order, world)
    path = own_key_file("o", world.dirs)
    assert added.upstream.key == KeyFile(str(path))
    assert path.read_text() == openai_server.KEY + "\n"
    assert len(added.models) == 2
    files = [file for file in world.dirs.config.parent.rglob("*") if file.is_file() and file != path]
    assert files
    assert all(openai_server.KEY.encode() not in file.read_bytes() for file in files)
    assert openai_server.KEY not in repr(order) + repr(added)


@pytest.mark.parametrize("typed", ["", "\n", "two\nlines", "schlüssel"])
def test_what_is_no_key_is_refused(make_world: MakeWorld, typed: str) -> None:
    world = make_world().world
    with pytest.raises(UserError) as error:
        add_upstream(AddOrder("o", "openai", NOBODY, key=KeyOrder(typed=typed)), world)
    assert error.value.code == "bad-upstream-key"
    assert read_store(world.dirs) == ()


def test_a_key_file_that_others_may_read_is_not_stored(make_world: MakeWorld, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-x")
    path.chmod(0o644)
    world = make_world().world
    with pytest.raises(UserError) as error:
        add_upstream(AddOrder("o", "openai", NOBODY, key=KeyOrder(file=str(path))), world)
    assert error.value.code == "key-readable"
    assert read_store(world.dirs) == ()


def test_the_vendors_own_address_means_the_vendors_own_variable(make_world: MakeWorld) -> None:
    added = add_upstream(AddOrder("claude", "anthropic", model="claude-haiku-4-5", yes=True), make_world().world)
    assert added.upstream == StoredUpstream(
        "claude",
        "anthropic",
        "https://api.anthropic.com",
        "claude-haiku-4-5",
        KeyVariable("ANTHROPIC_API_KEY"),
        may_leave=True,
    )
    assert added.notes == ("not asked for its models: the variable `ANTHROPIC_API_KEY` is not set",)


def test_elsewhere_no_variable_of_a_vendor_is_sent(make_world: MakeWorld, openai: ScriptedUpstream) -> None:
    world = make_world(OPENAI_API_KEY="sk-vendors-own-1").world
    assert add_upstream(AddOrder("o", "openai", openai.url), world).upstream.key == NoKey()
    assert "authorization" not in openai.requests[0].headers


def test_a_price_that_nobody_knows_is_told_since_budgets_do_not_see_it(make_world: MakeWorld) -> None:
    added = add_upstream(AddOrder("claude", "anthropic", model="claude-new", yes=True), make_world().world)
    assert added.notes[0] == (
        "the price of `claude-new` is not known, so budgets do not see it: add --price-input and --price-output"
    )


def test_an_address_elsewhere_needs_consent_before_anything_is_sent_or_stored(make_world: MakeWorld) -> None:
    world = make_world().world
    with pytest.raises(UserError) as error:
        add_upstream(AddOrder("far", "vllm", "http://gpu.invalid:8000", "m"), world)
    assert error.value.code == "consent-needed"
    assert not store_path(world.dirs).exists()


def test_without_encryption_the_user_is_warned(make_world: MakeWorld) -> None:
    added = add_upstream(
        AddOrder("far", "vllm", "http://gpu.invalid:8000", "m", KeyOrder("LATER"), yes=True), make_world().world
    )
    assert added.upstream.may_leave
    assert added.notes[0] == (
        "http://gpu.invalid:8000 is not encrypted: the key and the prompts can be read on the way; use https where the "
        "server has it"
    )


def test_a_name_is_replaced_only_when_the_user_agrees(make_world: MakeWorld) -> None:
    made = make_world()
    order = AddOrder("gpu", "vllm", NOBODY, "m", KeyOrder(typed="sk-old"))
    add_upstream(order, made.world)
    with pytest.raises(UserError) as error:
        add_upstream(replace(order, model="n"), made.world)
    assert error.value.code == "upstream-exists"
    replaced = add_upstream(replace(order, model="n", key=KeyOrder(), yes=True), made.world)
    assert read_store(made.world.dirs) == (replaced.upstream,)
    assert not own_key_file("gpu", made.world.dirs).exists()


def test_a_replacement_that_cannot_be_leaves_the_old_one_whole(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world().world
    added = add_upstream(AddOrder("gpu", "vllm", NOBODY, "m", KeyOrder(typed="sk-old")), world)
    with pytest.raises(UserError) as error:
        add_upstream(AddOrder("gpu", "vllm", NOBODY, key=KeyOrder(file=str(tmp_path / "gone")), yes=True), world)
    assert error.value.code == "key-missing"
    assert read_store(world.dirs) == (added.upstream,)
    assert own_key_file("gpu", world.dirs).exists()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (KeyOrder("A", "b"), "--key-env and --key-file exclude each other"),
        (KeyOrder("A", typed="k"), "--key-env and --key-stdin exclude each other"),
        (KeyOrder(file="f", keyring=True, typed="k"), "--key-file and --keyring exclude each other"),
    ],
)
def test_a_key_is_in_one_place(make_world: MakeWorld, key: KeyOrder, message: str) -> None:
    with pytest.raises(UserError, match=message):
        add_upstream(AddOrder("x", "vllm", NOBODY, key=key), make_world().world)


@pytest.mark.parametrize("body", ["[]", "{", "1", '"a"'])
def test_a_body_that_is_no_object_is_refused(make_world: MakeWorld, body: str) -> None:
    with pytest.raises(UserError) as error:
        add_upstream(AddOrder("x", "vllm", NOBODY, body=body), make_world().world)
    assert error.value.code == "bad-body"


def test_what_is_removed_is_gone_with_its_key_and_what_it_listed(make_world: MakeWorld) -> None:
    world = make_world().world
    added = add_upstream(AddOrder("gpu", "vllm", NOBODY, "m", KeyOrder(typed="sk-old")), world)
    with pytest.raises(UserError) as error:
        remove("gpu", world, yes=False)
    assert error.value.code == "not-confirmed"
    assert remove("gpu", world, yes=True) == added.upstream
    assert read_store(world.dirs) == ()
    assert [file for file in world.dirs.config.rglob("*") if file.is_file()] == [store_path(world.dirs)]
    assert [file for file in world.dirs.cache.rglob("*") if file.is_file()] == []
