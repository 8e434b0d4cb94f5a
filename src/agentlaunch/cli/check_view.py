"""What `check` found, as data (INTERFACE: check data) and as one screen."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from agentlaunch.app.obtain import way_to_get
from agentlaunch.app.running_servers import short_name
from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.machine_view import fit_lines, gib, machine_lines, named, rate, wait, window
from agentlaunch.cli.render import table
from agentlaunch.cli.verify_view import verified_text
from agentlaunch.core.fit.result import ModelFit, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentlaunch.app.check import Checked
    from agentlaunch.app.inventory import FoundRuntime
    from agentlaunch.core.hardware import Gpu


def check_data(found: Checked) -> dict[str, object]:
    """INTERFACE's keys; `recommendation_lean`, `advice` and `verified` are more than that."""
    best, lean = found.recommendation.best, found.lean
    return {
        "machine": _machine_data(found),
        "agents": [
            {"name": agent.name, "path": agent.path, "version": agent.version or None} for agent in found.agents or ()
        ],
        "runtimes": [
            {
                "name": runtime.name,
                "state": runtime.state,
                "version": runtime.version or None,
                "url": runtime.url or None,
                "models": [
                    {"name": model.name, "is_loaded": model.is_loaded, "context_window": model.context_window}
                    for model in runtime.models
                ],
            }
            for runtime in found.runtimes or ()
        ],
        "recommendation": None if best is None else to_json(best),
        "alternatives": [to_json(fit) for fit in found.recommendation.alternatives],
        "reason": found.recommendation.reason,
        "advice": list(found.recommendation.advice),
        "recommendation_lean": None if lean is None else to_json(lean),
        "verified": {model: asdict(score) for model, score in found.verified.items()},
    }


def _machine_data(found: Checked) -> dict[str, object]:
    report = found.report
    return {
        "os": report.os,
        "arch": report.arch,
        "cpu": {"name": report.cpu.name, "cores": report.cpu.cores},
        "memory": {"total_bytes": report.memory.total_bytes, "available_bytes": report.memory.available_bytes},
        "gpus": [_gpu_data(gpu) for gpu in report.gpus],
        "budget_bytes": found.machine.budget_bytes,
        "notes": list(report.notes),
    }


def _gpu_data(gpu: Gpu) -> dict[str, object]:
    return {
        "name": gpu.name,
        "vendor": gpu.vendor,
        "memory_bytes": gpu.memory_bytes,
        "memory_free_bytes": gpu.memory_free_bytes,
        "bandwidth_gb_s": gpu.bandwidth_gb_s,
        "unified": gpu.unified,
    }


def check_text(found: Checked, canvas: Canvas) -> str:
    """One screen: the machine, what is installed, what to run, what else, and what to know."""
    parts = [[canvas.paint("Machine", "title"), *machine_lines(found.report, found.machine, canvas)]]
    if found.agents is not None and found.runtimes is not None:
        parts.append(_installed_lines(found, canvas))
    parts.append(_answer_lines(found, canvas))
    loaded = _loaded_lines(found, canvas)
    if loaded:
        parts.append([canvas.paint("Loaded already", "title"), *loaded])
    if found.recommendation.alternatives:
        title = canvas.paint("Also worth a look", "title")
        parts.append([title, *_other_lines(found.recommendation.alternatives, canvas)])
    notes = _notes(found)
    if notes:
        lines = [line for note in notes for line in canvas.wrap(note, "  - ", "    ")]
        parts.append([canvas.paint("Notes", "title"), *lines])
    return "\n\n".join("\n".join(lines) for lines in parts)


def _installed_lines(found: Checked, canvas: Canvas) -> list[str]:
    from agentlaunch.agents.base import AGENTS, agent_title

    there = [f"{agent.title} {agent.version}".rstrip() for agent in found.agents or ()]
    names = {agent.name for agent in found.agents or ()}
    missing = [agent_title(name) for name in AGENTS if name not in names]
    runtimes = found.runtimes or ()
    return [
        canvas.paint("Installed", "title"),
        *canvas.field("agents", _listed(there, missing)),
        *canvas.field(
            "runtimes",
            _listed(
                [_runtime_text(runtime) for runtime in runtimes if runtime.state != "missing"],
                [runtime.title for runtime in runtimes if runtime.state == "missing"],
            ),
        ),
    ]


def _loaded_lines(found: Checked, canvas: Canvas) -> list[str]:
    """How to use what servers have loaded: nothing is fetched and nothing is started for it."""
    return [
        line
        for runtime in found.runtimes or ()
        for model in runtime.models
        if model.is_loaded
        for line in _command(
            "run", f"agentlaunch {found.order.agent} --runtime {runtime.name} --model {short_name(model.name)}", canvas
        )
    ]


def _listed(there: Sequence[str], missing: Sequence[str]) -> str:
    absent = f"not found: {', '.join(missing)}" if missing else ""
    return "; ".join(part for part in (", ".join(there), absent) if part)


