"""Which model a machine should run: the best of those that call tools, fit and are fast enough for an agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from agentlaunch.core.catalog import Catalog, Model, Quant
from agentlaunch.core.engine import EngineParameters
from agentlaunch.core.fit.calibration import Calibration
from agentlaunch.core.fit.estimate import Demand, Estimate, estimate, max_context
from agentlaunch.core.fit.explain import gib, sentences
from agentlaunch.core.fit.machine import Machine, machine_of
from agentlaunch.core.fit.memory import CacheType, RunSettings
from agentlaunch.core.fit.quality import Quality, quality_of, quant_loss, recommended_quants, usable_quants
from agentlaunch.core.fit.result import ModelFit, Recommendation
from agentlaunch.core.hardware import HardwareReport

ALTERNATIVES = 3
_COMFORTABLE_DECODE, _COMFORTABLE_PROMPT_SHARE, _COMFORTABLE_HEADROOM = 25.0, 0.5, 0.1
"""More bits than four are taken where they cost nothing that is felt: tokens a second, the first prompt's share of what
is usable, and the share of the budget that stays free."""
_CACHE_TYPES: tuple[CacheType, ...] = ("f16", "q8_0")
"""What we choose ourselves. Four bits of cache spoil tool calls; a user may still ask for them."""

_STANDARD = {"Q4_K_M": 0, "MXFP4": 0, "UD-Q4_K_XL": 1, "Q4_K_S": 2, "IQ4_XS": 3, "Q5_K_M": 4, "Q6_K": 5, "Q8_0": 6}
"""Where speed or room is short: what everybody publishes first, then what is a little smaller."""
_SLOTS = EngineParameters().slots
"""As engines are started: recurrent states and the windows' cells come once a slot, all else is shared."""
_SMALL_CONTEXTS = (16_384, 8_192)
"""Tried for a model that a person names when nothing larger fits: too small for most sessions, but it loads."""


class Knowledge(Struct, frozen=True):
    """The data that fit works from: models and efficiencies."""

    catalog: Catalog
    calibration: Calibration


def recommend(report: HardwareReport, knowledge: Knowledge, demand: Demand | None = None) -> Recommendation:
    """The best usable model for this machine and agent, and others worth a look, best first.

    Quality decides, then the window (64k before 32k), then speed; so a better machine never gets a worse model. The
    report's paper figures must be filled in (core/gpus).
    """
    demand = demand or Demand()
    machine = machine_of(report, knowledge.calibration)
    able = (pair for pair in _rated(knowledge.catalog) if pair[0].score >= demand.usable.quality)
    rated = sorted(able, key=lambda pair: -pair[0].score)
    found: list[tuple[Quality, Estimate]] = []
    for quality, model in rated:
        if len(found) > ALTERNATIVES and quality.score < found[ALTERNATIVES][0].score:
            break  # Even four bits cannot lift it among those that are shown.
        best = _best_of(model, machine, demand)
        if best is not None:
            found.append((_with_loss(quality, model, best.quant), best))
            found.sort(key=_rank, reverse=True)
    fits = tuple(_fit(one, quality, machine, demand) for quality, one in found[: ALTERNATIVES + 1])
    if not fits:
        return Recommendation(None, (), *_nothing(machine, demand))
    return Recommendation(fits[0], fits[1:], _reason(fits[0], machine, demand))


def recommendable(model: Model) -> bool:
    """Made for agents, calls tools, to be had as GGUF, of a sure architecture: no embedding, draft, partial entry."""
    return (
        model.role in {"agent", "small-agent"}
        and model.tool_calling is True
        and model.confidence in {"high", "medium"}
        and bool(model.quants)
        and bool(model.gguf or model.ollama)
    )


class Wanted(Struct, frozen=True):
    """What a person fixed: a quantisation's name, a context in tokens, a cache type. None: ours to choose."""

    quant: str | None = None
    context: int | None = None
    cache_type: CacheType | None = None


