"""How well a model does an agent's work, from what others than its maker measured where anyone did."""

from __future__ import annotations

import math

from msgspec import Struct

from agentlaunch.core.catalog import Catalog, Model, Score

_OTHERS = frozenset({"independent", "third-party"})
_BENCHMARK = "SWE-bench Verified"

# An aggregator's score in SWE-bench Verified's terms: least squares over the models that have both.
_AGGREGATE_BASE, _AGGREGATE_SLOPE = 50.0, 4.0
MAKER_SHARE = 0.7
"""What counts of a score that rests on the maker's own tests: near the lower quartile of others' figure over the
maker's (0.56 to 0.94 for the models with both; the maker's is not wrong, it is the best harness and the best day)."""
SIZE_ONLY_CAP = 30.0
"""The most that a model without any score is credited with."""
_SIZE_SLOPE = 8.0

# Points lost against four bits and more: our reading of quantisers' perplexity and agent tests, no measurement of ours.
# Three bits cost a small model much more than a mixture of over 100 billion parameters.
_QUANT_LOSS = {"Q3_K_M": 5.0, "UD-Q3_K_XL": 5.0, "IQ3_XXS": 5.0, "Q2_K": 12.0}
_LARGE_PARAMETERS, _LARGE_SHARE = 100e9, 0.5
_FOUR_BITS_AND_MORE = ("Q8_0", "Q6_K", "Q5_K_M", "UD-Q4_K_XL", "Q4_K_M", "MXFP4", "Q4_K_S", "IQ4_XS")
_THREE_BITS = ("Q3_K_M", "IQ3_XXS")


class Quality(Struct, frozen=True):
    """A score on SWE-bench Verified's scale, 0 to 100, and in words where it comes from."""

    score: float
    source: str


def quality_of(model: Model, catalog: Catalog) -> Quality:
    """The model's score: others' measurement, else an aggregator's, else the maker's less a discount, else its size.

    A release is at least as good as the one it replaces (same maker, architecture and size).
    """
    own = _own(model)
    earlier = catalog.models.get(model.predecessor or "")
    if earlier is None:
        return own
    inherited = quality_of(earlier, catalog)
    if inherited.score <= own.score:
        return own
    source = (
        inherited.source if inherited.source.startswith("at least") else f"at least {earlier.name}: {inherited.source}"
    )
    return Quality(inherited.score, source)


def quant_loss(model: Model, quant: str) -> float:
    """Points that this quantisation costs the model against four bits and more."""
    share = _LARGE_SHARE if model.parameters > _LARGE_PARAMETERS else 1.0
    return _QUANT_LOSS.get(quant, 0.0) * share


def recommended_quants(model: Model) -> tuple[str, ...]:
    """Quantisations worth recommending, most bits first: those that nearly every model has and llama.cpp loads.

    Three bits only where the model is large enough to bear them.
    """
    return _FOUR_BITS_AND_MORE + (_THREE_BITS if model.parameters > _LARGE_PARAMETERS else ())


def usable_quants() -> tuple[str, ...]:
    """Quantisations that are tried when a person names the model, most bits first."""
    return (*_FOUR_BITS_AND_MORE, *_THREE_BITS)


def _own(model: Model) -> Quality:
    others = [score for score in model.scores if score.kind in _OTHERS and score.benchmark == _BENCHMARK]
    if others:
        mean = sum(score.score for score in others) / len(others)
        return Quality(round(mean, 1), f"{_BENCHMARK}, {_sources(others)}")
    tested = any(score.kind in _OTHERS or score.kind == "rival-vendor" for score in model.scores)
    if model.aggregate is not None:
        score = max(model.aggregate - _AGGREGATE_BASE, 0.0) * _AGGREGATE_SLOPE * (1.0 if tested else MAKER_SHARE)
        basis = "" if tested else ", on the maker's own tests"
        return Quality(round(score, 1), f"whatmodel {model.aggregate:g}{basis}")
    makers = [score.score for score in model.scores if score.kind == "maker" and score.benchmark == _BENCHMARK]
    if makers:
        return Quality(round(max(makers) * MAKER_SHARE, 1), f"{_BENCHMARK}, maker's own {max(makers):g}, discounted")
    # A mixture is worth a dense model of the geometric mean of its sizes.
    size = math.sqrt(model.parameters * model.active_parameters) / 1e9
    score = min(_SIZE_SLOPE * math.log2(max(size, 1.0)), SIZE_ONLY_CAP)
    return Quality(round(score, 1), "no score published: judged by size")


def _sources(scores: list[Score]) -> str:
    """Who measured, in a few words: a page's address says less than its project."""
    return ", ".join(dict.fromkeys(_who(score) for score in scores))


def _who(score: Score) -> str:
    if "whatmodel" in score.source:
        return "third party (whatmodel)"
    if "OpenHands" in score.source:
        return "OpenHands Index"
    return f"{score.kind}, {score.source[:40]}"
