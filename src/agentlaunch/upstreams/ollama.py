"""Ollama, over its own API: its `/v1` ignores the window and `think`, and cuts prompts at 4096 tokens (report B168)."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind
from agentlaunch.upstreams.listing import Listing

KIND = UpstreamKind(
    name="ollama",
    wire="ollama_chat",
    default_url="http://127.0.0.1:11434",
    listings=(Listing("/api/tags", "agentlaunch.upstreams.models_ollama:read_tags"),),
)
