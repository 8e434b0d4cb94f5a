"""The tools that a request offers: their names as models spell them, and their schemas."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agentlaunch.core.filters.json_schema import Schema
from agentlaunch.core.ir import FunctionTool, Tool

_PREFIX = re.compile(r"^(?:functions?|default_api|tools?|tool_calls?|call)[.:/]", re.IGNORECASE)
"""What gpt-oss, Kimi and Gemma put before a function's name."""

_VENDORS = ("functions.", "default_api:", "default_api.")
_NUMBER = re.compile(r"(?::\d+|\(\))$")
"""Kimi numbers its calls behind the name, others put brackets there."""

_SERVERS = re.compile(r"^mcp__.+?__")
"""The server of an MCP tool, as Claude Code and Codex name them; models leave it out."""

_TAGGED = re.compile(r"\s*<?(?:function|invoke|tool_call|tool)(?:=|\s+name\s*=)\s*[\"']?([\w.:/-]+)")
_MARK_BEGUN = re.compile(r"[<>(\n]")
"""What parsers take for a part of the name: vLLM #53642 (Gemma), zai-org/GLM-5 #84, Fireworks' python-sdk #119."""

_AROUND = " \t\r\n\"'`:"
"""Around names, and before the special tokens that servers of gpt-oss leave behind them (`bash<|channel|>json`)."""

_SEPARATORS = re.compile(r"[-_.\s]")


class OfferedTools:
    """Only these may be called; a name that is none of them, even kindly read, is no call."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools if isinstance(tool, FunctionTool)}
        self._schemas: dict[str, Schema] = {}
        spelled: dict[str, list[str]] = {}
        for name in self._tools:
            spelled.setdefault(_folded(name), []).append(name)
        known = set(spelled)
        for name in self._tools:
            bare = _folded(_SERVERS.sub("", name))
            if bare not in known:
                spelled.setdefault(bare, []).append(name)
        self._initials = {name[:1] for name in spelled} | {vendor[0] for vendor in _VENDORS}
        self._meant = {folded: names[0] for folded, names in spelled.items() if len(names) == 1}

    def __bool__(self) -> bool:
        return bool(self._tools)

    def find(self, name: str) -> str | None:
        """The offered name that is meant by `name`; None when there is none, or more than one.

        Case and separators may differ (`readFile`, `read-file`), and vendors' prefixes may stand before it.
        """
        if name in self._tools:
            return name
        tagged = _TAGGED.match(name)
        name = (tagged[1] if tagged else _MARK_BEGUN.split(name, maxsplit=1)[0]).strip(_AROUND)
        bare = _NUMBER.sub("", _PREFIX.sub("", name))
        found = self._plain(bare)
        half = bare[: len(bare) // 2]
        if found is None and half * 2 == bare and half in self._tools:
            return half  # servers that tell a name whole in each piece have it joined twice (report B143)
        if found is None and ":" in name:
            said = {each for part in name.split(":") if (each := self._plain(_PREFIX.sub("", part))) is not None}
            return said.pop() if len(said) == 1 else None
        return found

    def _plain(self, name: str) -> str | None:
        return name if name in self._tools else self._meant.get(_folded(name))

    def may_begin(self, word: str) -> bool:
        """Whether a name that is meant for an offered tool may begin with `word`, which was perhaps not told whole."""
        if word[:1].casefold() not in self._initials:
            return False
        bare = _folded(_PREFIX.sub("", word).partition(":")[0])
        return any(vendor.startswith(word) for vendor in _VENDORS) or any(name.startswith(bare) for name in self._meant)

    def run_together(self, word: str) -> tuple[str, str] | None:
        """The offered name and its key that `word` is when nothing stands between them; the longest such name."""
        for name in sorted(self._tools, key=len, reverse=True):
            key = word.removeprefix(name)
            if key != word and key in self.schema(name).properties():
                return name, key
        return None

    def taking(self, keys: Iterable[str]) -> list[str]:
        """The tools that know each of `keys` and require no other."""
        given = set(keys)
        schemas = {name: self.schema(name) for name in self._tools}
        return [
            name
            for name, schema in schemas.items()
            if given and schema.required() <= given <= schema.properties().keys()
        ]

    def schema(self, name: str) -> Schema:
        """The schema of an offered tool's arguments."""
        if name not in self._schemas:
            self._schemas[name] = Schema.parse(self._tools[name].parameters)
        return self._schemas[name]


def _folded(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()
