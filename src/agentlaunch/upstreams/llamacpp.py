"""llama.cpp's `llama-server`; it has a template and a tokenizer to ask, so token counts are exact."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind

KIND = UpstreamKind(name="llamacpp", wire="openai_chat", default_url="http://127.0.0.1:8080", counting="llama_cpp")
