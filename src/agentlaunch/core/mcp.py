"""The MCP servers that a user hands to an agent: parsed from the JSON form that all clients share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Codex takes these letters alone in a server's name; the others make a tool's name out of it."""


@dataclass(frozen=True)
class StdioServer:
    """A program that speaks MCP on its standard input and output. `env` may hold secrets."""

    name: str
    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HttpServer:
    """A server reached by URL, over streamable HTTP or, with `is_sse`, the older events. `headers` may hold secrets."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    is_sse: bool = False


McpServer: TypeAlias = StdioServer | HttpServer


def mask_server(server: McpServer, mask: str) -> McpServer:
    """The server with `mask` for every value of its `env` or `headers`."""
    match server:
        case StdioServer():
            return replace(server, env=dict.fromkeys(server.env, mask))
        case HttpServer():
            return replace(server, headers=dict.fromkeys(server.headers, mask))
        case _:
            assert_never(server)


def parse_servers(text: str) -> tuple[McpServer, ...]:
    """The servers of `{"mcpServers": {NAME: {command, args, env} | {url, headers, type}}}`, in their order.

    Raises ValueError, which says what is wrong and never quotes a value: values may be secrets. A key that we do not
    know is an error, since an agent would be without what it asks for; `"disabled": true` leaves a server out.
    """
    try:
        document: object = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} in line {error.lineno}") from None
    match document:
        case {"mcpServers": dict(servers)}:
            parsed = (_parse_server(name, entry) for name, entry in servers.items())
            return tuple(server for server in parsed if server is not None)
        case _:
            raise ValueError('it has no object "mcpServers"')


def _parse_server(name: str, entry: object) -> McpServer | None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"the server's name {name!r} has more than letters, digits, - and _, or is too long")
    match entry:
        case {"disabled": True}:
            return None
        case {"command": str(command), **rest} if command:
            known = {"args", "env", "type", "disabled"}
            _require(name, rest, known, ("stdio", "local"))
            return StdioServer(name, command, _texts(name, rest.get("args", [])), _mapping(name, "env", rest))
        case {"url": str(url), **rest} if url.startswith(("http://", "https://")):
            _require(name, rest, {"headers", "type", "disabled"}, ("http", "sse", "streamable-http", "remote"))
            return HttpServer(name, url, _mapping(name, "headers", rest), rest.get("type") == "sse")
        case _:
            raise ValueError(f"the server `{name}` has neither a command nor an http url")


def _require(name: str, rest: Mapping[object, object], known: set[str], kinds: tuple[str, ...]) -> None:
    unknown = sorted(str(key) for key in rest if key not in known)
    if unknown:
        raise ValueError(f"the server `{name}` has unknown keys: {', '.join(unknown)}")
    if rest.get("type", kinds[0]) not in kinds:
        raise ValueError(f"the type of the server `{name}` is none of {', '.join(kinds)}")


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"the args of the server `{name}` are not a list of strings")
    return tuple(str(word) for word in value)


def _mapping(name: str, key: str, rest: Mapping[object, object]) -> dict[str, str]:
    value = rest.get(key, {})
    if not isinstance(value, dict) or not all(isinstance(word, str) for pair in value.items() for word in pair):
        raise ValueError(f"the {key} of the server `{name}` do not map strings to strings")
    return {str(left): str(right) for left, right in value.items()}
