"""What `bench` shows: a line a depth, the estimate beside what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentlaunch.cli.canvas import PLAIN_COLUMNS, WIDEST, Canvas
from agentlaunch.cli.fitted_table import narrow_table

if TYPE_CHECKING:
    from agentlaunch.app.bench import Benched
    from agentlaunch.core.bench import DepthFigures
    from agentlaunch.core.fit.result import Speed

_HEAD = ("DEPTH", "READS", "ESTIMATE", "RATIO", "WRITES", "ESTIMATE", "RATIO", "COLD", "WARM", "RESTORED")


def bench_data(done: Benched) -> dict[str, object]:
    """The keys of `bench --json`. Rates in tokens a second, times in seconds, null where no state is saved."""
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
        "depths": [_depth_data(*pair) for pair in zip(one.figures, done.estimates, strict=True)],
    }


def _depth_data(figures: DepthFigures, estimate: Speed) -> dict[str, object]:
    return {
        "depth": figures.depth,
        "prefill_tok_s": figures.prefill_tok_s,
        "prefill_estimate_tok_s": estimate.prefill.middle,
        "decode_tok_s": figures.decode_tok_s,
        "decode_estimate_tok_s": estimate.decode.middle,
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
    rows = [_row(*pair) for pair in zip(one.figures, done.estimates, strict=True)]
    loaded = f"cache {one.kv_type}, window {one.context_window} tokens"
    busy = (f"the machine was busy (load {one.load:.1f} a core): estimates stay as they are",) if one.is_busy else ()
    return "\n".join(
        (
            f"{one.model} {one.quant}, {one.runtime} {one.build}, {loaded}",
            "",
            narrow_table(_HEAD, rows, columns),
            "",
            *Canvas(min(columns or PLAIN_COLUMNS, WIDEST)).wrap(_LEGEND, ""),
            *busy,
            f"kept in {done.record}",
        )
    )


def _row(figures: DepthFigures, estimate: Speed) -> tuple[str, ...]:
    return (
        f"{figures.depth:,}",
        f"{figures.prefill_tok_s:.0f}",
        f"{estimate.prefill.middle:.0f}",
        _ratio(figures.prefill_tok_s, estimate.prefill.middle),
        f"{figures.decode_tok_s:.1f}",
        f"{estimate.decode.middle:.1f}",
        _ratio(figures.decode_tok_s, estimate.decode.middle),
        f"{figures.cold_s:.2f}",
        f"{figures.warm_s:.2f}",
        "-" if figures.restored_s is None else f"{figures.restored_s:.2f}",
    )


def _ratio(measured: float, estimated: float) -> str:
    return f"{measured / estimated:.2f}" if estimated > 0 else "-"
