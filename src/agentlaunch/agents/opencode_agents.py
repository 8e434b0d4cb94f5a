"""Agents and commands that OpenCode's user has set to another model: a launch sets them to its own.

Their providers are not enabled in a launch, so that nothing leaves this machine; OpenCode 1.18.33 then ends with
"Unexpected server error" (ProviderModelNotFoundError) before any request (anomalyco/opencode 5623).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, TypeAlias, cast

from agentlaunch.agents.documents import Document, merge, object_at, parse_document
from agentlaunch.core.config_edit.jsonc_edit import read_jsonc

_Kind: TypeAlias = Literal["agent", "mode", "command"]
_KINDS: tuple[_Kind, ...] = ("agent", "mode", "command")
_FOLDERS: dict[str, _Kind] = {
    **dict.fromkeys(("agent", "agents", "mode", "modes"), "agent"),
    **dict.fromkeys(("command", "commands"), "command"),
}
"""What a Markdown file is, by the folder that it is in; `agents/team/review.md` is called `team/review`."""

_USERS = "${XDG_CONFIG_HOME:-~/.config}/opencode"
_PLACES = ("${OPENCODE_CONFIG_DIR}", _USERS, "~/.opencode", ".../.opencode")
USER_CONFIGS = (
    "${OPENCODE_CONFIG}",
    f"{_USERS}/config.json",
    *(f"{place}/{name}" for place in (*_PLACES, "...") for name in ("opencode.json", "opencode.jsonc")),
    *(f"{place}/{folder}/**/*.md" for place in _PLACES for folder in _FOLDERS),
)
"""Where OpenCode 1.18.33 looks, in the form of `Agent.user_configs`."""

LONGEST_TEMPLATES = 32_768
"""Characters of commands' prompts that are repeated: Linux takes 128 KiB in one variable. What is beyond keeps its
model."""

_HEAD = re.compile(r"\s*---[ \t]*\r?\n(?P<head>.*?)^---[ \t\r]*$(?P<body>.*)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class _Own:
    """An agent, a mode or a command with a model of its own; `template` is a command's prompt."""

    kind: _Kind
    name: str
    is_subagent: bool = False
    template: str = ""


def read_opencode_config(text: str) -> Document:
    """A configuration as OpenCode takes it: with comments and trailing commas. Raises ValueError."""
    try:
        return parse_document(text)
    except ValueError:
        return cast("Document", read_jsonc(text))


def models_of_their_own(configs: Iterator[Document], files: Mapping[str, str]) -> Iterator[_Own]:
    """What has a model of its own, in configurations that are read and in files by their path; unreadable ones not."""
    for config in configs:
        yield from _in_config(config)
    for path, text in files.items():
        if path.endswith(".md"):
            yield from _in_markdown(PurePath(path.replace("\\", "/")), text)
        else:
            yield from _in_config(_readable(text))


def set_to(model: str, subagent_model: str, found: Iterator[_Own]) -> Document:
    """A configuration that gives them ours: laid over the user's it changes nothing else of them."""
    config: Document = {}
    room = LONGEST_TEMPLATES
    for own in found:
        if len(own.template) > room:
            continue
        room -= len(own.template)
        said: Document = {"model": subagent_model if own.is_subagent else model}
        if own.kind == "command":
            said["template"] = own.template  # a command without one is no configuration
        config = merge(config, {own.kind: {own.name: said}})
    return config


def _readable(text: str) -> Document:
    try:
        return read_opencode_config(text)
    except ValueError:  # OpenCode itself says what is wrong with it
        return {}


def _in_config(config: Document) -> Iterator[_Own]:
    for kind in _KINDS:
        for name, said in object_at(config, kind).items():
            if isinstance(said, dict) and isinstance(said.get("model"), str):
                template = said.get("template")
                if kind == "command" and isinstance(template, str):
                    yield _Own(kind, name, template=template)
                elif kind != "command":
                    yield _Own(kind, name, said.get("mode") == "subagent")


def _in_markdown(path: PurePath, text: str) -> Iterator[_Own]:
    depth, found = _kind_folder(path), _HEAD.match(text)
    if depth is None or found is None or not re.search(r"^model:[ \t]*\S", found["head"], re.MULTILINE):
        return
    name = "/".join((*path.parts[depth + 1 : -1], path.stem))
    is_subagent = re.search(r"^mode:[ \t]*[\"']?subagent\b", found["head"], re.MULTILINE) is not None
    kind = _FOLDERS[path.parts[depth]]
    yield _Own(kind, name, is_subagent, found["body"].strip() if kind == "command" else "")


def _kind_folder(path: PurePath) -> int | None:
    """Where in the path the folder of a kind is: behind OpenCode's own, else the last one (OPENCODE_CONFIG_DIR)."""
    depths = [depth for depth, part in enumerate(path.parts[:-1]) if part in _FOLDERS]
    behind = (depth for depth in depths if depth and path.parts[depth - 1] in ("opencode", ".opencode"))
    return next(behind, depths[-1] if depths else None)
