"""What serves a local model; `RUNTIMES` is their table."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from agentlaunch.core.engine import EngineHost

RUNTIMES: dict[str, str] = {
    "llama_cpp": "agentlaunch.runtimes.llama_cpp:LlamaCppHost",
    "llama_server": "agentlaunch.runtimes.llama_server:make_host",
    "ollama": "agentlaunch.runtimes.ollama:OllamaHost",
}
"""Runtime -> its host, a class or a function, made from the folder for logs and the environment."""


def load_host(name: str, logs: Path, environment: Mapping[str, str]) -> EngineHost:
    """The host of the runtime called `name`. Raises KeyError for a name that is not in `RUNTIMES`."""
    module, _, attribute = RUNTIMES[name].partition(":")
    host: EngineHost = getattr(import_module(module), attribute)(logs, environment)
    return host
