"""Where Ollama is: OLLAMA_HOST in every form that Ollama itself and its users write."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote

from agentlaunch.core.endpoint import KeyScheme
from agentlaunch.errors import UserError

DEFAULT_PORT = 11434
_SCHEME_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")
_API_PATH = re.compile(r"/(?:v1|api)$")
"""What users copy along from an OpenAI client's base URL or Ollama's documentation; Ollama's own API lies beside it."""
_PATH = re.compile(r"(/[A-Za-z0-9._~%!$&'()*+,;=:@-]*)*")


@dataclass(frozen=True)
class OllamaAddress:
    """A server as a client reaches it. `base_url` has no trailing slash and no password; `key` never shows itself.

    `bind` is what a server of ours is told to listen on, empty where the address is not on this machine.
    """

    base_url: str
    bind: str = ""
    key: str = field(default="", repr=False)
    key_scheme: KeyScheme = "bearer"

    @property
    def is_local(self) -> bool:
        """Whether the address is this machine's own."""
        return bool(self.bind)

    @property
    def authorization(self) -> str:
        """The value of the header that authorizes a request, empty where there is no key."""
        return f"{self.key_scheme.capitalize()} {self.key}" if self.key else ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that authorize a request."""
        return {"authorization": self.authorization} if self.key else {}


def find_address(environment: Mapping[str, str]) -> OllamaAddress:
    """The address from OLLAMA_HOST, the token from OLLAMA_API_KEY. Raises UserError `bad-ollama-host`."""
    return parse_address(environment.get("OLLAMA_HOST", ""), environment.get("OLLAMA_API_KEY", ""))


def given_address(url: str, authorization: str) -> OllamaAddress:
    """The address of a spec: what `base_url` and `authorization` were elsewhere. Raises UserError `bad-ollama-host`."""
    scheme, _, key = authorization.partition(" ")
    return replace(parse_address(url), key=key, key_scheme="basic" if scheme == "Basic" else "bearer")


def parse_address(text: str, token: str = "") -> OllamaAddress:
    """The address that `text` means: as Ollama's own parser reads it, with the password and the path kept.

    Without a scheme the port is 11434, else the scheme's own (report B253). An address to listen on means this machine
    (B244). A password goes before `token` (B282). Raises UserError `bad-ollama-host`.
    """
    cleaned = text.strip().strip("\"'").strip()
    scheme, separator, rest = cleaned.partition("://")
    if not separator:
        scheme, rest = "http", cleaned
    port = _SCHEME_PORTS.get(scheme.lower(), 0) if separator else DEFAULT_PORT
    authority, slash, path = rest.partition("/")
    login, at, place = authority.rpartition("@")
    parts = _host_and_port(place, port)
    path = _API_PATH.sub("", f"{slash}{path}".rstrip("/"))
    if parts is None or not port or not _PATH.fullmatch(path):
        raise UserError(
            "bad-ollama-host",
            f"OLLAMA_HOST `{_shown(cleaned)}` is no address of a server",
            "write it as in: export OLLAMA_HOST=127.0.0.1:11434",
        )
    host, port = parts
    key, key_scheme = _key(login, token) if at else (token.strip(), "bearer")
    return OllamaAddress(
        f"{scheme.lower()}://{host}:{port}{path}",
        bind=f"{host}:{port}" if _is_loopback(host) and scheme.lower() == "http" and not path else "",
        key=key,
        key_scheme=key_scheme,
    )


def _host_and_port(place: str, default_port: int) -> tuple[str, int] | None:
    """The host as it stands in a URL, and the port; None for what is neither."""
    bare = _ipv6(place)
    if bare is not None:
        return bare, default_port
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, str(default_port)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return None
    host = "127.0.0.1" if host in ("", "0.0.0.0", "*") else host  # noqa: S104 - an address to listen on, replaced
    found = _ipv6(host) or (host.lower() if _HOST.fullmatch(host) else None)
    return None if found is None else (found, int(port))


def _ipv6(text: str) -> str | None:
    """An IPv6 address, in brackets or not, as it stands in a URL; `::` means this machine."""
    if text.count(":") < 2 or text.startswith("[") != text.endswith("]"):
        return None
    try:
        address = IPv6Address(text.strip("[]"))
    except ValueError:
        return None
    return "[::1]" if address.is_unspecified else f"[{address}]"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _key(login: str, token: str) -> tuple[str, KeyScheme]:
    """The password as HTTP wants it (RFC 7617); the token where the login is empty."""
    if not login:
        return token.strip(), "bearer"
    user, _, password = login.partition(":")
    return base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode(), "basic"


def _shown(text: str) -> str:
    """The address without its password."""
    head, at, tail = text.rpartition("@")
    return f"{head.partition('://')[0]}://[hidden]@{tail}"[:200] if at and head else text[:200]
