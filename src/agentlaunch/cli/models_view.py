"""What `models` found, as data and as text."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agentlaunch.app.weights_show import ShownModel, ShownRepository
from agentlaunch.cli.fitted_table import narrow_table
from agentlaunch.cli.machine_view import rate, wait, window
from agentlaunch.cli.transfer import duration_text
from agentlaunch.cli.verify_view import verified_text
from agentlaunch.core.fit.result import ModelFit, to_json
from agentlaunch.weights.found import OWNER_TITLES
from agentlaunch.weights.progress import size_text

if TYPE_CHECKING:
    from agentlaunch.app.weights import Pulled
    from agentlaunch.app.weights_list import Listed, ListedModel
    from agentlaunch.app.weights_remove import Removed
    from agentlaunch.app.weights_show import SearchHit
    from agentlaunch.cli.canvas import Canvas
    from agentlaunch.core.served_model import ServedModel

_NOTHING = """\
no models are on this machine
find one:  agentlaunch check
fetch it:  agentlaunch models pull NAME"""


def list_data(listed: Listed) -> dict[str, object]:
    """`models` and `begun`; sizes in bytes, windows in tokens, times in ISO 8601, UTC."""
    return {
        "models": [_listed_data(model) for model in listed.models],
        "begun": [{"name": f"hf:{one.repository}", "fetched_bytes": one.fetched_bytes} for one in listed.begun],
        "served": [
            {"server": server.kind.name, "url": server.url, **served_data(model)}
            for server in listed.servers
            for model in server.facts.models
        ],
    }


def list_text(listed: Listed, now: float, canvas: Canvas, columns: int | None = None) -> str:
    """One line a model, or a block where `columns` are too few; `now` in Unix seconds."""
    parts = [_list_table(listed, now, columns)] if listed.models else []
    parts += [_served_table(listed, columns)] if any(server.facts.models for server in listed.servers) else []
    parts = parts or ([] if listed.begun else [_NOTHING])
    problems = [f"{model.name}: {model.problem}" for model in listed.models if model.problem]
    begun = [
        f"begun and not whole: hf:{one.repository}, {size_text(one.fetched_bytes)}; go on: agentlaunch models pull "
        f"hf:{one.repository}; delete: agentlaunch models rm hf:{one.repository}"
        for one in listed.begun
    ]
    lines = [line for text in (*problems, *begun) for line in canvas.wrap(text, "", "  ")]
    return "\n\n".join([*parts, *(["\n".join(lines)] if lines else [])])


def _list_table(listed: Listed, now: float, columns: int | None) -> str:
    rows = [
        (
            model.name,
            model.quant or "?",
            size_text(model.holding.size_bytes),
            window(model.context_trained) if model.context_trained else "?",
            fit_text(model.fit),
            _ago(model.used_at, now),
            OWNER_TITLES[model.holding.owner],
        )
        for model in listed.models
    ]
    header = ("NAME", "QUANT", "SIZE", "WINDOW", "FIT", "USED", "KEPT BY")
    return narrow_table(header, rows, columns, ("QUANT", "USED", "KEPT BY"))


def _served_table(listed: Listed, columns: int | None) -> str:
    """What servers have that run on this machine: those are used as they are."""
    rows = [
        (
            model.name,
            {True: "loaded", False: "not loaded", None: "on demand"}[model.is_loaded],
            window(model.context_window) if model.context_window else "?",
            server.kind.title,
            f"--runtime {server.kind.name}",
        )
        for server in listed.servers
        for model in server.facts.models
    ]
    return narrow_table(("SERVED HERE", "STATE", "WINDOW", "BY", "USE"), rows, columns, ("BY", "STATE"))


def served_data(model: ServedModel) -> dict[str, object]:
    """A server's model; windows in tokens, None for what the server does not tell."""
    return {
        "name": model.name,
        "is_loaded": model.is_loaded,
        "context_window": model.context_window,
        "context_trained": model.context_trained,
    }


