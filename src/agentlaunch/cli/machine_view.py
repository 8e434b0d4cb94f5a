"""A machine, and one model on it, as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from agentlaunch.cli.canvas import Canvas

if TYPE_CHECKING:
    from agentlaunch.core.fit.machine import Machine
    from agentlaunch.core.fit.result import ModelFit
    from agentlaunch.core.hardware import Gpu, HardwareReport

GIB = 1 << 30
BAR_CELLS = 20
NEARLY_FULL = 0.92


def gib(size_bytes: float) -> str:
    """Bytes as people read them."""
    return f"{size_bytes / GIB:.1f} GiB"


def window(tokens: int) -> str:
    """A window in a table: `64k`; a thousand is 1,024 where it divides."""
    return f"{tokens // 1024}k" if tokens % 1024 == 0 else f"{tokens:,}"


def named(name: str, model_id: str) -> str:
    """A model's name, and its id where the name does not tell it."""
    return name if name.lower() == model_id else f"{name} ({model_id})"


def wait(seconds: float) -> str:
    """Seconds until an answer begins."""
    whole = max(round(seconds), 1)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def rate(tokens_a_second: float) -> str:
    """Tokens a second: a decimal where it matters."""
    return f"{tokens_a_second:.1f}" if tokens_a_second < 9.95 else f"{tokens_a_second:.0f}"


def machine_lines(report: HardwareReport, machine: Machine, canvas: Canvas) -> list[str]:
    """Processor, memory, GPUs and what of their memory a model may use."""
    count = f"{report.cpu.cores} core{'s' if report.cpu.cores != 1 else ''}"
    processor = count if report.cpu.name == "unknown" else f"{report.cpu.name}, {count}"
    memory = f"{gib(report.memory.total_bytes)}, {gib(report.memory.available_bytes)} free"
    return [
        *(line for text in _gpu_texts(report.gpus) for line in canvas.field("GPU", text)),
        *canvas.field("CPU", processor),
        *canvas.field("memory", memory),
        *canvas.field("usable", _budget_text(machine)),
    ]


def machine_title(report: HardwareReport) -> str:
    """A machine in a few words."""
    names = [f"{gpu.name} {gib(gpu.memory_bytes)}" for gpu in report.gpus[:1]]
    more = f" and {len(report.gpus) - 1} more" if len(report.gpus) > 1 else ""
    return (
        f"{names[0]}{more}, {gib(report.memory.total_bytes)} memory"
        if names
        else (f"{report.cpu.cores} cores, {gib(report.memory.total_bytes)} memory, no GPU")
    )


def _gpu_texts(gpus: tuple[Gpu, ...]) -> list[str]:
    """Equal cards on one line."""
    counted: dict[str, int] = {}
    for gpu in gpus:
        size = "shares the memory" if gpu.unified else gib(gpu.memory_bytes)
        free = "" if gpu.memory_free_bytes is None or gpu.unified else f", {gib(gpu.memory_free_bytes)} free"
        speed = "" if gpu.bandwidth_gb_s is None else f", {gpu.bandwidth_gb_s:.0f} GB/s"
        text = f"{gpu.name}, {size}{free}{speed}"
        counted[text] = counted.get(text, 0) + 1
    return [text if count == 1 else f"{count} x {text}" for text, count in counted.items()] or ["none that can compute"]


def _budget_text(machine: Machine) -> str:
    if machine.gpu is None:
        return f"{gib(machine.host_budget_bytes)} of memory"
    gpu = f"{gib(machine.gpu.budget_bytes)} on the GPU{'s' if machine.gpu.count > 1 else ''}"
    return gpu if machine.gpu.unified else f"{gpu} and {gib(machine.host_budget_bytes)} of memory"


def place_text(fit: ModelFit) -> str:
    """Where the model lies, in words."""
    placement = fit.placement
    match placement.kind:
        case "gpu":
            return "all on the GPU"
        case "split":
            return f"{gib(placement.gpu_bytes)} on the GPU, {gib(placement.host_bytes)} in memory"
        case "cpu":
            return "in memory, on the CPU"
        case "none":
            return "does not fit"
        case _:
            assert_never(placement.kind)


def fit_lines(fit: ModelFit, canvas: Canvas) -> list[str]:
    """Memory as a bar, window, speed and quality of one model."""
    placement, speed = fit.placement, fit.speed
    share = placement.total_bytes / max(placement.budget_bytes, 1)
    style = "bad" if not fit.fits else "warn" if share > NEARLY_FULL else "good"
    used = f"{placement.total_bytes / GIB:.1f} of {gib(placement.budget_bytes)}"
    bar = canvas.bar(share, BAR_CELLS, style)
    label = canvas.paint("  memory".ljust(12), "faint")
    beside = f"{used}, {place_text(fit)}"
    if 12 + BAR_CELLS + 4 + len(beside) <= canvas.columns:
        memory = [f"{label}{bar}  {beside}"]
    else:
        memory = [f"{label}{bar}", *canvas.wrap(beside, " " * 12, " " * 12)]
    cache = "" if fit.kv_type == "f16" else f", KV cache {fit.kv_type}"
    room = f", room for {fit.max_context:,}" if fit.max_context > fit.context else ""
    lines = [*memory, *canvas.field("window", f"{fit.context:,} tokens{room}{cache}")]
    if fit.fits:
        decode = speed.decode
        writes = f"{rate(decode.middle)} tokens/s ({rate(decode.low)} to {rate(decode.high)})"
        lines += canvas.field("speed", f"{writes}, first answer after {wait(speed.first_prompt_s)}")
    return [*lines, *canvas.field("quality", f"{fit.quality.score:g} of 100 ({fit.quality.source})")]
