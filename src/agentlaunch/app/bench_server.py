"""The measuring of a server that is not ours: by its own counts, and by its clock where it tells one, else by ours.

No state is saved there, and a prompt cannot be given as tokens: a text is sized by what the server counts, and each
depth begins with a word that no prompt had before, so that nothing of it is computed already.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from agentlaunch.core.bench import DepthFigures, code_lines
from agentlaunch.core.secrets import without_secrets
from agentlaunch.core.wire.ollama_chat import KEEP_ALIVE
from agentlaunch.errors import MachineError

if TYPE_CHECKING:
    import httpx

    from agentlaunch.app.bench_engine import BenchBounds

PROBES = (8, 40)
"""Lines of code in two questions, to learn how many tokens the server counts for a line, and for what stands around
them; a load, where it is due, happens here too."""
LEAST_SHARE = 0.9
"""Of the tokens that a text should have; a server that counts fewer has cut it off (Ollama before 0.12.11 does)."""
LEAST_ANSWER_TOKENS = 4
"""A shorter answer tells no rate."""
_CALL_S = 900.0
_Done = TypeVar("_Done")
_TASK = "Go on with this list for as long as you can, in the same form, and say nothing else."


@dataclass(frozen=True)
class Asked:
    """One answer. Tokens as the server counts them; `wall_s` from the question to the answer's end, by our clock.

    `prompt_s`, `answer_s`: reading and writing by the server's own clock, None where it tells none.
    """

    prompt_tokens: int
    answer_tokens: int
    wall_s: float
    prompt_s: float | None = None
    answer_s: float | None = None


class Asker(Protocol):
    """Puts `text` to a server, for an answer of at most `answer_tokens` tokens. Raises MachineError `bench-failed`."""

    async def ask(self, text: str, answer_tokens: int) -> Asked:
        """See the class."""
        ...


class _OllamaDone(msgspec.Struct):
    """facts/ollama-api.md F.4: nanoseconds and tokens, left out when 0; the prompt's time is that of its new part."""

    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0


@dataclass(frozen=True)
class OllamaAsker:
    """Over /api/chat, with the window that the model was loaded with, in tokens: another one would load it anew."""

    client: httpx.AsyncClient
    model: str
    context_window: int
    clock: Callable[[], float] = monotonic

    async def ask(self, text: str, answer_tokens: int) -> Asked:
        """See Asker."""
        options = {"num_ctx": self.context_window, "num_predict": answer_tokens, "temperature": 0, "seed": 1}
        body = {"model": self.model, "messages": [{"role": "user", "content": text}], "stream": False}
        body |= {"keep_alive": KEEP_ALIVE, "truncate": False, "options": options}
        began = self.clock()
        content = await _ask(self.client, "POST", "/api/chat", body)
        wall_s = self.clock() - began
        done = _decoded(content, _OllamaDone)
        return Asked(
            done.prompt_eval_count,
            done.eval_count,
            wall_s,
            done.prompt_eval_duration / 1e9 or None,
            done.eval_duration / 1e9 or None,
        )


class _Version(msgspec.Struct):
    version: str = ""


class _Details(msgspec.Struct):
    quantization_level: str = ""


class _Shown(msgspec.Struct):
    details: _Details = msgspec.field(default_factory=_Details)


async def ollama_facts(client: httpx.AsyncClient, model: str) -> tuple[str, str]:
    """The server's version, and the quantisation that it tells of `model`."""
    version = await _ask(client, "GET", "/api/version")
    shown = await _ask(client, "POST", "/api/show", {"model": model})
    return _decoded(version, _Version).version, _decoded(shown, _Shown).details.quantization_level


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _ChatDone(msgspec.Struct):
    usage: _Usage | None = None


@dataclass(frozen=True)
class ChatAsker:
    """Over the Chat Completions API, which tells tokens and no times."""

    client: httpx.AsyncClient
    model: str
    clock: Callable[[], float] = monotonic

    async def ask(self, text: str, answer_tokens: int) -> Asked:
        """See Asker."""
        body = {"model": self.model, "messages": [{"role": "user", "content": text}], "stream": False}
        body |= {"max_tokens": answer_tokens, "temperature": 0}
        began = self.clock()
        content = await _ask(self.client, "POST", "/v1/chat/completions", body)
        wall_s = self.clock() - began
        usage = _decoded(content, _ChatDone).usage
        if usage is None or usage.prompt_tokens <= 0:
            raise failed("it does not tell how many tokens it has read")
        return Asked(usage.prompt_tokens, usage.completion_tokens, wall_s)