def _listed_data(model: ListedModel) -> dict[str, object]:
    holding = model.holding
    used = None if model.used_at is None else datetime.fromtimestamp(model.used_at, UTC).isoformat(timespec="seconds")
    return {
        "name": model.name,
        "model": model.id or None,
        "quant": model.quant or None,
        "size_bytes": holding.size_bytes,
        "context_trained": model.context_trained,
        "fit": None if model.fit is None else to_json(model.fit),
        "used_at": used,
        "kept_by": holding.owner,
        "repository": holding.repository or None,
        "path": None if holding.path is None else str(holding.path),
        "files": [str(file) for file in holding.files],
        "problem": model.problem or None,
    }


def fit_text(fit: ModelFit | None) -> str:
    """Where it runs and how fast, in a cell."""
    if fit is None:
        return "?"
    if not fit.fits:
        return "does not fit"
    return f"{fit.placement.kind} {rate(fit.speed.decode.middle)} tok/s"


def _ago(used_at: float | None, now: float) -> str:
    if used_at is None:
        return "-"
    seconds = max(now - used_at, 0)
    return f"{seconds // 86400:.0f} d ago" if seconds >= 86400 else f"{duration_text(seconds)} ago"


def search_data(hits: tuple[SearchHit, ...]) -> dict[str, object]:
    """`models`, the best first."""
    return {
        "models": [
            {
                "model": hit.model.id,
                "name": hit.model.name,
                "parameters": hit.model.parameters,
                "tool_calling": hit.model.tool_calling,
                "context_trained": hit.model.context_trained or None,
                "license": hit.model.license or None,
                "gguf": list(hit.model.gguf),
                "ollama": list(hit.model.ollama),
                "fit": None if hit.fit is None else to_json(hit.fit),
                "here": list(hit.here),
            }
            for hit in hits
        ]
    }


def search_text(text: str, hits: tuple[SearchHit, ...], near: tuple[str, ...], columns: int | None = None) -> str:
    """One line a model: what would be fetched, how it would run."""
    if not hits:
        close = f"; nearest: {', '.join(near)}" if near else ""
        return f"no known model has `{text}` in its names{close}"
    rows = [
        (
            hit.model.id,
            f"{hit.model.parameters / 1e9:.1f} B",
            hit.fit.quant if hit.fit else "?",
            size_text(hit.fit.file_bytes) if hit.fit else "?",
            fit_text(hit.fit),
            {True: "yes", False: "no", None: "?"}[hit.model.tool_calling],
            ", ".join(hit.here) or "-",
        )
        for hit in hits
    ]
    header = ("MODEL", "PARAMETERS", "QUANT", "SIZE", "FIT", "TOOLS", "HERE")
    return narrow_table(header, rows, columns, ("PARAMETERS", "QUANT", "HERE", "TOOLS", "SIZE"))


def show_data(shown: ShownModel | ShownRepository) -> dict[str, object]:
    """A model's facts; of a repository its `quants`."""
    if isinstance(shown, ShownRepository):
        quants = [
            {"quant": one.quant or None, "size_bytes": one.size_bytes, "files": [file.name for file in one.files]}
            for one in shown.sets
        ]
        return {"name": f"hf:{shown.repository}", "here": None, "quants": quants}
    header = shown.header
    return {
        "name": shown.name,
        "here": None if shown.here is None else _listed_data(shown.here),
        "header": None
        if header is None
        else {
            "architecture": header.architecture,
            "name": header.name,
            "context_trained": header.context_length,
            "layers": header.block_count,
            "vocabulary": header.vocabulary_length,
            "tensors": header.tensor_count,
            "has_chat_template": header.chat_template is not None,
            "mentions_tools": "tools" in (header.chat_template or ""),
        },
        "fits": [to_json(fit) for fit in shown.fits],
        "verified": None if shown.verified is None else asdict(shown.verified),
    }


