"""Calls as Gemma writes them: `call:name{key:value}`, with or without its own quotation marks."""

from __future__ import annotations

import re

from agentlaunch.core.filters.arguments import typed
from agentlaunch.core.filters.json_repair import Json, strict
from agentlaunch.core.filters.json_schema import Schema
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.markup import CLOSER, FoundCall, NoCall
from agentlaunch.core.filters.tool_text.open_ended import call_of, unclosed_call

_HEAD = re.compile(r"(?:call:)?([\w.:/-]+)([{(])")
QUOTES = ('<|"|>', "<escape>")
"""What Gemma 4 and FunctionGemma write around texts."""

_NEXT_CALL = re.compile(r"\n\s*call:[\w.:/-]+\{")
_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*[:=]")
_BRACKET = re.compile(r"[{}()\[\],]|" + "|".join(map(re.escape, QUOTES)))
_MAX_DEPTH = 32


def read_gemma(text: str, start: int, offered: OfferedTools) -> tuple[list[FoundCall], int]:
    """The call at `start` and the index behind it. Raises NoCall."""
    head = _HEAD.match(text, start)
    name = offered.find(head[1]) if head is not None else None
    if head is None or name is None:
        raise NoCall
    schema = offered.schema(name)
    exact = strict(text, head.end() - 1)
    if exact is not None and isinstance(exact[0], dict):
        return [call_of(name, exact[0])], exact[1]
    end = _end(text, head.end(), "}" if head[2] == "{" else ")")
    if end is None:
        values = _object(text[head.end() :], schema, 0)
        return [unclosed_call(name, values, _last(values))], len(text)
    return [call_of(name, _object(text[head.end() : end], schema, 0))], end + 1


def _last(values: dict[str, Json]) -> str | None:
    last = list(values.values())[-1] if values else None
    return last if isinstance(last, str) else None


def _end(text: str, start: int, bracket: str) -> int | None:
    """The brace that closes the call; where braces do not add up, the last one before whatever follows."""
    pieces, closing = _pieces(text, start, bracket)
    if closing is not None:
        return closing
    if pieces and any(quote in text[start:] for quote in QUOTES):
        return None
    following = [found.start() for pattern in (CLOSER, _NEXT_CALL) if (found := pattern.search(text, start))]
    end = text.rfind(bracket, start, min(following, default=len(text)))
    return end if end >= 0 else None


def _pieces(text: str, start: int, bracket: str = "}") -> tuple[list[str], int | None]:
    """The text from `start` cut at the commas of its own level, and the bracket that closes it, if one does."""
    pieces: list[str] = []
    depth = 0
    piece = position = start
    while (found := _BRACKET.search(text, position)) is not None:
        position = found.end()
        mark = found[0]
        if mark in QUOTES:
            closing = text.find(mark, position)
            if closing < 0:
                break
            position = closing + len(mark)
        elif mark in "()" and bracket == "}":
            continue
        elif mark in "{[(":
            depth += 1
        elif mark == "," and not depth:
            pieces.append(text[piece : found.start()])
            piece = position
        elif mark in "}])":
            depth -= 1
            if depth < 0:
                return [*pieces, text[piece : found.start()]], found.start()
    return [*pieces, text[piece:]], None


def _object(text: str, schema: Schema, depth: int) -> dict[str, Json]:
    """`key:value` pairs. A comma that no key of the tool follows belongs to the value before it."""
    known = schema.properties()
    found: dict[str, str] = {}
    last = ""
    for piece in _pieces(text, 0)[0]:
        key = _KEY.match(piece)
        if key is not None and (key[1] in known or not known or not found):
            last = key[1]
            found[last] = piece[key.end() :]
        elif last:
            found[last] += "," + piece
    return {key: _value(value, known.get(key, Schema({}, schema.root)), depth + 1) for key, value in found.items()}


def _value(text: str, schema: Schema, depth: int) -> Json:
    bare = text.strip()
    for quote in QUOTES:
        if bare.startswith(quote):
            return bare[len(quote) :].removesuffix(quote)
    if depth < _MAX_DEPTH and "string" not in schema.types():
        if bare.startswith("{") and bare.endswith("}"):
            return _object(bare[1:-1], schema, depth)
        if bare.startswith("[") and bare.endswith("]"):
            pieces = _pieces(bare[1:-1], 0)[0] if bare[1:-1].strip() else []
            return [_value(piece, schema.items(), depth + 1) for piece in pieces]
    if len(bare) > 1 and (bare[0] == bare[-1] == '"' or (bare[0] == bare[-1] == "'" and "'" not in bare[1:-1])):
        return bare[1:-1]
    if not schema.types():
        literal = strict(bare)
        return bare if literal is None or literal[1] < len(bare) else literal[0]
    return typed(bare, schema)
