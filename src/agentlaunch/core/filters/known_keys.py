"""Keys of arguments: in the schema's spelling, and those that say what stands under them, paths and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Set as AbstractSet

from agentlaunch.core.filters.json_repair import Json

_PATH = re.compile(r"(?:^|_)(?:path|file|filename|dir|directory|folder|cwd|workdir)$|(?:path|file)$", re.IGNORECASE)
_COMMANDS = ("command", "cmd")
_SHELLS = ("bash", "sh", "zsh", "/bin/bash", "/bin/sh", "/bin/zsh")
_SHELL_FLAGS = ("-lc", "-c")
_NEEDS_SHELL = re.compile(r"[|&;<>()$`\\\"'*?\[\]#~=%\n{}]")

_CONTROLS = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_DRIVE = re.compile(r"[A-Za-z]:[\\\b\f\n\r\t]")
"""A drive and what a backslash that was not doubled has become of: `C:\\temp` (openclaw #88918, claude-code #87251)."""

_QUOTES = "\"'`"
_LONGEST_PATH = 4096

_ALIASES = (
    *({"command", "cmd"}, {"path", "file"}, {"path", "filename"}, {"path", "dir"}, {"path", "directory"}),
    *({"query", "pattern"}, {"content", "text"}, {"content", "contents"}),
)
_BARRED = r"</[|\uff5c\u2016]{1,2}DSML[|\uff5c\u2016]{1,2}"
_TAG_ENDS = re.compile(
    rf"\n?{_BARRED}parameter>?(?:\s*{_BARRED}\w+>)*\Z"
    r"|\n?</parameter>\s*</(?:function|invoke)>(?:\s*</tool_call>)?\Z|</arg_value>(?:\s*</tool_call>)?\Z"
)
"""What ends a call's last value in tags, where a parser has left it in the value (vLLM #53227)."""
_MARKED = re.compile(
    r"\W*(?:(?:parameter|arg_key)\W+)?(?:name\W+)?([A-Za-z_][\w.-]*)(?:\W+(?:string|arg_key)\b.*|\W*)", re.DOTALL
)
_SHORTEST_SHARED = 4
_SEPARATORS = re.compile(r"[-_.\s]")


def meant(key: str, value: Json, types: frozenset[str]) -> Json:
    """The value that is meant under `key`, which takes `types`; the value itself where nothing is plain."""
    match value:
        case str() if types == {"string"} and (plain := _without_tag_ends(value)) != value:
            return meant(key, plain, types)
        case str() if types == {"string"} and _PATH.search(key):
            return _path(value)
        case [str() as only] if types == {"string"} and _PATH.search(key):
            return only
        case list() if types == {"string"} and key in _COMMANDS:
            words = [word for word in value if isinstance(word, str)]
            return _line(words) if words and len(words) == len(value) else value
        case str() if types == {"array"} and key in _COMMANDS and value[:1] not in ("", "["):
            return ["bash", "-lc", value] if _NEEDS_SHELL.search(value) else [*value.split()]
        case _:
            return value


def _without_tag_ends(text: str) -> str:
    """The text without the end of a call in tags. DeepSeek's tags stand in no file, others in a command or a path only
    by such a fault."""
    found = _TAG_ENDS.search(text) if "</" in text[-200:] else None
    is_fault = found is not None and ("DSML" in found[0] or "\n" not in text[: found.start()])
    is_whole = any(
        opening in text for opening in ("<parameter", "<arg_value>", "DSML\uff5cparameter ", "DSML|parameter ")
    )
    return text[: found.start()] if found is not None and is_fault and not is_whole else text


def folded(text: str) -> str:
    """A key or a word without its case and separators."""
    return _SEPARATORS.sub("", text).casefold()


def respelled(
    value: dict[str, Json], known: AbstractSet[str], required: AbstractSet[str]
) -> tuple[dict[str, Json], bool]:
    """The object with keys that the tool knows, and whether any has changed.

    Another case or other separators are the same key where only one can be meant and it is not there already. One key
    that is unknown is the one that is required and missing, when they mean the same.
    """
    if value.keys() <= known:
        return value, False
    spelled: dict[str, list[str]] = {}
    for key in known - value.keys():
        spelled.setdefault(folded(key), []).append(key)
    names: dict[str, str] = {}
    for key in value:
        candidates = [] if key in known else spelled.pop(folded(key), []) or spelled.pop(folded(_bare(key)), [])
        names[key] = candidates[0] if len(candidates) == 1 else key
    missing = [*(required - set(names.values()))]
    unknown = [key for key, name in names.items() if name not in known]
    if len(missing) == len(unknown) == 1 and _is_alias(folded(unknown[0]), folded(missing[0])):
        names[unknown[0]] = missing[0]
    return {names[key]: member for key, member in value.items()}, any(key != name for key, name in names.items())


def _bare(key: str) -> str:
    """The key without the markup that a parser has left around it (oh-my-pi #2759, vLLM #54971)."""
    found = _MARKED.fullmatch(key)
    return key if found is None else found[1]


def _is_alias(given: str, wanted: str) -> bool:
    """Whether two folded keys mean the same: one is the other's beginning or end, or they are a known pair."""
    shorter, longer = sorted((given, wanted), key=len)
    shares = len(shorter) >= _SHORTEST_SHARED and (longer.startswith(shorter) or longer.endswith(shorter))
    return shares or {given, wanted} in _ALIASES


def _path(text: str) -> str:
    """Without spaces and quotation marks around it, and with the backslashes of Windows."""
    if len(text) > _LONGEST_PATH:
        return text
    path = text
    if _DRIVE.match(path.lstrip()):
        path = "".join(_CONTROLS.get(character, character) for character in path.strip("\n\r\t "))
    path = path.strip()
    while len(path) > 2 and path[0] == path[-1] and path[0] in _QUOTES:
        path = path[1:-1].strip()
    return path or text


def _line(words: list[str]) -> str:
    """The line for a shell: what was to be handed to one, or the words joined."""
    if len(words) == 3 and words[0] in _SHELLS and words[1] in _SHELL_FLAGS:
        return words[2]
    return words[0] if len(words) == 1 else shlex.join(words)
