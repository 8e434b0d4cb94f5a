"""Ollama, over its OpenAI-compatible `/v1`; its own API, with the window per request, is not used here yet."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind

KIND = UpstreamKind(name="ollama", wire="openai_chat", default_url="http://127.0.0.1:11434")
