"""Offline by order: which variable says so, and what the environment of an agent then says to its tools."""

from __future__ import annotations

from collections.abc import Mapping

OFFLINE_VARIABLE = "AGENTLAUNCH_OFFLINE"
_NO = ("", "0", "false", "no", "off")

TOOLS_OFFLINE: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    # OpenCode asks npm's registry at each start, and no switch of its own stops it (facts/agents.md 7).
    "npm_config_offline": "true",
    "npm_config_registry": "http://127.0.0.1:9",
}
"""What the tools that an agent brings or starts read. The agents' own switches are in their plans, offline or not.

Port 9 (discard, RFC 863) refuses at once: whoever does not know npm's offline mode fails without asking for a name.
"""


def is_offline(environment: Mapping[str, str]) -> bool:
    """Whether the user has ordered it. A value that is no clear no counts as yes: it fails closed."""
    return environment.get(OFFLINE_VARIABLE, "").strip().lower() not in _NO


def with_offline(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` as `--offline` makes it."""
    return {**environment, OFFLINE_VARIABLE: "1"}
