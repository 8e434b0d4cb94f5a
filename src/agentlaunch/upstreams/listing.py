"""What a server says of its models, and where it says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

from agentlaunch.core.endpoint import Prices

TOKENS_PER_PRICE = 1_000_000
"""Vendors' lists give US dollars per token, `Prices` holds them per million."""


@dataclass(frozen=True)
class ModelFacts:
    """One model of an upstream. The window in tokens; None wherever the server does not say."""

    name: str
    context_window: int | None = None
    prices: Prices | None = None
    takes_images: bool | None = None


@dataclass(frozen=True)
class Listing:
    """Where a server lists its models, below its base URL, and the `module:function` that reads its answer.

    By name, since a launch needs the kind of an upstream and none of the readers.
    """

    path: str
    reader: str = "agentlaunch.upstreams.models_openai:read_models"

    def read(self, body: bytes) -> tuple[ModelFacts, ...]:
        """The models in an answer. Raises msgspec.DecodeError or UnicodeDecodeError for what is no such answer."""
        module, _, function = self.reader.partition(":")
        read: Callable[[bytes], tuple[ModelFacts, ...]] = getattr(import_module(module), function)
        return read(body)


def positive(*counts: int | None) -> int | None:
    """The first count above 0; servers write 0 and null for what they do not know."""
    return next((count for count in counts if count is not None and count > 0), None)


def prices(per_token: Iterable[float | None]) -> Prices | None:
    """Input, output and cached input in US dollars per token to `Prices`; None where the first two are not known.

    OpenRouter writes -1 for a price that depends on where it routes: that is not known.
    """
    values = [None if price is None or price < 0 else price * TOKENS_PER_PRICE for price in per_token]
    match values:
        case [float() | int() as input_usd, float() | int() as output_usd, cached]:
            return Prices(_rounded(input_usd), _rounded(output_usd), None if cached is None else _rounded(cached))
        case _:
            return None


def _rounded(price: float) -> float:
    """Ten digits: 0.22e-6 times a million is not 0.22 in binary."""
    return round(price, 10)
