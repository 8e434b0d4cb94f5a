"""A JSON Schema reduced to what inference engines take: every value that was valid stays valid."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

import msgspec

from agentlaunch.core.filters.json_repair import Json
from agentlaunch.core.filters.json_schema import followed, named_type, type_of
from agentlaunch.core.filters.simple_bounds import Node, Repeats, bounds, most_items

_DEEPEST = 24
"""Levels of schemas in schemas; what lies deeper is told by its type alone."""

_MOST_NODES = 2_000
"""Schemas in one schema: references to references can name more than a prompt holds. Then the rest is not followed."""

_LONGEST_CHAIN = 16
"""References that stand for references, and `allOf` in `allOf`."""

_WORDS = ("title", "description")
_KEPT = ("default", "examples", "deprecated")
"""Told to the model by chat templates; no engine makes a grammar of them."""

_UNIONS = ("anyOf", "oneOf")


class Root(Enum):
    """What a schema is about."""

    ARGUMENTS = auto()
    """A tool's arguments, which are an object: LM Studio, Ollama and OpenAI refuse any other word at the root."""
    ANYTHING = auto()
    """A whole answer."""


def simplified(document: Json, root: Root) -> Node:
    """`document` without what an engine refuses, explodes on, or never comes back from. Total; idempotent.

    References are written out, recursion ends in the target's type. `allOf` becomes one schema, and so do alternatives
    that only say which of an object's keys go together. Keywords that no engine's grammar knows are left out
    (docs/schemas.md has the table and its sources): the agent checks them, and its error tells the model.
    """
    node = _Simplifier(document if isinstance(document, dict) else {}, root).schema(document, (), 0)
    return node if root is Root.ANYTHING else _arguments(node)


def with_types_alone(parameters: msgspec.Raw) -> msgspec.Raw:
    """The schema of a tool's arguments with its keys and their types, and nothing that needs a grammar of its own."""
    try:
        document = msgspec.json.decode(parameters)
    except (ValueError, RecursionError):
        document = None
    node = simplified(document, Root.ARGUMENTS)
    keys = node["properties"]
    bare: Node = {
        key: {name: part[name] for name in ("type", "description") if name in part}
        for key, part in (keys.items() if isinstance(keys, dict) else ())
        if isinstance(part, dict)
    }
    kept = {name: node[name] for name in ("description", "required") if name in node}
    return msgspec.Raw(msgspec.json.encode({**kept, "type": "object", "properties": bare}))


def _arguments(node: Node) -> Node:
    """`node` as the root of a tool's arguments: an object, whatever the client wrote."""
    is_object = "type" not in node or "object" in _listed(node["type"])
    rest: Node = {key: value for key, value in node.items() if key not in _UNIONS} if is_object else {}
    # llama.cpp allows no key but the known ones unless it is told so, and LM Studio knows no schema for the others.
    match rest.pop("additionalProperties", None):
        case None:
            others: Node = {} if "properties" in rest else {"additionalProperties": True}
        case stated:
            others = {"additionalProperties": stated is not False}
    return {**rest, "type": "object", "properties": rest.get("properties", {}), **others}


