"""OpenAI's API, and any server that speaks its chat completions."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind

KIND = UpstreamKind(name="openai", wire="openai_chat", default_url="https://api.openai.com")
