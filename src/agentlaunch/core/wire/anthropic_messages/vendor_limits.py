"""A request within what Anthropic's own service takes, which clients of other APIs need not know.

Source: the vendor's API reference, "Create a Message", and its pages on extended thinking ("Feature compatibility"),
prompt caching ("up to 4 cache breakpoints") and effort. Whatever goes beyond is answered with a 400.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from agentlaunch.core.ir import (
    ChatRequest,
    DocumentPart,
    FunctionTool,
    ImagePart,
    Message,
    Part,
    Reasoning,
    ResultContent,
    Role,
    Sampling,
    TextPart,
    Tool,
    ToolCallPart,
    ToolReferencePart,
    ToolResultPart,
)

T = TypeVar("T", bound=Part | Tool)

_Markable = TextPart | ImagePart | DocumentPart | ToolCallPart | ToolResultPart | FunctionTool

_MOST_MARKS = 4
_LEAST_BUDGET = 1_024
"""Tokens of thinking; and they must be fewer than `max_tokens`."""
_LEAST_TOP_P = 0.95
"""While the model thinks."""
_EFFORTS = {"minimal": "low"}
"""OpenAI's words that the vendor has not."""


def within_limits(request: ChatRequest, default_limit: int) -> ChatRequest:
    """The request as the vendor takes it; `default_limit` is the `max_tokens` of one that has none."""
    limit = request.max_output_tokens or default_limit
    reasoning = _reasoning(request, limit)
    messages = tuple(_marked_outside(message) for message in _without_trailing_space(request.messages))
    marks = _marks((*request.tools, *(part for message in messages for part in message.parts)))
    keeps = iter([False] * (marks - _MOST_MARKS) + [True] * min(marks, _MOST_MARKS))  # the later ones hold more
    return msgspec.structs.replace(
        request,
        tools=tuple(_kept(tool, keeps) for tool in request.tools),
        messages=tuple(Message(each.role, tuple(_kept(part, keeps) for part in each.parts)) for each in messages),
        stop=tuple(stop for stop in request.stop if stop.strip()),
        sampling=_sampling(request.sampling, thinks=bool(reasoning and reasoning.enabled)),
        reasoning=reasoning,
    )


def _reasoning(request: ChatRequest, limit: int) -> Reasoning | None:
    """No thinking beside a forced call, and none that leaves no room for the answer."""
    reasoning = request.reasoning
    if reasoning is None:
        return None
    effort = _EFFORTS.get(reasoning.effort, reasoning.effort)
    if not reasoning.enabled:
        return Reasoning(reasoning.enabled, effort)
    choice = request.tool_choice
    budget = reasoning.budget_tokens
    is_forced = choice is not None and choice.mode in ("required", "named") and bool(request.tools)
    if is_forced or (budget is not None and limit <= _LEAST_BUDGET):
        return Reasoning(None, effort)
    return Reasoning(True, effort, None if budget is None else max(_LEAST_BUDGET, min(budget, limit - 1)))


def _sampling(asked: Sampling, *, thinks: bool) -> Sampling:
    """One of temperature and `top_p`, as newer models want it, the temperature at most 1; a model that thinks takes
    no temperature."""
    if thinks:
        top_p = asked.top_p
        return Sampling(top_p=top_p if top_p is not None and top_p >= _LEAST_TOP_P else None)
    if asked.temperature is None:
        return asked
    return msgspec.structs.replace(asked, temperature=min(asked.temperature, 1.0), top_p=None)


def _without_trailing_space(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """An answer that the client has begun must not end with white space."""
    if not messages or messages[-1].role is not Role.ASSISTANT or not messages[-1].parts:
        return messages
    *before, last = messages[-1].parts
    if not isinstance(last, TextPart) or last.text == last.text.rstrip():
        return messages
    ended = msgspec.structs.replace(last, text=last.text.rstrip())
    return (*messages[:-1], Message(Role.ASSISTANT, (*before, ended)))


# --- marks of the cache -------------------------------------------------------------------------------------------


def _marks(items: Iterable[Part | Tool]) -> int:
    return sum(isinstance(item, _Markable) and item.cache_hint for item in items)


def _kept(item: T, keeps: Iterator[bool]) -> T:
    """The item with its mark only where the next of `keeps`, one for each mark, is true."""
    if isinstance(item, _Markable) and item.cache_hint and not next(keeps):
        return msgspec.structs.replace(item, cache_hint=False)
    return item


def _marked_outside(message: Message) -> Message:
    """A mark stands on a tool's result, never inside it."""
    return Message(message.role, tuple(_result(part) for part in message.parts))


def _result(part: Part) -> Part:
    if not isinstance(part, ToolResultPart) or not any(map(_content_is_marked, part.content)):
        return part
    content = tuple(_unmarked(piece) for piece in part.content)
    return msgspec.structs.replace(part, content=content, cache_hint=True)


def _content_is_marked(piece: ResultContent) -> bool:
    return not isinstance(piece, ToolReferencePart) and piece.cache_hint


def _unmarked(piece: ResultContent) -> ResultContent:
    return piece if isinstance(piece, ToolReferencePart) else msgspec.structs.replace(piece, cache_hint=False)
