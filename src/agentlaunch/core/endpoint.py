"""Where requests go: the address of one upstream as the shim reaches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agentlaunch.core.policy import Caps
from agentlaunch.core.prefix_store import PrefixStore

Counting = Literal["llama_cpp", "estimate"]

Thinking = Literal["unknown", "none", "switch", "levels"]
"""What a model can be told about reasoning, where the wire must know: nothing, on and off, or how much."""

Overflow = Literal["unknown", "refused"]
"""Whether a server is known to refuse a prompt that does not fit; another one may cut it without a word."""

KeyScheme = Literal["bearer", "basic"]
"""How `key` is presented; `basic` is the base64 of `user:password` (RFC 7617)."""

OutputLimitField = Literal["max_tokens", "max_completion_tokens"]
"""What the Chat API calls the most tokens of an answer; OpenAI's reasoning models refuse the older name."""


@dataclass(frozen=True)
class Prices:
    """List prices in US dollars per million tokens."""

    input_usd: float
    output_usd: float
    cached_input_usd: float | None = None


@dataclass(frozen=True)
class Endpoint:
    """One upstream. `base_url` has no trailing slash and no `/v1`; `key` never appears in a repr.

    `model` is the name that the upstream wants in the body; `context_window` is in tokens, None when unknown. `notes`
    are sentences for the user about how the model was really loaded. `prefix_store` is set for an engine of ours with
    `slots` slots that are saved and restored there. `may_leave`: bytes may go to it though it is not on this machine;
    the client towards upstreams refuses otherwise, and refuses what `caps` name. `takes_images` None: nobody knows.
    `body_fields` is a JSON object whose fields go into every request's body as they are (OpenRouter's `provider` and
    `usage`), empty for none.
    """

    name: str
    wire: str
    base_url: str
    model: str
    key: str = field(default="", repr=False)
    context_window: int | None = None
    counting: Counting = "estimate"
    thinking: Thinking = "unknown"
    overflow: Overflow = "unknown"
    key_scheme: KeyScheme = "bearer"
    notes: tuple[str, ...] = ()
    slots: int = 0
    prefix_store: PrefixStore | None = None
    kind: str = ""
    may_leave: bool = False
    prices: Prices | None = None
    takes_images: bool | None = None
    output_limit_field: OutputLimitField = "max_tokens"
    body_fields: str = ""
    caps: Caps | None = None
