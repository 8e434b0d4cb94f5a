"""What a client says about reasoning, in the words of each vendor whose form of the Chat API has some."""

from __future__ import annotations

import msgspec

from agentlaunch.core.ir import Reasoning
from agentlaunch.core.wire.openai_chat.types import ReasoningOptions, RequestBody

_OFF = ("none", "off")
_ANYTHING = msgspec.json.Decoder()
_SWITCHES = {"enabled": True, "adaptive": True, "disabled": False}
"""`thinking.type` (Z.ai, DeepSeek, Anthropic)."""


def reasoning_of(wire: RequestBody) -> Reasoning | None:
    """`reasoning_effort`, else OpenRouter's `reasoning`, else a mere switch; the effort `none` turns reasoning off."""
    if wire.reasoning_effort:
        return _effort(wire.reasoning_effort)
    match wire.reasoning:
        case ReasoningOptions(enabled, effort, max_tokens):
            return Reasoning(enabled, effort or "", max_tokens)
        case str(word) if word:
            return _effort(word)
        case _:
            is_on = _switch(wire)
            return None if is_on is None else Reasoning(enabled=is_on)


def _effort(word: str) -> Reasoning:
    return Reasoning(enabled=False) if word in _OFF else Reasoning(effort=word)


def _switch(wire: RequestBody) -> bool | None:
    """Qwen's `enable_thinking`, alone or for the template (vLLM, SGLang, llama.cpp), or a `thinking` object.

    What is none of these says nothing: other templates have other variables.
    """
    template = _decoded(wire.chat_template_kwargs)
    inside = template if isinstance(template, dict) else {}
    for said in (_decoded(wire.enable_thinking), inside.get("enable_thinking"), inside.get("thinking")):
        if isinstance(said, bool):
            return said
    thinking = _decoded(wire.thinking)
    return _SWITCHES.get(str(thinking.get("type"))) if isinstance(thinking, dict) else None


def _decoded(raw: msgspec.Raw) -> object:
    return _ANYTHING.decode(raw) if bytes(raw) else None
