"""`bench` of what is not ours to start: Ollama by its clock, running servers by ours, and what cannot be measured."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.app.conftest import Made, MakeWorld
from tests.app.test_models_ollama import store
from tests.app.test_running_servers import beside
from tests.doubles.model_servers import ModelServerDouble, documented
from tests.doubles.ollama_server import Model, OllamaDouble

from agentlaunch.app.bench import Benched, Gauges, bench, choose_bench
from agentlaunch.app.bench_engine import BenchBounds
from agentlaunch.app.bench_server import Asked, ChatAsker, ServerBench
from agentlaunch.app.bench_store import read_measurements
from agentlaunch.app.fingerprint import fingerprint
from agentlaunch.app.fit import FitOrder, fit
from agentlaunch.app.orders import LaunchFlags, ModelFlags
from agentlaunch.cli.bench_view import bench_data, bench_text
from agentlaunch.core.bench import DepthFigures, code_lines
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.scripted_gguf import Script, Turn
from agentlaunch.errors import MachineError, UserError
from agentlaunch.runtimes.llama_cpp import LlamaCppHost

BuildModel = Callable[[Script], Path]
LINE_TOKENS = 10


@dataclass
class Clock:
    """Moves when it is told to."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeAsker:
    """A server that reads 1,000 tokens a second that it has not read before, and writes 20."""

    clock: Clock
    own_clock: bool = False
    line_tokens: int = LINE_TOKENS
    largest: int = 1 << 30
    answer_tokens: int = 1 << 30
    answer_s: float = 0.05
    texts: list[str] = field(default_factory=list)

    async def ask(self, text: str, answer_tokens: int) -> Asked:
        tokens = min(text.count("\n") * self.line_tokens, self.largest)
        held = max((_common(text, other) for other in self.texts), default=0) * self.line_tokens
        self.texts.append(text)
        count = min(answer_tokens, self.answer_tokens)
        prompt_s, answer_s = max(tokens - held, 0) / 1000, count * self.answer_s
        self.clock.now += prompt_s + answer_s + 0.01
        own = (prompt_s, answer_s) if self.own_clock else (None, None)
        return Asked(tokens, count, prompt_s + answer_s + 0.01, *own)


def _common(text: str, other: str) -> int:
    """Lines in common at the beginning."""
    lines = zip(text.splitlines(), other.splitlines(), strict=False)
    return next(
        (number for number, (one, two) in enumerate(lines) if one != two), min(text.count("\n"), other.count("\n"))
    )


def run(asker: FakeAsker, *depths: int, seconds: float = 1000.0) -> tuple[tuple[DepthFigures, ...], list[str]]:
    told: list[str] = []
    bounds = BenchBounds(depths, 8, seconds)
    return asyncio.run(ServerBench(asker, told.append, asker.clock).run(bounds)), told


def test_without_a_clock_of_the_servers_an_answer_of_one_token_is_taken_off() -> None:
    (figures,), _ = run(FakeAsker(Clock()), 500)
    assert 480 <= figures.depth <= 520
    assert figures == DepthFigures(
        figures.depth,
        cold_s=pytest.approx(figures.depth / 1000 + 0.06),
        warm_s=pytest.approx(LINE_TOKENS / 1000 + 0.06),
        decode_tok_s=pytest.approx(20.0),
    )


def test_with_a_clock_of_the_servers_reading_and_writing_are_what_it_says() -> None:
    (figures,), _ = run(FakeAsker(Clock(), own_clock=True), 500)
    assert (figures.cold_s, figures.decode_tok_s) == (pytest.approx(figures.depth / 1000), pytest.approx(20.0))
    assert figures.warm_s == pytest.approx(LINE_TOKENS / 1000 + 0.06)


def test_each_depth_begins_with_a_word_of_its_own_so_that_nothing_of_it_is_there() -> None:
    asker = FakeAsker(Clock())
    figures, told = run(asker, 500, 4000)
    assert [one.cold_s > one.depth / 1000 for one in figures] == [True, True]
    assert len({text.splitlines()[0] for text in asker.texts}) == 4
    assert told == [f"{one.depth:,} tokens: {one.prefill_tok_s:.0f} tokens a second read" for one in figures]


def test_a_depth_for_which_the_time_will_not_suffice_is_not_begun() -> None:
    figures, told = run(FakeAsker(Clock()), 500, 4000, seconds=3.0)
    assert len(figures) == 1
    assert told[-1] == "the time does not suffice for 4,000 tokens: more with --seconds"


