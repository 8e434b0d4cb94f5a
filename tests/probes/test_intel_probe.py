"""Arc cards count with their memory; graphics inside a processor count only where they help."""

from __future__ import annotations

import pytest
from tests.probes.recorded import GIB, RecordedMachine, captured, pci

from agentlaunch.core.hardware import Gpu
from agentlaunch.probes.base import Findings
from agentlaunch.probes.integrated import unused_note
from agentlaunch.probes.intel import IntelProbe, parse_resource
from agentlaunch.system.machine import SystemMemory

I915 = "DRIVER=i915\nPCI_CLASS=30000"
WINDOWS_16_GIB = (
    "0x0000004400000000 0x0000004400ffffff 0x0000000000140204\n"
    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    "0x0000004000000000 0x00000043ffffffff 0x000000000014220c\n"
)


def probe(files: dict[str, str]) -> object:
    return IntelProbe().probe(RecordedMachine(files=files, memory=SystemMemory(32 * GIB, 20 * GIB)))


def test_the_xe_driver_tells_a_cards_memory_by_tile() -> None:
    files = pci("0000:03:00.0", "8086:e20b:00", uevent="DRIVER=xe", tile0__physical_vram_size_bytes="12884901888")
    assert probe(files) == Findings(gpus=(Gpu("Intel Arc B580", "intel", 12 * GIB),))


def test_the_i915_driver_tells_a_cards_memory_beside_its_card_node() -> None:
    files = pci("0000:03:00.0", "8086:56c0:00", uevent=I915, drm__card0__lmem_total_bytes="17179869184")
    assert probe(files) == Findings(gpus=(Gpu("Intel Data Center GPU Flex 170", "intel", 16 * GIB),))


def test_a_card_whose_driver_tells_no_memory_has_what_its_model_has() -> None:
    assert probe(pci("0000:03:00.0", "8086:e20b:00", uevent="DRIVER=xe")) == Findings(
        gpus=(Gpu("Intel Arc B580", "intel", 12 * GIB),)
    )


@pytest.mark.parametrize(("resource", "gib"), [(WINDOWS_16_GIB, 16), ("", 8)])
def test_the_memory_window_tells_the_two_a770_apart(resource: str, gib: int) -> None:
    files = pci("0000:03:00.0", "8086:56a0:08", uevent=I915, resource=resource)
    assert probe(files) == Findings(gpus=(Gpu("Intel Arc A770", "intel", gib * GIB),))


@pytest.mark.report("B203")
def test_a_uhd_630_is_not_a_gpu_with_the_systems_memory() -> None:
    files = pci("0000:00:02.0", "8086:3e98:02", uevent=I915) | {"/usr/share/hwdata/pci.ids": captured("pci.ids")}
    assert probe(files) == Findings(notes=(unused_note("Intel UHD Graphics 630"),))


@pytest.mark.parametrize(
    ("device", "cpu", "name"),
    [
        ("64a0", "model name : Intel(R) Core(TM) Ultra 7 258V", "Intel Arc 140V"),
        ("64a0", "model name : Intel(R) Core(TM) Ultra 5 226V", "Intel Arc 130V"),
        ("7d55", "", "Intel Arc Graphics"),
        ("7d51", "", "Intel Arc 140T"),
    ],
)
def test_arc_in_a_processor_shares_half_of_the_memory(device: str, cpu: str, name: str) -> None:
    files = pci("0000:00:02.0", f"8086:{device}:04", uevent="DRIVER=xe") | {"/proc/cpuinfo": cpu}
    assert probe(files) == Findings(gpus=(Gpu(name, "intel", 16 * GIB, 16 * GIB, unified=True),))


def test_a_card_without_a_driver_says_what_to_do() -> None:
    assert probe(pci("0000:03:00.0", "8086:e20b:00")) == Findings(
        notes=("`Intel Arc B580` has no driver; it needs kernel 6.2 (i915) or 6.12 (xe) and linux-firmware.",)
    )


def test_an_npu_is_not_a_gpu() -> None:
    assert probe(pci("0000:00:0b.0", "8086:643e:04", kind="0x120000", uevent="DRIVER=intel_vpu")) == Findings()


def test_a_window_is_its_end_less_its_start() -> None:
    assert parse_resource(WINDOWS_16_GIB, 2) == 16 * GIB
    assert parse_resource(WINDOWS_16_GIB, 1) is None
    assert parse_resource(WINDOWS_16_GIB, 9) is None


def test_a_card_that_the_host_has_not_passed_on_to_a_container_does_not_count() -> None:
    card = pci("0000:03:00.0", "8086:e20b:00", uevent="DRIVER=xe")
    note = "The host has an Intel GPU; a container sees it with --device /dev/dri."
    assert probe(card | {"/.dockerenv": ""}) == Findings(notes=(note,))
    assert probe(card | {"/.dockerenv": "", "/dev/dri/renderD128": ""}) == probe(card)
