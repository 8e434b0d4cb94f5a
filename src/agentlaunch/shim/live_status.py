"""What the shim shows of its traffic while it runs, as plain data: `top`, the web page and /metrics are made of it."""

from __future__ import annotations

from typing import Literal

import msgspec

Phase = Literal["waiting", "answering"]
"""A request before and after its first content."""


class ActiveRequest(msgspec.Struct, frozen=True):
    """One request that runs. Seconds since its start; `tokens_out` counts pieces until the usage is told."""

    number: int
    session: str
    agent: str
    project: str
    route: str
    upstream: str
    model: str
    attempts: int
    phase: Phase
    seconds: float
    tokens_out: int
    decode_tok_s: float | None


class SessionTraffic(msgspec.Struct, frozen=True):
    """What one session has used since it began. `context_tokens` is the last request's prompt and answer together."""

    session: str
    agent: str
    model: str
    project: str
    requests: int
    active: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    context_tokens: int
    context_window: int
    cost_usd: float
    decode_tok_s: float | None
    last_at: float
    """Unix seconds of the last request's start."""


class Flow(msgspec.Struct, frozen=True):
    """One way that requests take, agent to route to upstream, since the shim began."""

    agent: str
    route: str
    upstream: str
    model: str
    active: int
    requests: int
    failed: int
    tokens: int


class EngineActivity(msgspec.Struct, frozen=True):
    """What one slot of an engine of ours does, as llama.cpp's GET /slots tells it; `prompt_tokens` 0 if unknown."""

    engine: str
    slot: int
    state: Literal["idle", "prefill", "decode"]
    prompt_tokens: int
    prompt_done: int
    decoded: int
    context_window: int


class LiveStatus(msgspec.Struct, frozen=True):
    """The whole picture. `at` in Unix seconds; money in US dollars; `lost` are rows that the meter could not keep."""

    at: float
    started_at: float
    active: tuple[ActiveRequest, ...]
    sessions: tuple[SessionTraffic, ...]
    flows: tuple[Flow, ...]
    engines: tuple[EngineActivity, ...]
    requests: int
    spent_day_usd: float
    lost: int
