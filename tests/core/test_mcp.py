"""MCP servers in the form that all clients share, and skills' heads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.agents.mcp_documents import mcp_document
from agentlaunch.core.mcp import HttpServer, McpServer, StdioServer, mask_server, parse_servers

LOCAL = StdioServer("files", "npx", ("-y", "server"), {"KEY": "sk-secret"})
REMOTE = HttpServer("tracker", "https://example.invalid/mcp", {"Authorization": "Bearer sk-secret"})


def document(servers: dict[str, object]) -> str:
    return json.dumps({"mcpServers": servers})


def test_a_program_and_an_address_are_read_in_their_order_and_a_disabled_one_is_left_out() -> None:
    text = "\ufeff" + document(
        {
            "files": {"command": "npx", "args": ["-y", "server"], "env": {"KEY": "sk-secret"}},
            "off": {"command": "x", "disabled": True},
            "tracker": {"url": REMOTE.url, "headers": dict(REMOTE.headers)},
            "old": {"url": "http://127.0.0.1:1/sse", "type": "sse"},
        }
    )
    old = HttpServer("old", "http://127.0.0.1:1/sse", is_sse=True)
    assert parse_servers(text) == (LOCAL, REMOTE, old)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON: "),
        ("[]", 'it has no object "mcpServers"'),
        (document({"a b": {"command": "x"}}), "the server's name 'a b' has more than"),
        (document({"x": {}}), "the server `x` has neither a command nor an http url"),
        (document({"x": {"url": "ftp://x"}}), "the server `x` has neither a command nor an http url"),
        (document({"x": {"command": "x", "timeout": 3, "cwd": "/"}}), "the server `x` has unknown keys: cwd, timeout"),
        (document({"x": {"command": "x", "args": ["a", 1]}}), "the args of the server `x` are not a list of strings"),
        (document({"x": {"command": "x", "env": {"K": 7}}}), "the env of the server `x` do not map strings to strings"),
        (document({"x": {"command": "x", "type": "http"}}), "the type of the server `x` is none of stdio, local"),
    ],
)
def test_what_cannot_be_handed_on_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^it|^the") as refused:
        parse_servers(text)
    assert str(refused.value).startswith(said)


def test_an_error_quotes_no_value() -> None:
    for entry in ({"command": "x", "env": {"K": ["sk-secret"]}}, {"command": "x", "args": "sk-secret"}):
        with pytest.raises(ValueError, match="server `x`") as refused:
            parse_servers(document({"x": entry}))
        assert "sk-secret" not in str(refused.value)


TEXTS = st.text(max_size=12)
NAMES = st.text("abcXYZ019-_", min_size=1, max_size=20)
LOCALS = st.builds(StdioServer, NAMES, st.text(min_size=1), st.lists(TEXTS).map(tuple), st.dictionaries(TEXTS, TEXTS))
REMOTES = st.builds(HttpServer, NAMES, TEXTS.map("http://h/{}".format), st.dictionaries(TEXTS, TEXTS), st.booleans())
SERVERS = st.lists(st.one_of(LOCALS, REMOTES), max_size=4, unique_by=lambda server: server.name).map(tuple)


@given(SERVERS)
def test_what_is_written_for_an_agent_is_what_was_read(servers: tuple[McpServer, ...]) -> None:
    assert parse_servers(json.dumps(mcp_document(servers))) == servers


def test_a_masked_server_shows_names_and_no_values() -> None:
    assert mask_server(LOCAL, "*") == StdioServer("files", "npx", ("-y", "server"), {"KEY": "*"})
    assert mask_server(REMOTE, "*") == HttpServer("tracker", REMOTE.url, {"Authorization": "*"})
