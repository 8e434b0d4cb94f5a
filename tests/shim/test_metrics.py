"""/metrics, read by the parser of Prometheus' own client."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from tests.doubles.usage_rows import ROW, row

from agentlaunch.core.traffic_totals import FIRST_BYTE_BOUNDS_S, TrafficTotals
from agentlaunch.shim.metrics import metrics_text

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> tuple[Samples, dict[str, str]]:
    families = list(text_string_to_metric_families(text))
    samples = {
        (each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples
    }
    return samples, {family.name: family.type for family in families}


def test_the_parser_finds_every_figure_with_its_type() -> None:
    totals = TrafficTotals()
    totals.add(ROW)
    totals.add(row(status="timeout", attempts=2, first_byte_ms=700_000.0))
    samples, types = parsed(metrics_text(totals, active=4, lost=5))
    assert types == {
        "agentlaunch_requests": "counter",
        "agentlaunch_tokens": "counter",
        "agentlaunch_first_byte_seconds": "histogram",
        "agentlaunch_failovers": "counter",
        "agentlaunch_mended": "counter",
        "agentlaunch_cost_usd": "counter",
        "agentlaunch_active_requests": "gauge",
        "agentlaunch_lost_rows": "counter",
    }
    upstream = ("upstream", "llamacpp")
    model = ("model", "qwen3-coder")
    buckets = {
        ("agentlaunch_first_byte_seconds_bucket", frozenset({upstream, ("le", str(bound))})): float(bound >= 0.1205)
        for bound in FIRST_BYTE_BOUNDS_S
    }
    assert samples == {
        ("agentlaunch_requests_total", frozenset({upstream, model, ("status", "ok")})): 1.0,
        ("agentlaunch_requests_total", frozenset({upstream, model, ("status", "timeout")})): 1.0,
        ("agentlaunch_tokens_total", frozenset({upstream, ("kind", "input")})): 2000.0,
        ("agentlaunch_tokens_total", frozenset({upstream, ("kind", "cached")})): 1600.0,
        ("agentlaunch_tokens_total", frozenset({upstream, ("kind", "output")})): 100.0,
        **buckets,
        ("agentlaunch_first_byte_seconds_bucket", frozenset({upstream, ("le", "+Inf")})): 2.0,
        ("agentlaunch_first_byte_seconds_sum", frozenset({upstream})): 700.1205,
        ("agentlaunch_first_byte_seconds_count", frozenset({upstream})): 2.0,
        ("agentlaunch_failovers_total", frozenset()): 1.0,
        ("agentlaunch_mended_total", frozenset()): 2.0,
        ("agentlaunch_cost_usd_total", frozenset()): 0.5,
        ("agentlaunch_active_requests", frozenset()): 4.0,
        ("agentlaunch_lost_rows_total", frozenset()): 5.0,
    }


def test_a_shim_that_has_served_nothing_has_metrics_too() -> None:
    samples, _ = parsed(metrics_text(TrafficTotals(), 0, 0))
    assert samples[("agentlaunch_active_requests", frozenset())] == 0.0


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_name_of_an_upstream_or_model_breaks_the_format(upstream: str, model: str) -> None:
    totals = TrafficTotals()
    totals.add(row(upstream=upstream, model=model))
    samples, _ = parsed(metrics_text(totals, 0, 0))
    expected = frozenset({("upstream", upstream), ("model", model), ("status", "ok")})
    assert samples[("agentlaunch_requests_total", expected)] == 1.0
