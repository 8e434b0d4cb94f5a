"""How a model that is not on this machine is had: the two commands to type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentlaunch.core.catalog import Model


@dataclass(frozen=True)
class Way:
    """What to type first, and the command that then launches the agent."""

    first: str
    command: str

    @property
    def sentence(self) -> str:
        """Both on one line."""
        return f"{self.first}, then: {self.command}"


def way_to_get(model: Model, quant: str, agent: str) -> Way:
    """Fetch it and launch. A model that nobody publishes as GGUF comes through Ollama, in the one form it has there."""
    through = " --runtime ollama" if model.ollama and not model.gguf else ""
    wanted = f" --quant {quant}" if model.gguf and quant else ""
    return Way(
        f"agentlaunch models pull {model.id}{wanted}{through}", f"agentlaunch {agent} --model {model.id}{through}"
    )