def fit_model(
    report: HardwareReport,
    model: Model,
    knowledge: Knowledge,
    wanted: Wanted | None = None,
    demand: Demand | None = None,
) -> ModelFit:
    """One model on this machine. What is not given is chosen: the best that fits, else the smallest that there is.

    An unknown quantisation counts as not given; the caller has checked it against the model's. Raises ValueError for a
    model without any quantisation (a partial entry).
    """
    demand, wanted = demand or Demand(), wanted or Wanted()
    machine = machine_of(report, knowledge.calibration)
    named = model.quant(wanted.quant) if wanted.quant else None
    quants = (named,) if named is not None else tuple(_quants(model, usable_quants())) or model.quants
    contexts = _wanted_contexts(model, demand) if wanted.context is None else (wanted.context,)
    cache_types = _CACHE_TYPES if wanted.cache_type is None else (wanted.cache_type,)
    tried = list(_estimates(model, quants, contexts, cache_types, (machine, demand)))
    if not tried:
        raise ValueError(f"no size is known of `{model.id}`")
    fitting = [one for one in tried if one.placement.kind != "none"]
    if fitting:
        chosen = max(fitting, key=lambda one: (*_is_usable_and_wide(one, demand), *_preference(one, demand)))
    else:
        chosen = max(tried, key=lambda one: one.placement.headroom_bytes)
    quality = _with_loss(quality_of(model, knowledge.catalog), model, chosen.quant)
    return _fit(chosen, quality, machine, demand)


def fit_table(
    report: HardwareReport, model: Model, knowledge: Knowledge, contexts: Iterable[int], demand: Demand | None = None
) -> list[ModelFit]:
    """Every quantisation at every context, with the cache as f16 where that fits, else q8_0."""
    longest = max(model.context_trained, 1)
    lengths = sorted({min(context, longest) for context in contexts})
    return [
        fit_model(report, model, knowledge, Wanted(quant.name, context), demand)
        for quant in model.quants
        for context in lengths
    ]


def _rated(catalog: Catalog) -> Iterator[tuple[Quality, Model]]:
    """Models to choose from. A release that another one replaces costs the same and is no better: it is left out."""
    candidates = [model for model in catalog.models.values() if recommendable(model)]
    replaced = {model.predecessor for model in candidates}
    for model in candidates:
        if model.id not in replaced:
            yield quality_of(model, catalog), model


def _with_loss(quality: Quality, model: Model, quant: Quant) -> Quality:
    loss = quant_loss(model, quant.name)
    if not loss:
        return quality
    return Quality(round(max(quality.score - loss, 0.0), 1), f"{quality.source}; less {loss:g} for {quant.name}")


def _quants(model: Model, names: Iterable[str]) -> Iterator[Quant]:
    for name in names:
        quant = model.quant(name)
        if quant is not None:
            yield quant


def _wanted_contexts(model: Model, demand: Demand) -> tuple[int, ...]:
    """What is tried for a model that a person names; never longer than it was trained for."""
    usual = _contexts(model, demand)
    return (*usual, *(context for context in _SMALL_CONTEXTS if context < min(usual)))


def _contexts(model: Model, demand: Demand) -> tuple[int, ...]:
    """The preferred window, what the model was trained for where that is less, and the least that is usable."""
    trained = model.context_trained or demand.usable.preferred_context
    wanted = (min(demand.usable.preferred_context, trained), min(demand.usable.context, trained))
    return tuple(dict.fromkeys(wanted))


def _estimates(
    model: Model,
    quants: Iterable[Quant],
    contexts: tuple[int, ...],
    cache_types: tuple[CacheType, ...],
    target: tuple[Machine, Demand],
) -> Iterator[Estimate]:
    machine, demand = target
    for quant in quants:
        for context in contexts:
            for cache_type in cache_types:
                settings = RunSettings(context, cache_type, parallel=_SLOTS)
                yield estimate(model, quant, settings, machine, demand)