@pytest.mark.parametrize(
    ("asker", "why"),
    [
        (FakeAsker(Clock(), line_tokens=0), "it counts 0 tokens for 8 lines of code and 0 for 40"),
        (FakeAsker(Clock(), largest=420), "it has read only 420 of about 500 tokens"),
        (FakeAsker(Clock(), answer_tokens=3), "its answer ended after 3 tokens, and a rate needs 4"),
        (FakeAsker(Clock(), answer_s=0.0), "8 tokens took it no longer than one"),
    ],
)
def test_what_cannot_be_is_not_measured(asker: FakeAsker, why: str) -> None:
    with pytest.raises(MachineError) as caught:
        run(asker, 500)
    assert (caught.value.code, caught.value.message) == ("bench-failed", f"the server cannot be measured: {why}")


# --- Ollama -------------------------------------------------------------------------------------------------------


def measure(made: Made, model: str, clock: Callable[[], float] | None = None, **flags: object) -> Benched:
    chosen = replace(ModelFlags(model), **flags)  # type: ignore[arg-type]
    order = choose_bench(chosen, LaunchFlags(yes=True), 60.0, is_quick=False, world=made.world)
    return bench(order, made.world, Gauges(clock or Clock(), lambda: 0.0))


def test_ollama_is_measured_by_its_own_clock_and_kept_so_that_fit_says_so(make_world: MakeWorld) -> None:
    with OllamaDouble([Model("qwen3:8b")]).running() as double:
        made = make_world(OLLAMA_HOST=double.url)
        done = measure(made, "qwen3:8b", runtime="ollama", context=32_768)
    one = done.measurement
    facts = (one.names, one.fingerprint, one.quant, one.runtime, one.build, one.kv_type, one.context_window)
    known = ("qwen3:8b", "qwen3-8b")
    assert facts == (known, "ollama:qwen3:8b", "Q4_K_M", "ollama", "0.32.15", "f16", 32_768)
    assert [figures.depth for figures in one.figures] == pytest.approx([512, 4096, 16_384], rel=0.03)
    assert [figures.cold_s for figures in one.figures] == [0.005] * 3
    assert [figures.decode_tok_s for figures in one.figures] == [pytest.approx(1250.0)] * 3
    assert {figures.restored_s for figures in one.figures} == {None}
    assert "nothing restored: no state of a prompt is kept on the disk there" in bench_text(done)
    assert [row["restored_s"] for row in bench_data(done)["depths"]] == [None, None, None]  # type: ignore[attr-defined]
    assert read_measurements(made.world.dirs) == (one,)
    after = fit(FitOrder("qwen3-8b", context=32_768, quant="Q4_K_M", kv="f16"), made.world).best
    assert after.speed.basis == "measured"
    assert any(why.startswith("Measured on this machine (ollama): ") for why in after.why)


def test_each_question_to_ollama_has_the_loaded_window_and_the_model_is_let_go(make_world: MakeWorld) -> None:
    with OllamaDouble([Model("qwen3:8b")]).running() as double:
        measure(make_world(OLLAMA_HOST=double.url), "qwen3:8b", runtime="ollama", context=16_384)
        assert double.loaded == {}
    assert double.loads == [("qwen3:8b", 16_384)]
    options = [chat["options"] for chat in double.chats]
    assert {(one["num_ctx"], one["temperature"]) for one in options} == {(16_384, 0)}  # type: ignore[index]
    assert {chat["truncate"] for chat in double.chats} == {False}


def test_weights_of_ollamas_that_can_be_read_are_known_by_their_bytes(
    make_world: MakeWorld, scripted_model: BuildModel
) -> None:
    weights = scripted_model(Script())
    with OllamaDouble([Model("tiny:1b")]).running() as double:
        made = make_world(OLLAMA_HOST=double.url)
        store(Path(made.world.environment["HOME"]), "tiny", "1b", weights)
        done = measure(made, "tiny:1b", runtime="ollama", context=8192)
    assert (done.measurement.fingerprint, done.measurement.quant) == (fingerprint(weights), "F32")
    assert len(done.estimates) == len(done.measurement.figures)
    assert (
        fit(FitOrder(str(weights), context=8192, kv="f16"), made.world).best.speed.basis == "estimated"
    )  # too shallow


@pytest.mark.parametrize(
    ("host", "model", "where"),
    [("http://10.0.0.7:11434", "tiny:1b", "http://10.0.0.7:11434"), ("", "glm-5:cloud", "ollama.com")],
)
def test_an_ollama_elsewhere_tells_nothing_of_this_machine(
    make_world: MakeWorld, host: str, model: str, where: str
) -> None:
    with pytest.raises(UserError) as caught:
        measure(make_world(OLLAMA_HOST=host), model, runtime="ollama")
    what = f"`{model}` runs at {where}: how fast that is tells nothing of this machine"
    assert (caught.value.code, caught.value.message) == ("bench-runtime", what)


def test_an_ollama_that_cuts_the_prompt_off_is_not_measured(make_world: MakeWorld) -> None:
    with OllamaDouble([Model("tiny:latest", context_length=600)], version="0.12.0").running() as double:
        double.moods.overflow = "silent"
        with pytest.raises(MachineError, match="it has read only 302 of about 4096 tokens"):
            measure(make_world(OLLAMA_HOST=double.url), "tiny", runtime="ollama", context=8192)


