"""A scripted model: a GGUF file that a real llama.cpp loads, whose answers are known beforehand.

The network is a chain: one block of zero weights leaves the residual stream as the embedding of the last token, and the
output matrix maps each token to its one successor. So the last token of the prompt, which the chat template chooses
from the conversation, decides the answer, whatever stands before it. Every piece of an answer must be a token of its
own, because a token has one successor only; `_Chains` cuts the answers so.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """A tool call. `arguments` should stand in the order of the tool's schema: llama.cpp's grammar holds to it."""

    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True)
class Turn:
    """One answer: thinking, then text, then calls; several calls are parallel.

    `endless` repeats the text for ever (no calls): for runaways and cancelled requests.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    thinking: str = ""
    endless: bool = False


@dataclass(frozen=True)
class Reply:
    """The answer to every request whose last user message contains `contains`, as a compaction's prompt does.

    `rounds` narrows it to those after so many rounds of tool results."""

    contains: str
    turn: Turn
    rounds: int | None = None


@dataclass(frozen=True)
class Script:
    """What the model answers, by the state of the conversation.

    A request without tools (a title) gets `untooled`. Else a matching reply (the last one listed), else `turns[n]`, n
    being how many rounds of tool results follow the user's last question, else `final`. Each new question starts the
    turns again. A user message right after a tool result is no question: agents add reminders there. A turn whose tools
    are not all offered in the request is passed over for `final` (a subagent has fewer tools): llama.cpp's grammar
    would not let it be said.
    """

    turns: tuple[Turn, ...] = ()
    final: Turn = Turn(text="All done.")
    untooled: Turn = Turn(text="A scripted title")
    replies: tuple[Reply, ...] = ()


CONTEXT_LENGTH = 262_144
"""Trained context in tokens: larger than any agent's prompt at one token for two characters."""


def numbered_words(count: int) -> str:
    """A long text of `count` different words, one token each: for streaming tests."""
    return " ".join(f"word{number}" for number in range(1, count + 1))


@dataclass(frozen=True)
class ScriptedNetwork:
    """The chain as data, for a model file of any format: a Llama of one block whose own weights are all zero.

    The first `controls` tokens are marks of the template (`tokens[end]` ends an answer), the next 256 are `<0xNN>`. Two
    matrices of `width` columns are zero but for (token, column): `embedding` holds 1 there, `output` OUTPUT_WEIGHT.
    """

    tokens: tuple[str, ...]
    controls: int
    end: int
    width: int
    embedding: tuple[tuple[int, int], ...]
    output: tuple[tuple[int, int], ...]
    template: str


def scripted_gguf(script: Script) -> bytes:
    """The model file. Raises ValueError for a text that no chain of tokens can say."""
    return _model(scripted_network(script))


def scripted_network(script: Script) -> ScriptedNetwork:
    """What the file holds. Raises ValueError for a text that no chain of tokens can say."""
    answers = _answers(script)
    starts = [f"<|answer_{number}|>" for number in range(len(answers))]
    chains = _Chains([*_CONTROLS, *starts, *(f"<0x{byte:02X}>" for byte in range(256))])
    # Shortest first: a short text has few ways to be cut, a long one can go around the pieces that are taken.
    for turn in sorted(answers, key=lambda turn: len(_spoken(turn))):
        chains.add(_spoken(turn), endless=turn.endless)
    for start, turn in zip(starts, answers, strict=True):
        chains.begin(start, _spoken(turn), endless=turn.endless)
    known = set(chains.tokens)
    tokens = (*chains.tokens, *(token for token in _PROMPT_TOKENS if token not in known))
    going_on = [token for token, after in chains.successors.items() if after != _END]
    columns = {token: column for column, token in enumerate(going_on, 1)}
    return ScriptedNetwork(
        tokens=tokens,
        controls=len(_CONTROLS) + len(starts),
        end=_END,
        width=max(64, math.ceil((1 + len(columns)) / 32) * 32),
        embedding=tuple((token, columns.get(token, 0)) for token in range(len(tokens))),
        output=((_END, 0), *((chains.successors[token], column) for token, column in columns.items())),
        template=_template(script),
    )


