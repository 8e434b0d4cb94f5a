"""Finished requests for tests: one good row, changed by field."""

from __future__ import annotations

import msgspec

from agentlaunch.core.metering import RequestRecord

NOON = 1_795_600_000.0
"""A moment of 2026-11-25, UTC."""

ROW = RequestRecord(
    time=NOON,
    session="s1",
    agent="claude",
    project="/home/me/app",
    route="main",
    upstream="llamacpp",
    model="qwen3-coder",
    attempts=1,
    status="ok",
    tokens_in=1000,
    tokens_cached=800,
    tokens_out=50,
    first_byte_ms=120.5,
    total_ms=2120.25,
    mended=1,
    cost_usd=0.25,
    reference_cost_usd=1.0,
    decode_tok_s=24.5,
)


def row(**changes: object) -> RequestRecord:
    """ROW with these fields in place of its own."""
    return msgspec.structs.replace(ROW, **changes)
