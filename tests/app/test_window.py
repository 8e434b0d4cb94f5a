"""app/window.py: how much context a file is launched with on a given machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentlaunch.app.orders import ModelOrder
from agentlaunch.app.window import Terms, Window, choose_window
from agentlaunch.core.engine import EngineStatus
from agentlaunch.core.gguf import GgufHeader
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.model_file import ModelFacts
from agentlaunch.shim.protocol import ShimStatus

if TYPE_CHECKING:
    from conftest import Made, MakeWorld

GIB = 1 << 30
PATH = Path("/models/m.gguf")
ORDER = ModelOrder(str(PATH))
EIGHT_B = GgufHeader(
    version=3,
    architecture="qwen3",
    name="Qwen3 8B",
    context_length=40_960,
    block_count=36,
    embedding_length=4096,
    head_count=(32,),
    head_count_kv=(8,),
    key_length=128,
    value_length=128,
    vocabulary_length=151_936,
    chat_template="{{ tools }}",
    file_type=15,
    split_count=1,
    tensor_count=399,
    tensor_bytes_end=0,
    metadata={"qwen3.feed_forward_length": 12_288},
)
"""As Qwen3-8B's header says it: 144 KiB of f16 cache a token."""
LONG = replace(EIGHT_B, context_length=262_144)


def facts(header: GgufHeader = EIGHT_B, file_gib: float = 4.7) -> ModelFacts:
    return ModelFacts(PATH, int(file_gib * GIB), header.context_length or 0, header)


def nvidia(memory_gib: float, free_gib: float | None = None) -> HardwareReport:
    free = None if free_gib is None else int(free_gib * GIB)
    gpu = Gpu("NVIDIA GeForce RTX 4090", "nvidia", int(memory_gib * GIB), free)
    return HardwareReport("linux", "x86_64", Cpu("Test CPU", 8), Memory(32 * GIB, 24 * GIB), (gpu,))


def cpu_only(free_gib: float) -> HardwareReport:
    return HardwareReport("linux", "x86_64", Cpu("Test CPU", 8), Memory(int(free_gib * GIB) + GIB, int(free_gib * GIB)))


def chosen(made: Made, header: GgufHeader = EIGHT_B, order: ModelOrder = ORDER, terms: Terms | None = None) -> Window:
    return choose_window(facts(header), order, terms or Terms(), made.world)


def test_a_short_trained_length_is_taken_whole(make_world: MakeWorld) -> None:
    assert chosen(make_world(report=nvidia(24))) == Window(40_960, "f16")


def test_with_much_room_the_window_is_wider_than_preferred(make_world: MakeWorld) -> None:
    assert chosen(make_world(report=nvidia(80)), LONG) == Window(131_072, "f16")


def test_with_less_room_it_is_the_preferred_one(make_world: MakeWorld) -> None:
    assert chosen(make_world(report=nvidia(20)), LONG) == Window(65_536, "f16")


def test_with_little_room_the_cache_takes_eight_bits_before_the_window_shrinks(make_world: MakeWorld) -> None:
    found = chosen(make_world(report=nvidia(13)), LONG)
    assert (found.context_window, found.kv_type) == (65_536, "q8_0")


@pytest.mark.report("B214")
def test_the_window_shrinks_to_the_working_set_of_a_mac(make_world: MakeWorld) -> None:
    """The trained window of 262,144 would take 36 GiB of cache on a Mac that wires 10.7 of 16."""
    gpu = Gpu("Apple M4", "apple", int(10.7 * GIB), unified=True)
    report = HardwareReport("darwin", "arm64", Cpu("Apple M4", 10), Memory(16 * GIB, 12 * GIB), (gpu,))
    found = chosen(make_world(report=report), LONG)
    assert (found.context_window, found.kv_type) == (65_536, "q8_0")


@pytest.mark.report("B207")
def test_the_window_is_ours_and_from_the_memory_that_there_is(make_world: MakeWorld) -> None:
    """A GPU in a processor shares 96 GiB: its 512 MiB of carve-out must not make it a window of 4096."""
    gpu = Gpu("AMD Radeon 8060S", "amd", 96 * GIB, 90 * GIB, unified=True)
    report = HardwareReport("linux", "x86_64", Cpu("AMD", 16), Memory(128 * GIB, 110 * GIB), (gpu,))
    assert chosen(make_world(report=report), LONG).context_window == 65_536


def test_what_the_user_orders_is_taken_when_it_fits(make_world: MakeWorld) -> None:
    order = replace(ORDER, context=10_000, kv="q4_0")
    assert chosen(make_world(report=nvidia(24)), EIGHT_B, order) == Window(10_000, "q4_0")


def test_a_window_that_does_not_fit_is_refused_with_what_would(make_world: MakeWorld) -> None:
    order = replace(ORDER, context=262_144)
    with pytest.raises(MachineError) as caught:
        chosen(make_world(report=cpu_only(16)), LONG, order)
    error = caught.value
    assert (error.code, error.exit_code) == ("does-not-fit", 3)
    assert error.message.startswith("`m` does not fit with 262,144 tokens of context: it takes ")
    assert error.hint.startswith("this fits: --context ")
    assert error.hint.endswith(" --kv q8_0; or on your own risk: --force")