def _answers(script: Script) -> tuple[Turn, ...]:
    """Every answer; its index is the number in the control token that starts it."""
    return (script.untooled, script.final, *script.turns, *(reply.turn for reply in script.replies))


# --- cutting answers into chains of tokens -----------------------------------------------------------------------

_SHORTEST_PIECE = 3
_LONGEST_PIECE = 12
_SPACE_MARK = "\u2581"

# What only prompts use: pairs of common characters. They make an agent's prompt a third as long as bytes would, where a
# space costs three, and its prefill a good deal faster.
_COMMON = f'{_SPACE_MARK}abcdefghijklmnopqrstuvwxyz",:.\n'
_PROMPT_TOKENS = (_SPACE_MARK, *(first + second for first in _COMMON for second in _COMMON))

_CONTROLS = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
_UNKNOWN, _BEGIN, _END = 0, 1, _CONTROLS.index("<|im_end|>")


def _spoken(turn: Turn) -> str:
    """The answer as the model says it, in the notation of the template."""
    if turn.endless and (turn.calls or not turn.text):
        raise ValueError("an endless turn has text and no calls")
    thinking = f"<think>{turn.thinking}</think>\n" if turn.thinking else ""
    calls = "\n".join(
        f"<tool_call>\n{json.dumps({'name': call.name, 'arguments': call.arguments}, ensure_ascii=False)}\n</tool_call>"
        for call in turn.calls
    )
    spoken = thinking + turn.text + calls
    if _SPACE_MARK in spoken:
        raise ValueError(f"a scripted text cannot hold {_SPACE_MARK!r}: the tokenizer reads it as a space")
    return spoken


