"""What a local engine is asked to be, and how the shim asks for it; `runtimes` provides the real thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from agentlaunch.core.endpoint import Endpoint

KVType = Literal["f16", "q8_0", "q4_0"]


@dataclass(frozen=True)
class EngineSpec:
    """One model as it is to be loaded. `context_window` in tokens; equal specs share one engine.

    `runtime` is a name in `runtimes.RUNTIMES`; `model_path` is what that runtime calls the model: a file for llama.cpp,
    a name with its tag for Ollama. `address` is the URL of the runtime's server, empty for its usual place, and
    `authorization` the header's value for it: they come with each launch, since a shim outlives the variables of the
    terminal that it was started from.
    """

    model_path: str
    alias: str
    context_window: int
    kv_type: KVType = "f16"
    runtime: str = "llama_cpp"
    address: str = ""
    authorization: str = field(default="", repr=False)


@dataclass(frozen=True)
class EngineStatus:
    """A running engine, for `status`. `state` is `loading`, `ready` or `stopped: REASON`."""

    alias: str
    model_path: str
    pid: int
    state: str
    context_window: int
    log_path: str
    kv_type: KVType = "f16"


class EngineHost(Protocol):
    """Starts engines, watches them and stops them. Async: called from the shim's loop."""

    async def ensure(self, spec: EngineSpec) -> Endpoint:
        """The endpoint of a ready engine for `spec`, started when it is not running. Raises AgentlaunchError."""
        ...

    async def release(self, spec: EngineSpec) -> None:
        """No session uses `spec` any more: stop its engine."""
        ...

    def running(self) -> tuple[EngineStatus, ...]:
        """Every engine that this host has started and not stopped."""
        ...

    async def close(self) -> None:
        """Stop everything."""
        ...
