"""OpenRouter."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind

KIND = UpstreamKind(name="openrouter", wire="openai_chat", default_url="https://openrouter.ai/api")
