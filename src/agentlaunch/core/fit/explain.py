"""Why a model fits or does not, and why it was chosen, in sentences."""

from __future__ import annotations

from typing import assert_never

from agentlaunch.core.fit.estimate import Demand, Estimate
from agentlaunch.core.fit.machine import GIB, Machine
from agentlaunch.core.fit.quality import Quality


def gib(size: float) -> str:
    """Bytes as people read them."""
    return f"{size / GIB:.1f} GiB"


def sentences(estimate: Estimate, machine: Machine, demand: Demand, quality: Quality) -> tuple[str, ...]:
    """What a person should know about this model on this machine, most important first."""
    told = [_place_sentence(estimate), _window_sentence(estimate)]
    if estimate.placement.kind != "none":
        told += [_speed_sentence(estimate, demand), *_slow(estimate, demand)]
    told.append(f"Quality {quality.score:g} of 100 ({quality.source}).")
    if machine.gpu is not None and machine.gpu.assumed:
        told.append(f"No figures are known for {machine.gpu.names[0]}: its speed is assumed.")
    return tuple(told)


def _place_sentence(estimate: Estimate) -> str:
    placement = estimate.placement
    total, budget = gib(placement.total_bytes), gib(placement.budget_bytes)
    match placement.kind:
        case "gpu":
            return f"It takes {total} of the {budget} that the GPU may use, all of it there."
        case "split":
            part = "experts" if placement.dense_on_gpu == 1 else "layers"
            on_gpu, on_host = gib(placement.gpu_bytes), gib(placement.host_bytes)
            return f"It takes {on_gpu} on the GPU and {on_host} of host memory, which holds the {part} that do not fit."
        case "cpu":
            return f"It takes {total} of the {budget} of free memory and runs on the CPU."
        case "none":
            return f"It does not fit: it takes {total}, and {budget} are to be had."
        case _:
            assert_never(placement.kind)


def _window_sentence(estimate: Estimate) -> str:
    settings, placement = estimate.settings, estimate.placement
    form = "" if settings.cache_type == "f16" else f", kept as {settings.cache_type}"
    return f"{settings.context:,} tokens of context take {gib(placement.cache_bytes)} of that{form}."


def _speed_sentence(estimate: Estimate, demand: Demand) -> str:
    speed = estimate.speed
    spread = f"{speed.decode.low:.0f} to {speed.decode.high:.0f}"
    return (
        f"It writes about {speed.decode.middle:.0f} tokens a second ({spread}), and {demand.agent}'s first prompt of "
        f"{demand.prompt_tokens:,} tokens takes about {speed.first_prompt_s:.0f} s."
    )


def _slow(estimate: Estimate, demand: Demand) -> list[str]:
    usable, speed = demand.usable, estimate.speed
    told = []
    if speed.decode.low < usable.decode_tok_s:
        told.append(f"That may be slower than the {usable.decode_tok_s:g} tokens a second that make an agent usable.")
    if speed.first_prompt_s > usable.first_prompt_s:
        told.append(f"The first answer takes longer than {usable.first_prompt_s:g} s; --lean shortens the prompt.")
    return told
