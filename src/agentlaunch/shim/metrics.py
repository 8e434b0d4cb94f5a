"""GET /metrics: the traffic's sums in Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from agentlaunch.core.traffic_totals import FIRST_BYTE_BOUNDS_S, Histogram, TrafficTotals

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""As prometheus.io/docs/instrumenting/exposition_formats asks. No client library: a few dozen lines against a package
with a registry, threads and a server of its own on the shim's start-up path."""

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def metrics_text(totals: TrafficTotals, active: int, lost: int) -> str:
    """The whole answer. `active` requests run now; `lost` rows could not be kept."""
    lines = [
        *_family("requests_total", "counter", "Requests that are over."),
        *_counts("requests_total", ("upstream", "model", "status"), totals.requests.items()),
        *_family("tokens_total", "counter", "Tokens: whole prompts, the part from a cache, answers."),
        *_counts("tokens_total", ("upstream", "kind"), totals.tokens.items()),
        *_family("first_byte_seconds", "histogram", "From a request to the first content of its answer."),
        *(line for upstream, histogram in totals.first_byte.items() for line in _buckets(upstream, histogram)),
        *_single("failovers_total", "counter", "Attempts beyond a request's first.", totals.failovers),
        *_single("mended_total", "counter", "Repairs of what models answered.", totals.mended),
        *_single("cost_usd_total", "counter", "US dollars at list prices.", totals.cost_usd),
        *_single("active_requests", "gauge", "Requests that run now.", active),
        *_single("lost_rows_total", "counter", "Requests that the usage file did not take.", lost),
    ]
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP agentlaunch_{name} {meaning}"
    yield f"# TYPE agentlaunch_{name} {kind}"


def _single(name: str, kind: str, meaning: str, value: float) -> Iterator[str]:
    yield from _family(name, kind, meaning)
    yield f"agentlaunch_{name} {value}"


def _counts(name: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], int]]) -> Iterator[str]:
    for key, value in values:
        yield f"agentlaunch_{name}{_labelled(labels, key)} {value}"


def _buckets(upstream: str, histogram: Histogram) -> Iterator[str]:
    bounds = (*(f"{bound}" for bound in FIRST_BYTE_BOUNDS_S), "+Inf")
    counts = list(accumulate(histogram.buckets))
    for bound, count in zip(bounds, counts, strict=True):
        yield f"agentlaunch_first_byte_seconds_bucket{_labelled(('upstream', 'le'), (upstream, bound))} {count}"
    yield f"agentlaunch_first_byte_seconds_sum{_labelled(('upstream',), (upstream,))} {histogram.sum_s}"
    yield f"agentlaunch_first_byte_seconds_count{_labelled(('upstream',), (upstream,))} {counts[-1]}"


def _labelled(labels: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = (f'{label}="{value.translate(_ESCAPES)}"' for label, value in zip(labels, values, strict=True))
    return "{" + ",".join(pairs) + "}"
