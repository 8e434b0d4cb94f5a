"""vLLM's OpenAI-compatible server."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind

KIND = UpstreamKind(name="vllm", wire="openai_chat", default_url="http://127.0.0.1:8000")
