"""NVIDIA GPUs are found through NVML or nvidia-smi, and a broken driver is a sentence that says what to do."""

from __future__ import annotations

import pytest
from tests.probes.recorded import GIB, MIB, RecordedMachine, captured, pci

from agentlaunch.core.hardware import Gpu
from agentlaunch.probes.base import Findings, ProbeFailed
from agentlaunch.probes.nvidia import FORMAT, OLD_QUERY, QUERY, NvidiaProbe, visible_devices
from agentlaunch.probes.nvidia_smi import parse_mebibytes, parse_nvidia_list, parse_nvidia_smi
from agentlaunch.system.machine import CommandEnded, CommandTimedOut, SystemMemory
from agentlaunch.system.nvml import NvidiaDevice, NvmlDevices, NvmlFailed

RTX_3090 = Gpu("NVIDIA GeForce RTX 3090", "nvidia", 24576 * MIB, 24131 * MIB)
BUSY_3090 = Gpu("NVIDIA GeForce RTX 3090", "nvidia", 24576 * MIB, 3900 * MIB)


def smi(text: str, program: str = "nvidia-smi", **machine: object) -> RecordedMachine:
    return RecordedMachine(commands={f"{program} {QUERY} {FORMAT}": text}, **machine)  # type: ignore[arg-type]


@pytest.mark.report("B194")
def test_two_cards_are_told_with_what_is_free_of_each() -> None:
    found = NvidiaProbe().probe(smi(captured("nvidia_smi_two_3090.csv")))
    assert found == Findings(gpus=(RTX_3090, BUSY_3090))


@pytest.mark.report("B188")
def test_in_wsl_nvidia_smi_is_found_where_path_does_not_lead() -> None:
    machine = smi(captured("nvidia_smi_two_3090.csv"), "/usr/lib/wsl/lib/nvidia-smi")
    assert NvidiaProbe().probe(machine) == Findings(gpus=(RTX_3090, BUSY_3090))


@pytest.mark.report("B206")
def test_on_windows_nvidia_smi_is_found_in_the_system_folder() -> None:
    program = r"D:\Windows\System32\nvidia-smi.exe"
    machine = smi(captured("nvidia_smi_two_3090.csv"), program, os="windows", environment={"SystemRoot": r"D:\Windows"})
    assert NvidiaProbe().probe(machine) == Findings(gpus=(RTX_3090, BUSY_3090))


@pytest.mark.report("B197")
@pytest.mark.report("B199")
def test_gb10_has_the_systems_memory() -> None:
    machine = smi(captured("nvidia_smi_gb10.csv"), arch="arm64", memory=SystemMemory(119 * GIB, 110 * GIB))
    gpu = Gpu("NVIDIA GB10", "nvidia", 119 * GIB, 110 * GIB, unified=True)
    assert NvidiaProbe().probe(machine) == Findings(gpus=(gpu,))


def test_n1x_has_the_systems_memory_although_the_driver_tells_a_carve_out() -> None:
    machine = smi(captured("nvidia_smi_n1x.csv"), arch="arm64", memory=SystemMemory(64 * GIB, 50 * GIB))
    gpu = Gpu("NVIDIA N1X", "nvidia", 64 * GIB, 50 * GIB, unified=True)
    assert NvidiaProbe().probe(machine) == Findings(gpus=(gpu,))


@pytest.mark.parametrize("commands", [{"nvidia-smi": captured("nvidia_smi_orin.csv")}, {}])
def test_a_jetson_is_found_with_and_without_nvidia_smi(commands: dict[str, str]) -> None:
    machine = RecordedMachine(
        arch="arm64",
        commands=commands,
        files={"/proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\x00"},
        memory=SystemMemory(4 * GIB, 3 * GIB),
    )
    gpu = Gpu("NVIDIA Jetson Nano", "nvidia", 4 * GIB, 3 * GIB, unified=True)
    assert NvidiaProbe().probe(machine) == Findings(gpus=(gpu,))


@pytest.mark.report("B212")
def test_a_card_divided_by_mig_counts_as_its_largest_instance() -> None:
    commands = {
        f"nvidia-smi {QUERY} {FORMAT}": captured("nvidia_smi_mig_refused.csv"),
        "nvidia-smi -L": captured("nvidia_smi_mig_list.txt"),
    }
    found = NvidiaProbe().probe(RecordedMachine(commands=commands))
    note = "`NVIDIA A100-SXM4-80GB` is divided by MIG; one program can use one instance of it, the largest counts."
    assert found == Findings(gpus=(Gpu("NVIDIA A100-SXM4-80GB MIG 3g.40gb", "nvidia", 40 * 10**9),), notes=(note,))


