"""What was mended in an answer: the kinds, counted, so that the session's log can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Mend(StrEnum):
    """One kind of mending."""

    TEXT_CALL = "text_call"
    """A call that the model wrote as text."""
    THOUGHT_CALL = "thought_call"
    """A call that stood in the reasoning of an answer without text and calls."""
    THINKING = "thinking"
    """Reasoning that stood in the text."""
    ID = "id"
    """An id that another call of the conversation has."""
    NAME = "name"
    """A tool's name in another spelling."""
    JSON = "json"
    """Arguments that were no JSON: quotes, commas, line breaks, fences, what follows them."""
    UNTERMINATED = "unterminated"
    """Brackets that never closed, of arguments that were otherwise whole."""
    CUT_OFF = "cut_off"
    """A call that broke off: passed on as it is, so that nobody takes it for whole, or told of in words."""
    SPLIT = "split"
    """Several calls in the arguments of one."""
    DOUBLE_ENCODED = "double_encoded"
    """JSON in a JSON string, or the arguments wrapped in another object."""
    EMPTY = "empty"
    """No arguments, or null, where an object belongs."""
    TYPE = "type"
    """A value of another type than the schema's."""
    VALUE = "value"
    """A path or a command in another form, where the key says which it is."""
    KEY = "key"
    """A key in another spelling."""
    EXTRA = "extra"
    """A key that the schema refuses."""
    NULL = "null"
    """A null for a value that may be left out but not be null."""
    EMPTY_ANSWER = "empty_answer"
    """An answer with nothing in it for the user."""
    UNPARSED = "unparsed"
    """An answer that the engine's own parser gave up, saved from its error."""
    TWICE = "twice"
    """A call that the server has read, and left in the text, too."""
    TURN_END = "turn_end"
    """A token that begins or ends a turn, and what a model made up behind it."""
    RUNAWAY = "runaway"
    """Output that repeated itself without end."""


class MendCount:
    """Counts kinds of mending; `snapshot` is what the shim logs."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, kinds: Iterable[Mend]) -> None:
        """Count each of `kinds` once more."""
        self._counts.update(kind.value for kind in kinds)

    def snapshot(self) -> Mapping[str, int]:
        """The counts so far by kind; later counting does not change it."""
        return MappingProxyType(dict(self._counts))
