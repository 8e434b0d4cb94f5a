"""An installed llama-server as a runtime: its command line, and the host that starts it through our keeper."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from agentlaunch.core.engine import EngineParameters, EngineSpec
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp import LlamaCppHost
from agentlaunch.runtimes.llama_runner import Handover, Runner
from agentlaunch.runtimes.llama_server_child import ServerSpec

RUNTIME = "llama_server"
KEEPER_COMMAND = (sys.executable, "-P", "-m", "agentlaunch.runtimes.llama_server_child")


def server_spec(spec: EngineSpec, handover: Handover) -> ServerSpec:
    """What the keeper reads. Flags as `llama-server --help` lists them; of `optional` an unknown one is left out."""
    parameters = spec.parameters
    return {
        "program": spec.program,
        "arguments": [
            *("--model", str(Path(spec.model_path).absolute())),
            *("--alias", spec.alias),
            *("--host", "127.0.0.1", "--port", "0"),
            *("--ctx-size", str(spec.context_window)),
            *("--parallel", str(parameters.slots)),
            *("--cache-type-k", spec.kv_type, "--cache-type-v", spec.kv_type),
            *_slots(handover),
            "--jinja",
            "--metrics",
        ],
        "optional": [
            ["--kv-unified"],
            ["--slots"],
            ["--no-context-shift"],
            ["--cache-ram", str(parameters.host_cache_mib)],
            ["--cache-idle-slots" if parameters.host_cache_mib else "--no-cache-idle-slots"],
            ["--ctx-checkpoints", str(parameters.checkpoints)],
            ["--cors-origins", ""],
            ["--no-webui"],
            ["--offline"],
            ["--log-colors", "off"],
            *_flash_attention(parameters),
            *_placement(parameters),
        ],
        "key": handover.key,
        "parent": handover.parent,
    }


def _slots(handover: Handover) -> list[str]:
    if not handover.slots_folder:
        return []
    # With a separator at its end: llama.cpp puts the file's name right behind it.
    return ["--slot-save-path", os.path.join(handover.slots_folder, "")]  # noqa: PTH118 - a Path drops the separator


def _flash_attention(parameters: EngineParameters) -> list[list[str]]:
    """Nothing for `auto`, which is the default: builds before August 2025 know the flag without a value alone."""
    return [] if parameters.flash_attention == "auto" else [["--flash-attn", parameters.flash_attention]]


def _placement(parameters: EngineParameters) -> list[list[str]]:
    """Planned layers as they are; else all that fits on the GPU, as llama.cpp measures it with the whole context."""
    if parameters.gpu_layers is None:
        return [["--fit", "on"]]
    experts = [["--n-cpu-moe", str(parameters.cpu_expert_layers)]] if parameters.cpu_expert_layers else []
    return [["--fit", "off"], ["--n-gpu-layers", str(parameters.gpu_layers)], *experts]


def _missing(said: str) -> MachineError:
    return MachineError(
        "runtime-missing",
        f"llama-server does not start: `{said}`",
        "see which llama.cpp is there: agentlaunch runtime; or use the embedded one: --runtime embedded",
    )


LLAMA_SERVER = Runner(KEEPER_COMMAND, server_spec, lambda: "llama-server", _missing, "see: agentlaunch runtime")


def make_host(logs: Path, environment: Mapping[str, str]) -> LlamaCppHost:
    """The host of installed llama-servers: everything else is as with the embedded llama.cpp."""
    return LlamaCppHost(logs, environment, runner=LLAMA_SERVER)
