"""What `bench` shows: a line a depth, the estimate beside what was measured."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from agentlaunch.cli.canvas import PLAIN_COLUMNS, WIDEST, Canvas
from agentlaunch.cli.fitted_table import narrow_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentlaunch.app.bench import Benched
    from agentlaunch.core.bench import DepthFigures
    from agentlaunch.core.fit.result import Speed

_HEAD = ("DEPTH", "READS", "ESTIMATE", "RATIO", "WRITES", "ESTIMATE", "RATIO", "COLD", "WARM", "RESTORED")


def bench_data(done: Benched) -> dict[str, object]:
    """The keys of `bench --json`. Rates in tokens a second, times in seconds, null where no state is saved, no estimate
    known."""
    one = done.measurement
    return {
        "model": one.model,
        "quant": one.quant,
        "runtime": one.runtime,
        "build": one.build,
        "kv_type": one.kv_type,
        "context": one.context_window,
        "at": one.at,
        "load": one.load,
        "record": str(done.record),
        "depths": [_depth_data(*pair) for pair in _pairs(done)],
    }


def _pairs(done: Benched) -> list[tuple[DepthFigures, Speed | None]]:
    return list(zip_longest(done.measurement.figures, done.estimates))


def _depth_data(figures: DepthFigures, estimate: Speed | None) -> dict[str, object]:
    return {
        "depth": figures.depth,
        "prefill_tok_s": figures.prefill_tok_s,
        "prefill_estimate_tok_s": estimate.prefill.middle if estimate else None,
        "decode_tok_s": figures.decode_tok_s,
        "decode_estimate_tok_s": estimate.decode.middle if estimate else None,
        "cold_s": figures.cold_s,
        "warm_s": figures.warm_s,
        "restore_s": figures.restore_s,
        "restored_s": figures.restored_s,
        "state_bytes": figures.state_bytes,
    }


_LEGEND = (
    "reads, writes: tokens a second; ratio: measured to estimated; cold, warm, restored: seconds to the answer's first "
    "token, with nothing computed before, with the prompt in the engine, with its state on the disk"
)


def bench_text(done: Benched, columns: int | None = None) -> str:
    """A table, and what its columns mean."""
    one = done.measurement
    rows = [_row(*pair) for pair in _pairs(done)]
    loaded = f"cache {one.kv_type}, window {one.context_window} tokens"
    return "\n".join(
        (
            f"{one.model} {one.quant}, {one.runtime} {one.build}, {loaded}",
            "",
            narrow_table(_HEAD, rows, columns),
            "",
            *Canvas(min(columns or PLAIN_COLUMNS, WIDEST)).wrap(_LEGEND, ""),
            *_notes(done),
            f"kept in {done.record}",
        )
    )


def _notes(done: Benched) -> Iterator[str]:
    """What the figures are not."""
    one = done.measurement
    if one.is_busy:
        yield f"the machine was busy (load {one.load:.1f} a core): estimates stay as they are"
    if all(figures.restored_s is None for figures in one.figures):
        yield "nothing restored: no state of a prompt is kept on the disk there"
    if not one.quant:
        yield "its quantisation is not told: estimates stay as they are"


def _row(figures: DepthFigures, estimate: Speed | None) -> tuple[str, ...]:
    reads, writes = (None, None) if estimate is None else (estimate.prefill.middle, estimate.decode.middle)
    return (
        f"{figures.depth:,}",
        f"{figures.prefill_tok_s:.0f}",
        "-" if reads is None else f"{reads:.0f}",
        _ratio(figures.prefill_tok_s, reads),
        f"{figures.decode_tok_s:.1f}",
        "-" if writes is None else f"{writes:.1f}",
        _ratio(figures.decode_tok_s, writes),
        f"{figures.cold_s:.2f}",
        f"{figures.warm_s:.2f}",
        "-" if figures.restored_s is None else f"{figures.restored_s:.2f}",
    )


def _ratio(measured: float, estimated: float | None) -> str:
    return f"{measured / estimated:.2f}" if estimated else "-"
