"""The embedded llama.cpp, as the package xllamacpp brings it: how its child is started and what it is told."""

from __future__ import annotations

import sys
from pathlib import Path

from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp_child import ChildSpec
from agentlaunch.runtimes.llama_package import package_version
from agentlaunch.runtimes.llama_runner import Handover, Runner

CHILD_COMMAND = (sys.executable, "-P", "-m", "agentlaunch.runtimes.llama_cpp_child")
INSTALL_COMMAND = "pip install 'agentlaunch[llamacpp]'"


def child_spec(spec: EngineSpec, handover: Handover) -> ChildSpec:
    """What the child reads."""
    parameters = spec.parameters
    return {
        "model_path": str(Path(spec.model_path).absolute()),
        "alias": spec.alias,
        "context_window": spec.context_window,
        "kv_type": spec.kv_type,
        "gpu_layers": -1 if parameters.gpu_layers is None else parameters.gpu_layers,
        "cpu_expert_layers": parameters.cpu_expert_layers,
        "flash_attention": parameters.flash_attention,
        "slots": parameters.slots,
        "host_cache_mib": parameters.host_cache_mib,
        "checkpoints": parameters.checkpoints,
        "key": handover.key,
        "parent": handover.parent,
        "slots_folder": handover.slots_folder,
    }


def _missing(said: str) -> MachineError:
    return MachineError(
        "runtime-missing",
        f"llama.cpp is not installed: `{said or 'xllamacpp'}`",
        f"install it: {INSTALL_COMMAND}, or with pipx: pipx inject agentlaunch xllamacpp",
    )


EMBEDDED = Runner(CHILD_COMMAND, child_spec, package_version, _missing, "pip install --upgrade xllamacpp")
