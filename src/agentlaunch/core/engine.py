"""What a local engine is asked to be, and how the shim asks for it; `runtimes` provides the real thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from agentlaunch.core.endpoint import Endpoint

KVType = Literal["f16", "q8_0", "q4_0"]

FlashAttention = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class EngineParameters:
    """How llama.cpp places a model and what it may keep beside it; made from the fit's plan (core/fit/parameters).

    `gpu_layers` None leaves the placement to llama.cpp, which measures the devices when it loads. The experts of the
    first `cpu_expert_layers` layers stay in host memory. `host_cache_mib` bounds the copies of whole prompts in host
    memory, and `checkpoints` the states that a slot of a model with windows or recurrence keeps of its prompt.

    Two `slots`, the second for what an agent asks beside its conversation: a title, a subagent; `core.fit.parameters`
    gives a third where it is free. All share one KV cache of the whole window, so more cost no memory but where windows
    or recurrence keep a state of each, and any may fill all of it: llama.cpp then clears others.
    Measured with a title between two turns: 2,593 of 2,616 tokens of the conversation stayed cached. The host cache
    would copy whole states instead, in memory that no fit has counted, and drops those larger than its limit.
    """

    gpu_layers: int | None = None
    cpu_expert_layers: int = 0
    flash_attention: FlashAttention = "auto"
    slots: int = 2
    host_cache_mib: int = 0
    checkpoints: int = 8


@dataclass(frozen=True)
class MemoryPlan:
    """What an engine takes, as its launch has planned, and what all models together may take there. Bytes.

    Unified memory counts as host memory.
    """

    gpu_bytes: int
    host_bytes: int
    gpu_capacity_bytes: int
    host_capacity_bytes: int


@dataclass(frozen=True)
class EngineSpec:
    """One model as it is to be loaded. `context_window` in tokens; equal specs share one engine.

    `runtime` is a name in `runtimes.RUNTIMES`; `model_path` is what that runtime calls the model: a file for llama.cpp,
    a name with its tag for Ollama. `address` is the URL of the runtime's server, empty for its usual place, and
    `authorization` the header's value for it: they come with each launch, since a shim outlives the variables of the
    terminal that it was started from. So does `program`, the path of the `llama-server` that the launch has found.

    `smallest_window`, in tokens, is the least that the session's agent can work with: when memory runs out the engine
    is started again with less than planned, never below this; 0 allows no step at all. Neither it nor `parameters` nor
    `memory` (None: not known, or forced) tells engines apart: a plan made while the engine runs finds less memory free,
    and must not load the model twice.
    """

    model_path: str
    alias: str
    context_window: int
    kv_type: KVType = "f16"
    runtime: str = "llama_cpp"
    address: str = ""
    authorization: str = field(default="", repr=False)
    program: str = ""
    parameters: EngineParameters = field(default=EngineParameters(), compare=False)
    smallest_window: int = field(default=0, compare=False)
    memory: MemoryPlan | None = field(default=None, compare=False)


@dataclass(frozen=True)
class EngineStatus:
    """A running engine, for `status`. `state` is `loading`, `ready` or `stopped: REASON`; `note` is for the user."""

    alias: str
    model_path: str
    pid: int
    state: str
    context_window: int
    log_path: str
    kv_type: KVType = "f16"
    note: str = ""


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
