"""Snapdragon X: Adreno graphics in the system's own memory."""

from __future__ import annotations

import re

from agentlaunch.probes.base import Findings, ProbeResult
from agentlaunch.probes.integrated import unified_gpu
from agentlaunch.probes.memory import read_memory
from agentlaunch.probes.registry import CPU_KEY, query_registry
from agentlaunch.system.machine import Machine


class QualcommProbe:
    """The GPU of a Snapdragon X."""

    name = "qualcomm"
    title = "the Snapdragon GPU"
    limit_s = 3.0

    def probe(self, machine: Machine) -> ProbeResult:
        """The processor's name tells the GPU's; nothing on another architecture."""
        if machine.arch != "arm64":
            return Findings()
        name = adreno_name(_processor(machine))
        if not name:
            return Findings()
        memory = read_memory(machine)
        # Windows shares half of the memory: 7,987 MB of 16 GB in dxdiag (basharast/RetrixGold 17)
        return Findings(gpus=(unified_gpu(name, "qualcomm", memory.total_bytes // 2, memory.available_bytes),))


def adreno_name(processor: str) -> str:
    """The Adreno in a Snapdragon, by its part number (`X1E-80-100`, `X1P64100`, `x1e80100`); empty for another one.

    X1E and X1P-6x have the X1-85, X1P-4x and X1-26 the X1-45; X2E-9x the X2-90, X2E-8x the X2-85 (Qualcomm's briefs).
    """
    found = re.search(r"\bX([12])([EP]?)-?(\d\d)", processor, re.IGNORECASE)
    if not found:
        return ""
    generation, tier, number = found[1], found[2].upper(), int(found[3])
    if generation == "2":
        return "Qualcomm Adreno X2-90" if tier == "E" and number >= 90 else "Qualcomm Adreno X2-85"
    return "Qualcomm Adreno X1-85" if tier == "E" or number >= 60 else "Qualcomm Adreno X1-45"


def _processor(machine: Machine) -> str:
    """The registry's name of the processor, or the device tree's `compatible` on Linux (`qcom,x1e80100`)."""
    if machine.os == "windows":
        keys = query_registry(machine, CPU_KEY)
        name = keys[0].values.get("ProcessorNameString", "") if keys else ""
        return name if "Snapdragon" in name else ""
    compatible = (machine.read_text("/proc/device-tree/compatible") or "").split("\x00")
    return next((word.removeprefix("qcom,") for word in compatible if word.startswith("qcom,x")), "")
