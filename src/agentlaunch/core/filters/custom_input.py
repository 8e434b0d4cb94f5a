"""What a model meant by the arguments of a custom tool that was shown to it as a function: the raw input text."""

from __future__ import annotations

import json
import re
from typing import TypeAlias, cast

import msgspec

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_OPENING = re.compile(r'^\s*\{\s*"[A-Za-z_]+"\s*:\s*"')
_ESCAPE = re.compile(r'\\(u[0-9a-fA-F]{4}|["\\/bfnrt])')
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_FENCE = re.compile(r"^\s*```[\w-]*\n(.*?)\n?```\s*$", re.DOTALL)
_HEREDOC = re.compile(r"^\s*apply_patch\s*<<-?\s*(['\"]?)(\w+)\1\n(.*?)\n?^\s*\2\s*$", re.DOTALL | re.MULTILINE)
_SCRIPT = re.compile(r"^\s*```(?:js|javascript|ts|typescript)\n(.*?)\n?```\s*$", re.DOTALL)
_PATCH_LINE = re.compile(r"^\s*\*\*\* (?:Begin Patch|(?:Add|Update|Delete) File: )", re.MULTILINE)
_HUNK = re.compile(r"^\s*\*\*\* (?:Add|Update|Delete) File: ", re.MULTILINE)
_BEGIN, _END = "*** Begin Patch", "*** End Patch"
_MARKER = re.compile(r"^(\*\*\* (?:Begin|End) Patch) ?\*\*\*[ \t]*$", re.MULTILINE)


def wrapped(raw: str) -> str:
    """The arguments of the function that stands for a custom tool: JSON with the one string `input`."""
    return msgspec.json.encode({"input": raw}).decode()


def unwrapped(arguments: str) -> str:
    """The input text in `arguments`. Total: whatever is not JSON with a text in it is the input itself.

    Models send the object that they were told of, another key for the one text, the text alone, JSON that they broke
    with a quote or a line break of the text, or a shell command around a patch (field reports B074, B084).
    """
    return _patch(_input(arguments))


def _input(arguments: str) -> str:
    try:
        # strict=False: line breaks that the model left bare inside the string
        document = cast("Json", json.loads(arguments, strict=False))
    except (ValueError, RecursionError):
        return _salvaged(arguments)
    found = _text_in(document)
    return arguments if found is None else found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text_in(document: Json) -> str | None:
    """The one text that a JSON document is about; None when there is no telling."""
    match document:
        case str() as text:
            return text
        case {"input": str() as text}:
            return text
        case {"input": [*words]} | {"command": [*words]} | {"cmd": [*words]}:
            texts = [word for word in words if isinstance(word, str)]
            return texts[-1] if texts else None
        case dict():
            texts = [value for value in document.values() if isinstance(value, str)]
            patches = [text for text in texts if _BEGIN in text]
            return (patches or texts)[0] if 1 in (len(patches), len(texts)) else None
        case _:
            return None


def _salvaged(arguments: str) -> str:
    """The string of an object that is broken by a bare quote in the text, or cut off; else the arguments themselves."""
    opening = _OPENING.match(arguments)
    if opening is None:
        return arguments
    body = arguments[opening.end() :].rstrip().removesuffix("}").rstrip().removesuffix('"')
    return _ESCAPE.sub(_unescaped, body)


def _unescaped(match: re.Match[str]) -> str:
    sequence = match[1]
    if sequence.startswith("u"):
        return chr(int(sequence[1:], 16)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _ESCAPED.get(sequence, sequence)


def _patch(text: str) -> str:
    """A patch without what models put around it, and with the lines at its ends that they forget: Codex refuses one
    that lacks them. A script of Codex's `exec` without the fence around all of it. Any other text untouched."""
    if not _PATCH_LINE.search(text):
        script = _SCRIPT.match(text)
        return text if script is None else script[1]
    for wrapping in (_HEREDOC, _FENCE):
        inside = wrapping.match(text)
        if inside is not None:
            text = inside[inside.re.groups]
    text = _MARKER.sub(r"\1", text)
    if _HUNK.match(text):
        text = f"{_BEGIN}\n{text.lstrip()}"
    if text.lstrip().startswith(_BEGIN) and _END not in text and _HUNK.search(text):
        text = f"{text.rstrip()}\n{_END}"
    return text
