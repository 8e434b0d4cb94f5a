"""The agents' own configuration files: those that do not parse, point elsewhere, or show a key to others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from agentlaunch.agents.claude_code import PROVIDER_SWITCHES
from agentlaunch.agents.configuration import CONFIGURATIONS, load_configuration
from agentlaunch.app.doctor.finding import Finding, Inspected, broken, will_bite
from agentlaunch.core.config_edit import Format, NotEditable, read_config
from agentlaunch.core.secrets import without_secrets
from agentlaunch.system.machine import LocalMachine

if TYPE_CHECKING:
    from agentlaunch.app.world import World

MANAGED = {
    "linux": "/etc/claude-code/managed-settings.json",
    "darwin": "/Library/Application Support/ClaudeCode/managed-settings.json",
    "windows": "C:/Program Files/ClaudeCode/managed-settings.json",
}
"""What an administrator sets for Claude Code; it beats every flag, ours too (Claude Code's documentation: settings)."""

Scope = Literal["user", "project", "managed"]

_ELSEWHERE = ("ANTHROPIC_BASE_URL", "ANTHROPIC_UNIX_SOCKET", *PROVIDER_SWITCHES)
_LARGEST_BYTES = 4 << 20
_FOLDER_VARIABLES = {"codex": "CODEX_HOME"}
"""Codex does not start when its folder does not exist; the others make theirs."""


@dataclass(frozen=True)
class AgentFile:
    """One file that exists. `content` is None when it cannot be read, for `trouble`; `is_open`: others may read it."""

    agent: str
    path: str
    scope: Scope
    form: Format
    content: bytes | None
    is_open: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class AgentFiles:
    """The files, and folders named by a variable that do not exist: agent, variable, folder."""

    files: tuple[AgentFile, ...]
    missing_folders: tuple[tuple[str, str, str], ...] = ()


def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
    """Of the agents that we know the files of."""
    facts = gather(world, agents, MANAGED[LocalMachine(world.environment).os])
    return Inspected(tuple(judge(facts)))


def gather(world: World, agents: tuple[str, ...], managed: str) -> AgentFiles:
    """Read the user's files, those of this folder, and what an administrator has set."""
    home = world.environment.get("HOME") or world.environment.get("USERPROFILE") or "~"
    places: list[tuple[str, str, Scope, Format]] = []
    for agent in agents:
        if agent in CONFIGURATIONS:
            own = load_configuration(agent)
            places += [(agent, path, "user", own.form) for path in own.paths(home, world.environment)]
    if "claude" in agents:
        names = ("settings.json", "settings.local.json")
        places += [("claude", str(world.folder / ".claude" / name), "project", "json") for name in names]
        places.append(("claude", managed, "managed", "json"))
    if "opencode" in agents:
        names = ("opencode.json", "opencode.jsonc")
        places += [("opencode", str(world.folder / name), "project", "json") for name in names]
    files = (_read(*place) for place in places)
    missing = tuple(
        (agent, name, world.environment[name])
        for agent, name in _FOLDER_VARIABLES.items()
        if agent in agents and world.environment.get(name) and not Path(world.environment[name]).is_dir()
    )
    return AgentFiles(tuple(file for file in files if file is not None), missing)


def _read(agent: str, path: str, scope: Scope, form: Format) -> AgentFile | None:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_BYTES)
            is_open = os.name == "posix" and bool(stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o044)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return AgentFile(agent, path, scope, form, None, trouble=error.strerror or str(error))
    return AgentFile(agent, path, scope, form, content, is_open)


def judge(facts: AgentFiles) -> Iterator[Finding]:
    """Nothing of a file's content is repeated but names of keys."""
    for agent, name, folder in facts.missing_folders:
        told = f"`{name}` names `{folder}`, which does not exist, and {agent} does not start without it"
        yield broken("agent-folder", told, f"mkdir -p '{folder}'")
    for file in facts.files:
        if file.content is None:
            yield will_bite("agent-file", f"cannot read `{file.path}`: {file.trouble}", f"ls -l '{file.path}'")
            continue
        if file.is_open and file.scope == "user" and _has_secret(file.content):
            told = f"`{file.path}` holds what looks like a key, and others on this machine may read it"
            yield will_bite("key-readable", told, f"chmod 600 '{file.path}'")
        try:
            document = read_config(file.content, file.form)
        except NotEditable as error:
            yield _unparsed(file, str(error))
        else:
            yield from _document(file, document)


