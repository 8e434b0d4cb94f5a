"""KFD's topology, as AMD's compute driver shows it in sysfs: which nodes are GPUs, and how large."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentlaunch.probes.base import ProbeFailed
from agentlaunch.system.machine import Machine

KFD_FOLDER = "/sys/class/kfd/kfd/topology/nodes"
_AMD = 4098


@dataclass(frozen=True)
class KfdNode:
    """One GPU node. `device` is its PCI id; `cpu_cores` is above 0 where an APU is one node with its processor."""

    device: int
    compute_units: int
    cpu_cores: int


def read_kfd(machine: Machine) -> tuple[KfdNode, ...]:
    """The GPU nodes; processors are nodes too and are left out (report B191)."""
    texts = (machine.read_text(f"{KFD_FOLDER}/{name}/properties") for name in machine.list_folder(KFD_FOLDER))
    nodes = (parse_kfd_properties(text or "") for text in texts)
    return tuple(node for node in nodes if isinstance(node, KfdNode))


def parse_kfd_properties(text: str) -> KfdNode | ProbeFailed:
    """A node's `properties`: one `name number` a line. A node without SIMD units is a processor."""
    values = {name: int(number) for name, number in re.findall(r"^(\w+) (\d{1,20})$", text, re.MULTILINE)}
    simds, device = values.get("simd_count", 0), values.get("device_id", 0)
    if not simds or not device or values.get("vendor_id") != _AMD:
        return ProbeFailed("This node of KFD's topology is not a GPU.")
    return KfdNode(device, simds // max(1, values.get("simd_per_cu", 1)), values.get("cpu_cores_count", 0))
