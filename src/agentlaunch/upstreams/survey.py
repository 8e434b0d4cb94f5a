"""Asks a server which models it has; whatever goes wrong is an answer, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

import httpx
import msgspec

from agentlaunch.system.outbound import OutboundProxyError, OutboundTransport
from agentlaunch.upstreams.kind import UpstreamKind
from agentlaunch.upstreams.listing import Listing, ModelFacts

CONNECT_TIMEOUT_S = 5.0
SILENCE_S = 15.0
"""How long a list may take to begin, and between its pieces; OpenRouter's, the longest, has begun within a second."""
MAX_LIST_BYTES = 32 * 2**20


class Reach(Enum):
    """How far we came: nobody answers, the key is refused, or there is no list that we can read."""

    SILENT = auto()
    REFUSED = auto()
    NO_LIST = auto()


@dataclass(frozen=True)
class Listed:
    """The models, in the server's order."""

    models: tuple[ModelFacts, ...]


@dataclass(frozen=True)
class Unlisted:
    """No list, and why in half a sentence that goes on from the upstream's name."""

    reach: Reach
    reason: str


Survey: TypeAlias = Listed | Unlisted


def ask_models(kind: UpstreamKind, base_url: str, headers: Mapping[str, str]) -> Survey:
    """What the server at `base_url` lists. Blocks for CONNECT_TIMEOUT_S and some SILENCE_S at worst; never raises.

    Redirects are not followed: the key in `headers` is for this server alone. A near server is asked without a proxy.
    """
    timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_TIMEOUT_S)
    found: Survey = Unlisted(Reach.NO_LIST, "lists no models")
    with httpx.Client(timeout=timeout, transport=OutboundTransport()) as client:
        for listing in kind.listings:
            found = _ask(client, base_url + listing.path, headers, listing)
            if isinstance(found, Listed) or found.reach is Reach.SILENT:
                return found  # a key that LiteLLM refuses for the one list may do for the other
    return found


def _ask(client: httpx.Client, url: str, headers: Mapping[str, str], listing: Listing) -> Survey:
    try:
        with client.stream("GET", url, headers=dict(headers)) as response:
            body = _read(response)
    except httpx.TimeoutException:
        return Unlisted(Reach.SILENT, f"did not answer within {SILENCE_S:.0f} s")
    except OutboundProxyError as error:
        return Unlisted(Reach.SILENT, f"cannot be asked: {error}")
    except httpx.ProxyError:
        return Unlisted(Reach.SILENT, "cannot be reached through the proxy: look at HTTPS_PROXY and ALL_PROXY")
    except httpx.HTTPError:  # its text may quote a header
        return Unlisted(Reach.SILENT, "cannot be reached")
    match response.status_code:
        case 200 if body is not None:
            return _listed(body, listing)
        case 401 | 403 as status:
            return Unlisted(Reach.REFUSED, f"refuses the key (HTTP {status})")
        case status:
            return Unlisted(Reach.NO_LIST, f"answers {listing.path.partition('?')[0]} with HTTP {status}")


def _read(response: httpx.Response) -> bytes | None:
    """The body, None for one that is too big."""
    pieces: list[bytes] = []
    size_bytes = 0
    for piece in response.iter_bytes():
        pieces.append(piece)
        size_bytes += len(piece)
        if size_bytes > MAX_LIST_BYTES:
            return None
    return b"".join(pieces)


def _listed(body: bytes, listing: Listing) -> Survey:
    try:
        return Listed(listing.read(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Unlisted(Reach.NO_LIST, f"answers {listing.path.partition('?')[0]} with what is no list of models")
