"""Mutations of bytes, of JSON documents and of the frames of a stream; chance comes from the caller."""

from __future__ import annotations

import itertools
import json
from random import Random

STRANGE: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    2**63,
    -(2**70),
    1.5,
    1e308,
    "",
    " ",
    "x",
    "null",
    "{}",
    '{"a":',
    "\ud83d",
    "\x00\r\n\u2028",
    "é🙂",
    "<tool_call>",
    "<think>",
    "text",
    "tool_use",
    "function",
    "assistant",
    [],
    [None],
    [[]],
    {},
    {"": None},
    {"type": "text"},
    {"type": "object", "properties": []},
    {"$ref": "#"},
    {"role": "user", "content": "x"},
)
"""What stands where something else was expected."""

_BYTES = (b"\x00", b"\xff", b"\n", b"\r", b"\r\n\r\n", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"data: ", b"9")
_DEEP = 3_000
_LONG = 20_000


def mutated_bytes(rng: Random, data: bytes) -> bytes:
    """One damage: bytes lost, doubled, swapped, put in, or the end missing."""
    if not data:
        return rng.choice(_BYTES)
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((1, 1, 2, 8, 60)))
    piece = data[start:end]
    match rng.randrange(6):
        case 0:
            return data[:start] + data[end:]
        case 1:
            return data[:end] + piece + data[end:]
        case 2:
            return data[:start] + rng.choice(_BYTES) + data[end:]
        case 3:
            return data[:start] + rng.choice(_BYTES) + data[start:]
        case 4:
            return data[:start]
        case _:
            to = rng.randrange(len(data))
            rest = data[:start] + data[end:]
            return rest[:to] + piece + rest[to:]


def mutated_document(rng: Random, document: object) -> object:
    """A copy of a JSON document with one place changed; now and then a very deep or a very long one."""
    copy: object = json.loads(json.dumps(document))
    places = list(_places(copy))
    if not places:
        return rng.choice(STRANGE)
    holder, key = rng.choice(places)
    match holder:
        case dict():
            _mutate_entry(rng, holder, str(key), places)
        case list():
            _mutate_item(rng, holder, int(key), places)
    return copy


Place = tuple["dict[str, object] | list[object]", "str | int"]


def _places(document: object) -> list[Place]:
    found: list[Place] = []
    waiting = [document]
    while waiting:
        match waiting.pop():
            case dict() as fields:
                found += [(fields, key) for key in fields]
                waiting += fields.values()
            case list() as items:
                found += [(items, index) for index in range(len(items))]
                waiting += items
    return found


def _mutate_entry(rng: Random, fields: dict[str, object], key: str, places: list[Place]) -> None:
    match rng.randrange(5):
        case 0:
            del fields[key]
        case 1:
            fields[key + "_"] = fields.pop(key)
        case 2:
            fields[key] = _elsewhere(rng, places)
        case _:
            fields[key] = _strange(rng, fields[key])


def _mutate_item(rng: Random, items: list[object], index: int, places: list[Place]) -> None:
    match rng.randrange(6):
        case 0:
            del items[index]
        case 1:
            items.insert(index, items[index])
        case 2:
            items[index] = _elsewhere(rng, places)
        case 3:
            items.insert(rng.randrange(len(items) + 1), items.pop(index))
        case _:
            items[index] = _strange(rng, items[index])


def _elsewhere(rng: Random, places: list[Place]) -> object:
    """A copy of what stands at another place of the document."""
    holder, key = rng.choice(places)
    there = holder.get(str(key)) if isinstance(holder, dict) else holder[int(key)] if int(key) < len(holder) else None
    return json.loads(json.dumps(there))


def _strange(rng: Random, there: object) -> object:
    match rng.randrange(40):
        case 0:
            return [there]
        case 1:
            return {"value": there}
        case 2:
            return json.dumps(there)
        case 3:
            return "x" * _LONG
        case 4:
            return json.loads("[" * 200 + "]" * 200)
        case _:
            return rng.choice(STRANGE)


def spelled(rng: Random, document: object) -> bytes:
    """The document as a client or a server might write it: with escapes or without, rarely with what JSON has not."""
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    match rng.randrange(60):
        case 0:
            text = text.replace(" 0", " NaN", 1)
        case 1:
            text = "[" * _DEEP + text + "]" * _DEEP
        case 2:
            text = "\ufeff" + text
    return text.encode("utf-8", "surrogatepass")


def mutated_frames(rng: Random, frames: list[bytes], others: list[bytes]) -> list[bytes]:
    """One damage to the order of a stream; `others` are frames of another stream."""
    frames = list(frames)
    at = rng.randrange(len(frames)) if frames else 0
    match rng.randrange(6) if frames else 4:
        case 0:
            del frames[at]
        case 1:
            frames.insert(at, frames[at])
        case 2:
            frames.insert(rng.randrange(len(frames)), frames.pop(at))
        case 3:
            del frames[at:]
        case 4:
            frames.insert(at, rng.choice(others))
        case _:
            rng.shuffle(frames)
    return frames


def cut(rng: Random, data: bytes) -> list[bytes]:
    """The bytes in pieces: at a few places, in equal small pieces, or one byte each."""
    match rng.randrange(8):
        case 0:
            return [data[at : at + 1] for at in range(len(data))]
        case 1:
            size = rng.randrange(2, 40)
            return [data[at : at + size] for at in range(0, len(data), size)]
        case _:
            places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 9)))
            edges = [0, *places, len(data)]
            return [data[start:end] for start, end in itertools.pairwise(edges)]
