"""`bench` on the real engine with the scripted model, what it keeps, and what it refuses."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.app.conftest import Made, MakeWorld

from agentlaunch.app.bench import Benched, bench, choose_bench
from agentlaunch.app.bench_store import keep, read_measurements, recommended_with_measured, with_measured
from agentlaunch.app.check import CheckOrder, check
from agentlaunch.app.fit import FitOrder, fit
from agentlaunch.app.orders import LaunchFlags, ModelFlags
from agentlaunch.cli.bench_view import bench_data, bench_text
from agentlaunch.core.bench import DepthFigures, Measurement
from agentlaunch.core.engine import EngineStatus
from agentlaunch.core.fit.estimate import Demand
from agentlaunch.core.fit.result import Recommendation
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import MachineError, UserError
from agentlaunch.shim.protocol import ShimStatus

BuildModel = Callable[[Script], Path]


def measure(made: Made, model: str, **flags: object) -> Benched:
    chosen = replace(ModelFlags(model), **flags)  # type: ignore[arg-type]
    return bench(choose_bench(chosen, LaunchFlags(), 60.0, is_quick=True, world=made.world), made.world)


@pytest.fixture
def made(make_world: MakeWorld, tmp_path: Path) -> Made:
    """A world whose engines keep their states in a home of their own."""
    made = make_world(PATH=os.environ["PATH"])
    home = {"AGENTLAUNCH_HOME": str(made.world.dirs.state.parent)}
    return replace(made, world=replace(made.world, environment={**made.world.environment, **home}))


@pytest.mark.real
@pytest.mark.timeout(120)
def test_a_quick_run_is_measured_kept_and_shown_beside_the_estimate(scripted_model: BuildModel, made: Made) -> None:
    path = scripted_model(Script())
    done = measure(made, str(path), context=4096, runtime="embedded")
    (figures,) = done.measurement.figures
    assert figures.depth == 512
    assert min(figures.cold_s, figures.warm_s, figures.decode_tok_s, figures.prefill_tok_s) > 0
    assert figures.restored_s is not None
    assert figures.restore_s is not None
    assert 0 < figures.restore_s < figures.restored_s
    assert figures.state_bytes > 0
    assert read_measurements(made.world.dirs) == (done.measurement,)
    assert stat.S_IMODE(done.record.stat().st_mode) == 0o600
    assert list(made.world.dirs.prefixes.glob("bench-*")) == []
    row = next(line for line in bench_text(done).splitlines() if line.startswith("512"))
    assert len(row.split()) == 10
    assert set(bench_data(done)) == {
        "model", "quant", "runtime", "build", "kv_type", "context", "at", "load", "record", "depths",
    }  # fmt: skip


def test_beside_engines_of_the_shim_nothing_is_measured(made: Made) -> None:
    engine = EngineStatus("big", "/big.gguf", 1, "ready", 8192, "/log")
    made.shims.found = ShimStatus("http://127.0.0.1:1", 1, "1", 0.0, (), (engine,), 600.0)
    with pytest.raises(MachineError) as caught:
        measure(made, "models/tiny.gguf")
    assert (caught.value.code, caught.value.hint) == ("engines-running", "end its sessions, or: agentlaunch stop")


def test_what_is_no_engine_of_ours_is_refused(made: Made) -> None:
    with pytest.raises(UserError) as caught:
        measure(made, "m", upstream="openai=http://127.0.0.1:9")
    assert (caught.value.code, caught.value.message) == (
        "bench-runtime",
        "`openai` is an upstream: how fast it is tells nothing of this machine",
    )


def run_of(model: str, quant: str, kv_type: str) -> Measurement:
    figures = (DepthFigures(4096, 40.0, 0.5, 7.0), DepthFigures(16_384, 200.0, 0.5, 5.0))
    return Measurement(model, (model,), "digest", quant, "llama_cpp", "1", kv_type, 32_768, 1.0, figures)


def test_fit_shows_what_was_measured_in_the_place_of_the_estimate(made: Made) -> None:
    before = fit(FitOrder("qwen3-8b"), made.world)
    keep(run_of("qwen3-8b", before.best.quant, before.best.kv_type), made.world.dirs)
    after = fit(FitOrder("qwen3-8b"), made.world)
    assert after.best.speed.basis == "measured"
    seconds = 40 + 160 * (after.demand.prompt_tokens - 4096) / (16_384 - 4096)
    assert after.best.speed.first_prompt_s == pytest.approx(seconds)
    assert {one.speed.basis for one in after.table if one.quant != before.best.quant} == {"estimated"}
    again = fit(FitOrder("qwen3-8b", context=32_768, quant=before.best.quant, kv=before.best.kv_type), made.world)
    assert [one.speed.basis for one in again.table] == ["measured"]


def test_check_shows_what_was_measured_and_says_so(made: Made) -> None:
    best = fit(FitOrder("qwen3-8b"), made.world).best
    found = Recommendation(best, (), "It is the best.")
    assert recommended_with_measured(found, Demand(), made.world.dirs) == found
    keep(run_of("qwen3-8b", best.quant, best.kv_type), made.world.dirs)
    shown = recommended_with_measured(found, Demand(), made.world.dirs)
    assert shown.best is not None
    assert shown.best.speed.basis == "measured"
    assert shown.reason.endswith(" Measured on this machine: 6 tokens a second, 145 s.")
    assert check(CheckOrder(), made.world).recommendation.alternatives is not None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"figures": 1}'])
def test_a_record_that_is_none_of_ours_changes_nothing(made: Made, content: bytes) -> None:
    best = fit(FitOrder("qwen3-8b"), made.world).best
    path = keep(run_of("qwen3-8b", best.quant, best.kv_type), made.world.dirs)
    path.write_bytes(content)
    assert with_measured((best,), Demand(), made.world.dirs) == (best,)


def test_a_record_is_read_as_it_was_written(made: Made) -> None:
    run = run_of("qwen3-8b", "Q4_K_M", "f16")
    keep(run, made.world.dirs)
    assert read_measurements(made.world.dirs) == (run,)
    assert msgspec.json.decode(msgspec.json.encode(run), type=Measurement) == run
