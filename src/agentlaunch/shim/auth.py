"""Who may speak to the shim: the session's token, and no web page on the way (Host and Origin)."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.base import Wire
from agentlaunch.shim.body import drain_body
from agentlaunch.shim.exchange import Exchange
from agentlaunch.shim.session import Session, SessionLookup

NO_TOKEN = ChatFault(
    ErrorKind.AUTHENTICATION, "no session of agentlaunch has this token: start the agent with agentlaunch"
)

LOADING = ChatFault(ErrorKind.UNAVAILABLE, "the model is still being loaded: ask again in a moment", retry_after_s=1.0)

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_DEFAULT_PORT = 80


def refuse_foreign(headers: Headers, port: int | None) -> ChatFault | None:
    """Why this request may not come in; None for one from this machine that no foreign page has made.

    A name that an attacker's DNS points at 127.0.0.1 shows in Host, a page that calls us shows in Origin. Programs
    send no Origin. `port` is our own; None (a server that does not say) accepts any.
    """
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_ours(f"//{hosts[0]}", port):
        return ChatFault(ErrorKind.PERMISSION, "the Host header is not this server's: use the address 127.0.0.1")
    for origin in headers.getlist("origin"):
        if not (origin.startswith("http://") and _is_ours(origin, port)):
            return ChatFault(ErrorKind.PERMISSION, "requests of web pages are refused: the Origin header is foreign")
    return None


def find_session(headers: Headers, sessions: SessionLookup) -> Session | None:
    """The session that one of the request's tokens opens, None when none does.

    Claude Code sends its own x-api-key beside our bearer token when the user has a key helper (facts/agents.md 1.1),
    so either may match. What does not match may be a user's real key: it is neither kept nor logged.
    """
    for candidate in _candidates(headers):
        session = sessions.find(candidate)
        if session is not None:
            return session
    return None


async def admit(exchange: Exchange, wire: Wire, sessions: SessionLookup) -> Session | None:
    """The request's session, counted; None when the client has been told, in the wire's form, that it has none."""
    session = find_session(exchange.headers, sessions)
    if session is None:
        await drain_body(exchange.headers, exchange.receive)
        is_loading = any(map(sessions.awaits, _candidates(exchange.headers)))
        await exchange.reply(wire.encode_fault(LOADING if is_loading else NO_TOKEN))
        return None
    sessions.touch(session.id)
    return session


def _candidates(headers: Headers) -> list[str]:
    bearers = (value.partition(" ") for value in headers.getlist("authorization"))
    tokens = [token.strip() for scheme, _, token in bearers if scheme.lower() == "bearer"]
    return [token for token in (*tokens, *headers.getlist("x-api-key")) if token]


def _is_ours(address: str, port: int | None) -> bool:
    """Whether `//HOST[:PORT]` or `http://HOST[:PORT]` names a loopback address with our port and nothing more."""
    try:
        parts = urlsplit(address)
        named_port = parts.port or _DEFAULT_PORT
    except ValueError:
        return False
    plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    return plain and parts.hostname in _LOOPBACK_NAMES and port in (None, named_port)
