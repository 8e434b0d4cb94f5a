"""LM Studio's local server."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind

KIND = UpstreamKind(name="lmstudio", wire="openai_chat", default_url="http://127.0.0.1:1234")
