"""How many tokens a prompt has: exactly where llama.cpp serves it, elsewhere an estimate that learns from counts."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from hashlib import blake2b

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.estimate import CHARACTERS_PER_TOKEN, Calibration, prompt_characters
from agentlaunch.core.filters.schema_for_engine import for_engine
from agentlaunch.core.ir import ChatRequest, DocumentPart, ImagePart, Part, ToolResultPart
from agentlaunch.core.wire.base import Wire
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed

IMAGE_TOKENS = 1600
"""What an image costs at most when it needs no resizing (Anthropic's vision guide); its base64 counts nothing."""

_TIMEOUT_S = 10.0
_PARALLEL = 4
"""Claude Code's `/context` asks 25 times at once (facts/agents.md 2); each asks the engine twice."""
_REMEMBERED = 256
_CALIBRATED = 64
"""Models whose ratio is remembered."""

_log = logging.getLogger(__name__)


class _Template(msgspec.Struct):
    prompt: str


class _Tokens(msgspec.Struct):
    tokens: list[msgspec.Raw]


class _Text(msgspec.Struct):
    content: str
    add_special: bool = True
    parse_special: bool = True


_templates = msgspec.json.Decoder(_Template)
_tokens = msgspec.json.Decoder(_Tokens)


class TokenCounter:
    """Counts prompts for every session; remembers what it has counted and asks for equal prompts once."""

    def __init__(self, upstream: UpstreamClient, chat_wire: Wire) -> None:
        self._upstream = upstream
        self._chat_wire = chat_wire
        self._counts: OrderedDict[bytes, asyncio.Task[int]] = OrderedDict()
        self._calibrations: OrderedDict[tuple[str, str], Calibration] = OrderedDict()
        self._slots = asyncio.Semaphore(_PARALLEL)

    async def count(self, request: ChatRequest, endpoint: Endpoint) -> int:
        """The prompt tokens of `request`, which has been lowered; an estimate when the engine cannot be asked."""
        request = for_engine(request, endpoint)
        body = self._chat_wire.encode_request(msgspec.structs.replace(request, model=endpoint.model))
        if endpoint.counting == "estimate":
            return self._estimate(request, endpoint, body)
        try:
            return await self._remembered(endpoint, body)
        except (UpstreamFailed, TimeoutError, msgspec.MsgspecError) as error:
            _log.warning("tokens are estimated, `%s` does not count them: %s", endpoint.name, type(error).__name__)
            return self._estimate(request, endpoint, body)

    def learn(self, request: ChatRequest, endpoint: Endpoint, input_tokens: int) -> None:
        """The upstream has counted the prompt of `request`, which has been lowered, as `input_tokens`."""
        if any(_images(message.parts) for message in request.messages):
            return
        request = for_engine(request, endpoint)
        key = endpoint.base_url, endpoint.model
        known = self._calibrations.get(key, Calibration())
        self._calibrations[key] = known.learnt(prompt_characters(request), input_tokens)
        self._calibrations.move_to_end(key)
        if len(self._calibrations) > _CALIBRATED:
            self._calibrations.popitem(last=False)

    def expected(self, request: ChatRequest, endpoint: Endpoint) -> int:
        """The tokens that the upstream should count for `request`, by estimate; nothing is asked or encoded."""
        calibration = self._calibrations.get((endpoint.base_url, endpoint.model), Calibration())
        return calibration.tokens(prompt_characters(for_engine(request, endpoint)))

    def _estimate(self, request: ChatRequest, endpoint: Endpoint, body: bytes) -> int:
        calibration = self._calibrations.get((endpoint.base_url, endpoint.model), Calibration())
        if calibration.characters_per_token is None:
            return estimate_tokens(request, body)
        images = [part for message in request.messages for part in _images(message.parts)]
        return calibration.tokens(prompt_characters(request)) + IMAGE_TOKENS * len(images)

    async def _remembered(self, endpoint: Endpoint, body: bytes) -> int:
        key = blake2b(b"%b\0%b" % (endpoint.base_url.encode(), body), digest_size=16).digest()
        task = self._counts.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(self._ask(endpoint, body))
            self._counts[key] = task
        self._counts.move_to_end(key)
        while len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        # Another client may wait for the same count: one that leaves must not end it.
        return await asyncio.shield(task)

    async def _ask(self, endpoint: Endpoint, body: bytes) -> int:
        async with self._slots, asyncio.timeout(_TIMEOUT_S):
            prompt = _templates.decode(await self._post(endpoint, "/apply-template", body)).prompt
            return len(
                _tokens.decode(await self._post(endpoint, "/tokenize", msgspec.json.encode(_Text(prompt)))).tokens
            )

    async def _post(self, endpoint: Endpoint, path: str, body: bytes) -> bytes:
        async with self._upstream.post(endpoint, path, body, accept="application/json") as response:
            answer = await response.read()
        if response.status != 200:
            raise UpstreamFailed(self._chat_wire.decode_fault(response.status, response.headers, answer))
        return answer


def estimate_tokens(request: ChatRequest, body: bytes) -> int:
    """Tokens of the prompt that `body` encodes, to within about 15 % for English and code. Never 0."""
    images = [part for message in request.messages for part in _images(message.parts)]
    text_bytes = len(body) - sum(len(image.data) for image in images)
    return max(1, math.ceil(text_bytes / CHARACTERS_PER_TOKEN)) + IMAGE_TOKENS * len(images)


def _images(parts: tuple[Part, ...]) -> list[ImagePart | DocumentPart]:
    """Images, and documents that travel as base64, those inside tool results included."""
    found: list[ImagePart | DocumentPart] = []
    for part in parts:
        content = part.content if isinstance(part, ToolResultPart) else (part,)
        found.extend(item for item in content if isinstance(item, ImagePart | DocumentPart) and item.data)
    return found
