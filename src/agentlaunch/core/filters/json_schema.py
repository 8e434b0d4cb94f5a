"""What a tool's JSON Schema says of a value: the few questions that mending arguments asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from agentlaunch.core.filters.json_repair import Json

Node: TypeAlias = Mapping[str, "Json"]

_DEEPEST_REFERENCE = 16
"""References are followed so far and no further: schemas may refer to themselves."""

_TYPES = {
    **{name: name for name in ("null", "boolean", "integer", "number", "string", "array", "object")},
    **dict.fromkeys(("int", "int32", "int64", "long"), "integer"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    **dict.fromkeys(("str", "text"), "string"),
    **dict.fromkeys(("dict", "map"), "object"),
    **dict.fromkeys(("list", "tuple"), "array"),
    "bool": "boolean",
    "none": "null",
}
"""The types, and what tools made by hand or in other languages call them (Google's are in capitals)."""


@dataclass(frozen=True)
class Schema:
    """A schema, or a part of one; `root` is where its references point."""

    node: Node
    root: Node

    @classmethod
    def parse(cls, raw: msgspec.Raw) -> Schema:
        """The schema as the client wrote it. What is no schema allows everything."""
        try:
            document = msgspec.json.decode(raw)
        except (ValueError, RecursionError):
            document = None
        node = document if isinstance(document, dict) else {}
        return cls(node, node)

    def alternatives(self) -> Iterator[Schema]:
        """This schema, with references followed, and each of its `anyOf`, `oneOf` and `allOf`."""
        return _alternatives(self, _DEEPEST_REFERENCE)

    def types(self) -> frozenset[str]:
        """The types that a value may have; empty when the schema does not say."""
        found: set[str] = set()
        for schema in self.alternatives():
            stated = schema.node.get("type")
            found.update(map(named_type, stated if isinstance(stated, list) else [stated]))
            if schema.node.get("nullable") is True:
                found.add("null")
            if "const" in schema.node:
                found.add(type_of(schema.node["const"]))
            choices = schema.node.get("enum")
            if stated is None and isinstance(choices, list):
                found.update(map(type_of, choices))
            if stated is None and isinstance(schema.node.get("properties"), dict):
                found.add("object")
        return frozenset(found - {""})

    def choices(self) -> tuple[str, ...]:
        """The texts of an `enum`, where there is one."""
        for schema in self.alternatives():
            choices = schema.node.get("enum")
            if isinstance(choices, list):
                return tuple(choice for choice in choices if isinstance(choice, str))
        return ()

    def properties(self) -> dict[str, Schema]:
        """The known keys of an object and what stands behind each."""
        found: dict[str, Schema] = {}
        for schema in self.alternatives():
            stated = schema.node.get("properties")
            for key, part in stated.items() if isinstance(stated, dict) else ():
                found.setdefault(key, Schema(part if isinstance(part, dict) else {}, self.root))
        return found

    def required(self) -> frozenset[str]:
        """The keys that an object must have; those of alternatives are left to the agent."""
        stated = self.node.get("required")
        return frozenset(key for key in (stated if isinstance(stated, list) else ()) if isinstance(key, str))

    def is_closed(self) -> bool:
        """Whether unknown keys are refused (Claude Code's own tools, facts/agents.md 5)."""
        return any(schema.node.get("additionalProperties") is False for schema in self.alternatives())

    def items(self) -> Schema:
        """What stands in an array."""
        for schema in self.alternatives():
            stated = schema.node.get("items")
            if isinstance(stated, dict):
                return Schema(stated, self.root)
        return Schema({}, self.root)


def named_type(name: Json) -> str:
    """The JSON Schema type that `name` is meant for; empty for none."""
    return _TYPES.get(name.strip().lower(), "") if isinstance(name, str) else ""


def type_of(value: Json) -> str:
    """The JSON Schema type of a value; a whole number is an `integer`."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _alternatives(schema: Schema, depth: int) -> Iterator[Schema]:
    yield schema
    if not depth:
        return
    reference = schema.node.get("$ref")
    if isinstance(reference, str):
        target = followed(schema.root, reference)
        if target is not None:
            yield from _alternatives(Schema(target, schema.root), depth - 1)
    for key in ("anyOf", "oneOf", "allOf"):
        parts = schema.node.get(key)
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                yield from _alternatives(Schema(part, schema.root), depth - 1)


def followed(root: Node, reference: str) -> Node | None:
    """The target of a reference within the document (`#/$defs/x`, RFC 6901); None when there is none."""
    if not reference.startswith("#"):
        return None
    node: Json = dict(root)
    for step in reference.lstrip("#").lstrip("/").split("/") if len(reference) > 1 else ():
        key = step.replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else None