class ServerBench:
    """Measures what one server has loaded; `tell` gets a sentence after each depth.

    Raises MachineError `bench-failed` when the server gives up, or what it tells cannot be.
    """

    def __init__(self, asker: Asker, tell: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._asker = asker
        self._tell = tell
        self._clock = clock

    async def run(self, bounds: BenchBounds) -> tuple[DepthFigures, ...]:
        """The figures of each depth for which the time will suffice, of the first in any case."""
        until = self._clock() + bounds.seconds
        around, line_tokens = await self._sizes()
        found: list[DepthFigures] = []
        for depth in bounds.depths:
            if found and self._clock() + found[-1].cold_s * depth / found[-1].depth > until:
                self._tell(f"the time does not suffice for {depth:,} tokens: more with --seconds")
                break
            lines = max(int((depth - around) / line_tokens), 1)
            found.append(await self._measured(depth, lines, bounds.answer_tokens))
            self._tell(f"{found[-1].depth:,} tokens: {found[-1].prefill_tok_s:.0f} tokens a second read")
        return tuple(found)

    async def _sizes(self) -> tuple[float, float]:
        """Tokens of a prompt without lines, and of one line."""
        few, many = [(await self._asker.ask(_prompt(lines), 1)).prompt_tokens for lines in PROBES]
        line_tokens = (many - few) / (PROBES[1] - PROBES[0])
        if line_tokens < 1:
            raise failed(f"it counts {few} tokens for {PROBES[0]} lines of code and {many} for {PROBES[1]}")
        return few - PROBES[0] * line_tokens, line_tokens

    async def _measured(self, depth: int, lines: int, answer_tokens: int) -> DepthFigures:
        """One depth: a prompt never seen, the same with another line behind it, and an answer of some length."""
        text = _prompt(lines)
        cold = await self._asker.ask(text, 1)
        if cold.prompt_tokens < depth * LEAST_SHARE:
            raise failed(f"it has read only {cold.prompt_tokens} of about {depth} tokens")
        warm = await self._asker.ask(text + code_lines(lines, 1), 1)
        answered = await self._asker.ask(text + code_lines(lines + 1, 1), answer_tokens)
        cold_s = cold.wall_s if cold.prompt_s is None else cold.prompt_s
        return DepthFigures(cold.prompt_tokens, cold_s, warm.wall_s, _rate(answered, warm))


def _prompt(lines: int) -> str:
    """The new word first: what a server keeps of earlier prompts ends there."""
    return f"List {secrets.token_hex(8)}. {_TASK}\n\n{code_lines(0, lines)}"


def _rate(answered: Asked, warm: Asked) -> float:
    """Tokens a second: by the server's clock, or by how much longer than a single token the whole answer took."""
    count = answered.answer_tokens
    if count < LEAST_ANSWER_TOKENS:
        raise failed(f"its answer ended after {count} tokens, and a rate needs {LEAST_ANSWER_TOKENS}")
    if answered.answer_s is not None:
        return count / answered.answer_s
    more_s = answered.wall_s - warm.wall_s
    if more_s <= 0:
        raise failed(f"{count} tokens took it no longer than one")
    return (count - warm.answer_tokens) / more_s


async def _ask(client: httpx.AsyncClient, method: str, path: str, body: object = None) -> bytes:
    import httpx

    content = b"" if body is None else msgspec.json.encode(body)
    try:
        response = await client.request(
            method, path, content=content, headers={"Content-Type": "application/json"}, timeout=_CALL_S
        )
    except httpx.HTTPError as error:
        raise failed(f"{type(error).__name__} at `{path}`") from error
    if response.status_code != 200:
        raise failed(f"status {response.status_code} at `{path}`: {without_secrets(response.text[:200])}")
    return response.content


def _decoded(content: bytes, kind: type[_Done]) -> _Done:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise failed(f"what it answers is not of its API: {error}") from error


def failed(why: str) -> MachineError:
    """Nothing can be measured there."""
    return MachineError("bench-failed", f"the server cannot be measured: {why}", "see the server's own log")
