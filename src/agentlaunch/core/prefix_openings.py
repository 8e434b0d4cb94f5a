"""What engines compute before it is asked for: an agent's opening without the user's words, and in which steps."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from agentlaunch.core.addresses import is_loopback
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.prefix_probe import other_words
from agentlaunch.core.ir import ChatRequest

STEP_S = 0.1
"""Seconds that one step of a prompt may take: a request that arrives meanwhile waits for its end. llama.cpp hears of a
closed connection only between two batches of up to 2,048 tokens, so a whole prompt could not be called off in time."""
FIRST_STEP_TOKENS = 8
_LEAST, _MOST = 8, 2048
MAX_OPENINGS = 32
"""How many are remembered, the longest unused forgotten first; one takes 20 to 150 KB."""

_WORDS = "hello"
"""In the place of the user's: begins with a token that has letters and a space in one, as most first words do. Were it
as odd as what it is compared with, both might begin with a bare space, which a recurrent state could not give back."""

_OWN_KINDS = frozenset({"", "ollama", "llamacpp", "vllm", "lmstudio"})
"""Servers that compute on the machine they run on and keep prompts. The others may pass a request on, for money."""


class Opening(msgspec.Struct, frozen=True):
    """An agent's last opening, as its upstream got it, without what the user has typed. `used_at` in Unix seconds."""

    model: str
    used_at: float
    request: ChatRequest


def opening_name(variant: str, project: str, endpoint: Endpoint) -> str:
    """The name of what an agent (its name, version and lean mode: `variant`) sends first in this folder there."""
    facts = (variant, project, endpoint.name, endpoint.model)
    return blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def opening_of(request: ChatRequest) -> ChatRequest | None:
    """The opening without the user's own words; None for what is none, and for titles and summaries, without tools."""
    other = other_words(request, _WORDS) if request.tools else None
    if other is None:
        return None
    return msgspec.structs.replace(other, user="", cache_key="", json_format=None)


def may_warm(endpoint: Endpoint) -> bool:
    """Whether an unasked request costs nobody money and leaves this machine by no way that we know of.

    Ollama passes models with the tag `cloud` on to its makers' servers.
    """
    is_cloud = endpoint.model.endswith(("-cloud", ":cloud"))
    is_own = endpoint.slots > 0 or endpoint.kind in _OWN_KINDS
    return is_own and not is_cloud and endpoint.prices is None and is_loopback(endpoint.base_url)


def next_step(tokens: int, seconds: float) -> int:
    """How many tokens to compute next, after `tokens` of them took `seconds`: as many as `STEP_S` allows."""
    if seconds <= 0:
        return min(2 * tokens, _MOST)
    return max(_LEAST, min(2 * tokens, int(tokens * STEP_S / seconds), _MOST))
