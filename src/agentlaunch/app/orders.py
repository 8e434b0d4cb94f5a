"""What the user ordered, as data."""

from __future__ import annotations

from dataclasses import dataclass

from agentlaunch.core.engine import KVType  # at run time: msgspec reads ModelOrder
from agentlaunch.probes.servers import SERVERS

LLAMA_RUNTIMES = ("llamacpp", "llama-server", "embedded")
"""What `--runtime` may say of llama.cpp; the first means the better of the other two."""
KNOWN_RUNTIMES = (*LLAMA_RUNTIMES, "ollama", *SERVERS)


@dataclass(frozen=True)
class ModelOrder:
    """Which model, where it runs, with what window (tokens) and KV cache; None of these: the machine decides.

    `upstream` is KIND=URL, a stored name, a kind or empty; `runtime` is one of KNOWN_RUNTIMES, or empty: the one that
    has the model. `quant` is empty: any that is here, else the one that fits best. An empty `model` is the one that
    the server `runtime` has loaded. `policy` is empty for the one that the settings choose; `fallbacks` are upstreams
    as NAME or NAME/MODEL.
    """

    model: str
    context: int | None = None
    kv: KVType | None = None
    upstream: str = ""
    key_variable: str = ""
    runtime: str = ""
    quant: str = ""
    policy: str = ""
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class LaunchOrder:
    """One launch. `lean` None: the window decides. `mcp` is a file of MCP servers and `skills` a folder of skills for
    the agent, absolute; empty for none."""

    agent: str
    model: ModelOrder
    lean: bool | None = None
    arguments: tuple[str, ...] = ()
    idle_seconds: int | None = None
    yes: bool = False
    force: bool = False
    mcp: str = ""
    skills: str = ""


@dataclass(frozen=True)
class ModelFlags:
    """The flags of every command that runs a model; None is a flag that was not given."""

    model: str | None = None
    context: int | None = None
    kv: str | None = None
    runtime: str | None = None
    upstream: str | None = None
    key_variable: str | None = None
    quant: str | None = None
    policy: str | None = None
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class LaunchFlags:
    """The flags of a launch that are not about the model."""

    lean: bool | None = None
    yes: bool = False
    force: bool = False
    mcp: str | None = None
    skills: str | None = None
