"""One request through each vendor's own client library, streamed or not, and what its user would see of the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import anthropic
import openai
from tests.e2e.serving import GENEROUS_S, TOKEN, Served

Fields: TypeAlias = dict[str, Any]
"""Of a request or of an answer, in the words of its wire."""


@dataclass(frozen=True)
class Seen:
    """An answer. `reason` is in the wire's own word; tokens as the client counts them."""

    text: str
    calls: tuple[tuple[str, Fields], ...] = ()
    reason: str = ""
    thinking: str = ""
    tokens_in: int = field(default=0, compare=False)
    tokens_cached: int = field(default=0, compare=False)
    turn: Sequence[Fields] = field(default=(), compare=False)
    """The answer as the client sends it back, and behind it `done` as the result of each call."""


@dataclass(frozen=True)
class Question:
    """A user's words; `tools` by name with their schemas, `choice` the name of the one that must be called, or `any`.

    `rounds` are the turns that followed, in the wire's own form.
    """

    text: str = "hi"
    tools: Mapping[str, Fields] = field(default_factory=dict)
    choice: str = ""
    is_strict: bool = False
    schema: Fields | None = None
    """That of the answer, where it is to be JSON."""
    rounds: tuple[Sequence[Fields], ...] = ()


class Messages:
    """Anthropic's client."""

    ends = "end_turn"
    calls = "tool_use"

    def ask(self, served: Served, question: Question, *, stream: bool) -> Seen:
        with anthropic.Anthropic(
            base_url=served.url, auth_token=TOKEN, api_key=None, max_retries=0, timeout=GENEROUS_S
        ) as client:
            fields = self.fields(question)
            if stream:
                with client.messages.stream(**fields) as answer:
                    message: Any = answer.get_final_message()
            else:
                message = client.messages.create(**fields)
        uses = [block for block in message.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "done"} for use in uses]
        return Seen(
            "".join(block.text for block in message.content if block.type == "text"),
            tuple((use.name, use.input) for use in uses),
            message.stop_reason,
            "".join(block.thinking for block in message.content if block.type == "thinking"),
            message.usage.input_tokens + message.usage.cache_read_input_tokens,
            message.usage.cache_read_input_tokens,
            (
                {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]},
                {"role": "user", "content": results},
            ),
        )

    def fields(self, question: Question) -> Fields:
        messages = [{"role": "user", "content": question.text}, *(turn for turns in question.rounds for turn in turns)]
        fields: Fields = {"model": "m", "max_tokens": 1000, "messages": messages}
        if question.tools:
            strict = {"strict": True} if question.is_strict else {}
            fields["tools"] = [
                {"name": name, "description": "A tool.", "input_schema": schema, **strict}
                for name, schema in question.tools.items()
            ]
        if question.choice:
            named = {"type": "tool", "name": question.choice}
            fields["tool_choice"] = {"type": "any"} if question.choice == "any" else named
        if question.schema is not None:
            fields["output_config"] = {"format": {"type": "json_schema", "schema": question.schema}}
        return fields


class Chat:
    """OpenAI's client on chat completions."""

    ends = "stop"
    calls = "tool_calls"

    def ask(self, served: Served, question: Question, *, stream: bool) -> Seen:
        with openai.OpenAI(base_url=f"{served.url}/v1", api_key=TOKEN, max_retries=0, timeout=GENEROUS_S) as client:
            fields = self.fields(question)
            if stream:
                options: Any = {"include_usage": True}
                with client.chat.completions.stream(**fields, stream_options=options) as answer:
                    completion: Any = answer.get_final_completion()
            else:
                completion = client.chat.completions.create(**fields)
        choice, usage = completion.choices[0], completion.usage
        calls = choice.message.tool_calls or []
        return Seen(
            choice.message.content or "",
            tuple((call.function.name, json.loads(call.function.arguments)) for call in calls),
            choice.finish_reason,
            getattr(choice.message, "reasoning_content", None) or "",
            usage.prompt_tokens,
            usage.prompt_tokens_details.cached_tokens,
            (
                choice.message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True),
                *({"role": "tool", "tool_call_id": call.id, "content": "done"} for call in calls),
            ),
        )

    def fields(self, question: Question) -> Fields:
        messages = [{"role": "user", "content": question.text}, *(turn for turns in question.rounds for turn in turns)]
        fields: Fields = {"model": "m", "messages": messages}
        if question.tools:
            strict = {"strict": True} if question.is_strict else {}
            fields["tools"] = [
                {"type": "function", "function": {"name": name, "parameters": schema, **strict}}
                for name, schema in question.tools.items()
            ]
        if question.choice:
            named = {"type": "function", "function": {"name": question.choice}}
            fields["tool_choice"] = "required" if question.choice == "any" else named
        if question.schema is not None:
            told = {"name": "answer", "schema": question.schema, "strict": True}
            fields["response_format"] = {"type": "json_schema", "json_schema": told}
        return fields


class Responses:
    """OpenAI's client on the Responses API."""

    ends = "completed"
    calls = "completed"

    def ask(self, served: Served, question: Question, *, stream: bool) -> Seen:
        with openai.OpenAI(base_url=f"{served.url}/v1", api_key=TOKEN, max_retries=0, timeout=GENEROUS_S) as client:
            fields = self.fields(question)
            if stream:
                with client.responses.stream(**fields) as answer:
                    response: Any = answer.get_final_response()
            else:
                response = client.responses.create(**fields)
        calls = [item for item in response.output if item.type == "function_call"]
        said = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
        return Seen(
            response.output_text,
            tuple((call.name, json.loads(call.arguments)) for call in calls),
            response.status,
            "".join(text.text for item in response.output if item.type == "reasoning" for text in item.summary),
            response.usage.input_tokens,
            response.usage.input_tokens_details.cached_tokens,
            (*said, *({"type": "function_call_output", "call_id": call.call_id, "output": "done"} for call in calls)),
        )

    def fields(self, question: Question) -> Fields:
        asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": question.text}]}
        fields: Fields = {"model": "m", "input": [asked, *(item for items in question.rounds for item in items)]}
        if question.tools:
            fields["tools"] = [
                {"type": "function", "name": name, "parameters": schema, "strict": question.is_strict}
                for name, schema in question.tools.items()
            ]
        if question.choice:
            named = {"type": "function", "name": question.choice}
            fields["tool_choice"] = "required" if question.choice == "any" else named
        if question.schema is not None:
            told = {"type": "json_schema", "name": "answer", "schema": question.schema, "strict": True}
            fields["text"] = {"format": told}
        return fields


Client: TypeAlias = Messages | Chat | Responses
CLIENTS: dict[str, Client] = {
    "anthropic_messages": Messages(),
    "openai_chat": Chat(),
    "openai_responses": Responses(),
}
"""Wire -> the client that speaks it."""
