"""A model file as an engine of llama.cpp: which of them runs it, placed how, and the least window it may fall to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentlaunch.agents.base import load_agent
from agentlaunch.app.limits import LEAN_BELOW_TOKENS
from agentlaunch.core.engine import EngineSpec

if TYPE_CHECKING:
    from agentlaunch.app.window import Terms, Window
    from agentlaunch.app.world import World
    from agentlaunch.runtimes.llama_builds import Wanted

_STEP_TOKENS = 4096


def llama_engine(
    model: tuple[Path, str], chosen: Window, runtime: str, terms: Terms, world: World
) -> tuple[EngineSpec, str]:
    """The engine of a model's file and alias, and what the user calls the runtime.

    `runtime` is one of LLAMA_RUNTIMES or empty. Raises UserError `llama-server-missing`, MachineError
    `runtime-missing`.
    """
    from agentlaunch.runtimes.llama_builds import choose_installed

    path, alias = model
    choice = choose_installed(cast("Wanted", runtime), world.environment)
    spec = EngineSpec(
        str(path),
        alias,
        chosen.context_window,
        chosen.kv_type,
        choice.runtime,
        program=choice.program,
        parameters=chosen.parameters,
        smallest_window=smallest_window(terms, chosen.context_window),
        memory=chosen.memory,
    )
    return spec, choice.title


def smallest_window(terms: Terms, context_window: int) -> int:
    """The least window, in tokens, that the agent can go on with as it is launched: its first prompt and an answer.

    An answer takes a quarter of a small window (`limits.max_output_for`). A full launch cannot become a lean one while
    it runs, so its whole prompt counts.
    """
    sizes = load_agent(terms.agent).prompt_tokens
    is_lean = context_window < LEAN_BELOW_TOKENS if terms.lean is None else terms.lean
    prompt = sizes.tiny if is_lean else sizes.full
    return min(context_window, -(-prompt * 4 // 3 // _STEP_TOKENS) * _STEP_TOKENS)
