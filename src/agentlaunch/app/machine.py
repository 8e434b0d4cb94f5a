"""The machine that a command looks at: this one, or another that flags and a file describe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentlaunch.app.machine_flags import MachineFlags
    from agentlaunch.core.hardware import HardwareReport


def look_at(flags: MachineFlags, folder: Path, look: Callable[[], HardwareReport]) -> HardwareReport:
    """The report with paper figures. What no flag says is this machine's; with a file, nothing is.

    Raises UserError `bad-machine`, `bad-machine-file`, `unknown-gpu`.
    """
    from agentlaunch.app.knowledge import load_gpus

    if flags.are_given:
        from agentlaunch.app.simulated import simulated_report

        report = simulated_report(flags, folder, look, load_gpus())
    else:
        report = look()
    if not report.gpus:
        return report
    from agentlaunch.core.gpus import with_paper_figures

    return with_paper_figures(report, load_gpus())
