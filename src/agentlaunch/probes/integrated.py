"""Which graphics sit inside a processor, and which of those are worth using for a model."""

from __future__ import annotations

import re

from agentlaunch.core.hardware import Gpu, Vendor

USABLE = (
    r"Radeon (80[456]0S|8[689]0M|7[68]0M|680M)\b",
    r"Arc (13|14)0[TVU]\b",
    r"Arc( Pro)? B3\d\d\b",
    r"^Intel Arc Graphics$",
    r"Adreno X\d",
)
"""Integrated graphics with eight compute units or more and a driver that llama.cpp's back ends know. Smaller ones are
slower than the processor beside them (report B203: a UHD 630 shown as 47 GB of GPU)."""

INTEGRATED = (
    *USABLE,
    r"^Intel (U?HD |Iris |Arc )?(Xe |Plus |Pro )?Graphics",
    r"\bIris\b(?!.*\bMAX\b)",
    r"^AMD Radeon( Vega)?( \d+)? Graphics$",
    r"Radeon \d{3}M( Graphics)?$",
    r"Radeon (RX )?Vega \d+ Graphics",
    r"with Radeon",
    r"Custom GPU 0(405|932)",
    r"Adreno",
)


def plain_name(name: str) -> str:
    """The name without trade marks and doubled blanks."""
    return " ".join(re.sub(r"\((R|TM|r|tm)\)|[®™]", " ", name).split())


def is_integrated(name: str) -> bool:
    """Whether a plain name is that of graphics inside a processor."""
    return any(re.search(pattern, name) for pattern in INTEGRATED)


def is_usable(name: str) -> bool:
    """Whether integrated graphics of this plain name run a model faster than the processor does."""
    return any(re.search(pattern, name) for pattern in USABLE)


def unused_note(name: str) -> str:
    """Why integrated graphics do not count."""
    return f"`{name}` is inside the processor and too small to help with a model; it is not counted as a GPU."


def unified_gpu(name: str, vendor: Vendor, memory_bytes: int, free_bytes: int, carve_out_bytes: int = 0) -> Gpu:
    """A GPU in the system's own memory, of which no more is free than the system has."""
    free_bytes = min(memory_bytes, free_bytes)
    return Gpu(name, vendor, memory_bytes, free_bytes, unified=True, carve_out_bytes=carve_out_bytes)
