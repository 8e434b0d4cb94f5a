"""A kind of upstream, and the endpoint that a user's words name: kind, address, model, key."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from urllib.parse import SplitResult, urlsplit

from agentlaunch.core.endpoint import Counting, Endpoint, OutputLimitField
from agentlaunch.core.pasted import pasted_key
from agentlaunch.errors import UserError
from agentlaunch.upstreams import UPSTREAMS
from agentlaunch.upstreams.listing import Listing

_LISTENED = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - replaced, not listened on
"""What servers print as the address that they listen on, and what a client reaches this machine by (report B244)."""
_PATHS = ("/chat/completions", "/messages", "/responses", "/models")
"""What users copy behind the base URL out of a vendor's example."""


@dataclass(frozen=True)
class UpstreamKind:
    """What all upstreams of one make share. `default_url` is where one listens unless told otherwise.

    `listings` are asked in turn until one answers. `key_variable` is where the vendor's own programs look for a key.
    `body_fields` is a JSON object for every request (see Endpoint). `limit_field` holds at `default_url` alone: what
    imitates a vendor's server elsewhere knows the older name.
    """

    name: str
    wire: str
    default_url: str
    counting: Counting = "estimate"
    listings: tuple[Listing, ...] = (Listing("/v1/models"),)
    key_variable: str = ""
    body_fields: str = ""
    limit_field: OutputLimitField = "max_tokens"


def load_kind(name: str) -> UpstreamKind:
    """The kind called `name`. Raises UserError `unknown-upstream-kind` with the nearest names."""
    entry = UPSTREAMS.get(name)
    if entry is None:
        near = get_close_matches(name, UPSTREAMS, n=1)
        known = ", ".join(UPSTREAMS)
        hint = f"did you mean `{near[0]}`? known kinds: {known}" if near else f"known kinds: {known}"
        raise UserError("unknown-upstream-kind", f"there is no upstream kind `{name}`", hint)
    module, _, attribute = entry.partition(":")
    kind: UpstreamKind = getattr(import_module(module), attribute)
    return kind


def endpoint(
    kind: str, url: str, model: str, key: str = "", context_window: int | None = None, name: str = ""
) -> Endpoint:
    """The endpoint of an upstream. An empty `url` means the kind's usual place, an empty `name` the kind's own.

    Raises UserError `unknown-upstream-kind`, `bad-upstream-url`, or `bad-upstream-key` for a key that no HTTP header
    can carry; the key itself is never shown.
    """
    known = load_kind(kind)
    key = pasted_key(key)
    if not (key.isascii() and key.isprintable()):
        raise UserError(
            "bad-upstream-key",
            f"the key of `{name or kind}` holds characters that no HTTP header can carry",
            "copy it again: a key is one line of letters, digits and signs",
        )
    base_url = normalize_url(url or known.default_url)
    return Endpoint(
        name=name or kind,
        wire=known.wire,
        base_url=base_url,
        model=model,
        key=key,
        context_window=context_window,
        counting=known.counting,
        kind=kind,
        output_limit_field=known.limit_field if base_url == known.default_url else "max_tokens",
        body_fields=known.body_fields,
    )


def normalize_url(url: str) -> str:
    """A base URL without `/v1` and trailing slashes; `http` where no scheme is given. Raises UserError."""
    text = url.strip()
    if "://" not in text:
        text = f"http://{text}"
    parts = _split(text)
    if parts is None:
        raise UserError(
            "bad-upstream-url", f"`{_shown(url)}` is no address of a server", "write it as in: http://127.0.0.1:8080"
        )
    path = parts.path.rstrip("/")
    for ending in _PATHS:
        path = path.removesuffix(ending)
    path = path.rstrip("/").removesuffix("/v1").rstrip("/")
    netloc = parts.netloc.lower()
    for listened, meant in _LISTENED.items():
        if netloc == listened or netloc.startswith(f"{listened}:"):
            netloc = netloc.replace(listened, meant, 1)
    return f"{parts.scheme}://{netloc}{path}"


def _split(text: str) -> SplitResult | None:
    """The parts of an address that we can use, None for anything else."""
    if not text.isascii() or not text.isprintable() or any(sign in text for sign in ' "<>\\^`{|}'):
        return None
    try:
        parts = urlsplit(text)
        has_port = parts.netloc.rpartition("]")[2].partition(":")[1] == ""
        if not has_port and not parts.port:  # `host:` and `host:0`
            return None
    except ValueError:
        return None
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts if plain and parts.scheme in ("http", "https") and parts.hostname else None


def _shown(url: str) -> str:
    """The address as it may be shown: a password in it stays out of the terminal and the log."""
    head, at, tail = url.rpartition("@")
    shown = f"{head.partition('://')[0]}://[hidden]@{tail}" if at and head else url
    plain, question, _ = shown.partition("?")  # a key, perhaps
    return f"{plain[:200]}{question and '?[hidden]'}"
