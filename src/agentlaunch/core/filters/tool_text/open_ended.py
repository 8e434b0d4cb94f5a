"""A call from its values; one that broke off becomes JSON that does not end, so that no agent takes it for whole."""

from __future__ import annotations

from agentlaunch.core.filters.json_repair import Json, json_text
from agentlaunch.core.filters.tool_text.markup import FoundCall


def call_of(name: str, values: dict[str, Json]) -> FoundCall:
    """The call of `name` with these arguments."""
    return FoundCall(name, _text(values))


def unclosed_call(name: str, values: dict[str, Json], last_text: str | None = None) -> FoundCall:
    """A call whose markup never ended; `last_text` is its last value where that was open too."""
    if last_text is None or not values:
        return FoundCall(name, _text(values), _text(values)[:-1])
    last = list(values)[-1]
    return FoundCall(name, _text(values), _text({**values, last: last_text})[:-2])


def _text(values: dict[str, Json]) -> str:
    try:
        return json_text(values)
    except ValueError:  # an infinite number
        return "{}"