class _Simplifier:
    """One walk over one document, which its references point into."""

    def __init__(self, document: Node, root: Root) -> None:
        self._document = document
        self._root = root
        self._repeats = Repeats()
        self._nodes = 0

    def schema(self, node: Json, chain: tuple[str, ...], depth: int) -> Node:
        """The schema in simple words; `chain` holds the references that are being written out around it."""
        self._nodes += 1
        whole, chain = self._merged(_as_schema(node), chain, 0)
        if "properties" in whole or (depth == 0 and self._root is Root.ARGUMENTS):
            whole, chain = self._with_alternatives(whole, chain)
        types = _types(whole)
        found: Node = {key: whole[key] for key in _WORDS if isinstance(whole.get(key), str)}
        found |= {key: whole[key] for key in _KEPT if key in whole}
        found |= _stated(types)
        if depth >= _DEEPEST:
            return found
        found |= _choices(whole)
        if not types or "object" in types:
            found |= self._object(whole, chain, depth)
        limits = bounds(whole, frozenset(types), self._repeats)
        if not types or "array" in types:
            with self._repeats.inside(most_items(limits)):
                found |= self._array(whole, chain, depth)
        found |= limits
        if "properties" not in found:
            found |= self._union(whole, chain, depth)
        return found

    # --- one schema of several ------------------------------------------------------------------------------------

    def _merged(self, node: Node, chain: tuple[str, ...], depth: int) -> tuple[Node, tuple[str, ...]]:
        """`node` with its references written out and its `allOf` taken together; the chain with these references."""
        if depth > _LONGEST_CHAIN:
            return {key: value for key, value in node.items() if key not in ("$ref", "allOf")}, chain
        reference = node.get("$ref")
        if isinstance(reference, str):
            target = followed(self._document, reference)
            siblings = {key: value for key, value in node.items() if key != "$ref"}
            if target is None:
                return self._merged(siblings, chain, depth + 1)
            if reference in chain or self._nodes > _MOST_NODES:
                return self._merged({**_bare(dict(target)), **siblings}, chain, depth + 1)
            return self._merged(_both(siblings, dict(target)), (*chain, reference), depth + 1)
        parts = _items(node, "allOf")
        node = {key: value for key, value in node.items() if key != "allOf"}
        for part in parts:
            merged, chain = self._merged(_as_schema(part), chain, depth + 1)
            node = _both(node, merged)
        return node, chain

    def _with_alternatives(self, node: Node, chain: tuple[str, ...]) -> tuple[Node, tuple[str, ...]]:
        """An object's alternatives as keys of the object, of which only those that all have are required.

        llama.cpp reads nothing beside `anyOf`, and the root of a tool's arguments may be nothing else but an object.
        """
        for name in _UNIONS:
            parts: list[Node] = []
            for part in _items(node, name):
                merged, longer = self._merged(_as_schema(part), chain, 1)
                if part is not False and "object" in (_types(merged) or ("object",)):
                    parts.append(merged)
                    chain = longer
            node = {key: value for key, value in node.items() if key != name}
            if parts:
                node = _either(node, parts)
        return node, chain

    def _union(self, node: Node, chain: tuple[str, ...], depth: int) -> Node:
        for name in _UNIONS:
            parts = [part for part in _items(node, name) if part is not False]
            found: list[Json] = [self.schema(part, chain, depth + 1) for part in parts]
            if found and all(_says_something(part) for part in found):
                return {name: found}
        return {}

    # --- by type --------------------------------------------------------------------------------------------------

    def _object(self, node: Node, chain: tuple[str, ...], depth: int) -> Node:
        found: Node = {}
        stated = node.get("properties")
        known = stated if isinstance(stated, dict) else {}
        keys: Node = {key: self.schema(part, chain, depth + 1) for key, part in known.items() if part is not False}
        if isinstance(stated, dict):
            found["properties"] = keys
        required = [key for key in dict.fromkeys(_texts(node.get("required"))) if key in keys]
        if required:
            found["required"] = list(required)
        found |= self._others(node, chain, depth)
        return found

    def _others(self, node: Node, chain: tuple[str, ...], depth: int) -> Node:
        """What other keys may hold. Keys that are known by a pattern cannot be told from them."""
        others = node.get("additionalProperties")
        patterns = node.get("patternProperties")
        if isinstance(patterns, dict) and patterns:
            parts = list(patterns.values())
            is_one = len(parts) == 1 and others is False
            return {"additionalProperties": self.schema(parts[0], chain, depth + 1) if is_one else True}
        match others:
            case bool():
                return {"additionalProperties": others}
            case dict():
                return {"additionalProperties": self.schema(others, chain, depth + 1) or True}
            case _:
                return {}

    def _array(self, node: Node, chain: tuple[str, ...], depth: int) -> Node:
        """Items by place become items of any of their kinds."""
        items = node.get("items")
        places = _items(node, "prefixItems") or _items(node, "items")
        if not places:
            return {"items": self.schema(items, chain, depth + 1)} if isinstance(items, dict) else {}
        rest = node.get("additionalItems") if isinstance(items, list) else items
        parts = [*places, *([] if rest is False else [rest])]
        kinds: list[Json] = []
        for part in parts:
            kind = self.schema(part, chain, depth + 1)
            if kind not in kinds:
                kinds.append(kind)
        if not all(_says_something(kind) for kind in kinds):
            return {"items": {}}
        return {"items": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}}