class _Chains:
    """Answers as chains of tokens. A piece stands at one place of one chain only, so that it has one successor."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = list(tokens)
        self.successors: dict[int, int] = {}
        """Token -> the one that follows it; after every other token the answer ends."""
        self._rests: dict[tuple[str, bool], int] = {("", False): _END}
        self._taken = set(tokens)

    def add(self, text: str, *, endless: bool) -> None:
        """Cut `text` into tokens; equal rests of texts share theirs. Raises ValueError when it cannot be cut."""
        if (text, endless) in self._rests:
            return
        pieces, rest = self._cut(text, endless=endless)
        first = len(self.tokens)
        self.tokens += pieces
        self._taken.update(pieces)
        for token, piece in enumerate(pieces, first):
            self._rests[text, endless] = token
            self.successors[token] = token + 1
            text = text[len(piece) :]
        self.successors[len(self.tokens) - 1] = first if endless else self._rests[rest, False]

    def begin(self, control: str, text: str, *, endless: bool) -> None:
        """Let the control token be followed by `text`, which was added before."""
        self.successors[self.tokens.index(control)] = self._rests[text, endless]

    def _cut(self, text: str, *, endless: bool) -> tuple[list[str], str]:
        """New pieces, and the rest that is in a chain already or empty. Depth first, so no cut is missed."""
        pieces: list[str] = []
        used: set[str] = set()
        options = [_ends(text, 0)]
        starts = [0]
        while options:
            start = starts[-1]
            rest = text[start:]
            if start and (not rest or (not endless and (rest, False) in self._rests)):
                return pieces, rest
            end = next((end for end in options[-1] if text[start:end] not in used | self._taken), None)
            if end is not None:
                pieces.append(text[start:end])
                used.add(text[start:end])
                starts.append(end)
                options.append(_ends(text, end))
                continue
            starts.pop()
            options.pop()
            if pieces:
                used.discard(pieces.pop())
        raise ValueError(f"`{text[:40]}` cannot be cut into tokens that no other answer has")


def _ends(text: str, start: int) -> Iterator[int]:
    """Where a piece from `start` may end, best first: after a word, else longer. No short rest is left over."""
    for end in range(min(start + _SHORTEST_PIECE, len(text)), len(text) + 1):
        whole = end == len(text) or text[end - 1].isspace() or end - start >= _LONGEST_PIECE
        if whole and not 0 < len(text) - end < _SHORTEST_PIECE:
            yield end


# --- the chat template -------------------------------------------------------------------------------------------

_MESSAGES = """\
{%- if tools %}<|im_start|>system
# Tools
<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
Return <tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% elif message.role == 'assistant' %}<|im_start|>assistant
{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>
{% endif %}
{%- if message.content %}{{ message.content }}{% endif %}
{%- if message.tool_calls %}{%- for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": \
{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}}
</tool_call>{%- endfor %}{% endif %}<|im_end|>
{% else %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}
{%- endfor %}
"""
"""ChatML with calls and thinking as Qwen writes them: llama.cpp learns both notations from the template."""

_STATE = """\
{%- set state = namespace(rounds=0, called=false, before='', said='', offered=[], answer=0) %}
{%- for message in messages %}
{%- if message.role == 'user' and state.before != 'tool' %}{% set state.rounds = 0 %}{% endif %}
{%- if message.role == 'user' and message.content is string %}{% set state.said = message.content %}{% endif %}
{%- if message.role == 'assistant' and message.tool_calls %}{% set state.called = true %}{% endif %}
{%- if message.role == 'tool' and state.called %}
{%- set state.rounds = state.rounds + 1 %}{% set state.called = false %}
{%- endif %}
{%- if message.role not in ['user', 'system'] or state.before != 'tool' %}\
{% set state.before = message.role %}{% endif %}
{%- endfor %}
{%- if tools %}
{%- set state.answer = 1 %}
{%- for tool in tools %}{% set state.offered = state.offered + [tool.function.name] %}{% endfor %}
"""
"""Where the conversation stands: rounds of tool results since the last question, the last user's text, the tools."""

_START = """\
{%- endif %}
{%- if add_generation_prompt %}<|im_start|>assistant
{{ '<|answer_' ~ state.answer ~ '|>' }}{% endif %}"""


def _template(script: Script) -> str:
    """The chat template: the conversation, then the control token that starts the answer."""
    choices = [
        f"state.rounds == {number}" + "".join(f" and {_literal(call.name)} in state.offered" for call in turn.calls)
        for number, turn in enumerate(script.turns)
    ]
    for reply in script.replies:
        told = "" if reply.rounds is None else f" and state.rounds == {reply.rounds}"
        choices.append(f"{_literal(reply.contains)} in state.said{told}")
    lines = "".join(
        f"{{%- if {choice} %}}{{% set state.answer = {number} %}}{{% endif %}}\n"
        for number, choice in enumerate(choices, 2)
    )
    return _MESSAGES + _STATE + lines + _START


def _literal(text: str) -> str:
    """A Jinja string."""
    return json.dumps(text, ensure_ascii=False)


# --- the file ----------------------------------------------------------------------------------------------------

_ALIGNMENT_BYTES = 32
_HEAD = 32
_FEED_FORWARD = 32
OUTPUT_WEIGHT = 8.0
"""RMS norm makes a one-hot vector of width w as long as sqrt(w) >= 8, so the wanted token leads by 64 or more: it wins
at any temperature that a client sets."""
_TOKEN_NORMAL, _TOKEN_UNKNOWN, _TOKEN_CONTROL, _TOKEN_BYTE = 1, 2, 3, 6


def _model(network: ScriptedNetwork) -> bytes:
    width, height = network.width, len(network.tokens)
    ones = b"".join([struct.pack("<f", 1.0)] * width)
    tensors = {
        "token_embd.weight": (width, height, _sparse(width, height, network.embedding, 1.0)),
        "output.weight": (width, height, _sparse(width, height, network.output, OUTPUT_WEIGHT)),
        "output_norm.weight": (width, 1, ones),
        "blk.0.attn_norm.weight": (width, 1, ones),
        "blk.0.ffn_norm.weight": (width, 1, ones),
        **{f"blk.0.attn_{name}.weight": (width, _HEAD, bytes(4 * width * _HEAD)) for name in "qkv"},
        "blk.0.attn_output.weight": (_HEAD, width, bytes(4 * width * _HEAD)),
        "blk.0.ffn_gate.weight": (width, _FEED_FORWARD, bytes(4 * width * _FEED_FORWARD)),
        "blk.0.ffn_up.weight": (width, _FEED_FORWARD, bytes(4 * width * _FEED_FORWARD)),
        "blk.0.ffn_down.weight": (_FEED_FORWARD, width, bytes(4 * width * _FEED_FORWARD)),
    }
    return _file(_metadata(network), tensors)


def _sparse(width: int, height: int, ones: Sequence[tuple[int, int]], value: float) -> bytes:
    """A matrix of float32 rows, zero but for `value` at each (row, column)."""
    matrix = bytearray(4 * width * height)
    for row, column in ones:
        struct.pack_into("<f", matrix, 4 * (row * width + column), value)
    return bytes(matrix)


def _metadata(network: ScriptedNetwork) -> dict[str, bytes]:
    tokens = network.tokens
    kinds = [_TOKEN_UNKNOWN, *[_TOKEN_CONTROL] * (network.controls - 1), *[_TOKEN_BYTE] * 256]
    kinds += [_TOKEN_NORMAL] * (len(tokens) - len(kinds))
    return {
        "general.architecture": _string("llama"),
        "general.name": _string("scripted"),
        "general.file_type": _uint(0),
        "llama.context_length": _uint(CONTEXT_LENGTH),
        "llama.embedding_length": _uint(network.width),
        "llama.block_count": _uint(1),
        "llama.feed_forward_length": _uint(_FEED_FORWARD),
        "llama.attention.head_count": _uint(1),
        "llama.attention.head_count_kv": _uint(1),
        "llama.attention.key_length": _uint(_HEAD),
        "llama.attention.value_length": _uint(_HEAD),
        "llama.rope.dimension_count": _uint(_HEAD),
        "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", 6, 1e-6),
        "llama.vocab_size": _uint(len(tokens)),
        "tokenizer.ggml.model": _string("llama"),
        "tokenizer.ggml.tokens": _array(8, [_bytes(token) for token in tokens]),
        "tokenizer.ggml.scores": _array(6, [bytes(4)] * len(tokens)),
        "tokenizer.ggml.token_type": _array(5, [struct.pack("<i", kind) for kind in kinds]),
        "tokenizer.ggml.bos_token_id": _uint(_BEGIN),
        "tokenizer.ggml.eos_token_id": _uint(network.end),
        "tokenizer.ggml.unknown_token_id": _uint(_UNKNOWN),
        "tokenizer.ggml.add_bos_token": struct.pack("<I?", 7, False),
        "tokenizer.ggml.add_space_prefix": struct.pack("<I?", 7, False),
        "tokenizer.chat_template": _string(network.template),
    }


def _file(metadata: Mapping[str, bytes], tensors: Mapping[str, tuple[int, int, bytes]]) -> bytes:
    """GGUF version 3: magic, counts, metadata, tensor infos, then the data; every tensor starts aligned."""
    parts = [struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))]
    parts += [_bytes(key) + value for key, value in metadata.items()]
    offset = 0
    for name, (width, height, data) in tensors.items():
        shape = (width, height) if height > 1 else (width,)
        parts.append(_bytes(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset))
        offset += len(data) + _padding(len(data))
    header = b"".join(parts)
    body = b"".join(data + bytes(_padding(len(data))) for _, _, data in tensors.values())
    return header + bytes(_padding(len(header))) + body


def _padding(length: int) -> int:
    return -length % _ALIGNMENT_BYTES


def _bytes(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _string(text: str) -> bytes:
    return struct.pack("<I", 8) + _bytes(text)


def _uint(number: int) -> bytes:
    return struct.pack("<II", 4, number)


def _array(kind: int, items: Sequence[bytes]) -> bytes:
    return struct.pack("<IIQ", 9, kind, len(items)) + b"".join(items)
