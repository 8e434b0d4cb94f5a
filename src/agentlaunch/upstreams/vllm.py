"""vLLM's OpenAI-compatible server; its list of models tells `max_model_len`, the window that it was started with."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind

KIND = UpstreamKind(name="vllm", wire="openai_chat", default_url="http://127.0.0.1:8000")
