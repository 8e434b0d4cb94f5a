"""Merges the JSON documents that configure agents: the user's and ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Document: TypeAlias = dict[str, Json]


def parse_document(text: str) -> Document:
    """A JSON object. Raises ValueError for anything else; a byte order mark is let through."""
    value: Json = json.loads(text.removeprefix("\ufeff"))
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one kind of error for one kind of blame
    return value


def merge(below: Mapping[str, Json], above: Mapping[str, Json]) -> Document:
    """Both documents; where both speak, `above` wins, object by object. Lists are replaced, not joined."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def object_at(document: Document, *path: str) -> Document:
    """A copy of the object at `path`; empty where there is none."""
    found: Json = document
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return dict(found) if isinstance(found, dict) else {}


def dump_document(document: Mapping[str, Json]) -> str:
    """The document as JSON text, the same for equal documents."""
    return json.dumps(document, indent=1, ensure_ascii=False)
