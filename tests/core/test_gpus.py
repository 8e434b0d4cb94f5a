"""A card is found by the name that its driver reports, and told from its namesakes by its memory."""

from __future__ import annotations

from pathlib import Path

import pytest

import agentlaunch
from agentlaunch.core.gpus import GpuTable, parse_gpus, with_paper_figures
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory

GIB = 2**30


@pytest.fixture(scope="module")
def table() -> GpuTable:
    return parse_gpus((Path(agentlaunch.__file__).parent / "data" / "gpus.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "memory_gib", "card", "bandwidth"),
    [
        ("NVIDIA GeForce RTX 3060", 12, "GeForce RTX 3060 12 GB", 360.0),
        ("NVIDIA GeForce RTX 3060", 8, "GeForce RTX 3060 8 GB", 240.0),
        ("NVIDIA GeForce RTX 4060 Ti", 16, "GeForce RTX 4060 Ti 16 GB", 288.0),
        ("NVIDIA GeForce RTX 3080", 10, "GeForce RTX 3080", 760.3),
        ("NVIDIA GeForce RTX 3080", 12, "GeForce RTX 3080 12 GB", 912.4),
        ("NVIDIA GeForce RTX 4090", 24, "GeForce RTX 4090", 1008.4),
    ],
)
def test_a_driver_leaves_the_memory_out_of_the_name(
    table: GpuTable, name: str, memory_gib: int, card: str, bandwidth: float
) -> None:
    found = table.find(name, memory_gib * GIB)
    assert found is not None
    assert (found.name, found.bandwidth_gb_s) == (card, bandwidth)


def test_without_its_memory_a_name_means_the_card_of_just_that_name_or_the_slowest(table: GpuTable) -> None:
    found = [table.find(name) for name in ("RTX 3080 Ti", "NVIDIA GeForce RTX 3060")]
    assert [card and card.name for card in found] == ["GeForce RTX 3080 Ti", "GeForce RTX 3060 8 GB"]


def test_an_unknown_card_is_not_guessed(table: GpuTable) -> None:
    assert table.find("Voodoo 2") is None


def test_a_mig_instance_has_its_share_of_the_cards_bandwidth(table: GpuTable) -> None:
    whole = table.find("NVIDIA A100-SXM4-80GB", 80 * GIB)
    assert whole is not None
    assert whole.bandwidth_gb_s is not None
    slice_ = Gpu(name="NVIDIA A100-SXM4-80GB MIG 3g.40gb", vendor="nvidia", memory_bytes=40 * GIB)
    report = HardwareReport("linux", "x86_64", Cpu("a", 8), Memory(64 * GIB, 60 * GIB), gpus=(slice_,))
    filled = with_paper_figures(report, table).gpus[0]
    assert filled.bandwidth_gb_s == pytest.approx(whole.bandwidth_gb_s / 2)


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("NVIDIA GeForce RTX 3050 6GB Laptop GPU", "GeForce RTX 3050 Max-Q"),
        ("NVIDIA GeForce RTX 2060 with Max-Q Design", "GeForce RTX 2060 Max-Q"),
        ("NVIDIA RTX 2000 Ada Generation Laptop GPU", "RTX 2000 Max-Q Ada Generation"),
        ("NVIDIA RTX PRO 5000 Blackwell Generation Laptop GPU", None),
        ("NVIDIA GeForce RTX 3090 Laptop GPU", None),
        ("NVIDIA GeForce RTX 3090 Mobile", None),
        ("NVIDIA GeForce RTX 3090 with Max-Q Design", None),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "RTX PRO 6000 Blackwell Max-Q"),
    ],
)
def test_a_laptops_gpu_never_has_the_figures_of_the_desktops_of_its_name(
    table: GpuTable, name: str, card: str | None
) -> None:
    found = table.find(name)
    assert (found and found.name) == card
