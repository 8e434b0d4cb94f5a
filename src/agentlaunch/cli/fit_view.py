"""What `fit` found, as data (INTERFACE: fit data) and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.machine_view import GIB, fit_lines, gib, machine_title, named, window
from agentlaunch.core.fit.result import ModelFit, to_json

if TYPE_CHECKING:
    from agentlaunch.app.fit import Fitted

_STYLES = {"gpu": "good", "split": "warn", "cpu": "warn", "none": "faint"}
_CELL_GAP = 1  # each cell has room for a star, which is a gap too


def fit_data(found: Fitted) -> dict[str, object]:
    """MODEL_FIT of the best setting; `table` holds one for each quantisation and window."""
    return {**to_json(found.best), "table": [to_json(fit) for fit in found.table]}


def fit_text(found: Fitted, canvas: Canvas) -> str:
    """The model, the table, and the best of it."""
    best = found.best
    parts = [_head(found, canvas), _table_lines(found, canvas), _legend(found, canvas)]
    chosen = "Best" if best.fits else "Nearest"
    size = f"  {best.quant}, {gib(best.file_bytes)}"
    parts.append([canvas.paint(chosen, "title") + size, *fit_lines(best, canvas)])
    return "\n\n".join("\n".join(lines) for lines in parts)


def _head(found: Fitted, canvas: Canvas) -> list[str]:
    model = found.model
    calls = {True: "calls tools", False: "calls no tools", None: "tool calls not known"}[model.tool_calling]
    trained = f"trained for {model.context_trained:,} tokens" if model.context_trained else "trained length not known"
    facts = f"{model.parameters / 1e9:.1f} B parameters, {trained}, {calls}"
    return [
        canvas.paint(named(model.name, model.id), "strong"),
        *canvas.wrap(facts, "  ", "  "),
        *canvas.wrap(f"on {machine_title(found.report)}", "  ", "  "),
    ]


def _cell(fit: ModelFit, floor: float) -> str:
    """Where it runs and how fast; a `!` where that is too slow for an agent."""
    if not fit.fits:
        return "-"
    slow = "!" if fit.speed.decode.low < floor else ""
    speed = fit.speed.decode.middle
    return f"{fit.placement.kind} {speed:.0f}{slow}" if speed >= 2 else f"{fit.placement.kind} {speed:.1f}{slow}"


def _table_lines(found: Fitted, canvas: Canvas) -> list[str]:
    """Quantisations down, smallest first, and windows across, as many as the width holds; a `*` is at the best."""
    floor = found.demand.usable.decode_tok_s
    contexts = sorted({fit.context for fit in found.table})
    by_quant: dict[str, dict[int, ModelFit]] = {}
    for fit in sorted(found.table, key=lambda fit: fit.file_bytes):
        by_quant.setdefault(fit.quant, {})[fit.context] = fit
    names = max(len(name) for name in (*by_quant, "QUANT"))
    width = max(*(len(_cell(fit, floor)) + 1 for fit in found.table), *(len(window(context)) for context in contexts))
    held = max((canvas.columns - names - 10) // (width + _CELL_GAP), 1)
    lines: list[str] = []
    for start in range(0, len(contexts), held):
        shown = contexts[start : start + held]
        head = " ".join(window(context).ljust(width) for context in shown)
        title = f"  {'QUANT'.ljust(names)}  {'GIB'.rjust(5)}  {head}".rstrip()
        lines += ["", canvas.paint(title, "faint")] if lines else [canvas.paint(title, "faint")]
        for quant, fits in by_quant.items():
            cells = " ".join(_painted(fits[context], found, canvas, width) for context in shown)
            size = f"{fits[shown[0]].file_bytes / GIB:.1f}"
            lines.append(f"  {quant.ljust(names)}  {size.rjust(5)}  {cells}".rstrip())
    return lines


def _painted(fit: ModelFit, found: Fitted, canvas: Canvas, width: int) -> str:
    chosen = (fit.quant, fit.context) == (found.best.quant, found.best.context) and fit.fits
    text = _cell(fit, found.demand.usable.decode_tok_s) + ("*" if chosen else "")
    return canvas.paint(text, "strong" if chosen else _STYLES[fit.placement.kind]) + " " * (width - len(text))


def _legend(found: Fitted, canvas: Canvas) -> list[str]:
    floor = found.demand.usable.decode_tok_s
    text = (
        "Columns are windows; a cell tells where it runs and tokens/s: gpu, split with memory, cpu; - does not fit; "
        f"! may write less than {floor:g} tokens/s; * the best."
    )
    return canvas.wrap(text, "  ", "  ")