def _runtime_text(runtime: FoundRuntime) -> str:
    running = f" running at {runtime.url}" if runtime.state == "running" else ""
    loaded = [
        f"{model.name} ({window(model.context_window) if model.context_window else 'window unknown'})"
        for model in runtime.models
        if model.is_loaded
    ]
    held = f" with {', '.join(loaded)}" if loaded else ""
    return " ".join(part for part in (runtime.title, runtime.version) if part) + running + held


def _answer_lines(found: Checked, canvas: Canvas) -> list[str]:
    """What to run; where nothing is usable, why, what helps, and what a lean launch can."""
    best = found.recommendation.best
    if best is not None:
        head = canvas.paint(f"Run this for {found.agent_title}", "title")
        return [head, *_model_lines(best, found, canvas, lean=found.order.lean)]
    lines = [canvas.paint(f"Nothing to run {found.agent_title} on", "title")]
    lines += canvas.wrap(found.recommendation.reason, "  ", "  ")
    lines += [line for advice in found.recommendation.advice for line in canvas.wrap(advice, "  - ", "    ")]
    if found.lean is not None:
        lines += ["", canvas.paint("Usable with a lean prompt", "title")]
        lines += _model_lines(found.lean, found, canvas, lean=True)
    return lines


def _model_lines(fit: ModelFit, found: Checked, canvas: Canvas, *, lean: bool) -> list[str]:
    name, size = named(fit.name, fit.model), f"{fit.quant}, {gib(fit.file_bytes)} to load"
    if len(name) + len(size) + 4 <= canvas.columns:
        head = [f"  {canvas.paint(name, 'strong')}  {size}"]
    else:
        head = [*(canvas.paint(line, "strong") for line in canvas.wrap(name, "  ", "  ")), f"  {size}"]
    score = found.verified.get(fit.model)
    verified = [] if score is None else canvas.field("verified", verified_text(score))
    return [*head, *fit_lines(fit, canvas), *verified, *_command_lines(fit, found, canvas, " --lean" if lean else "")]


def _command_lines(fit: ModelFit, found: Checked, canvas: Canvas, flags: str) -> list[str]:
    """The command to type, never broken: it is there to be copied."""
    agent, path = found.order.agent, found.files.get(fit.model)
    if path is not None:
        return [
            *canvas.field("file", str(path)),
            *_command("run", f"agentlaunch {agent} --model {fit.model}{flags}", canvas),
        ]
    way = way_to_get(found.catalog.models[fit.model], fit.quant, agent)
    return [*_command("first", way.first, canvas), *_command("then run", way.command + flags, canvas)]


def _command(label: str, command: str, canvas: Canvas) -> list[str]:
    start = canvas.paint(f"  {label}".ljust(12), "faint")
    shown = canvas.paint(command, "strong")
    return [f"{start}{shown}"] if 12 + len(command) <= canvas.columns else [start.rstrip(), f"    {shown}"]


def _other_lines(fits: Sequence[ModelFit], canvas: Canvas) -> list[str]:
    """A table of as many columns as the width holds; two lines for each model where it holds none."""
    for columns in (_COLUMNS, _COLUMNS[:-1], _COLUMNS[:-2]):
        cells = [tuple(_row(fit)[column] for column in columns) for fit in fits]
        lines = [f"  {line}" for line in table(columns, cells).splitlines()]
        if max(map(len, lines)) <= canvas.columns:
            return [canvas.paint(lines[0], "faint"), *lines[1:]]
    return [line for fit in fits for line in _two_lines(fit, canvas)]


_COLUMNS = ("MODEL", "QUANT", "WINDOW", "ON", "TOK/S", "1ST ANSWER", "MEMORY", "QUALITY")


def _row(fit: ModelFit) -> dict[str, str]:
    return {
        "MODEL": fit.model,
        "QUANT": fit.quant,
        "WINDOW": window(fit.context),
        "ON": fit.placement.kind,
        "TOK/S": rate(fit.speed.decode.middle),
        "1ST ANSWER": wait(fit.speed.first_prompt_s),
        "MEMORY": gib(fit.placement.total_bytes),
        "QUALITY": f"{fit.quality.score:g}",
    }


def _two_lines(fit: ModelFit, canvas: Canvas) -> list[str]:
    told = (
        f"{window(fit.context)} on {fit.placement.kind}, {gib(fit.placement.total_bytes)}, "
        f"{rate(fit.speed.decode.middle)} tokens/s, first answer {wait(fit.speed.first_prompt_s)}"
    )
    return [f"  {fit.model} {fit.quant}", *canvas.wrap(told, "    ", "    ")]


def _notes(found: Checked) -> list[str]:
    from agentlaunch.agents.base import load_agent

    gpu = found.machine.gpu
    assumed = [f"No figures are known for {gpu.names[0]}: its speed is assumed."] if gpu and gpu.assumed else []
    prompt = load_agent(found.order.agent).prompt_tokens
    judged = (
        f"Speeds are estimates; the first answer begins when {found.agent_title}'s own prompt is read: "
        f"{prompt.full:,} tokens, with --lean {prompt.lean:,}."
    )
    return [*found.report.notes, *assumed, judged]
