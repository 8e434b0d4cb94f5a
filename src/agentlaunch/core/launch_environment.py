"""The environment that an agent is started with: the user's, the plan's changes, and a way past the proxy."""

from __future__ import annotations

from collections.abc import Mapping

from agentlaunch.core.launch_plan import LaunchPlan
from agentlaunch.core.offline import TOOLS_OFFLINE, is_offline

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


def launch_environment(user: Mapping[str, str], plan: LaunchPlan) -> dict[str, str]:
    """`user` without `plan.unset`, under `plan.env`; where a proxy is set, the shim's hosts are taken out of it.

    Offline, the proxies go, and what the agent starts is told to stay here, too.
    """
    merged = {name: value for name, value in user.items() if name not in plan.unset}
    if is_offline(user):
        merged = {name: value for name, value in merged.items() if name.lower() not in PROXY_VARIABLES}
        merged.update(TOOLS_OFFLINE)
    merged.update(plan.env)
    return {**merged, **past_proxy(merged)}


def past_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """What NO_PROXY and no_proxy must say so that 127.0.0.1 is reached; empty when no proxy is set.

    Both spellings, since programs differ in which one they read; both get what either said.
    """
    if not has_proxy(environment):
        return {}
    said = ",".join(environment.get(name, "") for name in NO_PROXY_VARIABLES)
    hosts = [host for host in said.replace(" ", ",").split(",") if host]
    if "*" in hosts:
        return {}
    value = ",".join(dict.fromkeys((*hosts, *LOOPBACK_HOSTS)))
    return dict.fromkeys(NO_PROXY_VARIABLES, value)


def has_proxy(environment: Mapping[str, str]) -> bool:
    """Whether a proxy variable is set, in either case."""
    return any(environment.get(name) or environment.get(name.upper()) for name in PROXY_VARIABLES)


def proxy_note(environment: Mapping[str, str]) -> str:
    """What a plan says about the proxy; empty when there is none."""
    return f"a proxy is set: NO_PROXY gets {','.join(LOOPBACK_HOSTS)} for the agent" if past_proxy(environment) else ""