# --- servers that run already -------------------------------------------------------------------------------------


def chats(clock: Clock, *, tells: bool = True) -> Callable[[dict[str, Any]], object]:
    """A server that writes ten tokens a second by our clock."""

    def chat(body: dict[str, Any]) -> object:
        clock.now += 0.5 + body["max_tokens"] / 10
        usage = {"prompt_tokens": len(body["messages"][0]["content"]) // 4, "completion_tokens": body["max_tokens"]}
        return {"id": "c", "object": "chat.completion", "choices": [], **({"usage": usage} if tells else {})}

    return chat


def loaded(window: int) -> ModelServerDouble:
    """LM Studio with the catalogue's model loaded."""
    double = documented("lmstudio")
    model = double.routes["/api/v1/models"]["models"][1]  # type: ignore[index]
    instance = {"id": model["key"], "config": {"context_length": window}}
    return replace(double, routes={"/api/v1/models": {"models": [{**model, "loaded_instances": [instance]}]}})


def test_a_running_server_is_measured_by_its_counts_and_our_clock(make_world: MakeWorld) -> None:
    clock = Clock()
    with replace(loaded(32_768), chat=chats(clock)).running() as double:
        made = beside(make_world, double, "lmstudio")
        done = measure(made, "qwen3-coder-30b", clock, runtime="lmstudio")
        one = done.measurement
        facts = (one.names, one.fingerprint, one.quant, one.runtime, one.kv_type, one.context_window)
        name = "qwen/qwen3-coder-30b"
        assert facts == ((name, "qwen3-coder-30b-a3b"), f"lmstudio:{name}", "Q4_K_M", "lmstudio", "f16", 32_768)
        assert [figures.cold_s for figures in one.figures] == [pytest.approx(0.6)] * 3
        assert [figures.decode_tok_s for figures in one.figures] == [pytest.approx(10.0)] * 3
        fitted = fit(FitOrder("qwen3-coder-30b-a3b", context=32_768, quant="Q4_K_M", kv="f16"), made.world).best
        assert fitted.speed.basis == "measured"


def test_a_server_that_counts_nothing_is_not_measured(make_world: MakeWorld) -> None:
    clock = Clock()
    with replace(loaded(32_768), chat=chats(clock, tells=False)).running() as double:
        made = beside(make_world, double, "lmstudio")
        with pytest.raises(MachineError, match="it does not tell how many tokens it has read"):
            measure(made, "qwen3-coder-30b", clock, runtime="lmstudio")
    assert read_measurements(made.world.dirs) == ()


def test_a_model_of_no_known_quantisation_is_measured_and_corrects_nothing(make_world: MakeWorld) -> None:
    clock = Clock()
    with replace(documented("vllm"), chat=chats(clock)).running() as double:
        done = measure(beside(make_world, double, "vllm"), "qwen3-coder-30b", clock, runtime="vllm")
    assert (done.measurement.quant, done.measurement.build, done.estimates) == ("", "0.11.0", ())
    text = bench_text(done)
    assert "its quantisation is not told: estimates stay as they are" in text
    assert {row["decode_estimate_tok_s"] for row in bench_data(done)["depths"]} == {None}  # type: ignore[attr-defined]


def test_a_server_that_fails_is_told_with_its_words(make_world: MakeWorld) -> None:
    with documented("vllm").running() as double, pytest.raises(MachineError) as caught:
        measure(beside(make_world, double, "vllm"), "qwen3-coder-30b", runtime="vllm")
    assert "status 404 at `/v1/chat/completions`" in caught.value.message


@pytest.mark.real
@pytest.mark.timeout(120)
def test_a_real_llama_cpp_counts_what_it_reads_and_writes(tmp_path: Path, scripted_model: BuildModel) -> None:
    endless = Turn(text="one and two ", endless=True)
    model = scripted_model(Script(untooled=endless))

    async def ask() -> tuple[Asked, Asked]:
        host = LlamaCppHost(tmp_path, os.environ)
        try:
            endpoint = await host.ensure(EngineSpec(str(model), "scripted", 8192))
            headers = {"Authorization": f"Bearer {endpoint.key}"}
            async with httpx.AsyncClient(base_url=endpoint.base_url, headers=headers, trust_env=False) as client:
                asker = ChatAsker(client, endpoint.model)
                return await asker.ask(code_lines(0, 40), 1), await asker.ask(code_lines(0, 80), 8)
        finally:
            await host.close()

    one, two = asyncio.run(ask())
    assert (one.answer_tokens, two.answer_tokens) == (1, 8)
    assert 0 < one.prompt_tokens < two.prompt_tokens
    assert (one.prompt_s, two.answer_s) == (None, None)
