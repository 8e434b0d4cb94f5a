"""No text makes a parser raise: what it cannot read is not told, or is ProbeFailed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.probes.recorded import CAPTURED, captured

from agentlaunch.core.hardware import Gpu
from agentlaunch.probes.amd_kfd import KfdNode, parse_kfd_properties
from agentlaunch.probes.amd_names import parse_amdgpu_ids
from agentlaunch.probes.amd_rocm_smi import parse_rocm_smi
from agentlaunch.probes.apple import parse_apple
from agentlaunch.probes.base import ProbeFailed, parse_integer
from agentlaunch.probes.cpu import CpuInfo, clean_cpu_name, parse_cpu_max, parse_cpuinfo, parse_sysctl
from agentlaunch.probes.intel import parse_resource
from agentlaunch.probes.memory import CgroupPaths, ancestors, parse_cgroup, parse_limit, parse_stat, zfs_cache_bytes
from agentlaunch.probes.nvidia_smi import parse_mebibytes, parse_nvidia_list, parse_nvidia_smi
from agentlaunch.probes.pci import parse_pci_ids, parse_uevent_driver
from agentlaunch.probes.qualcomm import adreno_name
from agentlaunch.probes.registry import parse_registry
from agentlaunch.probes.windows import class_adapters, directx_adapters

FILES = sorted(path.name for path in CAPTURED.iterdir())
PARSERS: dict[str, tuple[Callable[[str], object], type | tuple[type, ...]]] = {
    "nvidia_smi": (parse_nvidia_smi, (tuple, ProbeFailed)),
    "nvidia_list": (parse_nvidia_list, dict),
    "mebibytes": (parse_mebibytes, (int, type(None))),
    "rocm_smi": (parse_rocm_smi, (tuple, ProbeFailed)),
    "kfd": (parse_kfd_properties, (KfdNode, ProbeFailed)),
    "amdgpu_ids": (lambda text: parse_amdgpu_ids(text, 0x744C, 0xC8), str),
    "pci_ids": (lambda text: parse_pci_ids(text, 0x8086, 0x3E98), str),
    "uevent": (parse_uevent_driver, str),
    "resource": (lambda text: parse_resource(text, 2), (int, type(None))),
    "apple": (lambda text: parse_apple(text, 1), (Gpu, ProbeFailed, type(None))),
    "sysctl": (parse_sysctl, dict),
    "cpuinfo": (parse_cpuinfo, (CpuInfo, ProbeFailed)),
    "cpu_max": (parse_cpu_max, (float, type(None))),
    "cpu_name": (clean_cpu_name, str),
    "cgroup": (parse_cgroup, CgroupPaths),
    "ancestors": (lambda text: ancestors("/r", f"/{text}"), tuple),
    "limit": (parse_limit, (int, type(None))),
    "stat": (lambda text: parse_stat(text, "inactive_file"), int),
    "zfs": (zfs_cache_bytes, int),
    "integer": (lambda text: parse_integer(text, 0), (int, type(None))),
    "adreno": (adreno_name, str),
    "directx": (lambda text: directx_adapters(parse_registry(text)), tuple),
    "class": (lambda text: class_adapters(parse_registry(text)), tuple),
}


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """A captured text with a piece of it replaced by anything."""
    text = captured(draw(st.sampled_from(FILES)))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    middle = draw(st.one_of(st.text(max_size=40), st.sampled_from(["[N/A]", "{", "0x", "9" * 30, "-1", "\x00", "٣"])))
    return text[:start] + middle + text[end:]


@pytest.mark.parametrize("name", PARSERS)
@given(text=st.one_of(st.text(), spoiled()))
def test_no_text_makes_a_parser_raise(name: str, text: str) -> None:
    parse, kinds = PARSERS[name]
    assert isinstance(parse(text), kinds)


def test_a_json_that_nests_for_ever_is_a_failure() -> None:
    assert parse_rocm_smi('{"card0": ' + "[" * 200_000) == ProbeFailed("rocm-smi printed no JSON.")
