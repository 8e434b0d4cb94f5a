"""NVIDIA GPUs: through NVML, else nvidia-smi, else what the kernel shows of a card without a driver."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agentlaunch.core.hardware import Gpu, Memory
from agentlaunch.probes.base import Findings, ProbeFailed, ProbeResult
from agentlaunch.probes.container import HIDDEN_NVIDIA, hides_nvidia, is_wsl
from agentlaunch.probes.cpu import device_tree_model
from agentlaunch.probes.integrated import unified_gpu
from agentlaunch.probes.memory import read_memory
from agentlaunch.probes.nvidia_asleep import are_asleep, sleeping_devices
from agentlaunch.probes.nvidia_smi import driver_advice, parse_nvidia_list, parse_nvidia_smi, talk_in
from agentlaunch.probes.pci import PciDevice, display_devices
from agentlaunch.system.machine import CommandEnded, CommandMissing, CommandTimedOut, Machine
from agentlaunch.system.nvml import NvidiaDevice, NvmlDevices, NvmlFailed, NvmlMissing

QUERY = "--query-gpu=uuid,name,memory.total,memory.free,mig.mode.current"
OLD_QUERY = "--query-gpu=uuid,name,memory.total,memory.free"
"""For drivers before 450, which refuse a query that names MIG."""
FORMAT = "--format=csv,noheader,nounits"
SMI_LIMIT_S = 3.0
WAKING_LIMIT_S = 6.0
"""A laptop's GPU that sleeps and is not known by its name is woken by the question, which takes seconds (B228)."""

UNIFIED_NAMES = ("GB10", "N1X", "Thor", "Orin", "Xavier", "Tegra", "nvgpu")
"""Parts that share the system's memory. The first tells no memory at all, N1X a carve-out of 8 GB (unslothai/unsloth
10283); so the name decides and the system's memory counts."""


@dataclass(frozen=True)
class SmiAnswer:
    """What nvidia-smi listed."""

    program: str
    devices: tuple[NvidiaDevice, ...]
    trouble: str = ""
    """What else it said of a card, as a sentence."""


class NvidiaProbe:
    """NVIDIA GPUs."""

    name = "nvidia"
    title = "NVIDIA GPUs"
    limit_s = 6.5

    def probe(self, machine: Machine) -> ProbeResult:
        """What sleeps is left asleep. NVML before nvidia-smi: it needs no process and takes a tenth of the time."""
        sleeping = None if hides_nvidia(machine) else sleeping_devices(machine)
        if sleeping is not None:
            return with_note(findings(machine, sleeping), "An NVIDIA GPU sleeps and was not woken: paper figures.")
        match machine.nvml():
            case NvmlDevices(devices) if devices:
                return findings(machine, devices)
            case NvmlDevices() | NvmlMissing() | NvmlFailed():
                pass  # nvidia-smi says more plainly what is wrong
        match ask_nvidia_smi(machine):
            case SmiAnswer(program, listed, trouble):
                found = findings(machine, with_instances(machine, program, listed))
                return with_note(found, trouble) if trouble else found
            case ProbeFailed() as failed:
                return failed
            case None:
                return without_driver(machine)


def with_note(found: Findings, note: str) -> Findings:
    """The findings with one sentence more, where they have a GPU."""
    return replace(found, notes=(*found.notes, note)) if found.gpus else found


def ask_nvidia_smi(machine: Machine) -> SmiAnswer | ProbeFailed | None:
    """Run nvidia-smi where it may be; None when there is none."""
    limit_s = WAKING_LIMIT_S if are_asleep(machine) else SMI_LIMIT_S
    for program in smi_programs(machine):
        result = machine.run([program, QUERY, FORMAT], limit_s)
        if isinstance(result, CommandEnded) and "mig.mode.current" in result.stdout + result.stderr:
            result = machine.run([program, OLD_QUERY, FORMAT], SMI_LIMIT_S)
        match result:
            case CommandMissing():
                continue
            case CommandTimedOut():
                return ProbeFailed(
                    f"nvidia-smi did not answer within {limit_s:g} s; run it by hand, and restart if it hangs."
                )
            case CommandEnded(exit_code, stdout, stderr):
                parsed = parse_nvidia_smi(stdout)
                if isinstance(parsed, ProbeFailed):
                    return ProbeFailed(driver_advice(f"{stdout}\n{stderr}"))
                # 14 is a warning about a card that works, 15 a card that is lost beside others (nvidia-smi(1))
                return SmiAnswer(program, parsed, driver_advice(f"{talk_in(stdout)}\n{stderr}") if exit_code else "")
    return None


def smi_programs(machine: Machine) -> tuple[str, ...]:
    """PATH first, then the places that a service's or cron's PATH lacks (report B188)."""
    if machine.os != "windows":
        return ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi", "/usr/bin/nvidia-smi", "/opt/bin/nvidia-smi")
    variables = {name.upper(): value for name, value in machine.environment.items()}
    root = variables.get("SYSTEMROOT", r"C:\Windows")
    programs = variables.get("PROGRAMFILES", r"C:\Program Files")
    return (
        "nvidia-smi",
        rf"{root}\System32\nvidia-smi.exe",
        rf"{programs}\NVIDIA Corporation\NVSMI\nvidia-smi.exe",
    )


def with_instances(machine: Machine, program: str, devices: tuple[NvidiaDevice, ...]) -> tuple[NvidiaDevice, ...]:
    """The devices with the MIG instances that only `nvidia-smi -L` lists."""
    if not any(device.divided for device in devices):
        return devices
    result = machine.run([program, "-L"], SMI_LIMIT_S)
    listed = parse_nvidia_list(result.stdout) if isinstance(result, CommandEnded) else {}
    return tuple(
        NvidiaDevice(device.uuid, device.name, device.total_bytes, device.free_bytes, listed.get(device.uuid, ()))
        if device.divided
        else device
        for device in devices
    )