def _has_secret(content: bytes) -> bool:
    text = content.decode("utf-8", "replace")
    return without_secrets(text) != text


def _unparsed(file: AgentFile, why: str) -> Finding:
    """Claude Code passes over settings that it cannot read; the others do not start (tried, tested versions)."""
    told = f"`{file.path}` cannot be read as {file.form.upper()}: {why}"
    mend = f"mend it, or move it away: mv '{file.path}' '{file.path}.bad'"
    return will_bite("agent-file", told, mend) if file.agent == "claude" else broken("agent-file", told, mend)


def _document(file: AgentFile, document: Mapping[str, object]) -> Iterator[Finding]:
    match file.agent:
        case "claude":
            yield from _claude(file, document)
        case "codex":
            yield from _codex(file, document)
        case "opencode":
            yield from _opencode(file, document)
        case _:
            pass


def _claude(file: AgentFile, document: Mapping[str, object]) -> Iterator[Finding]:
    variables = _table(document.get("env"))
    named = [name for name in _ELSEWHERE if variables.get(name) not in (None, "", "0")]
    if not named:
        return
    said = f"`{file.path}` sets {', '.join(named)}"
    if file.scope == "managed":
        told = f"{said} for every user, which beats a launch: requests go there and not to a local model"
        yield broken("managed-settings", told, "ask who administers this machine to take it out")
    else:
        told = f"{said}: a launch beats it, a `claude` that you start yourself goes there"
        yield will_bite("hostile-settings", told, f"take it out of {file.path} if you no longer want it")


def _codex(file: AgentFile, document: Mapping[str, object]) -> Iterator[Finding]:
    """All measured with 0.169.0 (facts/agents.md 1.2); `profile` with 0.142.5 too, and no `-c` of ours unsets it."""
    for name, provider in _table(document.get("model_providers")).items():
        if _table(provider).get("wire_api") == "chat":
            told = f'`{file.path}`: provider `{name}` has wire_api = "chat", with which Codex no longer starts'
            yield broken("codex-wire", told, f'write wire_api = "responses" for it in {file.path}')
    profiles = _table(document.get("profiles"))
    if "profile" in document:
        yield _codex_profile(file, document["profile"], profiles)
    if profiles:
        told = (
            f"`{file.path}` has [profiles.{next(iter(profiles))}] of old Codex versions: `codex -p NAME` fails over it"
        )
        yield will_bite("codex-profiles", told, f"move each into {Path(file.path).parent}/NAME.config.toml")


def _codex_profile(file: AgentFile, chosen: object, profiles: Mapping[str, object]) -> Finding:
    """Whatever it names, and also where nothing of that name is there (report B261)."""
    told = f"`{file.path}` has the line `profile = ...` of old Codex versions, with which Codex no longer starts"
    mend = f"take that line out of {file.path}"
    if isinstance(chosen, str) and chosen in profiles:
        own = Path(file.path).parent / f"{chosen}.config.toml"
        mend += f", move [profiles.{chosen}] into {own}, then: agentlaunch codex -- -p {chosen}"
    return broken("codex-profile", told, mend)


def _opencode(file: AgentFile, document: Mapping[str, object]) -> Iterator[Finding]:
    """Field report B243."""
    for provider, told in _table(document.get("provider")).items():
        for model, facts in _table(_table(told).get("models")).items():
            limit = _table(_table(facts).get("limit"))
            if limit and not {"context", "output"} <= limit.keys():
                what = f"`{file.path}`: `limit` of `{provider}/{model}` needs both context and output"
                yield broken("opencode-limit", what, f"add the missing one in {file.path}")


def _table(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
