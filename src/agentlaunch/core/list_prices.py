"""List prices of managed models: what the same tokens would have cost there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import msgspec

from agentlaunch.core.endpoint import Prices
from agentlaunch.errors import UserError

DEFAULT_REFERENCE = "claude-opus-5-5"
"""What Claude Code asks for when nobody chooses a model (facts/agents.md 1.1)."""


class ListPrice(msgspec.Struct, frozen=True):
    """One managed model. Prices in US dollars per million tokens, as `source` had them on `date` (ISO 8601)."""

    name: str
    title: str
    input_usd: float
    cached_input_usd: float
    output_usd: float
    source: str
    date: str
    note: str = ""

    @property
    def prices(self) -> Prices:
        """As an upstream's prices."""
        return Prices(self.input_usd, self.output_usd, self.cached_input_usd)


@dataclass(frozen=True)
class PriceTable:
    """The managed models by name."""

    models: Mapping[str, ListPrice]

    def find(self, name: str) -> ListPrice:
        """The model called `name`. Raises UserError `unknown-reference` with the nearest names."""
        found = self.models.get(name)
        if found is not None:
            return found
        near = get_close_matches(name, self.models, 1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        message = f"no list price is known for `{name}`"
        raise UserError("unknown-reference", message, f"{hint}known: {', '.join(self.models)}")


class _File(msgspec.Struct, frozen=True):
    model: tuple[ListPrice, ...]


def parse_prices(text: str) -> PriceTable:
    """Read data/prices.json, made from data/prices.toml by scripts/build_catalog.py."""
    return PriceTable({entry.name: entry for entry in msgspec.json.decode(text, type=_File).model})