def show_text(shown: ShownModel | ShownRepository, canvas: Canvas, columns: int | None = None) -> str:
    """Facts as fields, then the windows as a table."""
    if isinstance(shown, ShownRepository):
        return _repository_text(shown, columns)
    lines = [canvas.paint(shown.name, "strong")]
    for label, text in _facts(shown):
        lines += canvas.field(label, text)
    if shown.fits:
        rows = [
            (
                window(fit.context),
                fit.kv_type,
                size_text(fit.placement.total_bytes),
                fit_text(fit),
                wait(fit.speed.first_prompt_s) if fit.fits else "-",
            )
            for fit in shown.fits
        ]
        lines += ["", narrow_table(("WINDOW", "KV", "MEMORY", "FIT", "FIRST ANSWER"), rows, columns, ("KV", "MEMORY"))]
    return "\n".join(lines)


def _facts(shown: ShownModel) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    here, header, model = shown.here, shown.header, shown.model
    if here is None:
        facts.append(("here", f"no; fetch it: agentlaunch models pull {shown.name}"))
    else:
        holding = here.holding
        parts = f" in {len(holding.files)} files" if len(holding.files) > 1 else ""
        facts.append(("file", f"{holding.path or 'not to be seen from here'}"))
        facts.append(("kept by", OWNER_TITLES[holding.owner]))
        facts.append(("size", f"{size_text(holding.size_bytes)}{parts}, {here.quant or 'quantisation not known'}"))
        if here.problem:
            facts.append(("problem", here.problem))
        if shown.verified is not None:
            facts.append(("verified", verified_text(shown.verified)))
    if model is not None and model.parameters:
        facts.append(("model", f"{model.name}, {model.parameters / 1e9:.1f} B parameters"))
    if header is not None:
        tools = "with tools" if "tools" in (header.chat_template or "") else "without tools"
        template = tools if header.chat_template is not None else "none"
        facts.append(("header", f"{header.architecture}, {header.block_count} layers, {header.tensor_count} tensors"))
        facts.append(("trained", f"for {header.context_length:,} tokens" if header.context_length else "not told"))
        facts.append(("template", template))
    elif model is not None:
        facts.append(("trained", f"for {model.context_trained:,} tokens" if model.context_trained else "not known"))
        tools = {True: "called", False: "not called", None: "not known"}[model.tool_calling]
        facts.append(("tools", tools))
        if model.license:
            facts.append(("license", model.license))
        if model.gguf:
            facts.append(("from", ", ".join(f"hf:{name}" for name in model.gguf)))
        if model.ollama:
            facts.append(("Ollama", ", ".join(model.ollama)))
    return facts


def _repository_text(shown: ShownRepository, columns: int | None) -> str:
    if not shown.sets:
        return f"hf:{shown.repository} has no GGUF files"
    rows = [
        (
            f"hf:{shown.repository}:{one.quant}" if one.quant else one.base,
            size_text(one.size_bytes),
            str(len(one.files)),
        )
        for one in shown.sets
    ]
    return narrow_table(("NAME", "SIZE", "FILES"), rows, columns, ("FILES",))


def pulled_data(done: Pulled) -> dict[str, object]:
    """What is here now."""
    return {
        "name": done.name,
        "path": None if done.path is None else str(done.path),
        "quant": done.quant or None,
        "size_bytes": done.size_bytes,
        "was_here": done.was_here,
    }


def pulled_text(done: Pulled) -> str:
    """Where it is, and the next command."""
    where = str(done.path) if done.path is not None else "Ollama has it"
    word = "is here already" if done.was_here else "is here"
    return f"`{done.name}` {word}: {where}\nrun it: agentlaunch claude --model {done.name}"


def removed_data(done: Removed) -> dict[str, object]:
    """What is gone."""
    return {"name": done.name, "freed_bytes": done.freed_bytes, "files": [str(file) for file in done.files]}


def removed_text(done: Removed) -> str:
    """One line."""
    return f"`{done.name}` is deleted, {size_text(done.freed_bytes)} are free again"
