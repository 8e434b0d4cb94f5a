"""A model as its server lists it, and what is believed of the values in a list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServedModel:
    """A model of a server. `name` is what requests call it; windows in tokens, None for what the server does not say.

    `is_loaded` None: the server does not tell, and loads what it is asked for. `quant` is empty where only the name may
    tell it.
    """

    name: str
    context_window: int | None = None
    is_loaded: bool | None = True
    context_trained: int | None = None
    takes_images: bool | None = None
    quant: str = ""


def count(value: object) -> int | None:
    """A number of tokens above 0; servers write 0, null and worse for what they do not know."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def text(value: object) -> str:
    """A string, empty for anything else."""
    return value if isinstance(value, str) else ""
