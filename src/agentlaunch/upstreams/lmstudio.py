"""LM Studio's local server; its own list tells which window a model is loaded with."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind
from agentlaunch.upstreams.listing import Listing

KIND = UpstreamKind(
    name="lmstudio",
    wire="openai_chat",
    default_url="http://127.0.0.1:1234",
    listings=(Listing("/api/v0/models", "agentlaunch.upstreams.models_lmstudio:read_own"), Listing("/v1/models")),
)
