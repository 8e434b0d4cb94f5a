"""What `bench` measures of a model on this machine, and what the estimates of core/fit become by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from agentlaunch.core.fit.result import ModelFit, Speed
from agentlaunch.core.fit.speed import Interval
from agentlaunch.core.weight_names import same_quant

DEPTHS = (512, 4096, 16_384)
"""Tokens of prompt at which everything is measured: a question, a lean agent's first prompt, a session under way."""
QUICK_DEPTHS = (512,)
OWN_RUNTIMES = ("llama_cpp", "llama_server")
"""Those whose slots are ours to save and read; others are told by a name of a server's."""
TAIL_TOKENS = 16
"""New words behind a prompt that is there already: what a turn of the user's costs at least."""
SPREAD = 0.1
"""How far a second run on the same machine lies off (two quiet runs of the demo model differed by less)."""
BUSY_LOAD = 0.5
"""Processes a core. At 2.2 the demo model read 90 tokens a second where it reads 600 alone (2 cores)."""
_LEAST_S = 1e-6
"""What anything takes; a clock may have told nothing at all."""
_REACH = 2
"""A measurement speaks for prompts of up to twice its deepest."""


class DepthFigures(Struct, frozen=True):
    """Behind `depth` tokens of prompt. Seconds to an answer's first token: with nothing computed before (`cold_s`),
    with the prompt in the engine (`warm_s`), and with its state on the disk (`restored_s`, of which `restore_s` is
    reading it); None where the engine saves no states. Rates in tokens a second.
    """

    depth: int
    cold_s: float
    warm_s: float
    decode_tok_s: float
    restore_s: float | None = None
    restored_s: float | None = None
    state_bytes: int = 0

    @property
    def prefill_tok_s(self) -> float:
        """The mean rate from the first token on."""
        return self.depth / self.cold_s if self.cold_s > 0 else 0.0


class Measurement(Struct, frozen=True):
    """One run. `fingerprint` tells the weights, `names` are those by which they are found; `at` in Unix seconds.

    `load` is how many processes wanted each core when it began, 0 where the system does not tell.
    """

    model: str
    names: tuple[str, ...]
    fingerprint: str
    quant: str
    runtime: str
    build: str
    kv_type: str
    context_window: int
    at: float
    figures: tuple[DepthFigures, ...]
    load: float = 0.0

    @property
    def has_weights(self) -> bool:
        """Whether `fingerprint` is of a file's bytes, and not a server's name for a model (`ollama:tiny:1b`)."""
        return ":" not in self.fingerprint

    @property
    def is_busy(self) -> bool:
        """Whether others took so much of the machine that the figures say little of it."""
        return self.load > BUSY_LOAD


def depths_for(window: int, *, is_quick: bool) -> tuple[int, ...]:
    """The depths that this window, in tokens, has room for, an answer behind them; half of it if it is tiny."""
    usual = QUICK_DEPTHS if is_quick else DEPTHS
    return tuple(depth for depth in usual if depth + 256 <= window) or (max(window // 2, 1),)


def code_lines(first: int, count: int) -> str:
    """Something like code in lines of one length, none of which comes twice."""
    return "".join(f"value_{n:05d} = {n * 7919 % 100_003:06d}  # line {n:05d}\n" for n in range(first, first + count))


def find_measurements(kept: Iterable[Measurement], fit: ModelFit, fingerprint: str = "") -> tuple[Measurement, ...]:
    """The newest of each runtime that measured this model with this quantisation and cache; by its weights where both
    are known. Engines of ours first, since the estimates are of them; then the newest first."""
    newest: dict[str, Measurement] = {}
    for one in sorted(kept, key=lambda one: one.at):
        is_meant = fit.model in one.names
        if fingerprint and one.has_weights:
            is_meant = one.fingerprint == fingerprint
        if is_meant and one.kv_type == fit.kv_type and not one.is_busy and same_quant(one.quant, fit.quant):
            newest[one.runtime] = one
    return tuple(sorted(newest.values(), key=lambda one: (one.runtime not in OWN_RUNTIMES, -one.at)))


def measured(fit: ModelFit, found: Sequence[Measurement], prompt_tokens: int) -> ModelFit:
    """The same with what the first has measured in the place of what was estimated, and a sentence for each other one;
    those that did not measure deep enough say nothing."""
    depth = min(prompt_tokens, fit.context)
    known = [(one.runtime, speed) for one in found if (speed := _speed(one, depth, prompt_tokens)) is not None]
    if not known:
        return fit
    (runtime, speed), *others = known
    before = fit.speed
    why = (
        f"Measured on this machine ({runtime}): {_rates(speed)}; estimated were {before.decode.middle:.1f} and "
        f"{before.prefill.middle:.0f}."
    )
    rest = (f"With {name} it {_rates(other)}." for name, other in others)
    return replace(fit, speed=speed, why=(*fit.why, why, *rest))


def _speed(measurement: Measurement, depth: int, prompt_tokens: int) -> Speed | None:
    """At `depth` tokens; None where it was not measured so deep."""
    figures = sorted(measurement.figures, key=lambda one: one.depth)
    if not figures or figures[-1].depth * _REACH < depth:
        return None
    prefill_s = _at(depth, [(0, 0.0), *((one.depth, one.cold_s) for one in figures)])
    decode_s = _at(depth, [(one.depth, 1 / max(one.decode_tok_s, _LEAST_S)) for one in figures])
    return Speed(
        decode=_interval(1 / decode_s),
        prefill=_interval(depth / prefill_s),
        first_prompt_s=prefill_s / depth * prompt_tokens,
        basis="measured",
    )


def _rates(speed: Speed) -> str:
    return f"decodes {speed.decode.middle:.1f} and reads {speed.prefill.middle:.0f} tokens a second"


def _interval(middle: float) -> Interval:
    return Interval(middle, middle * (1 - SPREAD), middle * (1 + SPREAD))


def _at(depth: int, points: Sequence[tuple[int, float]]) -> float:
    """Seconds at `depth` on the line through the two points around it, or through the last two."""
    if len(points) == 1:
        return max(points[0][1], _LEAST_S)
    after = next((index for index, (there, _) in enumerate(points) if there >= depth), len(points) - 1)
    (x0, y0), (x1, y1) = points[max(after, 1) - 1], points[max(after, 1)]
    return max(y0 + (y1 - y0) * (depth - x0) / (x1 - x0), min(y0, y1), _LEAST_S)
