"""What a request is for: said by the model's name, else seen in the request's shape."""

from __future__ import annotations

from typing import NamedTuple, get_args

from agentlaunch.core import ir
from agentlaunch.core.ir import ChatRequest, DocumentPart, ImagePart, Message, Part, Reasoning, TextPart, ToolResultPart
from agentlaunch.core.policy import DEFAULT_LONG_CONTEXT_TOKENS, MARK, Role

SHORT_ANSWER_TOKENS = 1024
"""What titles and classifiers ask for at most, where they say it."""

SMALL_PROMPT_TOKENS = 8_000
"""Above Codex's request for a title, 4,900 tokens (facts/agents.md 2); a compaction, which is without tools too, mostly
brings more, and belongs to the model that does the work."""

_HIGHEST_EFFORTS = ("xhigh", "max")


class ToldRole(NamedTuple):
    """A role, and what told it, as words behind `since`."""

    role: Role
    why: str


def strip_role(model: str) -> tuple[str, Role | None]:
    """The model's own name, and the role that a launch has put behind it, None for none."""
    name, mark, word = model.rpartition(MARK)
    for role in get_args(Role):
        if mark and name and word == role:
            found: Role = role
            return name, found
    return model, None


def role_of(
    request: ChatRequest, prompt_tokens: int, long_context_tokens: int = DEFAULT_LONG_CONTEXT_TOKENS
) -> ToldRole:
    """What `request`, a prompt of `prompt_tokens`, is for. The first that holds, in this order:

    1. the role that its model's name carries;
    2. `image`: images came with the newest turn;
    3. `background`: no tools, nothing answered yet, and a short answer, a JSON answer or a small prompt below a system
       prompt (the title requests of Claude Code, Codex and OpenCode: facts/agents.md 2);
    4. `long_context`: at least `long_context_tokens`. Before `thinking`, which an agent asks for in a whole session;
    5. `thinking`: asked for beyond the client's habit, see `_asks_to_think`;
    6. `main`.

    `subagent` is only ever said by the name: nothing in the request's shape tells it.
    """
    named = strip_role(request.model)[1]
    if named is not None:
        return ToldRole(named, "the model's name says so")
    if _newest_turn_has_images(request.messages):
        return ToldRole("image", "an image came with the newest turn")
    if _is_side_request(request, prompt_tokens):
        return ToldRole("background", "a small request without tools")
    if prompt_tokens >= long_context_tokens:
        return ToldRole("long_context", f"the prompt has {long_context_tokens:,} tokens or more")
    if request.reasoning is not None and _asks_to_think(request.reasoning):
        return ToldRole("thinking", "the client asks for much reasoning")
    return ToldRole("main", "nothing else fits")


def has_images(messages: tuple[Message, ...]) -> bool:
    """Whether there is an image, or a document that a model would have to see, anywhere in the conversation."""
    for message in messages:  # plain loops: a long session has thousands of parts, and each request pays for them
        for part in message.parts:
            if type(part) is not TextPart and _is_seen(part):
                return True
    return False


def _newest_turn_has_images(messages: tuple[Message, ...]) -> bool:
    """Images behind the model's last answer: the user's, or a tool's (an agent that reads a screenshot)."""
    for message in reversed(messages):
        if message.role is ir.Role.ASSISTANT:
            return False
        if any(_is_seen(part) for part in message.parts):
            return True
    return False


def _is_seen(part: Part) -> bool:
    match part:
        case ImagePart():
            return True
        case DocumentPart():
            return bool(part.data or part.url)
        case ToolResultPart():
            return any(isinstance(item, ImagePart) for item in part.content)
        case _:
            return False


def _is_side_request(request: ChatRequest, prompt_tokens: int) -> bool:
    if request.tools or any(message.role is ir.Role.ASSISTANT for message in request.messages):
        return False
    asked = request.max_output_tokens
    if request.json_format is not None or (asked is not None and 0 < asked <= SHORT_ANSWER_TOKENS):
        return prompt_tokens <= SMALL_PROMPT_TOKENS
    has_system = any(message.role is ir.Role.SYSTEM for message in request.messages)
    return has_system and prompt_tokens <= SMALL_PROMPT_TOKENS


def _asks_to_think(reasoning: Reasoning) -> bool:
    """A budget in tokens, the highest efforts, or `high` alone. Claude Code sends adaptive thinking with the effort
    `high` on each of its requests (facts/agents.md 2.1), which therefore says nothing."""
    if reasoning.enabled is False:
        return False
    if reasoning.budget_tokens or reasoning.effort in _HIGHEST_EFFORTS:
        return True
    return reasoning.effort == "high" and reasoning.enabled is None