def findings(machine: Machine, devices: tuple[NvidiaDevice, ...]) -> Findings:
    """GPUs and notes of the devices that CUDA_VISIBLE_DEVICES leaves."""
    memory = read_memory(machine)
    choice = machine.environment.get("CUDA_VISIBLE_DEVICES")
    visible = devices if choice is None else visible_devices(devices, choice)
    gpus, notes = [], []
    if len(visible) < len(devices):
        notes.append(f"CUDA_VISIBLE_DEVICES=`{choice}` leaves {len(visible)} of {len(devices)} NVIDIA GPUs.")
        if visible and choice and not choice.startswith(("GPU-", "MIG-")) and _order_matters(machine, devices):
            notes.append("CUDA numbers the fastest GPU 0 unless CUDA_DEVICE_ORDER=PCI_BUS_ID, as it was read here.")
    for device in visible:
        found = gpu_of(device, memory, machine)
        if isinstance(found, Gpu):
            gpus.append(found)
        else:
            notes.append(found)
        if device.instances:
            notes.append(
                f"`{device.name}` is divided by MIG; one program can use one instance of it, the largest counts."
            )
    return Findings(gpus=tuple(gpus), notes=tuple(notes))


def gpu_of(device: NvidiaDevice, memory: Memory, machine: Machine) -> Gpu | str:
    """The GPU of one device, or a note why it does not count."""
    if device.fault:
        return f"`{device.name}` does not answer ({device.fault}); nvidia-smi --gpu-reset, or restart the machine."
    if device.divided:
        if not device.instances:
            return f"`{device.name}` is in MIG mode without an instance that we see; make one with nvidia-smi mig -cgi."
        largest = max(device.instances, key=lambda instance: instance.total_bytes or 0)
        return Gpu(largest.name, "nvidia", largest.total_bytes or 0, largest.free_bytes)
    unified = any(word in device.name for word in UNIFIED_NAMES)
    if unified or (device.total_bytes is None and machine.arch == "arm64"):
        # CUDA may take all of the memory there; what the system keeps is left to the budget's margin (report B197)
        board = device_tree_model(machine)
        name = board.removesuffix(" Developer Kit") if "Jetson" in board else device.name
        return unified_gpu(name, "nvidia", memory.total_bytes, memory.available_bytes)
    if device.total_bytes is None:
        return f"The driver tells no memory for `{device.name}`; it is not counted. Say it with --vram GB."
    return Gpu(device.name, "nvidia", device.total_bytes, device.free_bytes)


def visible_devices(devices: tuple[NvidiaDevice, ...], choice: str) -> tuple[NvidiaDevice, ...]:
    """CUDA_VISIBLE_DEVICES: numbers or the starts of UUIDs; the first invalid one ends the list (CUDA C guide, 5.2)."""
    chosen: list[NvidiaDevice] = []
    for entry in (word.strip() for word in choice.split(",")):
        found = _by_entry(devices, entry)
        if found is None or found in chosen:
            break
        chosen.append(found)
    return tuple(chosen)


def without_driver(machine: Machine) -> ProbeResult:
    """No driver answers: say so when there is a card, or a Jetson, or WSL's door to one."""
    memory = read_memory(machine)
    board = device_tree_model(machine)
    if "Jetson" in board:
        name = board.removesuffix(" Developer Kit")
        return Findings(gpus=(unified_gpu(name, "nvidia", memory.total_bytes, memory.available_bytes),))
    if machine.os != "linux":
        return Findings()
    if is_wsl(machine) and machine.exists("/dev/dxg"):
        # report B223: never the system's memory as if it were the card's
        return ProbeFailed(
            "WSL shares a GPU of Windows, but nvidia-smi is not there; if it is NVIDIA's, update the driver in Windows."
        )
    card = next((device for device in display_devices(machine) if device.vendor == "nvidia"), None)
    return Findings() if card is None else ProbeFailed(_why_silent(machine, card))


def _why_silent(machine: Machine, card: PciDevice) -> str:
    """What to do about a card that the kernel lists and no tool of NVIDIA's answers for."""
    if hides_nvidia(machine):
        return HIDDEN_NVIDIA
    match card.driver:
        case "vfio-pci":
            return "An NVIDIA GPU is set aside for a virtual machine (vfio-pci) and not counted."
        case "nvidia":
            return (
                "NVIDIA's driver is loaded, but nvidia-smi is not there; install it (Debian: apt install nvidia-smi)."
            )
        case _:
            return "There is an NVIDIA GPU without NVIDIA's driver; install it (Debian: apt install nvidia-driver)."


def _order_matters(machine: Machine, devices: tuple[NvidiaDevice, ...]) -> bool:
    """Whether the numbers of CUDA may be others than nvidia-smi's, which go by the bus (CUDA C guide, 5.2)."""
    is_by_bus = machine.environment.get("CUDA_DEVICE_ORDER", "").upper() == "PCI_BUS_ID"
    return len({device.name for device in devices}) > 1 and not is_by_bus


def _by_entry(devices: tuple[NvidiaDevice, ...], entry: str) -> NvidiaDevice | None:
    if entry.isascii() and entry.isdecimal() and len(entry) < 4:
        return devices[int(entry)] if int(entry) < len(devices) else None
    if not entry.startswith(("GPU-", "MIG-")):
        return None
    for device in devices:
        uuids = (device.uuid, *(instance.uuid for instance in device.instances or ()))
        if any(uuid.startswith(entry) for uuid in uuids):
            return device
    return None
