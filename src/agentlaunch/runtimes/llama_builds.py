"""What llama.cpp there is on this machine: found, told apart by its build and devices, and the better one chosen."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentlaunch.errors import MachineError, UserError
from agentlaunch.runtimes.llama_environment import child_environment
from agentlaunch.runtimes.llama_package import package_folder, package_version
from agentlaunch.system.programs import find_program as find_on_path

PROGRAM = "llama-server"
VARIABLES = ("AGENTLAUNCH_LLAMA_SERVER", "LLAMA_SERVER")
"""Where a user says which llama-server is meant; the first that is set counts."""
LOOK_LIMIT_S = 20.0
"""A CUDA build wakes the driver before it answers, which takes seconds on a machine with several GPUs."""

EMBEDDED, SERVER = "llama_cpp", "llama_server"
"""Names in `runtimes.RUNTIMES`."""

Wanted = Literal["", "llamacpp", "embedded", "llama-server"]
"""What `--runtime` says of llama.cpp; empty and `llamacpp` mean the better one."""

_PLACES = (
    "/opt/homebrew/bin", "/usr/local/bin", "/home/linuxbrew/.linuxbrew/bin", "/opt/local/bin", "/usr/bin",
    "{HOME}/.local/bin", "{HOME}/.nix-profile/bin", "{HOME}/.pixi/bin", "{CONDA_PREFIX}/bin",
    "{CONDA_PREFIX}/Library/bin", "{LOCALAPPDATA}/Microsoft/WinGet/Links",
)  # fmt: skip
"""Where Homebrew, MacPorts, Nix, pixi, conda and winget put programs, for a PATH that lacks them."""

_NO_GPU = ("CPU", "BLAS", "RPC")
"""Devices of ggml that are no GPU of this machine: the processor, its libraries, and other machines."""
_BACKENDS = {"MTL": "Metal"}
_DEVICE = re.compile(r"^ +([A-Za-z]+)(\S*): (.*) \((\d+) MiB(?:, (\d+) MiB free)?\)\s*$", re.MULTILINE)
_VERSION = re.compile(
    r"version: (?:(?P<number>\d+) \(|(?P<name>\S+) \(build (?P<build>\d+), commit )(?P<commit>[0-9a-f]{7,40}|\w+)\)"
)


@dataclass(frozen=True)
class Device:
    """A device that a build of llama.cpp sees. `backend` is CUDA, ROCm, Vulkan, Metal, SYCL, ... or CPU."""

    name: str
    backend: str
    description: str
    total_bytes: int
    free_bytes: int

    @property
    def is_gpu(self) -> bool:
        """Whether it is a graphics processor of this machine, with memory of its own or shared."""
        return self.backend not in _NO_GPU and self.total_bytes > 0


@dataclass(frozen=True)
class LlamaBuild:
    """One llama.cpp. `runtime` is a name in `runtimes.RUNTIMES`; `fault` says why it could not be asked, else empty."""

    runtime: str
    path: str
    version: str = ""
    devices: tuple[Device, ...] = ()
    fault: str = ""

    @property
    def gpus(self) -> tuple[Device, ...]:
        """The graphics processors that it can use."""
        return tuple(device for device in self.devices if device.is_gpu)


@dataclass(frozen=True)
class Choice:
    """Which llama.cpp runs a model, and why. `program` is empty for the embedded one."""

    runtime: str
    program: str
    why: str

    @property
    def title(self) -> str:
        """As the user calls it."""
        return "llama-server" if self.runtime == SERVER else "llamacpp"


def parse_devices(text: str) -> tuple[Device, ...]:
    """The devices in what `llama-server --list-devices` writes; none when it says so, or lists none."""
    _, _, listed = text.partition("Available devices:")
    return tuple(
        Device(
            name=kind + number,
            backend=_BACKENDS.get(kind, kind),
            description=description,
            total_bytes=int(total) * 2**20,
            free_bytes=int(free or total) * 2**20,
        )
        for kind, number, description, total, free in _DEVICE.findall(listed)
    )


def parse_version(text: str) -> str:
    """The build in what `llama-server --version` writes, `b8204` or `0.4.1 b11059`; empty when it cannot be read."""
    found = _VERSION.search(text)
    if found is None:
        return ""
    number = f"b{found['number'] or found['build']}"
    return f"{found['name']} {number}" if found["name"] else number


def find_program(environment: Mapping[str, str]) -> str | None:
    """The program llama-server: what a variable names, else on PATH, else where installers put it.

    Raises UserError `llama-server-missing` for a variable that names none.
    """
    for variable in VARIABLES:
        named = environment.get(variable, "").strip()
        if named:
            found = find_on_path(named, environment) if Path(named).name == named else shutil.which(named)
            if found is None:
                message = f"`{variable}` names `{named}`, which is no program"
                raise UserError("llama-server-missing", message, f"unset {variable}, or name a llama-server with it")
            return str(found)
    folders = os.pathsep.join((environment.get("PATH", ""), *_places(environment)))
    found = find_on_path(PROGRAM, {**environment, "PATH": folders})
    return None if found is None else str(found)


def _places(environment: Mapping[str, str]) -> Iterator[str]:
    home = environment.get("HOME") or environment.get("USERPROFILE") or ""
    known = {"HOME": home, **{name: environment.get(name, "") for name in ("CONDA_PREFIX", "LOCALAPPDATA")}}
    for place in _PLACES:
        if all(known[name] for name in re.findall(r"\{(\w+)\}", place)):
            yield place.format_map(known)
    if known["LOCALAPPDATA"]:
        yield from map(str, Path(known["LOCALAPPDATA"], "Microsoft/WinGet/Packages").glob("ggml.llamacpp_*"))


def read_server(program: str, environment: Mapping[str, str]) -> LlamaBuild:
    """The build behind `program`, which is started twice for the answer."""
    version, fault = _said([program, "--version"], environment)
    devices, device_fault = _said([program, "--list-devices"], environment)
    return LlamaBuild(SERVER, program, parse_version(version), parse_devices(devices), fault or device_fault)


def read_embedded(environment: Mapping[str, str]) -> LlamaBuild | None:
    """The embedded build, None where it is not installed. Asked in a process of its own, for what it loads stays."""
    folder = package_folder()
    if folder is None:
        return None
    command = [sys.executable, "-P", "-m", "agentlaunch.runtimes.llama_embedded_devices"]
    devices, fault = _said(command, environment)
    return LlamaBuild(EMBEDDED, str(folder), package_version() or "", parse_devices(devices), fault)


def _said(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[str, str]:
    """What the program wrote, and why it is not to be believed, else empty."""
    import subprocess

    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=child_environment(environment),
            timeout=LOOK_LIMIT_S,
            check=False,
        )
    except OSError as error:
        return "", f"it does not start: {error.strerror or error}"
    except subprocess.TimeoutExpired:
        return "", f"it does not answer within {LOOK_LIMIT_S:g} s"
    # Some builds list on stdout and talk on stderr, others the other way round.
    text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
    return text, "" if done.returncode == 0 else f"it ends with exit code {done.returncode}"


def choose(wanted: Wanted, embedded: LlamaBuild | None, server: LlamaBuild | None) -> Choice:
    """The build to use: the one that is asked for, else the installed one if it alone has a GPU, else the embedded.

    Raises MachineError `runtime-missing` for one that is asked for and not there.
    """
    if wanted == "llama-server":
        if server is None:
            raise _no_server()
        return Choice(SERVER, server.path, "it is asked for: --runtime llama-server")
    if wanted == "embedded":
        return Choice(EMBEDDED, "", "it is asked for: --runtime embedded")
    if server is None or (server.fault and embedded is not None):
        why = "no llama-server is installed" if server is None else f"the llama-server at {server.path}: {server.fault}"
        return Choice(EMBEDDED, "", why)
    if embedded is None:
        return Choice(SERVER, server.path, "the embedded llama.cpp is not installed")
    if server.gpus and not embedded.gpus:
        return Choice(SERVER, server.path, f"it runs on {_names(server.gpus)}, and the embedded llama.cpp does not")
    why = f"it runs on {_names(embedded.gpus)}" if embedded.gpus else "the installed llama-server sees no GPU either"
    return Choice(EMBEDDED, "", why)


def choose_installed(wanted: Wanted, environment: Mapping[str, str]) -> Choice:
    """As `choose`, with no more programs started than the answer needs: none where there is no llama-server.

    Raises what `choose` and `find_program` raise.
    """
    program = None if wanted == "embedded" else find_program(environment)
    if program is None or wanted == "llama-server":
        return choose(wanted, None, None if program is None else LlamaBuild(SERVER, program))
    server = read_server(program, environment)
    unasked = None if package_folder() is None else LlamaBuild(EMBEDDED, "")
    return choose(wanted, read_embedded(environment) if server.gpus else unasked, server)


def _names(devices: Sequence[Device]) -> str:
    return " and ".join(f"{device.description} ({device.backend})" for device in devices)


def _no_server() -> MachineError:
    return MachineError(
        "runtime-missing",
        "no `llama-server` is installed, and --runtime asks for one",
        "how to get one: agentlaunch runtime; or name it: AGENTLAUNCH_LLAMA_SERVER=PATH",
    )