def test_a_divided_card_without_an_instance_is_never_counted_whole() -> None:
    found = NvidiaProbe().probe(smi(captured("nvidia_smi_mig_refused.csv")))
    note = "`NVIDIA A100-SXM4-80GB` is in MIG mode without an instance that we see; make one with nvidia-smi mig -cgi."
    assert found == Findings(notes=(note,))


@pytest.mark.report("B195")
@pytest.mark.report("B230")
@pytest.mark.parametrize(
    ("file", "exit_code", "reason"),
    [
        (
            "nvidia_smi_mismatch.txt",
            18,
            "NVIDIA's driver was updated while the old one is loaded; restart the machine.",
        ),
        (
            "nvidia_smi_no_driver.txt",
            9,
            "NVIDIA's driver is installed and not loaded; restart, or reinstall it for this kernel.",
        ),
        (
            "nvidia_smi_none.txt",
            0,
            "NVIDIA's driver finds no GPU; a hybrid laptop may have it switched off, a container not passed on.",
        ),
    ],
)
def test_a_broken_driver_says_what_to_do(file: str, exit_code: int, reason: str) -> None:
    machine = RecordedMachine(
        commands={"nvidia-smi": CommandEnded(exit_code, captured(file))}, nvml_reading=NvmlFailed("mismatch")
    )
    assert NvidiaProbe().probe(machine) == ProbeFailed(reason)


def test_a_driver_that_hangs_says_so() -> None:
    machine = RecordedMachine(commands={"nvidia-smi": CommandTimedOut("nvidia-smi", 3.0)})
    reason = "nvidia-smi did not answer within 3 s; run it by hand, and restart if it hangs."
    assert NvidiaProbe().probe(machine) == ProbeFailed(reason)


def test_an_old_driver_is_asked_again_without_mig() -> None:
    commands = {
        f"nvidia-smi {QUERY} {FORMAT}": CommandEnded(2, captured("nvidia_smi_old_query.txt")),
        f"nvidia-smi {OLD_QUERY} {FORMAT}": "GPU-1f0b7e55-3d0f, Tesla P40, 22919, 22700\n",
    }
    found = NvidiaProbe().probe(RecordedMachine(commands=commands))
    assert found == Findings(gpus=(Gpu("Tesla P40", "nvidia", 22919 * MIB, 22700 * MIB),))


def test_a_card_that_tells_no_memory_is_a_note() -> None:
    found = NvidiaProbe().probe(smi("GPU-1f0b, NVIDIA GeForce RTX 4090, [N/A], [N/A], [N/A]\n"))
    note = "The driver tells no memory for `NVIDIA GeForce RTX 4090`; it is not counted. Say it with --vram GB."
    assert found == Findings(notes=(note,))


def test_nvml_spares_the_process_and_hands_over_mig_instances() -> None:
    instance = NvidiaDevice("MIG-1", "NVIDIA H100 MIG 1g.10gb", 9728 * MIB, 9700 * MIB)
    whole = NvidiaDevice("GPU-1", "NVIDIA GeForce RTX 4090", 24564 * MIB, 24000 * MIB)
    divided = NvidiaDevice("GPU-2", "NVIDIA H100", 81559 * MIB, 100 * MIB, (instance,))
    found = NvidiaProbe().probe(RecordedMachine(nvml_reading=NvmlDevices((whole, divided))))
    assert found == Findings(
        gpus=(
            Gpu("NVIDIA GeForce RTX 4090", "nvidia", 24564 * MIB, 24000 * MIB),
            Gpu("NVIDIA H100 MIG 1g.10gb", "nvidia", 9728 * MIB, 9700 * MIB),
        ),
        notes=("`NVIDIA H100` is divided by MIG; one program can use one instance of it, the largest counts.",),
    )


