"""The screen and the JSON of `agentlaunch runtime`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.fitted_table import narrow_table

if TYPE_CHECKING:
    from agentlaunch.app.runtime import RuntimeReport
    from agentlaunch.runtimes.llama_builds import Device, LlamaBuild

_NAMES = {"llama_cpp": "embedded", "llama_server": "llama-server"}
"""Name in `runtimes.RUNTIMES` -> what `--runtime` calls it."""


def runtime_data(found: RuntimeReport) -> dict[str, object]:
    """The keys of `runtime --json`. Sizes in bytes; `uses` is null where there is no llama.cpp."""
    choice = found.choice
    return {
        "uses": None if choice is None else {"runtime": _NAMES[choice.runtime], "why": choice.why},
        "llama_cpp": [_build_data(build) for build in found.builds],
        "fault": found.fault,
        "others": [
            {"name": other.name, "state": other.state, "version": other.version, "url": other.url}
            for other in found.others
        ],
        "gpus": list(found.gpus),
        "ways_to_gpu": [asdict(way) for way in found.ways],
    }


def _build_data(build: LlamaBuild) -> dict[str, object]:
    return {
        "runtime": _NAMES[build.runtime],
        "path": build.path,
        "version": build.version,
        "has_gpu": bool(build.gpus),
        "devices": [asdict(device) for device in build.devices],
        "fault": build.fault,
    }


def runtime_text(found: RuntimeReport, columns: int | None = None) -> str:
    """Which llama.cpp, why, the others, and what to type for a GPU."""
    parts = (_wrapped(_llama(found), columns), _others(found, columns), _ways(found))
    return "\n\n".join("\n".join(part) for part in parts if part)


def _wrapped(lines: list[str], columns: int | None) -> list[str]:
    """Lines that are too wide break between words, each under its own indent."""
    if columns is None:
        return lines
    canvas = Canvas(columns)
    shown: list[str] = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        shown += [line] if len(line) <= columns else canvas.wrap(line, indent, indent)
    return shown


def _llama(found: RuntimeReport) -> list[str]:
    fault = [f"! {found.fault}"] if found.fault else []
    if found.choice is None:
        return [*fault, "No llama.cpp is installed. The embedded one: pip install 'agentlaunch[llamacpp]'"]
    used = found.choice.runtime
    lines = [f"llama.cpp: {_NAMES[used]}, since {found.choice.why}"]
    for build in found.builds:
        lines.append(f"  {'*' if build.runtime == used else ' '} {_NAMES[build.runtime]} {build.version}".rstrip())
        lines.append(f"      {build.path}")
        lines += [f"      {_device_text(device)}" for device in build.devices]
        if build.fault:
            lines.append(f"      ! {build.fault}")
        elif not build.gpus:
            lines.append("      sees no GPU: it computes on the CPU")
    return [*fault, *lines]


def _device_text(device: Device) -> str:
    free, total = device.free_bytes / 2**30, device.total_bytes / 2**30
    return f"{device.name}: {device.description} ({device.backend}), {free:.1f} of {total:.1f} GiB free"


def _others(found: RuntimeReport, columns: int | None) -> list[str]:
    rows = [(other.title, other.state, other.version or "-", other.url or "-") for other in found.others]
    return [narrow_table(("ALSO", "STATE", "VERSION", "ADDRESS"), rows, columns, ("VERSION",))] if rows else []


def _ways(found: RuntimeReport) -> list[str]:
    return list(_way_lines(found)) if found.ways else []


def _way_lines(found: RuntimeReport) -> Iterator[str]:
    yield f"This machine has a GPU that llama.cpp does not use: {', '.join(dict.fromkeys(found.gpus))}."
    yield "A llama-server for it, which is then taken by itself:"
    width = max(len(way.command) for way in found.ways)
    for way in found.ways:
        yield f"  {way.command.ljust(width)}   {way.title}"
