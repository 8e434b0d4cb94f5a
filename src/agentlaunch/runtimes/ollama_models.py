"""Models as Ollama names them, and what one must have to drive a coding agent."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from agentlaunch.core.endpoint import Thinking
from agentlaunch.errors import AgentlaunchError, MachineError, UserError
from agentlaunch.runtimes.ollama_control import OllamaControl, Refused, Shown

_LEVEL_FAMILIES = ("gptoss", "gpt-oss")
"""The families whose reasoning has levels; others know on and off (Ollama's documentation, "Thinking")."""
_LOOKED_AT = 12
"""How many other models are asked for their capabilities, to name one that would do."""


def with_tag(name: str) -> str:
    """The name with its tag, as /api/tags and /api/ps tell it; `latest` where none is given."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def find_model(name: str, models: Iterable[str]) -> str | None:
    """The pulled model that `name` means; Ollama does not tell upper and lower case apart."""
    wanted = with_tag(name).lower()
    return next((model for model in models if model.lower() == wanted), None)


def is_cloud(name: str) -> bool:
    """Whether the model runs at ollama.com: their tags end so, and the package tells nothing better."""
    return with_tag(name).endswith(("-cloud", ":cloud"))


def missing(name: str, models: Iterable[str]) -> MachineError:
    """The server has no such model."""
    near = get_close_matches(with_tag(name), list(models), 3, 0.5)
    tail = f"; it has: {', '.join(near)}" if near else ""
    return MachineError("model-missing", f"Ollama has no model `{name}`{tail}", f"fetch it: ollama pull {name}")


async def show_model(control: OllamaControl, name: str) -> Shown:
    """The facts of a model that is listed. Raises MachineError `model-broken` when its manifest is gone."""
    try:
        return await control.show(name)
    except Refused as refused:
        if refused.status != 404:
            raise control.error(refused) from refused
        what = f"Ollama lists `{name}` but cannot read it: {refused.sentence}"
        raise MachineError("model-broken", what, f"fetch it again: ollama pull {name}") from refused


async def check_capabilities(control: OllamaControl, name: str, shown: Shown, models: Iterable[str]) -> None:
    """Raises UserError `model-without-tools` or `model-without-chat`, naming models here that would do (B114, B135)."""
    can = shown.capabilities
    if can is None or {"completion", "tools"} <= can:
        return
    others = [model for model in models if model != name][:_LOOKED_AT]
    able = [model for model in others if await _has_tools(control, model)]
    hint = f"these can: {', '.join(able)}" if able else "fetch one that can: ollama pull qwen3-coder"
    if "completion" not in can:
        raise UserError("model-without-chat", f"`{name}` cannot chat: it is for embeddings", hint)
    raise UserError("model-without-tools", f"`{name}` cannot call tools, and a coding agent does nothing else", hint)


async def _has_tools(control: OllamaControl, name: str) -> bool:
    try:
        return {"completion", "tools"} <= ((await control.show(name)).capabilities or frozenset())
    except (AgentlaunchError, Refused):
        return False


def thinking_of(shown: Shown) -> Thinking:
    """What may be said to the model about reasoning."""
    if shown.capabilities is None:
        return "unknown"
    if "thinking" not in shown.capabilities:
        return "none"
    return "levels" if shown.family in _LEVEL_FAMILIES else "switch"
