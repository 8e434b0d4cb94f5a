"""The seam through which probes look at a machine: commands, text files, folders, memory, NVML."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agentlaunch.core.hardware import OperatingSystem
from agentlaunch.system.nvml import NvmlReading, read_nvml
from agentlaunch.system.programs import IS_WINDOWS, startable

KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "LD_LIBRARY_PATH",  # where NixOS and clusters put the driver's libraries
    "SYSTEMROOT",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "TEMP",
    "TMP",
    "PROGRAMFILES",
    "USERPROFILE",
)
"""All that a system tool may see of our environment: keys and tokens stay out of it."""

_READ_LIMIT_BYTES = 4 << 20


@dataclass(frozen=True)
class CommandEnded:
    """A command that ran to its end, whatever it said."""

    exit_code: int
    stdout: str
    stderr: str = ""


@dataclass(frozen=True)
class CommandMissing:
    """There is no such program, or it may not be started."""

    program: str


@dataclass(frozen=True)
class CommandTimedOut:
    """The command was killed after `timeout_s` seconds."""

    program: str
    timeout_s: float


CommandResult = CommandEnded | CommandMissing | CommandTimedOut


@dataclass(frozen=True)
class SystemMemory:
    """What the system says of its memory, before any container's limit. `total_bytes` 0: it does not say."""

    total_bytes: int
    available_bytes: int


class Machine(Protocol):
    """What a probe may ask. No method raises for a thing that is not there."""

    @property
    def os(self) -> OperatingSystem:
        """The system's family."""
        ...

    @property
    def arch(self) -> str:
        """`x86_64`, `arm64`, or the kernel's own word for another one."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """Our own environment variables."""
        ...

    def run(self, argv: Sequence[str], timeout_s: float) -> CommandResult:
        """Run a program in the C locale, without a shell, and wait for its end."""
        ...

    def read_text(self, path: str) -> str | None:
        """A file's text, None when it cannot be read. Bytes that are not UTF-8 are replaced."""
        ...

    def list_folder(self, path: str) -> tuple[str, ...]:
        """The names in a folder, sorted; empty when there is none."""
        ...

    def exists(self, path: str) -> bool:
        """Whether anything is at `path`, a device node too."""
        ...

    def system_memory(self) -> SystemMemory:
        """The system's memory, without a container's limits."""
        ...

    def physical_cores(self) -> int | None:
        """Physical cores of the machine, None when the system does not tell."""
        ...

    def usable_processors(self) -> int | None:
        """Logical processors that this process may run on."""
        ...

    def has_processor_feature(self, number: int) -> bool:
        """Windows' IsProcessorFeaturePresent; False elsewhere."""
        ...

    def nvml(self) -> NvmlReading:
        """What the NVIDIA driver says through its library."""
        ...


class LocalMachine:
    """This very machine."""

    def __init__(self, environment: Mapping[str, str], *, windows: bool = IS_WINDOWS) -> None:
        self._environment = environment
        self._windows = windows

    @property
    def os(self) -> OperatingSystem:
        """The system's family; another Unix counts as Linux."""
        families: dict[str, OperatingSystem] = {"win32": "windows", "darwin": "darwin"}
        return families.get(sys.platform, "linux")

    @property
    def arch(self) -> str:
        """The machine's own architecture, also below an emulated interpreter on Windows."""
        if sys.platform == "win32":
            names = ("PROCESSOR_ARCHITEW6432", "PROCESSOR_ARCHITECTURE")
            name = next(filter(None, map(self._environment.get, names)), "")
        else:
            name = os.uname().machine
        return normal_arch(name)

    @property
    def environment(self) -> Mapping[str, str]:
        """Our own environment variables."""
        return self._environment

    def run(self, argv: Sequence[str], timeout_s: float) -> CommandResult:
        """Run a program in the C locale: a comma for a point has broken such parsers before."""
        environment = clean_environment(self._environment)
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW
        try:
            ended = subprocess.run(
                startable(argv, environment, windows=self._windows),
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                creationflags=flags,
            )
        except subprocess.TimeoutExpired:
            return CommandTimedOut(argv[0], timeout_s)
        except OSError:
            return CommandMissing(argv[0])
        return CommandEnded(ended.returncode, _text(ended.stdout), _text(ended.stderr))

    def read_text(self, path: str) -> str | None:
        """A file's text. At most 4 MiB of it: no file that a probe knows is longer."""
        try:
            with Path(path).open("rb") as file:
                return _text(file.read(_READ_LIMIT_BYTES))
        except (OSError, ValueError):
            return None

    def list_folder(self, path: str) -> tuple[str, ...]:
        """The names in a folder, sorted."""
        try:
            with os.scandir(path) as entries:
                return tuple(sorted(entry.name for entry in entries))
        except (OSError, ValueError):
            return ()

    def exists(self, path: str) -> bool:
        """Whether anything is at `path`."""
        return os.path.exists(path)  # noqa: PTH110 - Path.exists raises for a folder that may not be searched

    def system_memory(self) -> SystemMemory:
        """psutil's figures; where the kernel's sysinfo names less, that (LXC shows the one or the other, not both)."""
        import psutil

        try:
            memory = psutil.virtual_memory()
        except (psutil.Error, OSError, RuntimeError, ValueError):
            return SystemMemory(0, 0)
        total = min(memory.total, _sysinfo_total_bytes() or memory.total)
        return SystemMemory(total, min(memory.available, total))

    def physical_cores(self) -> int | None:
        """Physical cores, from psutil."""
        import psutil

        try:
            return psutil.cpu_count(logical=False)
        except (psutil.Error, OSError, RuntimeError, ValueError):
            return None

    def usable_processors(self) -> int | None:
        """The size of our affinity mask, else the count of processors."""
        count = os.cpu_count()
        if sys.platform == "linux":
            count = len(os.sched_getaffinity(0))
        return count

    def has_processor_feature(self, number: int) -> bool:
        """Windows' IsProcessorFeaturePresent."""
        present = False
        if sys.platform == "win32":
            import ctypes

            present = bool(ctypes.windll.kernel32.IsProcessorFeaturePresent(number))
        return present

    def nvml(self) -> NvmlReading:
        """What the NVIDIA driver says through nvidia-ml-py, when that is installed."""
        return read_nvml()


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a system tool: `KEPT_VARIABLES` and the C locale."""
    kept = {name: value for name, value in environment.items() if name.upper() in KEPT_VARIABLES}
    return {**kept, "LANG": "C", "LC_ALL": "C"}


def normal_arch(name: str) -> str:
    """One word an architecture: Windows, macOS and Linux spell two of them in five ways."""
    known = {"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}
    return known.get(name.lower(), name.lower())


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _sysinfo_total_bytes() -> int | None:
    total = None
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError):
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return total
