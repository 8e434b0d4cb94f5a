"""Windows' registry tells sizes of 64 bits; a 32-bit one at its ceiling is not a size."""

from __future__ import annotations

import pytest
from tests.probes.recorded import GIB, MIB, RecordedMachine, captured

from agentlaunch.core.hardware import Gpu
from agentlaunch.probes.base import Findings, ProbeResult
from agentlaunch.probes.registry import parse_registry
from agentlaunch.probes.windows import CLASS_KEY, DIRECTX_KEY, WindowsProbe
from agentlaunch.system.machine import CommandEnded, CommandResult, SystemMemory

REG = r"C:\Windows\System32\reg.exe query"
REFUSED = CommandEnded(1, "", "ERROR: The system was unable to find the specified registry key or value.\r\n")
UHD = "`Intel UHD Graphics 770` is inside the processor and too small to help with a model; it is not counted as a GPU."


def probe(directx: str = "", classes: tuple[str, ...] = ()) -> ProbeResult:
    commands: dict[str, CommandResult | str] = {r"C:\Windows\System32\reg.exe": REFUSED}
    if directx:
        commands[f"{REG} {DIRECTX_KEY} /s"] = directx
    for number, text in enumerate(classes):
        commands[rf"{REG} {CLASS_KEY}\{number:04d}"] = text
    memory = SystemMemory(32 * GIB, 20 * GIB)
    return WindowsProbe().probe(RecordedMachine(os="windows", commands=commands, memory=memory))


def test_dxgis_list_counts_present_cards_and_neither_stale_nor_software_ones() -> None:
    gpu = Gpu("NVIDIA GeForce RTX 3070 Ti", "nvidia", 0x1F5100000)
    assert probe(captured("directx_3070ti.txt")) == Findings(gpus=(gpu,), notes=(UHD,))


def test_an_apu_counts_its_carve_out_and_what_windows_shares() -> None:
    total = 96 * GIB + 15932 * MIB
    gpu = Gpu("AMD Radeon 8060S Graphics", "amd", total, total, None, None, True, 96 * GIB)
    assert probe(captured("directx_strix_halo.txt")) == Findings(gpus=(gpu,))
    small = 512 * MIB + 15932 * MIB
    expected = Gpu("AMD Radeon 860M Graphics", "amd", small, small, None, None, True, 512 * MIB)
    assert probe(captured("directx_860m.txt")) == Findings(gpus=(expected,))


@pytest.mark.report("B193")
@pytest.mark.report("B206")
def test_the_drivers_own_64_bit_size_counts_when_dxgi_left_nothing() -> None:
    gpu = Gpu("AMD Radeon RX 7900 XTX", "amd", 0x5FF000000)
    assert probe(classes=(captured("class_7900xtx.txt"),)) == Findings(gpus=(gpu,))


@pytest.mark.report("B193")
@pytest.mark.report("B206")
def test_a_32_bit_size_at_its_ceiling_is_not_4_gb() -> None:
    note = "Windows tells no memory for `AMD Radeon AI PRO R9700`; it is not counted. Say it with --vram GB."
    assert probe(classes=(captured("class_r9700_narrow.txt"),)) == Findings(notes=(note,))


@pytest.mark.report("B200")
def test_generic_radeon_graphics_are_never_guessed_a_size() -> None:
    text = captured("class_7900xtx.txt").replace("AMD Radeon RX 7900 XTX", "AMD Radeon(TM) Graphics")
    note = (
        "`AMD Radeon Graphics` is inside the processor and too small to help with a model; it is not counted as a GPU."
    )
    assert probe(classes=(text,)) == Findings(notes=(note,))


def test_a_size_that_dxgi_lacks_is_taken_from_the_driver_by_name() -> None:
    directx = captured("directx_3070ti.txt").replace("    DedicatedVideoMemory    REG_QWORD    0x1f5100000\r\n", "")
    other = captured("class_7900xtx.txt")
    card = other.replace("AMD Radeon RX 7900 XTX", "NVIDIA GeForce RTX 3070 Ti").replace("VEN_1002", "VEN_10DE")
    gpu = Gpu("NVIDIA GeForce RTX 3070 Ti", "nvidia", 0x5FF000000)
    assert probe(directx, (other, card)) == Findings(gpus=(gpu,), notes=(UHD,))


def test_a_machine_without_a_known_adapter_has_nothing_to_tell() -> None:
    assert probe() == Findings()


def test_values_keep_their_text_and_numbers_come_in_two_forms() -> None:
    (key,) = parse_registry(
        "\r\nHKEY_LOCAL_MACHINE\\A b\\C\r\n    Name of it    REG_SZ    two words\r\n    Empty    REG_SZ    \r\n"
        "    Wide    REG_QWORD    0x600000000\r\n    Raw    REG_BINARY    0000004000000000\r\n"
        "\r\nEnd of search: 1 match(es) found.\r\n"
    )
    assert key.path == "HKEY_LOCAL_MACHINE\\A b\\C"
    assert key.values == {"Name of it": "two words", "Empty": "", "Wide": "0x600000000", "Raw": "0000004000000000"}
    assert [key.number(name) for name in ("Wide", "Raw", "Name of it", "absent")] == [24 * GIB, 1 * GIB, None, None]


def test_old_graphics_of_an_unknown_name_with_a_small_carve_out_are_no_card() -> None:
    text = captured("class_7900xtx.txt").replace("AMD Radeon RX 7900 XTX", "AMD 760G")
    small = text.replace("0x5ff000000", "0x20000000")
    assert small != text
    note = "`AMD 760G` is inside the processor and too small to help with a model; it is not counted as a GPU."
    assert probe(classes=(small,)) == Findings(notes=(note,))
