"""Flat names for tools that stand in namespaces: unique, and made of what every function-calling server takes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

ToolKey = tuple[str, str]
"""Namespace (empty for none) and name."""

LONGEST_NAME = 64
"""OpenAI's limit for function names, of `[A-Za-z0-9_-]`; the strictest in the field."""

_OTHER = re.compile(r"[^A-Za-z0-9_-]")


class FlatNames:
    """Namespace and name to flat name and back. Tools without a namespace and with a legal name keep theirs.

    `declared` tools come before those that only the history mentions: equal tools give equal names in every request,
    so that the prompt's prefix stays the same.
    """

    def __init__(self, declared: Iterable[ToolKey], mentioned: Iterable[ToolKey]) -> None:
        self._flat: dict[ToolKey, str] = {}
        self._keys: dict[str, ToolKey] = {}
        self._add_all(declared)
        self._aliases = self._other_spellings()
        self._declared = frozenset(self._keys)
        self._add_all(mentioned)

    def flat(self, namespace: str, name: str) -> str:
        """The flat name of a tool that was declared or mentioned."""
        return self._flat[namespace, name]

    def knows(self, key: ToolKey) -> bool:
        """Whether `flat` has a name for it."""
        return key in self._flat

    def key(self, flat: str) -> ToolKey:
        """The namespace and name behind what the model called.

        Also for `namespace.name` and the bare name where only one tool can be meant: Codex refuses both
        (facts/agents.md 2.2). A name that nobody declared is given back as it is.
        """
        if flat in self._declared or flat not in self._aliases:
            return self._keys.get(flat, ("", flat))
        return self._aliases[flat]

    def _add_all(self, keys: Iterable[ToolKey]) -> None:
        """Those that keep their names first, so that nothing takes them away."""
        new = [key for key in dict.fromkeys(keys) if key not in self._flat]
        for key in sorted(new, key=lambda key: _proper(key) != key[1]):
            self._add(key)

    def _add(self, key: ToolKey) -> None:
        flat = _proper(key)
        if flat in self._keys:
            flat = _hashed(key, flat)
        number = 2
        while flat in self._keys:
            flat = f"{flat[: LONGEST_NAME - 4]}_{number}"
            number += 1
        self._flat[key] = flat
        self._keys[flat] = key

    def _other_spellings(self) -> dict[str, ToolKey]:
        meant: dict[str, list[ToolKey]] = {}
        for key in self._flat:
            namespace, name = key
            if namespace:
                for spelling in (f"{namespace}.{name}", name):
                    meant.setdefault(spelling, []).append(key)
        return {spelling: keys[0] for spelling, keys in meant.items() if len(keys) == 1}


def _proper(key: ToolKey) -> str:
    """The name that a tool gets when nothing stands against it."""
    namespace, name = key
    full = f"{namespace}__{name}" if namespace else name
    flat = _OTHER.sub("_", full)
    return flat if flat and len(flat) <= LONGEST_NAME and (namespace or flat == full) else _hashed(key, flat)


def _hashed(key: ToolKey, flat: str) -> str:
    digest = hashlib.sha256("\0".join(key).encode("utf-8", "replace")).hexdigest()[:8]
    return f"{flat[: LONGEST_NAME - 9]}_{digest}"
