"""How many tokens a prompt has where nobody counts them: by its characters, and what the upstream's counts teach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

from agentlaunch.core.ir import (
    ChatRequest,
    CustomTool,
    DocumentPart,
    FunctionTool,
    HostedTool,
    ImagePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolReferencePart,
    ToolResultPart,
)

CHARACTERS_PER_TOKEN = 3.8
"""Before anything is learnt: 3.81 to 4.49 measured on the first requests of nine agents (facts/agents.md 2)."""

_FEWEST_CHARACTERS = 2_000
"""In a shorter prompt the chat template, which nobody sees here, weighs too much."""

_PLAUSIBLE = (0.8, 6.0)
"""Characters a token. More means that not all of the prompt was counted: it was cut, or came from a cache."""

_TOWARDS_MORE_TOKENS = 0.5
_TOWARDS_FEWER_TOKENS = 0.1
"""How far one count moves the ratio: quickly to the side that ends in no overflow, slowly to the other."""

_MARGIN = 1.02
"""Estimates err high: an agent that compacts too early loses less than one that compacts too late (report B012)."""


@dataclass(frozen=True)
class Calibration:
    """Characters of prompt for each token of one model, as its upstream has counted them; None before it has."""

    characters_per_token: float | None = None

    def learnt(self, characters: int, tokens: int) -> Calibration:
        """The calibration after a prompt of `characters` was counted as `tokens`; the same where that says nothing."""
        if characters < _FEWEST_CHARACTERS or tokens <= 0:
            return self
        told = characters / tokens
        if not _PLAUSIBLE[0] <= told <= _PLAUSIBLE[1]:
            return self
        known = self.characters_per_token
        if known is None:
            return Calibration(told)
        step = _TOWARDS_MORE_TOKENS if told < known else _TOWARDS_FEWER_TOKENS
        return Calibration(known + step * (told - known))

    def tokens(self, characters: int) -> int:
        """The tokens of a prompt, never 0: a little high once something was learnt, to within 15 % before."""
        if self.characters_per_token is None:
            return max(1, math.ceil(characters / CHARACTERS_PER_TOKEN))
        return max(1, math.ceil(characters / self.characters_per_token * _MARGIN))


def estimate_prompt(request: ChatRequest) -> int:
    """Tokens of the prompt, to within about 15 % for English and code; images count nothing."""
    return int(prompt_characters(request) / CHARACTERS_PER_TOKEN)


def prompt_characters(request: ChatRequest) -> int:
    """The characters of what the model reads: messages and the tools' definitions; images count nothing."""
    characters = sum(_part_size(part) for message in request.messages for part in message.parts)
    return characters + sum(_tool_size(tool) for tool in request.tools)


def _part_size(part: Part | ToolReferencePart) -> int:
    match part:
        case TextPart(text) | RefusalPart(text) | ThinkingPart(text):
            return len(text)
        case DocumentPart():
            return len(part.text)
        case ToolCallPart():
            return len(part.name) + len(part.arguments)
        case ToolResultPart():
            return sum(_part_size(piece) for piece in part.content)
        case ImagePart() | ToolReferencePart():
            return 0
        case _:
            assert_never(part)


def _tool_size(tool: Tool) -> int:
    match tool:
        case FunctionTool():
            return len(tool.name) + len(tool.description) + len(bytes(tool.parameters))
        case CustomTool():
            return len(tool.name) + len(tool.description)
        case HostedTool():
            return 0
        case _:
            assert_never(tool)
