"""Reads rocm-smi's JSON, which may stand behind warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentlaunch.probes.base import ProbeFailed, parse_integer

NAME_KEYS = ("Card Series", "Card series", "Device Name", "Card Model", "Card model")


@dataclass(frozen=True)
class SmiCard:
    """One card of rocm-smi's list, in bytes; `device` and `revision` as on the PCI bus, 0 when not told."""

    name: str
    vram_bytes: int
    vram_used_bytes: int = 0
    gtt_bytes: int = 0
    gtt_used_bytes: int = 0
    device: int = 0
    revision: int = 0


def parse_rocm_smi(text: str) -> tuple[SmiCard, ...] | ProbeFailed:
    """`rocm-smi --showproductname --showmeminfo vram gtt --json`.

    A GPU in a low-power state puts warnings before the object (report B227); they are skipped.
    """
    import json  # only where sysfs told nothing

    start = text.find("{")
    try:
        document = json.JSONDecoder().raw_decode(text[start:])[0] if start >= 0 else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return ProbeFailed("rocm-smi printed no JSON.")
    cards = [_card(entry) for key, entry in document.items() if key.startswith("card") and isinstance(entry, dict)]
    found = tuple(card for card in cards if card is not None)
    return found or ProbeFailed("rocm-smi lists no card with memory.")


def _card(entry: Mapping[str, object]) -> SmiCard | None:
    vram = _number(entry, "VRAM Total Memory (B)")
    names = (entry.get(key) for key in NAME_KEYS)
    name = next(
        (name for name in names if isinstance(name, str) and name and not name.startswith("0x")), "AMD Radeon Graphics"
    )
    if not vram:
        return None
    return SmiCard(
        name,
        vram,
        _number(entry, "VRAM Total Used Memory (B)"),
        _number(entry, "GTT Total Memory (B)"),
        _number(entry, "GTT Total Used Memory (B)"),
        _number(entry, "Card Model") or _number(entry, "Device ID"),
        _number(entry, "Device Rev"),
    )


def _number(entry: Mapping[str, object], key: str) -> int:
    value = entry.get(key)
    return parse_integer(value, 0) or 0 if isinstance(value, str) else 0