def test_cuda_visible_devices_hides_cards() -> None:
    machine = smi(captured("nvidia_smi_two_3090.csv"), environment={"CUDA_VISIBLE_DEVICES": "1"})
    note = "CUDA_VISIBLE_DEVICES=`1` leaves 1 of 2 NVIDIA GPUs."
    assert NvidiaProbe().probe(machine) == Findings(gpus=(BUSY_3090,), notes=(note,))


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        ("", []),
        ("-1", []),
        ("0", [0]),
        ("1,0", [1, 0]),
        ("0,-1,1", [0]),
        ("GPU-bb", [1]),
        ("MIG-c", [2]),
        ("0,0", [0]),
        ("9", []),
    ],
)
def test_cuda_visible_devices_ends_at_the_first_invalid_entry(choice: str, numbers: list[int]) -> None:
    instance = NvidiaDevice("MIG-cc", "slice", 1, None)
    devices = (
        NvidiaDevice("GPU-aa", "a", 1, None),
        NvidiaDevice("GPU-bb", "b", 1, None),
        NvidiaDevice("GPU-cc", "c", 1, None, (instance,)),
    )
    assert visible_devices(devices, choice) == tuple(devices[number] for number in numbers)


def test_a_card_without_nvidias_driver_is_told() -> None:
    machine = RecordedMachine(files=pci("0000:01:00.0", "10de:2204:a1", uevent="DRIVER=nouveau"))
    assert NvidiaProbe().probe(machine) == ProbeFailed(
        "There is an NVIDIA GPU without NVIDIA's driver; install it (Debian: apt install nvidia-driver)."
    )


@pytest.mark.report("B223")
def test_in_wsl_without_a_driver_the_memory_of_the_system_is_not_the_cards() -> None:
    files = {"/proc/sys/kernel/osrelease": "5.15.167.4-microsoft-standard-WSL2\n", "/dev/dxg": ""}
    assert NvidiaProbe().probe(RecordedMachine(files=files)) == ProbeFailed(
        "WSL shares a GPU of Windows, but nvidia-smi is not there; if it is NVIDIA's, update the driver in Windows."
    )


def test_a_machine_without_nvidia_has_nothing_to_tell() -> None:
    assert NvidiaProbe().probe(RecordedMachine()) == Findings()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("24564", 24564 * MIB),
        ("24564 MiB", 24564 * MIB),
        ("24564,00", 24564 * MIB),
        ("24564.5 MiB", 24564 * MIB),
        ("0", 0),
        ("", None),
        ("[N/A]", None),
        ("[Not Supported]", None),
        ("[Unknown Error]", None),
        ("N/A", None),
    ],
)
def test_a_figure_is_mebibytes_or_not_told(field: str, value: int | None) -> None:
    assert parse_mebibytes(field) == value


def test_a_decimal_comma_does_not_divide_a_field() -> None:
    device = NvidiaDevice("GPU-1", "NVIDIA GeForce RTX 4090", 24564 * MIB, 3900 * MIB)
    assert parse_nvidia_smi("GPU-1, NVIDIA GeForce RTX 4090, 24564,00, 3900,50, Disabled\n") == (device,)


def test_the_list_names_the_instances_of_each_card() -> None:
    listed = parse_nvidia_list(captured("nvidia_smi_mig_list.txt"))
    assert {uuid: [entry.total_bytes for entry in entries] for uuid, entries in listed.items()} == {
        "GPU-7fdaf0a5-179b-f636-d15d-daf243e3ff16": [10 * 10**9, 40 * 10**9, 10 * 10**9]
    }


DAMAGED = "An NVIDIA GPU reports a damaged infoROM (nvidia-smi); it is counted, and its maker should hear of it."
LOST = "An NVIDIA GPU has dropped off the bus; restart the machine, and look at its power and its slot."
ROW = "GPU-1f0b, NVIDIA GeForce RTX 3090, 24576, 24131, [N/A]\n"


@pytest.mark.parametrize(
    ("exit_code", "talk", "note"),
    [
        (14, "WARNING: infoROM is corrupted at gpu 0000:00:1E.0\n", DAMAGED),
        (15, "Unable to determine the device handle for GPU0000:0A:00.0: Unknown Error\n", LOST),
        (15, "Unable to determine the device handle for GPU 0000:0A:00.0: GPU is lost.  Reboot the system\n", LOST),
    ],
)
def test_trouble_with_one_card_leaves_those_that_are_listed(exit_code: int, talk: str, note: str) -> None:
    ended = CommandEnded(exit_code, ROW + talk)
    found = NvidiaProbe().probe(RecordedMachine(commands={"nvidia-smi": ended}))
    assert found == Findings(gpus=(RTX_3090,), notes=(note,))


