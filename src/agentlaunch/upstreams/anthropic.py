"""Anthropic's own API. Its list of models tells the window; prices stand on its pricing page alone."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind
from agentlaunch.upstreams.listing import Listing

KIND = UpstreamKind(
    name="anthropic",
    wire="anthropic_messages",
    default_url="https://api.anthropic.com",
    listings=(Listing("/v1/models?limit=1000"),),
    key_variable="ANTHROPIC_API_KEY",
)
