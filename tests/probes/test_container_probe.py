"""What stands between us and the hardware is told in one sentence."""

from __future__ import annotations

from tests.probes.recorded import RecordedMachine

from agentlaunch.probes.base import Findings
from agentlaunch.probes.container import ContainerProbe, is_container


def notes(*paths: str, **texts: str) -> object:
    files = dict.fromkeys(paths, "") | {f"/proc/{name}": text for name, text in texts.items()}
    return ContainerProbe().probe(RecordedMachine(files=files))


def test_wsl_says_where_its_memory_comes_from() -> None:
    note = "This is WSL: it has the memory that .wslconfig gives it, half of Windows' own unless set."
    files = {"/proc/sys/kernel/osrelease": "5.15.167.4-microsoft-standard-WSL2\n"}
    assert ContainerProbe().probe(RecordedMachine(files=files)) == Findings(notes=(note,))


def test_a_container_without_the_hosts_nvidia_gpu_says_how_to_pass_it_on() -> None:
    note = "The host has an NVIDIA GPU that this container does not see; start it with --gpus all."
    assert notes("/.dockerenv", "/proc/driver/nvidia/version") == Findings(notes=(note,))
    assert notes("/.dockerenv", "/proc/driver/nvidia/version", "/dev/nvidiactl") == Findings()
    assert notes("/proc/driver/nvidia/version") == Findings()


def test_a_container_without_the_hosts_amd_gpu_says_how_to_pass_it_on() -> None:
    note = "The host has an AMD GPU; a container sees it with --device /dev/kfd --device /dev/dri."
    assert notes("/run/.containerenv", "/sys/module/amdgpu/version") == Findings(notes=(note,))
    assert notes("/run/.containerenv", "/sys/module/amdgpu/version", "/dev/kfd") == Findings()


def test_kubernetes_and_lxc_are_known_by_the_environment() -> None:
    assert is_container(RecordedMachine(environment={"container": "lxc"}))
    assert is_container(RecordedMachine(environment={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}))
    assert not is_container(RecordedMachine())
