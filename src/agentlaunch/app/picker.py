"""What can be launched here: agents, and models for one of them; what is here and fits first, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.agents.base import AGENTS, agent_title

if TYPE_CHECKING:
    from agentlaunch.app.weights_list import ListedModel
    from agentlaunch.app.world import World
    from agentlaunch.core.fit.result import ModelFit
    from agentlaunch.probes.servers.finding import RunningServer

DEMO = "demo"
_GIB = 2**30


@dataclass(frozen=True)
class AgentChoice:
    """An agent. `state` is its version, or that it is not installed."""

    name: str
    title: str
    state: str


@dataclass(frozen=True)
class ModelChoice:
    """A model. `words` name it on the command line; `state` says where it is, `why` how it would run here."""

    title: str
    words: tuple[str, ...]
    state: str
    why: str


def agent_choices(world: World) -> tuple[AgentChoice, ...]:
    """Every agent: the last one launched, then the other installed ones, then the rest. None is started."""
    from agentlaunch.app.inventory import find_agents
    from agentlaunch.app.last_launch import read_record

    installed = {agent.name: agent for agent in find_agents(world.environment, world.dirs)}
    last = read_record(world.dirs)
    last_name = "" if last is None else last.agent

    def rank(name: str) -> tuple[bool, bool]:
        return name not in installed, name != last_name

    choices = []
    for name in sorted(AGENTS, key=rank):
        found = installed.get(name)
        state = "not installed" if found is None else found.version or "installed"
        used = ", last used" if name == last_name else ""
        choices.append(AgentChoice(name, agent_title(name), f"{state}{used}"))
    return tuple(choices)


def model_choices(world: World, agent: str) -> tuple[ModelChoice, ...]:
    """What `agent` can run on: loaded in a server, here and fitting (the last used first), at an upstream that was
    added, to fetch, and last what is here and does not fit. Raises UserError `bad-servers`, `bad-upstreams-file`."""
    from agentlaunch.app.weights_list import list_models

    listed = list_models(world)
    fitting = [model for model in listed.models if model.fit is not None and model.fit.fits]
    others = [model for model in listed.models if model not in fitting and not model.holding.missing_parts]
    here = {(model.id, model.quant) for model in listed.models}
    advice = _advised(world, agent, here)
    choices = (
        *_loaded(listed.servers),
        *(_here(model, advice) for model in fitting),
        *_upstreams(world),
        *advice.to_fetch,
        _demo("fetch 0.1 GiB", advice),
        *(_here(model, advice) for model in others),
    )
    return tuple({choice.words: choice for choice in reversed(choices)}.values())[::-1]


def _loaded(servers: tuple[RunningServer, ...]) -> Iterator[ModelChoice]:
    for server in servers:
        for model in server.facts.models:
            if model.is_loaded:
                title, words = server.kind.title, ("--model", model.name, "--runtime", server.kind.name)
                window = f" with a window of {model.context_window:,} tokens" if model.context_window else ""
                yield ModelChoice(model.name, words, f"in {title}", f"{title} has it loaded{window}.")


def _here(model: ListedModel, advice: _Advice) -> ModelChoice:
    used = ", last used" if model.used_at else ""
    if model.name == DEMO:
        return _demo(f"here{used}", advice)
    if model.fit is None:
        return ModelChoice(model.name, _words(model), f"here{used}", model.problem or "Nothing tells how it would run.")
    if not model.fit.fits:
        return ModelChoice(model.name, _words(model), "here, does not fit", " ".join(model.fit.why))
    return ModelChoice(model.name, _words(model), f"here, {_speed(model.fit)}{used}", _why(model.fit))


def _words(model: ListedModel) -> tuple[str, ...]:
    """A file outside of the known names goes by its path."""
    holding = model.holding
    if model.id or holding.owner in ("ollama", "agentlaunch", "hugging-face") or holding.path is None:
        return "--model", model.name
    return "--model", str(holding.path)


def _upstreams(world: World) -> Iterator[ModelChoice]:
    from agentlaunch.app.upstreams import known_upstreams

    for upstream in known_upstreams(world):
        if upstream.model:
            words = ("--upstream", upstream.name, "--model", upstream.model)
            title = f"{upstream.name}/{upstream.model}"
            yield ModelChoice(title, words, "upstream", f"Answered by {upstream.url}, not by this machine.")


@dataclass(frozen=True)
class _Advice:
    """The best of the catalogue that is not here; `problem` says why there is none that is usable, else empty."""

    to_fetch: tuple[ModelChoice, ...]
    problem: str


def _advised(world: World, agent: str, here: set[tuple[str, str]]) -> _Advice:
    """For a full launch; where nothing is usable, for a lean one."""
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import THIS_MACHINE
    from agentlaunch.app.prompts import demand_of
    from agentlaunch.core.fit.choice import recommend

    knowledge = load_knowledge()
    report = look_at(THIS_MACHINE, world.folder, world.look)
    full = recommend(report, knowledge, demand_of(agent))
    found, lean = full, False
    if full.best is None:
        found, lean = recommend(report, knowledge, demand_of(agent, lean=True)), True
    if found.best is None:
        return _Advice((), full.reason)
    fits = [fit for fit in (found.best, *found.alternatives) if (fit.model, fit.quant) not in here]
    models = knowledge.catalog.models
    return _Advice(tuple(_fetched(fit, lean=lean, published=bool(models[fit.model].gguf)) for fit in fits), "")


def _fetched(fit: ModelFit, *, lean: bool, published: bool) -> ModelChoice:
    """A model that nobody publishes as GGUF comes through Ollama, in the one form that it has there."""
    name = f"{fit.model}:{fit.quant}" if published else fit.model
    words = ("--model", name, *(() if published else ("--runtime", "ollama")), *(("--lean",) if lean else ()))
    return ModelChoice(name, words, f"fetch {fit.file_bytes / _GIB:.1f} GiB, {_speed(fit)}", _why(fit))


def _demo(state: str, advice: _Advice) -> ModelChoice:
    why = "A tiny model that shows that everything works; it cannot code."
    return ModelChoice(DEMO, ("--model", DEMO), state, f"{why} {advice.problem}".rstrip())


def _speed(fit: ModelFit) -> str:
    return f"{fit.speed.decode.middle:.0f} tok/s"


def _why(fit: ModelFit) -> str:
    """One sentence: where it runs, its window, how long an answer takes to begin, and how good it is."""
    where = {"gpu": "on the GPU", "split": "on GPU and CPU", "cpu": "on the CPU", "none": "nowhere"}
    runs = f"Runs {where[fit.placement.kind]}, window of {fit.context:,} tokens"
    return (
        f"{runs}, first prompt read in about {fit.speed.first_prompt_s:.0f} s, quality {fit.quality.score:.0f} of 100."
    )
