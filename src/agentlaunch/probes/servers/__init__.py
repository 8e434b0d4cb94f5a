"""Model servers that somebody else runs on this machine: one file a make, told apart by what they answer."""

from __future__ import annotations

SERVERS: dict[str, str] = {
    "lmstudio": "agentlaunch.probes.servers.lmstudio:KIND",
    "llamacpp-server": "agentlaunch.probes.servers.llamacpp:KIND",
    "vllm": "agentlaunch.probes.servers.vllm:KIND",
    "mlx": "agentlaunch.probes.servers.mlx:KIND",
    "jan": "agentlaunch.probes.servers.jan:KIND",
    "koboldcpp": "agentlaunch.probes.servers.koboldcpp:KIND",
    "textgen": "agentlaunch.probes.servers.textgen:KIND",
    "localai": "agentlaunch.probes.servers.localai:KIND",
    "docker": "agentlaunch.probes.servers.docker:KIND",
}
"""What `--runtime` calls a server -> where its kind stands; the order in which a model is looked for."""