def _best_of(model: Model, machine: Machine, demand: Demand) -> Estimate | None:
    """The best usable setting of one model, or None."""
    if model.context_trained < demand.usable.context:
        return None
    quants = [
        quant
        for quant in _quants(model, recommended_quants(model))
        if quant.file_bytes * model.shares.gpu <= machine.budget_bytes
    ]
    tried = _estimates(model, quants, _contexts(model, demand), _CACHE_TYPES, (machine, demand))
    usable = [one for one in tried if _is_usable(one, demand)]
    return max(usable, key=lambda one: _preference(one, demand), default=None)


def _is_usable(one: Estimate, demand: Demand) -> bool:
    usable, speed = demand.usable, one.speed
    return (
        one.placement.kind != "none"
        and one.settings.context >= usable.context
        and speed.decode.low >= usable.decode_tok_s
        and speed.first_prompt_s <= usable.first_prompt_s
    )


def _is_usable_and_wide(one: Estimate, demand: Demand) -> tuple[bool, bool]:
    return _is_usable(one, demand), one.settings.context >= min(demand.usable.context, one.model.context_trained)


def _preference(one: Estimate, demand: Demand) -> tuple[float, ...]:
    """Among settings of one model: least loss, longest window, the GPU alone, full cache, comfort, then bits."""
    headroom = one.placement.headroom_bytes / max(one.placement.budget_bytes, 1)
    comfortable = (
        one.speed.decode.middle >= _COMFORTABLE_DECODE
        and one.speed.first_prompt_s <= _COMFORTABLE_PROMPT_SHARE * demand.usable.first_prompt_s
        and headroom >= _COMFORTABLE_HEADROOM
    )
    on_gpu = one.placement.kind == "gpu"
    bits = one.quant.file_bytes if comfortable and on_gpu else -_STANDARD.get(one.quant.name, 9)
    return (
        -quant_loss(one.model, one.quant.name),
        min(one.settings.context, demand.usable.preferred_context),
        float(on_gpu),
        float(one.settings.cache_type == "f16"),
        float(comfortable),
        bits,
    )


def _rank(pair: tuple[Quality, Estimate]) -> tuple[float, int, str, float]:
    quality, one = pair
    return quality.score, one.settings.context, one.model.release_date, one.speed.decode.middle


def _fit(one: Estimate, quality: Quality, machine: Machine, demand: Demand) -> ModelFit:
    return ModelFit(
        model=one.model.id,
        name=one.model.name,
        quant=one.quant.name,
        context=one.settings.context,
        kv_type=one.settings.cache_type,
        placement=one.placement,
        speed=one.speed,
        max_context=max_context(one.model, one.quant, one.settings, machine),
        quality=quality,
        file_bytes=one.quant.file_bytes,
        why=sentences(one, machine, demand, quality),
    )


def _reason(best: ModelFit, machine: Machine, demand: Demand) -> str:
    place = {"gpu": "the GPU", "split": "the GPU and the CPU together"}.get(best.placement.kind, "the CPU")
    return (
        f"{best.name} is the best model that calls tools, keeps {best.context:,} tokens of context within "
        f"{gib(machine.budget_bytes)}, and is fast enough on {place}: {best.speed.decode.middle:.0f} tokens a second, "
        f"{best.speed.first_prompt_s:.0f} s for {demand.agent}'s first prompt."
    )


def _nothing(machine: Machine, demand: Demand) -> tuple[str, tuple[str, ...]]:
    usable = demand.usable
    reason = (
        f"No model that calls tools is usable here: with {gib(machine.budget_bytes)} for a model none keeps "
        f"{usable.context:,} tokens of context, writes {usable.decode_tok_s:g} tokens a second and reads "
        f"{demand.agent}'s first prompt of {demand.prompt_tokens:,} tokens within {usable.first_prompt_s:g} s."
    )
    return reason, (
        "A lean launch sends a much shorter prompt: `--lean`.",
        "An upstream runs the model elsewhere: `agentlaunch AGENT --upstream KIND=URL --model NAME`.",
        "Close programs that hold memory, or say what wait is fine for you.",
    )
