"""app/choose_order.py: from flags, settings and the last launch to an order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agentlaunch.app.choose_order import choose_launch
from agentlaunch.app.last_launch import write_record
from agentlaunch.app.orders import KNOWN_RUNTIMES, LaunchFlags, LaunchOrder, ModelFlags, ModelOrder
from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from conftest import MakeWorld

ORDER = LaunchOrder("claude", ModelOrder("demo", 4096, "q8_0"), True, ("-p", "grüße"), 60)


def test_flags_win_over_the_folders_file(make_world: MakeWorld) -> None:
    made = make_world(AGENTLAUNCH_KV="q8_0")
    (made.world.folder / ".agentlaunch.toml").write_text('model = "other"\ncontext = 8192\nlean = true\n')
    made.world.dirs.config.mkdir(parents=True)
    (made.world.dirs.config / "config.toml").write_text("context = 1\nidle_seconds = 60\n")
    found = choose_launch("claude", ("-p", "hi"), ModelFlags(model="demo"), LaunchFlags(yes=True), made.world)
    assert found == LaunchOrder("claude", ModelOrder("demo", 8192, "q8_0"), True, ("-p", "hi"), 60, yes=True)


def test_an_idle_time_out_of_the_environment_is_the_shims_own_and_no_part_of_the_order(make_world: MakeWorld) -> None:
    made = make_world(AGENTLAUNCH_IDLE_SECONDS="5")
    made.world.dirs.config.mkdir(parents=True)
    (made.world.dirs.config / "config.toml").write_text("idle_seconds = 60\n")
    found = choose_launch("claude", (), ModelFlags(model="demo"), LaunchFlags(), made.world)
    assert found == LaunchOrder("claude", ModelOrder("demo"))


def test_without_a_model_the_last_one_is_taken(make_world: MakeWorld) -> None:
    world = make_world().world
    write_record(ORDER, world.dirs)
    assert choose_launch("codex", (), ModelFlags(), LaunchFlags(), world).model == ModelOrder("demo")


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (ModelFlags(upstream="opena"), "unknown-upstream", "unknown upstream `opena`"),
        (ModelFlags(upstream="o=http://x"), "unknown-upstream-kind", "there is no upstream kind `o`"),
        (ModelFlags(upstream="openai=http://x"), "model-needed", "which model at `openai=http://x`?"),
        (
            ModelFlags(model="demo", runtime="abacus"),
            "runtime-unknown",
            f"unknown runtime `abacus`: known are {', '.join(KNOWN_RUNTIMES)}",
        ),
        (
            ModelFlags(model="m", upstream="vllm=", kv="q8_0"),
            "upstream-option",
            "--kv is about local models, and --upstream is given",
        ),
        (
            ModelFlags(model="m", upstream="vllm=", runtime="llamacpp"),
            "upstream-option",
            "--runtime is about local models, and --upstream is given",
        ),
        (ModelFlags(model="m", key_variable="K"), "upstream-option", "--upstream-key-env needs --upstream"),
    ],
)
def test_what_cannot_be_ordered_says_why(make_world: MakeWorld, flags: ModelFlags, code: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        choose_launch("claude", (), flags, LaunchFlags(), make_world().world)
    assert (caught.value.code, caught.value.message) == (code, message)


def test_an_upstreams_model_is_not_taken_for_a_local_one(make_world: MakeWorld) -> None:
    world = make_world().world
    write_record(LaunchOrder("claude", ModelOrder("gpt", upstream="openai=http://127.0.0.1:1")), world.dirs)
    with pytest.raises(UserError, match="no model was chosen"):
        choose_launch("claude", (), ModelFlags(), LaunchFlags(), world)
    again = choose_launch("claude", (), ModelFlags(upstream="openai=http://127.0.0.1:1"), LaunchFlags(), world)
    assert again.model.model == "gpt"


def test_a_settings_file_that_is_not_toml_is_named(make_world: MakeWorld) -> None:
    world = make_world().world
    (world.folder / ".agentlaunch.toml").write_text("model = demo")
    with pytest.raises(UserError) as caught:
        choose_launch("claude", (), ModelFlags(), LaunchFlags(), world)
    assert caught.value.code == "bad-settings-file"
    assert caught.value.message.startswith("`.agentlaunch.toml` is not TOML: ")


def test_a_settings_files_model_is_a_local_one(make_world: MakeWorld) -> None:
    world = make_world(AGENTLAUNCH_MODEL="").world
    (world.folder / ".agentlaunch.toml").write_text('model = "demo"')
    with pytest.raises(UserError, match="which model at `vllm=`"):
        choose_launch("claude", (), ModelFlags(upstream="vllm="), LaunchFlags(), world)


@pytest.mark.parametrize(
    ("flags", "said", "runtime"),
    [
        (ModelFlags("qwen3-coder"), "ollama", "ollama"),
        (ModelFlags("qwen3-coder"), "lmstudio", "lmstudio"),
        (ModelFlags("qwen3-coder", runtime="embedded"), "ollama", "embedded"),
        (ModelFlags("demo"), "ollama", ""),
        (ModelFlags("./m.gguf"), "vllm", ""),
        (ModelFlags("demo"), "embedded", "embedded"),
        (ModelFlags("openrouter/a/b"), "ollama", ""),
        (ModelFlags("m", upstream="openai=http://127.0.0.1:1"), "ollama", ""),
    ],
)
def test_the_settings_runtime_holds_where_the_model_leaves_it_open(
    make_world: MakeWorld, flags: ModelFlags, said: str, runtime: str
) -> None:
    world = make_world(AGENTLAUNCH_RUNTIME=said).world
    order = choose_launch("codex", (), flags, LaunchFlags(), world)
    assert (order.model.model, order.model.runtime) == (flags.model, runtime)


def test_the_settings_runtime_leaves_the_last_launchs_file_alone(make_world: MakeWorld) -> None:
    world = make_world(AGENTLAUNCH_RUNTIME="ollama").world
    write_record(replace(ORDER, model=ModelOrder("/models/m.gguf")), world.dirs)
    assert choose_launch("codex", (), ModelFlags(), LaunchFlags(), world).model == ModelOrder("/models/m.gguf")


def test_a_settings_runtime_that_is_none_is_told_with_its_source(make_world: MakeWorld) -> None:
    with pytest.raises(UserError) as caught:
        choose_launch("codex", (), ModelFlags("m"), LaunchFlags(), make_world(AGENTLAUNCH_RUNTIME="olama").world)
    assert (caught.value.code, caught.value.message) == ("bad-setting", "AGENTLAUNCH_RUNTIME cannot be `olama`")
