"""Environment variables that send an agent elsewhere, or a request through a proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from agentlaunch.agents.claude_code import OTHER_CREDENTIALS, PROVIDER_SWITCHES
from agentlaunch.agents.opencode import CONFIG_VARIABLE
from agentlaunch.agents.opencode_agents import read_opencode_config
from agentlaunch.app.doctor.finding import Finding, Inspected, broken, note, will_bite
from agentlaunch.core.launch_environment import past_proxy
from agentlaunch.errors import UserError
from agentlaunch.runtimes.ollama_address import parse_address

if TYPE_CHECKING:
    from agentlaunch.app.world import World

SMALL_OLLAMA_WINDOW_TOKENS = 16_384
"""Less holds no coding agent's prompt and an answer (facts/agents.md 2; field report B165)."""

_OFF = ("", "0", "false", "no", "off")
_ADDRESSES = {"claude": ("ANTHROPIC_BASE_URL",), "codex": ("OPENAI_BASE_URL",), "opencode": ("OPENAI_BASE_URL",)}


def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
    """The variables themselves are the facts."""
    return Inspected(tuple(judge(world.environment, agents)))


def judge(environment: Mapping[str, str], agents: tuple[str, ...]) -> Iterator[Finding]:
    """What these variables do to these agents. No value that may be a key is repeated."""
    if "claude" in agents:
        yield from _claude(environment)
    names = dict.fromkeys(name for agent in agents for name in _ADDRESSES.get(agent, ()))
    for name in names:
        if environment.get(name):
            told = f"`{name}` is set: a launch does not use it, an agent that you start yourself does"
            yield will_bite("address-variable", told, f"unset {name}")
    if "opencode" in agents:
        yield from _opencode(environment)
    yield from _proxy(environment)
    yield from _ollama(environment)
    if environment.get("HF_HUB_OFFLINE", "").lower() not in _OFF:
        yield note(
            "hub-offline", "`HF_HUB_OFFLINE` is set: no model is fetched from Hugging Face", "unset HF_HUB_OFFLINE"
        )


def _claude(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name in PROVIDER_SWITCHES:
        if environment.get(name, "").lower() not in _OFF:
            told = f"`{name}` is set: a launch takes it away, a `claude` that you start yourself goes there"
            yield will_bite("provider-variable", told, f"unset {name}")
    for name in OTHER_CREDENTIALS:
        if environment.get(name):
            told = f"`{name}` is set: a launch keeps it from the agent, so that it never reaches a local server"
            yield note("credential-variable", told)


def _opencode(environment: Mapping[str, str]) -> Iterator[Finding]:
    text = environment.get(CONFIG_VARIABLE)
    if not text:
        return
    try:
        read_opencode_config(text)
    except ValueError:
        told = f"the variable `{CONFIG_VARIABLE}` is no JSON object, and a launch of OpenCode adds to it"
        yield broken("opencode-variable", told, f"unset {CONFIG_VARIABLE}")


def _proxy(environment: Mapping[str, str]) -> Iterator[Finding]:
    missing = past_proxy(environment)
    if missing and missing["NO_PROXY"] != environment.get("NO_PROXY"):
        told = "a proxy is set, and NO_PROXY does not name this machine: a launch adds it, other clients of ours do not"
        yield will_bite("proxy", told, f"export NO_PROXY={missing['NO_PROXY']} no_proxy={missing['NO_PROXY']}")


def _ollama(environment: Mapping[str, str]) -> Iterator[Finding]:
    host = environment.get("OLLAMA_HOST", "").strip()
    try:
        address = parse_address(host)
    except UserError as error:
        yield broken(error.code, error.message, error.hint)
    else:
        if any(word in host for word in ("0.0.0.0", "[::]")):  # noqa: S104 - looked for, not listened on
            told = "`OLLAMA_HOST` makes an Ollama that is started here serve the whole network, without a key"
            yield will_bite("ollama-open", told, "export OLLAMA_HOST=127.0.0.1:11434")
        elif host and not address.is_local:
            yield note("ollama-elsewhere", f"Ollama is asked at `{address.base_url}`, which is another machine")
    window = environment.get("OLLAMA_CONTEXT_LENGTH", "")
    if window.isdecimal() and int(window) < SMALL_OLLAMA_WINDOW_TOKENS:
        told = f"`OLLAMA_CONTEXT_LENGTH` is {window}: ours is sent with each request, other clients get a cut prompt"
        yield note("ollama-window", told, "unset OLLAMA_CONTEXT_LENGTH")
    elif window and not window.isdecimal():
        told = f"`OLLAMA_CONTEXT_LENGTH` is `{window[:40]}`, no number"
        yield will_bite("ollama-window", told, "unset OLLAMA_CONTEXT_LENGTH")
    parallel = environment.get("OLLAMA_NUM_PARALLEL", "")
    if parallel.isdecimal() and int(parallel) > 1:
        told = f"`OLLAMA_NUM_PARALLEL` is {parallel}: each model takes the memory of {parallel} windows"
        yield will_bite("ollama-parallel", told, "unset OLLAMA_NUM_PARALLEL, and start Ollama again")
