"""Paper figures of graphics processors by the names that drivers report: memory bandwidth and peak operations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import msgspec
from msgspec import Struct, structs

from agentlaunch.core.hardware import Gpu, HardwareReport

_NVIDIA_FP16_PER_FP32 = 2.0
"""llama.cpp's kernels on cards with GDDR memory follow the FP32 rate; the tensor figure of workstation cards, twice as
high a chip, does not show in data/calibration.json (RTX A6000 and RTX 3090 are one chip and read prompts alike)."""
_OLDER_APPLE = 0.74
"""M1 and M2 reach 0.50 to 0.57 of their FP32 rate where M3 reaches 0.72 (gpus.json, efficiency.prefill)."""


class GpuFacts(Struct, frozen=True):
    """One card. Bandwidth in 1e9 bytes a second, `compute_tflops` the peak that core/fit calibrates against."""

    name: str
    vendor: str
    kind: str
    memory_gb: float | None
    bandwidth_gb_s: float | None
    compute_tflops: float | None
    unified: bool
    high_bandwidth_memory: bool
    confidence: str


class _Row(Struct):
    name: str
    detect: tuple[str, ...]
    vendor: str
    kind: str
    unified: bool
    confidence: str
    memory_gb: float | None = None
    memory_type: str = ""
    bandwidth_gb_s: float | None = None
    fp32_tflops: float | None = None
    fp16_tflops: float | None = None


class _MemoryRow(Struct):
    name: str
    bandwidth_gb_s: float


class _File(Struct):
    gpu: tuple[_Row, ...]
    memory: tuple[_MemoryRow, ...]


class GpuTable(Struct, frozen=True):
    """All cards: `by_name` maps each normal spelling to the cards that report it, the smaller figures first.

    `by_bare_name` maps names without their memory: drivers report `NVIDIA GeForce RTX 3060` for the card of 12 GB as
    for the one of 8.
    """

    by_name: Mapping[str, tuple[GpuFacts, ...]]
    by_bare_name: Mapping[str, tuple[GpuFacts, ...]]
    memory_gb_s: Mapping[str, float]

    def find(self, name: str, memory_bytes: int | None = None) -> GpuFacts | None:
        """The card of this name. Of several with one name the nearest in memory, then the slowest: never a promise."""
        spelling = _normal(name)
        named, bare = self.by_name.get(spelling, ()), self.by_bare_name.get(spelling, ())
        if memory_bytes is None:
            found = named or bare or self._longest_within(spelling)
            return found[0] if found else None
        found = (*named, *bare) or self._longest_within(spelling)
        if not found:
            return None
        wanted = memory_bytes / 2**30
        return min(found, key=lambda facts: abs((facts.memory_gb or wanted) - wanted))

    def _longest_within(self, name: str) -> tuple[GpuFacts, ...]:
        """A known name within this one, as whole words: drivers add makers, `Graphics`, `(TM)` and a size in memory.

        A laptop's GPU is never one of the desktop: it has the name and not the bus (AlexsJones/llmfit 919).
        """
        spellings = (f" {name} ", f" {_SIZE_WITHIN.sub('', name)} ")
        known = dict.fromkeys((*self.by_name, *self.by_bare_name))
        held = [each for each in known if any(f" {each} " in spelling for spelling in spellings)]
        is_mobile = not _MOBILE.isdisjoint(name.split()) or " max q design" in name
        for each in sorted(held, key=len, reverse=True):
            cards = (*self.by_name.get(each, ()), *self.by_bare_name.get(each, ()))
            fitting = tuple(card for card in cards if card.kind == "mobile" or not is_mobile)
            if fitting:
                return fitting
        return ()


def parse_gpus(text: str | bytes) -> GpuTable:
    """Read data/gpus.json, made from data/gpus.toml by scripts/build_catalog.py."""
    content = msgspec.json.decode(text, type=_File)
    cards: dict[str, list[GpuFacts]] = {}
    bare: dict[str, list[GpuFacts]] = {}
    for row in content.gpu:
        facts = _facts(row)
        spellings = [_normal(name) for name in (*row.detect, row.name)]
        for spelling in dict.fromkeys(spellings):
            cards.setdefault(spelling, []).append(facts)
        for spelling in dict.fromkeys(name for name in spellings if _MEMORY_SIZE.search(name)):
            bare.setdefault(_MEMORY_SIZE.sub("", spelling), []).append(facts)
    return GpuTable(
        {name: _ordered(held) for name, held in cards.items()},
        {name: _ordered(held) for name, held in bare.items()},
        {row.name: row.bandwidth_gb_s for row in content.memory},
    )


def _ordered(cards: list[GpuFacts]) -> tuple[GpuFacts, ...]:
    """Cards of one name, slowest first. One without a peak takes its sibling's in proportion to bandwidth."""
    sibling = next((card for card in cards if card.compute_tflops and card.bandwidth_gb_s), None)
    if sibling is None or len(cards) == 1:
        return tuple(cards)
    rate = (sibling.compute_tflops or 0) / (sibling.bandwidth_gb_s or 1)
    filled = (
        card
        if card.compute_tflops is not None
        else structs.replace(card, compute_tflops=rate * (card.bandwidth_gb_s or 0))
        for card in cards
    )
    return tuple(sorted(filled, key=lambda card: card.bandwidth_gb_s or 0))


