"""Anthropic's own API."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind

KIND = UpstreamKind(name="anthropic", wire="anthropic_messages", default_url="https://api.anthropic.com")
