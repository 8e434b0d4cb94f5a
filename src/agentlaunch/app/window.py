"""How much context a model file is launched with: what this machine has room for, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agentlaunch.app.limits import DEFAULT_CONTEXT_TOKENS, LEAN_BELOW_TOKENS
from agentlaunch.app.prompts import DEFAULT_AGENT, demand_of
from agentlaunch.app.status import loaded_engines, shared_engines
from agentlaunch.app.talk import agrees
from agentlaunch.core.engine import EngineParameters
from agentlaunch.errors import MachineError

if TYPE_CHECKING:
    from agentlaunch.app.orders import ModelOrder
    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Model
    from agentlaunch.core.engine import EngineStatus, KVType, MemoryPlan
    from agentlaunch.core.fit.choice import Knowledge
    from agentlaunch.core.fit.estimate import Demand
    from agentlaunch.core.fit.result import ModelFit
    from agentlaunch.core.hardware import HardwareReport
    from agentlaunch.runtimes.model_file import ModelFacts

LARGER_WINDOW = 131_072
"""Tried beyond the preferred window of 64k. More is for `--context`: Claude Code counts no further than 200,000."""
LARGER_WINDOW_FREE_SHARE = 0.1
"""What must stay free of the budget with such a window: it is a comfort, and an estimate may be a tenth off."""
SMALLEST_WINDOW = 4096
"""Less holds no agent's tiniest prompt and an answer."""


@dataclass(frozen=True)
class Terms:
    """For whom a model is launched, and what has been agreed to. `lean` None: the window decides."""

    agent: str = DEFAULT_AGENT
    lean: bool | None = None
    yes: bool = False
    force: bool = False


@dataclass(frozen=True)
class Window:
    """A window in tokens with its KV cache, and sentences about it that the user should read.

    `memory` None: it is not known, or the user goes on without asking.
    """

    context_window: int
    kv_type: KVType
    notes: tuple[str, ...] = ()
    memory: MemoryPlan | None = field(default=None, compare=False)
    parameters: EngineParameters = field(default=EngineParameters(), compare=False)


@dataclass(frozen=True)
class _Sizing:
    """One model file before this machine."""

    report: HardwareReport
    model: Model
    knowledge: Knowledge
    demand: Demand

    def fit(self, context: int | None, kv: KVType | None, prompt_tokens: int | None = None) -> ModelFit:
        """The model with this window, or with the one that is best here."""
        from agentlaunch.core.fit.choice import Wanted, fit_model
        from agentlaunch.core.fit.estimate import Demand

        demand = self.demand
        if prompt_tokens is not None:
            demand = Demand(demand.agent, prompt_tokens, demand.usable)
        return fit_model(self.report, self.model, self.knowledge, Wanted(None, context, kv), demand)

    def window(self, fit: ModelFit, notes: tuple[str, ...] = ()) -> Window:
        """The window of this fit, with what it takes of the machine."""
        from agentlaunch.core.fit.parameters import engine_parameters
        from agentlaunch.core.fit.room import memory_plan

        memory = memory_plan(fit.placement, self.report, self.knowledge.calibration)
        parameters = engine_parameters(fit.placement, self.model.architecture, fit.context, fit.kv_type)
        return Window(fit.context, fit.kv_type, notes, memory, parameters)


def choose_window(facts: ModelFacts, order: ModelOrder, terms: Terms, world: World) -> Window:
    """The ordered window if it fits; without one the largest that fits and is fast enough, at best 64k or more.

    A file that runs already keeps its window. Raises MachineError `does-not-fit`, saying what would fit.
    """
    running = _running(facts, order, world)
    if running is not None:
        return Window(running.context_window, running.kv_type)
    if terms.force or not facts.header.block_count or not facts.header.embedding_length:
        return Window(order.context or _stated(facts), order.kv or "f16")
    sizing = _sizing(facts, terms, world)
    found = sizing.fit(order.context, order.kv)
    if not found.fits:
        return _smaller(found, sizing, (order, terms), world)
    if order.context is None:
        found = _widened(found, sizing)
    return sizing.window(found, _slow_note(found, sizing, terms))


def _stated(facts: ModelFacts) -> int:
    return min(facts.header.context_length or DEFAULT_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS)


def _running(facts: ModelFacts, order: ModelOrder, world: World) -> EngineStatus | None:
    """An engine that serves this file as ordered: it fits, for it is there, and what it holds must not count twice."""
    for engine in shared_engines(world):
        if (
            engine.model_path == str(facts.path)
            and engine.state in ("ready", "loading")
            and order.context in (None, engine.context_window)
            and order.kv in (None, engine.kv_type)
        ):
            return engine
    return None


