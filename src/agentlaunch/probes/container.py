"""What stands between us and the hardware: a container, WSL, a virtual machine."""

from __future__ import annotations

from agentlaunch.probes.base import Findings, ProbeResult
from agentlaunch.system.machine import Machine

HIDDEN_NVIDIA = "The host has an NVIDIA GPU that this container does not see; start it with --gpus all."
HIDDEN_AMD = "The host has an AMD GPU; a container sees it with --device /dev/kfd --device /dev/dri."
HIDDEN_INTEL = "The host has an Intel GPU; a container sees it with --device /dev/dri."


class ContainerProbe:
    """Says when a GPU that the host has is not passed on to us."""

    name = "container"
    title = "containers and virtual machines"
    limit_s = 2.0

    def probe(self, machine: Machine) -> ProbeResult:
        """Notes only."""
        notes = (*_wsl_notes(machine), *_hidden_gpu_notes(machine))
        return Findings(notes=notes)


def is_wsl(machine: Machine) -> bool:
    """Whether this is the Windows Subsystem for Linux: its kernel carries Microsoft's name."""
    return "microsoft" in (machine.read_text("/proc/sys/kernel/osrelease") or "").lower()


def is_container(machine: Machine) -> bool:
    """Whether the usual marks of Docker, Podman, LXC or Kubernetes are there."""
    if machine.exists("/.dockerenv") or machine.exists("/run/.containerenv"):
        return True
    return bool(machine.environment.get("container") or machine.environment.get("KUBERNETES_SERVICE_HOST"))


def is_virtual_machine(machine: Machine) -> bool:
    """Whether the processor reports a hypervisor above it."""
    lines = (machine.read_text("/proc/cpuinfo") or "").splitlines()
    return any("hypervisor" in line.split() for line in lines if line.startswith("flags"))


def hides_nvidia(machine: Machine) -> bool:
    """Whether a container shows an NVIDIA GPU in /proc and /sys, which are the host's, without its device in /dev."""
    return is_container(machine) and not machine.exists("/dev/nvidiactl") and not machine.exists("/dev/dxg")


def hides_graphics(machine: Machine) -> bool:
    """The same for AMD's and Intel's GPUs, which programs reach through /dev/kfd and /dev/dri."""
    return is_container(machine) and not any(map(machine.exists, ("/dev/dri", "/dev/kfd", "/dev/dxg")))


def _wsl_notes(machine: Machine) -> tuple[str, ...]:
    if not is_wsl(machine):
        return ()
    return ("This is WSL: it has the memory that .wslconfig gives it, half of Windows' own unless set.",)


def _hidden_gpu_notes(machine: Machine) -> tuple[str, ...]:
    """/proc is the host's, /dev the container's: a driver without its devices was not passed on."""
    if machine.exists("/proc/driver/nvidia/version") and hides_nvidia(machine):
        return (HIDDEN_NVIDIA,)
    if machine.exists("/dev/kfd") or not is_container(machine) or not machine.exists("/sys/module/amdgpu"):
        return ()
    return (HIDDEN_AMD,)
