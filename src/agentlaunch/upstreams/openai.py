"""OpenAI's API, and any server that speaks its chat completions."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind

KIND = UpstreamKind(
    name="openai",
    wire="openai_chat",
    default_url="https://api.openai.com",
    key_variable="OPENAI_API_KEY",
    # `max_tokens` "is now deprecated in favor of max_completion_tokens, and is not compatible with o-series models"
    # (OpenAI API reference, Create chat completion); every model of theirs takes the newer name.
    limit_field="max_completion_tokens",
)