def test_a_lost_card_alone_says_what_to_do() -> None:
    text = "Unable to determine the device handle for GPU 0000:0A:00.0: GPU is lost.  Reboot the system\n"
    assert NvidiaProbe().probe(RecordedMachine(commands={"nvidia-smi": CommandEnded(15, text)})) == ProbeFailed(LOST)


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize("said", ["[GPU requires reset]", "[Unknown Error]", "ERR!", "[GPU is lost]"])
def test_a_card_that_does_not_answer_is_never_taken_for_one_in_the_systems_memory(arch: str, said: str) -> None:
    found = NvidiaProbe().probe(smi(f"GPU-1f0b, NVIDIA A100-PCIE-40GB, {said}, {said}, Disabled\n", arch=arch))
    note = f"`NVIDIA A100-PCIE-40GB` does not answer ({said}); nvidia-smi --gpu-reset, or restart the machine."
    assert found == Findings(notes=(note,))


def test_a_full_card_has_nothing_free_and_is_not_one_that_does_not_tell() -> None:
    full, untold = (ROW.replace("24131", free) for free in ("0", "[N/A]"))
    assert parse_nvidia_smi(full + untold) == (
        NvidiaDevice("GPU-1f0b", "NVIDIA GeForce RTX 3090", 24576 * MIB, 0),
        NvidiaDevice("GPU-1f0b", "NVIDIA GeForce RTX 3090", 24576 * MIB, None),
    )


@pytest.mark.parametrize("text", [ROW.replace("GPU-1f0b", "[N/A]"), "\ufeff" + ROW.replace("\n", "\r\n")])
def test_a_row_counts_without_its_uuid_and_behind_a_byte_order_mark(text: str) -> None:
    assert NvidiaProbe().probe(smi(text)) == Findings(gpus=(RTX_3090,))


@pytest.mark.parametrize(
    ("driver", "more", "reason"),
    [
        ("vfio-pci", [], "An NVIDIA GPU is set aside for a virtual machine (vfio-pci) and not counted."),
        (
            "nvidia",
            [],
            "NVIDIA's driver is loaded, but nvidia-smi is not there; install it (Debian: apt install nvidia-smi).",
        ),
        (
            "nvidia",
            ["/.dockerenv"],
            "The host has an NVIDIA GPU that this container does not see; start it with --gpus all.",
        ),
    ],
)
def test_a_card_that_no_tool_answers_for_says_why(driver: str, more: list[str], reason: str) -> None:
    files = pci("0000:01:00.0", "10de:2204:a1", uevent=f"DRIVER={driver}") | dict.fromkeys(more, "")
    assert NvidiaProbe().probe(RecordedMachine(files=files)) == ProbeFailed(reason)


@pytest.mark.parametrize(("order", "is_told"), [("", True), ("FASTEST_FIRST", True), ("PCI_BUS_ID", False)])
def test_numbers_of_different_cards_are_told_to_depend_on_cudas_order(order: str, is_told: bool) -> None:
    text = ROW + "GPU-2f0b, NVIDIA GeForce GTX 1050, 2048, 2000, [N/A]\n"
    found = NvidiaProbe().probe(smi(text, environment={"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": order}))
    assert isinstance(found, Findings)
    assert found.gpus == (Gpu("NVIDIA GeForce GTX 1050", "nvidia", 2048 * MIB, 2000 * MIB),)
    notes = (
        "CUDA_VISIBLE_DEVICES=`1` leaves 1 of 2 NVIDIA GPUs.",
        "CUDA numbers the fastest GPU 0 unless CUDA_DEVICE_ORDER=PCI_BUS_ID, as it was read here.",
    )
    assert found.notes == notes[: 1 + is_told]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA Display",
            "nvidia-smi is here without its driver's library; reinstall the driver, or pass it on to this container.",
        ),
        (
            "Failed to initialize NVML: GPU access blocked by the operating system",
            "Windows keeps WSL from the GPU; update NVIDIA's driver in Windows, then: wsl --shutdown",
        ),
    ],
)
def test_what_nvidia_smi_says_on_stderr_is_told_with_what_to_do(said: str, reason: str) -> None:
    machine = RecordedMachine(commands={"nvidia-smi": CommandEnded(255, "", said)})
    assert NvidiaProbe().probe(machine) == ProbeFailed(reason)