def test_the_offer_fits_by_its_own_account(make_world: MakeWorld) -> None:
    made = make_world(report=cpu_only(16), answer=True)
    found = chosen(made, LONG, replace(ORDER, context=262_144))
    assert len(made.talk.questions) == 1
    assert f"Take {found.context_window:,} tokens" in made.talk.questions[0]
    again = chosen(made, LONG, replace(ORDER, context=found.context_window, kv=found.kv_type))
    assert (again.context_window, len(made.talk.questions)) == (found.context_window, 1)


def test_the_same_window_with_a_smaller_cache_is_offered_first(make_world: MakeWorld) -> None:
    order = replace(ORDER, context=65_536, kv="f16")
    with pytest.raises(MachineError) as caught:
        chosen(make_world(report=cpu_only(13)), LONG, order)
    assert caught.value.hint == "this fits: --context 65536 --kv q8_0; or on your own risk: --force"


def test_a_yes_beforehand_takes_the_offer(make_world: MakeWorld) -> None:
    found = chosen(make_world(report=cpu_only(13)), LONG, replace(ORDER, context=65_536, kv="f16"), Terms(yes=True))
    assert (found.context_window, found.kv_type) == (65_536, "q8_0")


def test_a_no_is_the_same_error(make_world: MakeWorld) -> None:
    made = make_world(report=cpu_only(13), answer=False)
    with pytest.raises(MachineError, match="does not fit"):
        chosen(made, LONG, replace(ORDER, context=65_536, kv="f16"))


@pytest.mark.parametrize("terms", [Terms(), Terms(yes=True)])
def test_a_model_larger_than_the_machine_is_refused_even_with_a_yes(make_world: MakeWorld, terms: Terms) -> None:
    with pytest.raises(MachineError) as caught:
        chosen(make_world(report=cpu_only(4)), terms=terms)
    assert (caught.value.code, caught.value.hint) == (
        "does-not-fit",
        "a smaller model, see: agentlaunch check; or on your own risk: --force",
    )


def test_on_a_terminal_a_model_larger_than_the_machine_is_asked_about(make_world: MakeWorld) -> None:
    made = make_world(report=cpu_only(4), answer=True)
    assert chosen(made).context_window > 0
    assert made.talk.questions[0].endswith("Launch it all the same?")


def test_force_asks_nobody(make_world: MakeWorld) -> None:
    made = make_world(report=cpu_only(1))
    assert chosen(made, terms=Terms(force=True)) == Window(32_768, "f16")
    assert chosen(made, EIGHT_B, replace(ORDER, context=40_960), Terms(force=True)).context_window == 40_960


def test_a_slow_machine_is_told_beforehand(make_world: MakeWorld) -> None:
    [note] = chosen(make_world(report=cpu_only(24))).notes
    assert note.startswith("slow on this machine: about ")


def test_a_header_that_tells_no_size_is_left_to_the_engine(make_world: MakeWorld) -> None:
    assert chosen(make_world(report=cpu_only(1)), replace(EIGHT_B, block_count=None)) == Window(32_768, "f16")


def running(made: Made, *, window: int, state: str = "ready") -> Made:
    engine = EngineStatus("m", str(PATH), 7, state, window, "/log", "q8_0")
    made.shims.found = ShimStatus("http://127.0.0.1:1", 1, "0", 0.0, (), (engine,), 600.0)
    return made


def test_a_file_that_runs_already_keeps_its_window_though_its_memory_is_taken(make_world: MakeWorld) -> None:
    made = running(make_world(report=cpu_only(1)), window=20_480)
    assert chosen(made) == Window(20_480, "q8_0")


@pytest.mark.parametrize(
    ("order", "state"),
    [(replace(ORDER, context=8192), "ready"), (replace(ORDER, kv="f16"), "ready"), (ORDER, "stopped: exit 1")],
)
def test_another_window_or_cache_is_another_engine(make_world: MakeWorld, order: ModelOrder, state: str) -> None:
    made = running(make_world(report=cpu_only(1)), window=20_480, state=state)
    with pytest.raises(MachineError, match="does not fit"):
        chosen(made, EIGHT_B, order)


def test_what_others_have_loaded_is_named_where_there_is_no_room(make_world: MakeWorld) -> None:
    made = make_world(report=cpu_only(4))
    engine = EngineStatus("other", "/models/other.gguf", 0, "ready", 8192, "")
    made.shims.found = ShimStatus("http://127.0.0.1:1", 1, "0", 0.0, (), (engine,), 600.0)
    with pytest.raises(MachineError, match=r"; loaded for other sessions: `other`$"):
        chosen(made)


def test_a_window_brings_what_the_model_takes_unless_it_was_forced(make_world: MakeWorld) -> None:
    made = make_world(report=nvidia(24, free_gib=12))
    memory = chosen(made).memory
    assert memory is not None
    assert 4 * GIB < memory.gpu_bytes < 12 * GIB < 22 * GIB < memory.gpu_capacity_bytes
    assert chosen(made, terms=Terms(force=True)).memory is None
