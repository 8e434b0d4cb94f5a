"""Prompts that were cut without a word: what Ollama counted against what we had sent."""

from __future__ import annotations

from dataclasses import dataclass

from agentlaunch.core.endpoint import Overflow
from agentlaunch.core.ir import (
    ChatFault,
    ChatRequest,
    CustomTool,
    DocumentPart,
    ErrorKind,
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
"""As in shim/counting.py: 3.81 to 4.49 measured on the first requests of nine agents (facts/agents.md 2)."""

_SURELY_CUT = 0.7
"""Counted fewer than this share of the estimate: the estimate is 18 % too high at most on the measured prompts."""
_NEARLY_FULL = 0.75
"""Below this share of the window nothing is suspected: the prompt fits even if the estimate is a third too low."""
_HALF_SLACK = 2
"""Ollama's runner keeps num_keep and half of the rest: a prompt of `num_ctx // 2 + 2` tokens, give or take what the
tokenizer adds (facts/ollama-api.md G.10; report B165, ollama/ollama#6026: 1026 tokens of 2048)."""


@dataclass(frozen=True)
class Expectation:
    """How many tokens a prompt should have, by estimate, and the window that it has to fit, both in tokens.

    `overflow` is what is known of the server: where it refuses what does not fit, nothing is ever suspected.
    """

    prompt_tokens: int
    context_window: int
    overflow: Overflow = "unknown"

    @property
    def may_be_cut(self) -> bool:
        """Whether the prompt is so long that its answer must be looked at before it is passed on."""
        return self.overflow == "unknown" and self.prompt_tokens >= _NEARLY_FULL * self.context_window

    def was_cut(self, counted: int) -> bool:
        """Whether a server that counted `counted` prompt tokens has left some out. Nothing counted tells nothing."""
        if counted <= 0 or not self.may_be_cut:
            return False
        is_half = abs(counted - (self.context_window // 2 + 2)) <= _HALF_SLACK
        return is_half or counted < _SURELY_CUT * self.prompt_tokens

    def fault(self) -> ChatFault:
        """The overflow as every other server would have told it."""
        return ChatFault(
            ErrorKind.CONTEXT_OVERFLOW,
            f"the prompt of about {self.prompt_tokens} tokens was cut to fit the context of {self.context_window}",
            max(self.prompt_tokens, self.context_window + 1),
            self.context_window,
        )


def estimate_prompt(request: ChatRequest) -> int:
    """Tokens of the prompt, to within about 15 % for English and code; images count nothing."""
    characters = sum(_part_size(part) for message in request.messages for part in message.parts)
    characters += sum(_tool_size(tool) for tool in request.tools)
    return int(characters / CHARACTERS_PER_TOKEN)


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


def _tool_size(tool: Tool) -> int:
    match tool:
        case FunctionTool():
            return len(tool.name) + len(tool.description) + len(bytes(tool.parameters))
        case CustomTool():
            return len(tool.name) + len(tool.description)
        case HostedTool():
            return 0