def _sizing(facts: ModelFacts, terms: Terms, world: World) -> _Sizing:
    from agentlaunch.app.knowledge import load_calibration
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import MachineFlags
    from agentlaunch.core.catalog import Catalog
    from agentlaunch.core.fit.choice import Knowledge
    from agentlaunch.core.fit.from_gguf import model_from_gguf

    model = model_from_gguf(facts.header, facts.file_bytes, facts.path.stem)
    # The catalogue tells quality alone, which a file that was named need not have: 10 ms saved.
    knowledge = Knowledge(Catalog({}, {}), load_calibration())
    report = look_at(MachineFlags(), world.folder, world.look)
    return _Sizing(report, model, knowledge, demand_of(terms.agent, lean=terms.lean is True))


def _widened(found: ModelFit, sizing: _Sizing) -> ModelFit:
    """A longer window where it stays in the same place, leaves room, and is fast enough even when it is full."""
    window = min(LARGER_WINDOW, found.max_context)
    if window <= found.context:
        return found
    full = sizing.fit(window, found.kv_type, prompt_tokens=window)
    spare = full.placement.headroom_bytes / max(full.placement.budget_bytes, 1)
    same = full.placement.kind == found.placement.kind
    fast = full.speed.decode.low >= sizing.demand.usable.decode_tok_s
    wide = same and fast and spare >= LARGER_WINDOW_FREE_SHARE
    return sizing.fit(window, found.kv_type) if wide else found


def _smaller(missed: ModelFit, sizing: _Sizing, wanted: tuple[ModelOrder, Terms], world: World) -> Window:
    """What fits instead, if the user agrees. Raises MachineError `does-not-fit`."""
    order, terms = wanted
    total, budget = _gib(missed.placement.total_bytes), _gib(missed.placement.budget_bytes)
    told = f"`{sizing.model.id}` does not fit with {missed.context:,} tokens of context: it takes {total} of {budget}"
    told += _held_by_others(world)
    offer = _offer(missed, sizing, order)
    if offer is None:
        if world.talk.is_interactive and world.talk.confirm(f"{_start(told)}. Launch it all the same?"):
            return Window(missed.context, missed.kv_type)
        hint = "a smaller model, see: agentlaunch check; or on your own risk: --force"
        raise MachineError("does-not-fit", told, hint)
    instead = f"{offer.context:,} tokens" + ("" if offer.kv_type == "f16" else f" with a KV cache of {offer.kv_type}")
    if agrees(f"{_start(told)}. Take {instead} instead?", world.talk, yes=terms.yes):
        return sizing.window(offer)
    flags = f"--context {offer.context}" + ("" if offer.kv_type == "f16" else f" --kv {offer.kv_type}")
    raise MachineError("does-not-fit", told, f"this fits: {flags}; or on your own risk: --force")


def _held_by_others(world: World) -> str:
    """Which engines of ours hold memory at the moment, as the end of a sentence."""
    names = sorted({f"`{engine.alias}`" for engine in loaded_engines(world) if engine.state in ("ready", "loading")})
    return f"; loaded for other sessions: {', '.join(names)}" if names else ""


def _offer(missed: ModelFit, sizing: _Sizing, order: ModelOrder) -> ModelFit | None:
    """The same window with a cache of eight bits, else the longest window that fits. Four bits spoil tool calls and are
    not offered."""
    kv: KVType = "q8_0" if order.kv in (None, "f16") else missed.kv_type
    tried = sizing.fit(missed.context, kv)
    if tried.fits:
        return tried
    return sizing.fit(tried.max_context, kv) if tried.max_context >= SMALLEST_WINDOW else None


def _start(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _slow_note(found: ModelFit, sizing: _Sizing, terms: Terms) -> tuple[str, ...]:
    """A warning where the agent will be a trial of patience; nothing where it is fast enough."""
    usable = sizing.demand.usable
    demand = sizing.demand
    if terms.lean is None and found.context < LEAN_BELOW_TOKENS:
        demand = demand_of(terms.agent, lean=True)
        found = replace(sizing, demand=demand).fit(found.context, found.kv_type)
    if found.speed.decode.low >= usable.decode_tok_s and found.speed.first_prompt_s <= usable.first_prompt_s:
        return ()
    rate, wait = f"{found.speed.decode.middle:.0f}", f"{found.speed.first_prompt_s:.0f}"
    return (f"slow on this machine: about {rate} tokens a second, {wait} s until the first answer begins",)
