"""What measured figures say, and which estimates they replace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentlaunch.core.bench import (
    DEPTHS,
    DepthFigures,
    Measurement,
    code_lines,
    depths_for,
    find_measurements,
    measured,
)
from agentlaunch.core.fit.placement import Placement
from agentlaunch.core.fit.quality import Quality
from agentlaunch.core.fit.result import ModelFit, Speed
from agentlaunch.core.fit.speed import Interval

FIGURES = (DepthFigures(512, 1.0, 0.1, 20.0), DepthFigures(4096, 10.0, 0.1, 16.0))
RUN = Measurement("demo", ("demo", "smollm2"), "digest", "Q4_K_M", "llama_cpp", "1.0", "f16", 8192, 5.0, FIGURES)
SLOW = Speed(Interval(1, 1, 1), Interval(1, 1, 1), 9999.0)
FIT = ModelFit(
    model="smollm2", name="SmolLM2", quant="Q4_K_M", context=8192, kv_type="f16",
    placement=Placement("cpu", 1, 1, 1, 1, 1, 1, 1, 0, 0), speed=SLOW, max_context=8192, quality=Quality(1.0, "none"),
    file_bytes=1, why=("because",),
)  # fmt: skip


def test_figures_at_a_depth_that_was_measured_are_those_that_were_measured() -> None:
    found = measured(FIT, (RUN,), 4096)
    assert found.speed == Speed(
        decode=Interval(16.0, pytest.approx(14.4), pytest.approx(17.6)),
        prefill=Interval(pytest.approx(409.6), pytest.approx(368.64), pytest.approx(450.56)),
        first_prompt_s=pytest.approx(10.0),
        basis="measured",
    )
    assert found.why == (
        "because",
        "Measured on this machine (llama_cpp): decodes 16.0 and reads 410 tokens a second; estimated were 1.0 and 1.",
    )


def test_a_rate_of_no_time_is_none() -> None:
    assert [DepthFigures(512, cold_s, 0.1, 20.0).prefill_tok_s for cold_s in (2.0, 0.0)] == [256.0, 0.0]


def test_one_depth_alone_holds_for_every_prompt_near_it() -> None:
    found = measured(FIT, (replace(RUN, figures=FIGURES[:1]),), 512)
    assert found.speed.first_prompt_s == pytest.approx(1.0)


def test_between_two_depths_the_seconds_lie_on_a_line() -> None:
    found = measured(FIT, (RUN,), (512 + 4096) // 2)
    assert found.speed.first_prompt_s == pytest.approx(5.5)
    assert 16 < found.speed.decode.middle < 20


def test_a_prompt_far_beyond_what_was_measured_stays_estimated() -> None:
    assert measured(FIT, (replace(RUN, figures=FIGURES[:1]),), 4096) == FIT
    assert measured(FIT, (), 4096) == FIT
    assert measured(FIT, (replace(RUN, figures=()),), 4096) == FIT


@given(
    depths=st.lists(st.integers(1, 20_000), min_size=1, max_size=4, unique=True),
    cold_s=st.floats(0, 1e4),
    decode=st.floats(0, 1e4),
    prompt=st.integers(1, 30_000),
)
def test_whatever_was_measured_the_rates_are_finite_and_above_nothing(
    depths: list[int], cold_s: float, decode: float, prompt: int
) -> None:
    figures = tuple(DepthFigures(depth, cold_s, 0.0, decode) for depth in depths)
    speed = measured(FIT, (replace(RUN, figures=figures),), prompt).speed
    for rate in (speed.decode, speed.prefill):
        assert 0 < rate.low <= rate.middle <= rate.high < float("inf")


@pytest.mark.parametrize(
    "other",
    [
        replace(RUN, kv_type="q8_0"),
        replace(RUN, quant="Q8_0"),
        replace(RUN, names=("other",)),
        replace(RUN, load=2.2),
    ],
)
def test_a_run_of_other_weights_another_cache_or_a_busy_machine_says_nothing(other: Measurement) -> None:
    assert find_measurements([other], FIT) == ()
    assert find_measurements([RUN, other], FIT) == (RUN,)


def test_the_newest_run_counts_and_a_file_is_known_by_its_bytes() -> None:
    newer = replace(RUN, at=6.0)
    assert find_measurements([newer, RUN], FIT) == (newer,)
    assert find_measurements([RUN], replace(FIT, model="a file's name"), "digest") == (RUN,)
    assert find_measurements([RUN], FIT, "another digest") == ()


OLLAMA = replace(RUN, runtime="ollama", at=7.0, figures=(DepthFigures(4096, 20.0, 0.1, 12.0),))


def test_an_engine_of_ours_corrects_the_estimate_and_other_runtimes_are_told_beside_it() -> None:
    vllm = replace(RUN, runtime="vllm", at=8.0, figures=FIGURES[:1])
    found = find_measurements([OLLAMA, vllm, RUN], FIT)
    assert found == (RUN, vllm, OLLAMA)
    after = measured(FIT, found, 4096)
    assert after.speed == measured(FIT, (RUN,), 4096).speed
    assert after.why[2:] == ("With ollama it decodes 12.0 and reads 205 tokens a second.",)


def test_where_only_a_server_was_measured_its_figures_stand_in_the_place_of_the_estimate() -> None:
    after = measured(FIT, find_measurements([OLLAMA], FIT), 4096)
    assert (after.speed.basis, after.speed.decode.middle) == ("measured", 12.0)
    assert after.why[1].startswith("Measured on this machine (ollama): decodes 12.0 and reads 205 tokens a second;")


def test_what_a_server_calls_a_model_is_no_digest_so_its_name_tells_it() -> None:
    served = replace(OLLAMA, fingerprint="ollama:smollm2:135m")
    assert find_measurements([served], FIT, "digest") == (served,)
    assert find_measurements([served], replace(FIT, model="other"), "digest") == ()


def test_lines_of_code_are_of_one_length_and_all_different() -> None:
    lines = code_lines(0, 3000).splitlines()
    assert (len(set(lines)), {len(line) for line in lines}) == (3000, {len(lines[0])})
    assert "".join(f"{line}\n" for line in lines[2:4]) == code_lines(2, 2)


@pytest.mark.parametrize(
    ("window", "is_quick", "expected"),
    [
        (65_536, False, DEPTHS),
        (65_536, True, (512,)),
        (8192, False, (512, 4096)),
        (4096, False, (512,)),
        (512, False, (256,)),
    ],
)
def test_depths_leave_room_for_an_answer(window: int, is_quick: bool, expected: tuple[int, ...]) -> None:
    assert depths_for(window, is_quick=is_quick) == expected
