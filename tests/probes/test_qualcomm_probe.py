"""A Snapdragon's Adreno follows from the processor's name, on Windows and on Linux."""

from __future__ import annotations

import pytest
from tests.probes.recorded import GIB, RecordedMachine, captured

from agentlaunch.core.hardware import Gpu
from agentlaunch.probes.base import Findings
from agentlaunch.probes.qualcomm import QualcommProbe, adreno_name
from agentlaunch.system.machine import SystemMemory

X1_85 = Findings(gpus=(Gpu("Qualcomm Adreno X1-85", "qualcomm", 8 * GIB, 6 * GIB, unified=True),))
MEMORY = SystemMemory(16 * GIB, 6 * GIB)


def test_windows_names_the_snapdragon_in_the_registry() -> None:
    commands = {r"C:\Windows\System32\reg.exe": captured("cpu_snapdragon.txt")}
    assert QualcommProbe().probe(RecordedMachine("windows", "arm64", commands=commands, memory=MEMORY)) == X1_85


def test_linux_names_the_snapdragon_in_the_device_tree() -> None:
    files = {"/proc/device-tree/compatible": "lenovo,thinkpad-t14s\x00qcom,x1e78100\x00qcom,x1e80100\x00"}
    assert QualcommProbe().probe(RecordedMachine("linux", "arm64", files=files, memory=MEMORY)) == X1_85


def test_another_machine_has_nothing_to_tell() -> None:
    assert QualcommProbe().probe(RecordedMachine("linux", "arm64")) == Findings()
    assert QualcommProbe().probe(RecordedMachine("windows", "x86_64")) == Findings()


@pytest.mark.parametrize(
    ("processor", "name"),
    [
        ("Snapdragon(R) X Elite - X1E84100 - Qualcomm(R) Oryon(TM) CPU", "Qualcomm Adreno X1-85"),
        ("Snapdragon(R) X Plus - X1P64100 - Qualcomm(R) Oryon(TM) CPU", "Qualcomm Adreno X1-85"),
        ("Snapdragon(R) X Plus - X1P42100 - Qualcomm(R) Oryon(TM) CPU", "Qualcomm Adreno X1-45"),
        ("Snapdragon(R) X - X126100 - Qualcomm(R) Oryon(TM) CPU", "Qualcomm Adreno X1-45"),
        ("Snapdragon(R) X2 Elite Extreme - X2E96100 - Qualcomm(R) Oryon(TM) CPU", "Qualcomm Adreno X2-90"),
        ("X2E-80-100", "Qualcomm Adreno X2-85"),
        ("Intel(R) Core(TM) i7", ""),
    ],
)
def test_the_part_number_tells_the_adreno(processor: str, name: str) -> None:
    assert adreno_name(processor) == name
