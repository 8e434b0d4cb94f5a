"""What fit answers: one model on one machine, and its form in JSON (INTERFACE.md, MODEL_FIT)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agentlaunch.core.fit.memory import CacheType
from agentlaunch.core.fit.placement import Placement
from agentlaunch.core.fit.quality import Quality
from agentlaunch.core.fit.speed import Interval


class Speed(Struct, frozen=True):
    """Tokens a second, and seconds until an agent's first prompt is read; estimated, or measured on this machine."""

    decode: Interval
    prefill: Interval
    first_prompt_s: float
    basis: Literal["estimated", "measured"] = "estimated"


class ModelFit(Struct, frozen=True):
    """One model on one machine. `context` and `max_context` in tokens; `file_bytes` is what a download brings."""

    model: str
    name: str
    quant: str
    context: int
    kv_type: CacheType
    placement: Placement
    speed: Speed
    max_context: int
    quality: Quality
    file_bytes: int
    why: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether the machine holds it, however slow."""
        return self.placement.kind != "none"


class Recommendation(Struct, frozen=True):
    """What to run. `best` is None where nothing is usable; `reason` then says so and `advice` what would help."""

    best: ModelFit | None
    alternatives: tuple[ModelFit, ...]
    reason: str
    advice: tuple[str, ...] = ()


def to_json(fit: ModelFit) -> dict[str, object]:
    """MODEL_FIT of INTERFACE.md, whose keys are a contract."""
    placement, speed = fit.placement, fit.speed
    return {
        "model": fit.model,
        "quant": fit.quant,
        "context": fit.context,
        "kv_type": fit.kv_type,
        "placement": placement.kind,
        "memory": {
            "weights_bytes": placement.weights_bytes,
            "kv_bytes": placement.cache_bytes,
            "compute_bytes": placement.compute_bytes,
            "total_bytes": placement.total_bytes,
            "budget_bytes": placement.budget_bytes,
            "headroom_bytes": placement.headroom_bytes,
            "gpu_bytes": placement.gpu_bytes,
            "host_bytes": placement.host_bytes,
        },
        "speed": {
            "decode_tok_s": round(speed.decode.middle, 1),
            "decode_range": [round(speed.decode.low, 1), round(speed.decode.high, 1)],
            "prefill_tok_s": round(speed.prefill.middle, 1),
            "prefill_range": [round(speed.prefill.low, 1), round(speed.prefill.high, 1)],
            "first_prompt_s": round(speed.first_prompt_s, 1),
            "basis": speed.basis,
        },
        "max_context": fit.max_context,
        "fits": fit.fits,
        "quality": {"score": fit.quality.score, "source": fit.quality.source},
        "why": list(fit.why),
    }
