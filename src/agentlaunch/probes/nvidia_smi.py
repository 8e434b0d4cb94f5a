"""Reads what nvidia-smi prints: its CSV, its list of MIG instances, its error sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentlaunch.probes.base import MIB, ProbeFailed
from agentlaunch.system.nvml import NvidiaDevice

_FIELD_SEPARATOR = re.compile(r",\s+")
"""nvidia-smi separates by comma and blank; a comma alone may be a decimal one."""
_MEBIBYTES = re.compile(r"(\d{1,9})(?:[.,]\d+)?(?: MiB)?")
_FAULTS = ("requires reset", "Unknown Error", "ERR!", "is lost")
"""In a figure's place: the card does not answer. Elsewhere `[N/A]` stands for a part without memory of its own."""
_LISTED_GPU = re.compile(r"^GPU \d+: (?P<name>.+?) \(UUID: (?P<uuid>GPU-[0-9a-fA-F-]+)\)")
_LISTED_INSTANCE = re.compile(r"^\s+MIG (?P<profile>\S+)\s+Device\s+\d+: \(UUID: (?P<uuid>MIG-[^)]+)\)")
_PROFILE = re.compile(r"^(?:\d+c\.)?\d+g\.(\d{1,4})gb")


def parse_nvidia_smi(text: str) -> tuple[NvidiaDevice, ...] | ProbeFailed:
    """`--query-gpu=uuid,name,memory.total,memory.free[,mig.mode.current] --format=csv,noheader,nounits`.

    A figure may be `[N/A]`, `[Not Supported]`, `[Unknown Error]`, `[Insufficient Permissions]`, `[GPU requires reset]`
    or nothing: all mean not told. A line without a UUID, or its refusal, is talk, and talk alone is a failure.
    """
    devices = [device for line in text.splitlines() if (device := _row(line)) is not None]
    return tuple(devices) if devices else ProbeFailed(driver_advice(text))


def talk_in(text: str) -> str:
    """What stands between the rows: warnings about a card, and why another one is not listed."""
    return "\n".join(line for line in text.splitlines() if line.strip() and _row(line) is None)


def parse_nvidia_list(text: str) -> Mapping[str, tuple[NvidiaDevice, ...]]:
    """`nvidia-smi -L`: the MIG instances of each GPU, by the GPU's UUID.

    An instance's memory is its profile's number in decimal gigabytes: `1g.10gb` has 9.5 GiB in truth, 10e9 is 9.3.
    """
    found: dict[str, tuple[NvidiaDevice, ...]] = {}
    gpu: tuple[str, str] | None = None
    for line in text.splitlines():
        if listed := _LISTED_GPU.match(line):
            gpu = (listed["uuid"], listed["name"])
        elif gpu and (instance := _LISTED_INSTANCE.match(line)):
            size = _PROFILE.match(instance["profile"])
            if size:
                entry = NvidiaDevice(
                    instance["uuid"], f"{gpu[1]} MIG {instance['profile']}", int(size[1]) * 10**9, None
                )
                found[gpu[0]] = (*found.get(gpu[0], ()), entry)
    return found


def parse_mebibytes(field: str) -> int | None:
    """`24564`, `24564 MiB`, `24564,00`; None for anything in brackets or else."""
    found = _MEBIBYTES.fullmatch(field.strip())
    return int(found[1]) * MIB if found else None


def driver_advice(text: str) -> str:
    """A sentence about nvidia-smi's failure that ends with what to do. The known texts are those of report B195."""
    said = " ".join(text.split())
    if "Driver/library version mismatch" in said:
        return "NVIDIA's driver was updated while the old one is loaded; restart the machine."
    if "couldn't communicate with the NVIDIA driver" in said or "Driver Not Loaded" in said:
        return "NVIDIA's driver is installed and not loaded; restart, or reinstall it for this kernel."
    if "No devices were found" in said:
        return "NVIDIA's driver finds no GPU; a hybrid laptop may have it switched off, a container not passed on."
    if "libnvidia-ml" in said:
        return "nvidia-smi is here without its driver's library; reinstall the driver, or pass it on to this container."
    if "GPU access blocked" in said:
        return "Windows keeps WSL from the GPU; update NVIDIA's driver in Windows, then: wsl --shutdown"
    if "Insufficient Permissions" in said:
        return "NVIDIA's driver refuses this user; join the group that owns /dev/nvidia0."
    if "GPU is lost" in said or "Unable to determine the device handle" in said:
        return "An NVIDIA GPU has dropped off the bus; restart the machine, and look at its power and its slot."
    if "requires reset" in said:
        return "An NVIDIA GPU has to be reset: nvidia-smi --gpu-reset, or restart the machine."
    if "infoROM is corrupted" in said:
        return "An NVIDIA GPU reports a damaged infoROM (nvidia-smi); it is counted, and its maker should hear of it."
    return f"nvidia-smi failed: {said[:120] or 'it said nothing'}; run it by hand to see more."


def _row(line: str) -> NvidiaDevice | None:
    fields = _FIELD_SEPARATOR.split(line.strip("\ufeff \t\r"))
    if len(fields) < 4 or not fields[0].startswith(("GPU-", "[")):
        return None
    uuid = "" if fields[0].startswith("[") else fields[0]
    total, free = parse_mebibytes(fields[2]) or None, parse_mebibytes(fields[3])
    enabled = len(fields) > 4 and fields[4] == "Enabled"
    # a slice's owner may be refused the whole card's figure; that refusal names MIG as well as its mode does (B212)
    divided = enabled or "Insufficient Permissions" in fields[2]
    fault = fields[2] if any(word in fields[2] for word in _FAULTS) else ""
    return NvidiaDevice(uuid, fields[1], total, free if total else None, () if divided else None, fault)
