"""What is reached over HTTP and not ours to start; `UPSTREAMS` is their table."""

from __future__ import annotations

UPSTREAMS: dict[str, str] = {
    "anthropic": "agentlaunch.upstreams.anthropic:KIND",
    "litellm": "agentlaunch.upstreams.litellm:KIND",
    "llamacpp": "agentlaunch.upstreams.llamacpp:KIND",
    "lmstudio": "agentlaunch.upstreams.lmstudio:KIND",
    "ollama": "agentlaunch.upstreams.ollama:KIND",
    "openai": "agentlaunch.upstreams.openai:KIND",
    "openrouter": "agentlaunch.upstreams.openrouter:KIND",
    "vllm": "agentlaunch.upstreams.vllm:KIND",
}