# --- what a schema says -------------------------------------------------------------------------------------------


def _as_schema(node: Json) -> Node:
    """A schema in place of whatever stands where one belongs; `"string"` alone is meant as a type."""
    match node:
        case dict():
            return node
        case str() if named_type(node):
            return {"type": node}
        case _:
            return {}


def _types(node: Node) -> tuple[str, ...]:
    """The types that the schema states or plainly means, each once; none when any will do."""
    stated = node.get("type")
    names = [found for name in _listed(stated) if (found := named_type(name))]
    if not names:
        names = _meant_types(node)
    if names and node.get("nullable") is True:
        names.append("null")
    if "number" in names:
        names = [name for name in names if name != "integer"]
    return tuple(dict.fromkeys(names))


def _meant_types(node: Node) -> list[str]:
    if isinstance(node.get("properties"), dict):
        return ["object"]
    if any(isinstance(node.get(key), list | dict) for key in ("items", "prefixItems")):
        return ["array"]
    choices = [node["const"]] if "const" in node else _items(node, "enum")
    return ["string"] if choices and all(isinstance(choice, str) for choice in choices) else []


def _stated(types: tuple[str, ...]) -> Node:
    match types:
        case ():
            return {}
        case (only,):
            return {"type": only}
        case _:
            return {"type": list(types)}


def _choices(node: Node) -> Node:
    if "const" in node:
        return {"const": node["const"]}
    choices: list[Json] = []
    for choice in _items(node, "enum"):
        if not any(type_of(choice) == type_of(other) and choice == other for other in choices):
            choices.append(choice)
    if choices and node.get("nullable") is True and None not in choices:
        choices.append(None)
    return {"enum": choices} if choices else {}


def _bare(target: Node) -> Node:
    """What is told of a schema whose inside is not: its types, and its description."""
    return {**_stated(_types(target)), **{key: target[key] for key in _WORDS if key in target}}


def _both(first: Node, second: Node) -> Node:
    """One schema for values that are valid for both; where both say something, `first` is heard."""
    found = {**second, **first}
    keys = [node["properties"] for node in (second, first) if isinstance(node.get("properties"), dict)]
    if len(keys) == 2:
        found["properties"] = _joined(keys)
    required = [*_texts(first.get("required")), *_texts(second.get("required"))]
    if required:
        found["required"] = list(dict.fromkeys(required))
    if "additionalProperties" not in first and second.get("additionalProperties") is False and "properties" in first:
        del found["additionalProperties"]
    return found


def _joined(keys: list[Json]) -> Node:
    """The properties of both; of a key that both have, what each says: an `allOf`."""
    second, first = (node if isinstance(node, dict) else {} for node in keys)
    found: Node = dict(first)
    for key, part in second.items():
        found[key] = {"allOf": [first[key], part]} if key in first and first[key] != part else part
    return found


def _either(node: Node, parts: list[Node]) -> Node:
    """One object for values that are valid for `node` and any of `parts`."""
    keys: dict[str, list[Json]] = {}
    for part in parts:
        properties = part.get("properties")
        for key, schema in properties.items() if isinstance(properties, dict) else ():
            if schema not in keys.setdefault(key, []):
                keys[key].append(schema)
    own = node.get("properties")
    known: Node = dict(own) if isinstance(own, dict) else {}
    for key, schemas in keys.items():
        known.setdefault(key, schemas[0] if len(schemas) == 1 else {"anyOf": schemas})
    found: Node = {**node, "type": "object", "properties": known}
    shared = set.intersection(*(set(_texts(part.get("required"))) for part in parts))
    required = [*_texts(node.get("required")), *sorted(shared)]
    if required:
        found["required"] = list(dict.fromkeys(required))
    if "additionalProperties" not in node and all(part.get("additionalProperties") is False for part in parts):
        found["additionalProperties"] = False
    return found


def _says_something(schema: Json) -> bool:
    return isinstance(schema, dict) and any(key not in (*_WORDS, *_KEPT) for key in schema)


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _items(node: Node, key: str) -> list[Json]:
    found = node.get(key)
    return found if isinstance(found, list) else []


def _texts(value: Json) -> Iterator[str]:
    return (text for text in _listed(value) if isinstance(text, str))
