"""The user's MCP servers as overrides for Codex, with every secret in the environment and none in argv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from agentlaunch.agents.toml_text import toml_string
from agentlaunch.core.launch_plan import AgentContext
from agentlaunch.core.mcp import HttpServer, StdioServer

_HEADER_VARIABLE = "AGENTLAUNCH_MCP_HEADER_"
_CODEX_OWN = ("PATH", "HOME", "USERPROFILE", "TMPDIR", "SHELL", "NODE_OPTIONS", "LD_PRELOAD", "LD_LIBRARY_PATH")
_CODEX_OWN_PREFIXES = ("CODEX_", "OPENAI_", "AGENTLAUNCH_", "RUST_", "DYLD_")
"""Variables that would change Codex itself, which forwards a variable only under its own name (`env_vars`)."""


@dataclass(frozen=True)
class Handed:
    """What goes behind `-c`, what goes into Codex's environment, and what Codex cannot take."""

    overrides: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def hand_to_codex(context: AgentContext) -> Handed:
    """`-c mcp_servers.NAME=...`: values of `env` and `headers` are named there and stand in the environment alone."""
    overrides: list[str] = []
    env: dict[str, str] = {}
    warnings: list[str] = []
    for server in context.mcp_servers:
        match server:
            case StdioServer():
                refused = sorted(name for name in server.env if not _fits(name, server.env[name], env))
                if refused:
                    warnings.append(
                        f"Codex goes without the MCP server `{server.name}`: it cannot pass {refused[0]} on"
                    )
                    continue
                env |= server.env
                overrides.append(_override(server.name, _stdio(server)))
            case HttpServer(is_sse=True):
                warnings.append(f"Codex goes without the MCP server `{server.name}`: it speaks no SSE")
            case HttpServer():
                named = {header: f"{_HEADER_VARIABLE}{len(env) + n}" for n, header in enumerate(server.headers)}
                env |= {variable: server.headers[header] for header, variable in named.items()}
                overrides.append(_override(server.name, _http(server, named)))
            case _:
                assert_never(server)
    return Handed((*overrides, *(_hidden(name) for name in env)), env, tuple(warnings))


def _hidden(name: str) -> str:
    """The commands that the model runs get it empty: Codex 0.169.0 hands them its whole environment otherwise. `set`,
    unlike the list `exclude`, leaves what the user's own configuration says about other variables."""
    return f'shell_environment_policy.set.{name}=""'


def _fits(name: str, value: str, env: Mapping[str, str]) -> bool:
    """Two servers can have a variable of one name only with one value."""
    return name not in _CODEX_OWN and not name.startswith(_CODEX_OWN_PREFIXES) and env.get(name, value) == value


def _override(name: str, pairs: Iterator[str]) -> str:
    return f"mcp_servers.{name}={{{','.join(pairs)}}}"


def _stdio(server: StdioServer) -> Iterator[str]:
    yield f"command={toml_string(server.command)}"
    yield f"args=[{','.join(map(toml_string, server.args))}]"
    yield f"env_vars=[{','.join(map(toml_string, server.env))}]"


def _http(server: HttpServer, named: Mapping[str, str]) -> Iterator[str]:
    yield f"url={toml_string(server.url)}"
    if named:
        pairs = (f"{toml_string(header)}={toml_string(variable)}" for header, variable in named.items())
        yield f"env_http_headers={{{','.join(pairs)}}}"
