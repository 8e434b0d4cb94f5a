"""AMD cards and processors' graphics are told apart, and memory that is not there is not counted."""

from __future__ import annotations

import pytest
from tests.probes.recorded import GIB, MIB, RecordedMachine, captured, pci

from agentlaunch.core.hardware import Gpu
from agentlaunch.probes.amd import ROCM_SMI, AmdProbe
from agentlaunch.probes.amd_kfd import KfdNode, parse_kfd_properties
from agentlaunch.probes.amd_names import parse_amdgpu_ids
from agentlaunch.probes.amd_rocm_smi import SmiCard, parse_rocm_smi
from agentlaunch.probes.base import Findings, ProbeFailed
from agentlaunch.system.machine import SystemMemory

XTX = pci("0000:03:00.0", "1002:744c:c8", uevent="DRIVER=amdgpu", mem_info_vram_total=str(24 * GIB))
RAPHAEL = {
    "uevent": "DRIVER=amdgpu",
    "mem_info_vram_total": str(512 * MIB),
    "mem_info_gtt_total": str(16 * GIB),
    "hwmon__hwmon5__in1_label": "vddnb",
}


def probe(files: dict[str, str], total_gib: int = 32, available_gib: int = 24) -> object:
    memory = SystemMemory(total_gib * GIB, available_gib * GIB)
    return AmdProbe().probe(RecordedMachine(files=files, memory=memory))


def strix_halo(vram_bytes: int, gtt_bytes: int, **files: str) -> dict[str, str]:
    told = {"mem_info_vram_total": str(vram_bytes), "mem_info_gtt_total": str(gtt_bytes), **files}
    return pci("0000:c5:00.0", "1002:1586:c1", uevent="DRIVER=amdgpu", **told)


def test_a_card_counts_its_own_memory_and_what_is_free_of_it() -> None:
    files = XTX | pci(
        "0000:03:00.0",
        "1002:744c:c8",
        mem_info_vram_total=str(24 * GIB),
        mem_info_vram_used=str(2 * GIB),
        mem_info_gtt_total=str(16 * GIB),
    )
    assert probe(files) == Findings(gpus=(Gpu("AMD Radeon RX 7900 XTX", "amd", 24 * GIB, 22 * GIB),))


@pytest.mark.report("B191")
def test_a_processors_small_graphics_do_not_count_as_a_second_card() -> None:
    files = XTX | pci("0000:11:00.0", "1002:164e:c9", **RAPHAEL)
    assert probe(files) == Findings(
        gpus=(Gpu("AMD Radeon RX 7900 XTX", "amd", 24 * GIB, 24 * GIB),),
        notes=(
            "`AMD Radeon 610M` is inside the processor and too small to help with a model; it is not counted as a GPU.",
        ),
    )


@pytest.mark.report("B217")
def test_unknown_graphics_with_exactly_2_gib_are_a_processors() -> None:
    files = pci("0000:11:00.0", "1002:13c0:c9", uevent="DRIVER=amdgpu", mem_info_vram_total="2147483648")
    note = "`AMD GPU 1002:13c0` is inside the processor and too small to help with a model; it is not counted as a GPU."
    assert probe(files) == Findings(notes=(note,))


@pytest.mark.report("B207")
def test_an_apu_counts_its_carve_out_and_what_it_may_take_of_the_system() -> None:
    files = strix_halo(512 * MIB, 62 * GIB)
    gpu = Gpu("AMD Radeon 8060S", "amd", 512 * MIB + 62 * GIB, 512 * MIB + 62 * GIB, None, None, True, 512 * MIB)
    assert probe(files, 124, 110) == Findings(gpus=(gpu,))


@pytest.mark.report("B211")
def test_an_apu_never_counts_more_memory_than_the_machine_has() -> None:
    files = strix_halo(8589934592, 133143986176)
    gpu = Gpu("AMD Radeon 8060S", "amd", 8 * GIB + 119 * GIB, 8 * GIB + 100 * GIB, None, None, True, 8 * GIB)
    assert probe(files, 119, 100) == Findings(gpus=(gpu,))


def test_an_apu_with_a_large_carve_out_is_not_a_card() -> None:
    files = strix_halo(96 * GIB, 16 * GIB, mem_info_vram_used=str(1 * GIB), mem_info_gtt_used=str(1 * GIB))
    gpu = Gpu("AMD Radeon 8060S", "amd", 96 * GIB + 16 * GIB, 95 * GIB + 15 * GIB, None, None, True, 96 * GIB)
    assert probe(files, 31, 20) == Findings(gpus=(gpu,))


def test_unnamed_graphics_with_enough_compute_units_count() -> None:
    """0x1234 stands for a processor newer than our list: the sensor says APU, KFD says 32 compute units."""
    node = captured("kfd_strix_halo.txt").replace("device_id 5510", f"device_id {0x1234}")
    files = pci("0000:c5:00.0", "1002:1234:c1", **{**RAPHAEL, "mem_info_vram_total": str(4 * GIB)})
    files["/sys/class/kfd/kfd/topology/nodes/1/properties"] = node
    files["/sys/class/kfd/kfd/topology/nodes/0/properties"] = captured("kfd_processor.txt")
    gpu = Gpu("AMD GPU 1002:1234", "amd", 20 * GIB, 20 * GIB, None, None, True, 4 * GIB)
    assert probe(files) == Findings(gpus=(gpu,))