def with_paper_figures(report: HardwareReport, table: GpuTable) -> HardwareReport:
    """The report with bandwidth and operations filled in where the probe could not tell and the card is known."""
    return replace(report, gpus=tuple(_filled(gpu, table) for gpu in report.gpus))


def _filled(gpu: Gpu, table: GpuTable) -> Gpu:
    facts = table.find(gpu.name, None if gpu.unified else gpu.memory_bytes)
    if facts is None:
        return gpu
    share = _share_of_card(gpu, facts)
    bandwidth, compute = facts.bandwidth_gb_s, facts.compute_tflops
    return replace(
        gpu,
        bandwidth_gb_s=gpu.bandwidth_gb_s or (bandwidth and bandwidth * share),
        compute_tflops=gpu.compute_tflops or (compute and compute * share),
    )


def _share_of_card(gpu: Gpu, facts: GpuFacts) -> float:
    """How much of the card a MIG instance has, by its memory: NVIDIA gives its slices bandwidth in that proportion."""
    if "mig" not in _normal(gpu.name).split() or not facts.memory_gb:
        return 1.0
    return min(1.0, gpu.memory_bytes / (facts.memory_gb * 2**30))


def _facts(row: _Row) -> GpuFacts:
    return GpuFacts(
        name=row.name,
        vendor=row.vendor,
        kind=row.kind,
        memory_gb=row.memory_gb,
        bandwidth_gb_s=row.bandwidth_gb_s,
        compute_tflops=_compute_tflops(row),
        unified=row.unified,
        high_bandwidth_memory=row.memory_type.startswith("HBM"),
        confidence=row.confidence,
    )


def _compute_tflops(row: _Row) -> float | None:
    single, half = row.fp32_tflops, row.fp16_tflops
    match row.vendor:
        case "nvidia" if not row.memory_type.startswith("HBM"):
            return None if single is None else single * _NVIDIA_FP16_PER_FP32
        case "apple":
            older = re.search(r"\bM[12]\b", row.name) is not None
            return None if single is None else single * (_OLDER_APPLE if older else 1.0)
        case _:
            return half if half is not None else single


_MEMORY_SIZE = re.compile(r" \d+ gb$")
_SIZE_WITHIN = re.compile(r" \d+ gb\b")
_MOBILE = frozenset({"laptop", "mobile"})
_BLANKS = str.maketrans("()-_,/®™", " " * 8)
_MAKERS = frozenset(
    {"nvidia", "amd", "intel", "tm", "r", "c", "corporation", "inc", "inc.", "graphics", "geforce", "gpu", "with"}
)


def _normal(name: str) -> str:
    """One spelling: lower case, without trade marks, makers and what drivers add; `80GB` as `80 gb`; single blanks."""
    words = name.lower().translate(_BLANKS).split()
    apart = (f"{word[:-2]} gb" if word.endswith("gb") and word[:-2].isdigit() else word for word in words)
    return " ".join(word for word in apart if word not in _MAKERS)
