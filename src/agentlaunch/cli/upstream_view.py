"""What `upstream` found, as data and as text. Keys are never part of it, only where they are."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, assert_never

from agentlaunch.app.upstream_store import KeyFile, KeyPlace, KeyRing, KeyVariable, NoKey, StoredUpstream
from agentlaunch.cli.fitted_table import narrow_table
from agentlaunch.cli.machine_view import window
from agentlaunch.core.addresses import is_loopback
from agentlaunch.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agentlaunch.app.upstream_add import Added
    from agentlaunch.app.upstream_trial import Trial
    from agentlaunch.cli.canvas import Canvas
    from agentlaunch.core.endpoint import Prices

_NOTHING = """\
no upstreams were added
a server of your own:  agentlaunch upstream add gpu --kind vllm --url http://HOST:8000
a hosted one:          agentlaunch upstream add openrouter --key-env OPENROUTER_API_KEY"""

_SHOWN_MODELS = 8
"""Names of models that a screen bears; `--json` has all of them."""


def list_data(stored: Sequence[StoredUpstream]) -> dict[str, object]:
    """`upstreams`; windows in tokens, prices in US dollars per million tokens."""
    return {"upstreams": [upstream_data(upstream) for upstream in stored]}


def upstream_data(upstream: StoredUpstream) -> dict[str, object]:
    """One upstream; `is_here` is whether it is on this machine, so that nothing leaves it."""
    return {
        "name": upstream.name,
        "kind": upstream.kind,
        "url": upstream.url,
        "model": upstream.model or None,
        "key": key_text(upstream.key),
        "context": upstream.context_window,
        "prices": None if upstream.prices is None else asdict(upstream.prices),
        "takes_images": upstream.takes_images,
        "is_here": is_loopback(upstream.url),
        "may_leave": upstream.may_leave,
    }


def key_text(key: KeyPlace) -> str:
    """Where the key is."""
    match key:
        case NoKey():
            return "none"
        case KeyVariable(name):
            return f"variable {name}"
        case KeyFile(path):
            return f"file {path}"
        case KeyRing():
            return "keyring"
        case never:
            assert_never(never)


def list_text(stored: Sequence[StoredUpstream], path: Path, columns: int | None = None) -> str:
    """One line an upstream, and where they stand."""
    if not stored:
        return _NOTHING
    rows = [
        (
            upstream.name,
            upstream.kind,
            upstream.url,
            upstream.model or "-",
            window(upstream.context_window) if upstream.context_window else "?",
            price_text(upstream.prices),
            key_text(upstream.key),
            _place(upstream),
        )
        for upstream in stored
    ]
    header = ("NAME", "KIND", "URL", "MODEL", "WINDOW", "USD IN/OUT", "KEY", "BYTES")
    shown = narrow_table(header, rows, columns, ("USD IN/OUT", "WINDOW", "KIND"))
    return f"{shown}\n\nin {path}"


def _place(upstream: StoredUpstream) -> str:
    if is_loopback(upstream.url):
        return "stay here"
    return "may leave" if upstream.may_leave else "may not leave"


def price_text(prices: Prices | None) -> str:
    """Per million tokens, in and out."""
    return "?" if prices is None else f"{prices.input_usd:g}/{prices.output_usd:g}"


def added_data(added: Added) -> dict[str, object]:
    """`upstream`, what it lists, and what the user should know."""
    return {
        "upstream": upstream_data(added.upstream),
        "path": str(added.path),
        "models": [
            {
                "model": model.name,
                "context": model.context_window,
                "prices": None if model.prices is None else asdict(model.prices),
                "takes_images": model.takes_images,
            }
            for model in added.models
        ],
        "notes": list(added.notes),
    }


def added_text(added: Added) -> str:
    """What it has, and the next command."""
    upstream = added.upstream
    lines = [f"`{upstream.name}` is added: {upstream.kind} at {upstream.url}, key: {key_text(upstream.key)}"]
    if added.models:
        names = ", ".join(model.name for model in added.models[:_SHOWN_MODELS])
        more = len(added.models) - _SHOWN_MODELS
        lines.append(f"it lists {names}{f' and {more} more' if more > 0 else ''}")
    model = upstream.model or (added.models[0].name if added.models else "MODEL")
    lines.append(f"try it: agentlaunch upstream test {upstream.name}{'' if upstream.model else f'/{model}'}")
    lines.append(f"use it: agentlaunch claude --model {upstream.name}/{model}")
    return "\n".join(lines)


def trial_data(trial: Trial) -> dict[str, object]:
    """`steps` in their order."""
    steps = [{"name": step.name, "told": step.told} for step in trial.steps]
    return {"name": trial.upstream.name, "model": trial.model, "steps": steps}


def trial_text(trial: Trial, canvas: Canvas) -> str:
    """One line a step."""
    lines = [canvas.paint(f"{trial.upstream.name}: {trial.upstream.kind} at {trial.upstream.url}", "strong")]
    for step in trial.steps:
        mark = canvas.paint("failed", "bad") if step.failed else canvas.paint("ok", "good")
        lines += canvas.field(step.name, f"{mark}  {step.failed or step.told}")
    return "\n".join(lines)


def trial_failure(trial: Trial) -> RemoteError | None:
    """The exit of a trial that has failed: the upstream's reason, and what to do about it."""
    failed = trial.failure
    if failed is None:
        return None
    name = trial.upstream.name
    hints = {
        "reach": f"is {trial.upstream.url} right, and the server started? agentlaunch upstream list",
        "key": f"give another key: agentlaunch upstream add {name} --kind {trial.upstream.kind} --key-stdin ...",
    }
    reason = failed.failed
    message = f"`{name}` {reason}" if failed.name == "reach" else f"`{name}`: {failed.name}: {reason}"
    return RemoteError("upstream-failed", message, hints.get(failed.name, f"another model: {name}/MODEL"))
