"""MCP servers as the JSON that most agents read: the shared form, written once more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from agentlaunch.agents.documents import Document
from agentlaunch.core.mcp import HttpServer, McpServer, StdioServer


def mcp_document(servers: Iterable[McpServer]) -> Document:
    """`{"mcpServers": {...}}`, for a file of mode 0600: it holds the servers' secrets."""
    return {"mcpServers": {server.name: _entry(server) for server in servers}}


def _entry(server: McpServer) -> Document:
    match server:
        case StdioServer(_, command, args, env):
            return {"type": "stdio", "command": command, "args": list(args), "env": dict(env)}
        case HttpServer(_, url, headers, is_sse):
            return {"type": "sse" if is_sse else "http", "url": url, "headers": dict(headers)}
        case _:
            assert_never(server)