def test_names_come_from_the_driver_then_libdrm_then_the_systems_list() -> None:
    vram = {"uevent": "DRIVER=amdgpu", "mem_info_vram_total": str(16 * GIB)}
    files = {
        **pci("0000:01:00.0", "1002:740f:02", kind="0x120000", product_name="Instinct MI210", **vram),
        **pci("0000:02:00.0", "1002:744c:cc", **vram),
        **pci("0000:03:00.0", "1002:687f:c1", **vram),
        "/usr/share/libdrm/amdgpu.ids": captured("amdgpu.ids"),
        "/usr/share/misc/pci.ids": captured("pci.ids"),
    }
    found = probe(files)
    assert isinstance(found, Findings)
    assert [gpu.name for gpu in found.gpus] == [
        "AMD Instinct MI210",
        "AMD Radeon RX 7900 XT",
        "AMD Radeon RX Vega 56/64",
    ]


def test_a_card_without_a_working_driver_says_what_to_do() -> None:
    note = (
        "`AMD Radeon RX 9070 XT` has no working amdgpu driver (`none` is bound), so its memory is not known;"
        " install a newer kernel and linux-firmware."
    )
    assert probe(pci("0000:03:00.0", "1002:7550:c0")) == Findings(notes=(note,))


@pytest.mark.report("B227")
def test_rocm_smi_is_read_behind_its_warnings_when_sysfs_tells_nothing() -> None:
    machine = RecordedMachine(
        files=pci("0000:03:00.0", "1002:73bf:c1"),
        commands={f"rocm-smi {' '.join(ROCM_SMI)}": captured("rocm_smi_6800_raphael.txt")},
    )
    assert AmdProbe().probe(machine) == Findings(
        gpus=(Gpu("AMD Radeon RX 6800 XT", "amd", 17163091968, 17163091968 - 692142080),),
        notes=(
            "`AMD Radeon 610M` is inside the processor and too small to help with a model; it is not counted as a GPU.",
        ),
    )


def test_rocm_smis_silence_leaves_the_note_about_the_driver() -> None:
    files = pci("0000:03:00.0", "1002:73bf:c1")
    without = AmdProbe().probe(RecordedMachine(files=files))
    assert AmdProbe().probe(RecordedMachine(files=files, commands={"rocm-smi": "Unable to open /dev/kfd"})) == without
    assert isinstance(without, Findings)
    assert len(without.notes) == 1


def test_rocm_smis_json_is_read() -> None:
    assert parse_rocm_smi(captured("rocm_smi_7900xt.json")) == (
        SmiCard("Radeon RX 7900 XT", 21458059264, 27856896, device=0x744C, revision=0xCC),
    )
    assert parse_rocm_smi("Permission denied") == ProbeFailed("rocm-smi printed no JSON.")


def test_kfd_tells_compute_units_and_leaves_processors_out() -> None:
    assert parse_kfd_properties(captured("kfd_strix_halo.txt")) == KfdNode(0x1586, 32, 0)
    assert parse_kfd_properties(captured("kfd_raven_ridge.txt")) == KfdNode(0x15DD, 11, 8)
    assert parse_kfd_properties(captured("kfd_processor.txt")) == ProbeFailed(
        "This node of KFD's topology is not a GPU."
    )


def test_libdrms_list_is_read_with_tabs_and_blanks() -> None:
    text = captured("amdgpu.ids")
    assert parse_amdgpu_ids(text, 0x744C, 0xC8) == "AMD Radeon RX 7900 XTX"
    assert parse_amdgpu_ids(text, 0x7481, 0xC7) == "AMD Steam Machine"
    assert parse_amdgpu_ids(text, 0x744C, 0x00) == ""


def test_a_machine_without_amd_has_nothing_to_tell() -> None:
    assert probe({}) == Findings()


def test_a_card_that_the_host_has_not_passed_on_to_a_container_does_not_count() -> None:
    hidden = XTX | {"/.dockerenv": ""}
    note = "The host has an AMD GPU; a container sees it with --device /dev/kfd --device /dev/dri."
    assert probe(hidden) == Findings(notes=(note,))
    assert probe(hidden | {"/dev/dri/renderD128": ""}) == probe(XTX)
    small = pci("0000:11:00.0", "1002:164e:c9", **RAPHAEL) | {"/.dockerenv": ""}
    assert probe(small) == Findings()


@pytest.mark.parametrize(
    ("variables", "kept", "note"),
    [
        ({"HIP_VISIBLE_DEVICES": "-1"}, [], "HIP_VISIBLE_DEVICES=`-1` leaves 0 of 2 AMD GPUs."),
        ({"ROCR_VISIBLE_DEVICES": ""}, [], "ROCR_VISIBLE_DEVICES=`` leaves 0 of 2 AMD GPUs."),
        ({"HIP_VISIBLE_DEVICES": "1, 0"}, ["AMD Radeon PRO W7800", "AMD Radeon RX 7900 XTX"], ""),
        (
            {"HIP_VISIBLE_DEVICES": "1,9,0"},
            ["AMD Radeon PRO W7800"],
            "HIP_VISIBLE_DEVICES=`1,9,0` leaves 1 of 2 AMD GPUs.",
        ),
        (
            {"ROCR_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "0"},
            ["AMD Radeon PRO W7800"],
            "ROCR_VISIBLE_DEVICES=`1` leaves 1 of 2 AMD GPUs.",
        ),
        ({"ROCR_VISIBLE_DEVICES": "GPU-c1a5d7"}, ["AMD Radeon RX 7900 XTX", "AMD Radeon PRO W7800"], ""),
    ],
)
def test_rocms_own_variables_hide_cards(variables: dict[str, str], kept: list[str], note: str) -> None:
    second = pci("0000:04:00.0", "1002:745e:00", uevent="DRIVER=amdgpu", mem_info_vram_total=str(32 * GIB))
    found = AmdProbe().probe(RecordedMachine(files=XTX | second, environment=variables))
    assert isinstance(found, Findings)
    assert ([gpu.name for gpu in found.gpus], found.notes) == (kept, (note,) if note else ())
