"""The Windows registry, read through `reg query`: keys and their values as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agentlaunch.system.machine import CommandEnded, Machine

CPU_KEY = r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor\0"
QUERY_LIMIT_S = 2.0

_VALUE = re.compile(r"^ {4}(?P<name>.+?) {4}REG_(?P<kind>[A-Z_]+)(?: {4}(?P<text>.*))?$")


@dataclass(frozen=True)
class RegistryKey:
    """One key with its values; a number keeps the `0x` form in which `reg` prints it."""

    path: str
    values: Mapping[str, str]

    def number(self, name: str) -> int | None:
        """A REG_DWORD or REG_QWORD, or the little-endian bytes that some drivers store instead; None otherwise."""
        text = self.values.get(name, "").strip()
        if re.fullmatch(r"0x[0-9a-fA-F]{1,16}", text):
            return int(text, 16)
        if re.fullmatch(r"([0-9a-fA-F]{2}){4}|([0-9a-fA-F]{2}){8}", text):
            return int.from_bytes(bytes.fromhex(text), "little")
        return None


def query_registry(machine: Machine, key: str, *options: str) -> tuple[RegistryKey, ...]:
    """The key, and with `/s` those below it; empty when it is not there."""
    root = next((value for name, value in machine.environment.items() if name.upper() == "SYSTEMROOT"), r"C:\Windows")
    ended = machine.run([rf"{root}\System32\reg.exe", "query", key, *options], QUERY_LIMIT_S)
    return parse_registry(ended.stdout) if isinstance(ended, CommandEnded) else ()


def parse_registry(text: str) -> tuple[RegistryKey, ...]:
    """`reg query`: a key's path from the first column, each value below it after four spaces. Other lines are talk."""
    found: list[tuple[str, dict[str, str]]] = []
    for raw in text.splitlines():
        line = raw.rstrip("\r")
        if line.startswith("HKEY_"):
            found.append((line.strip(), {}))
        elif found and (value := _VALUE.match(line)):
            found[-1][1][value["name"]] = value["text"] or ""
    return tuple(RegistryKey(path, values) for path, values in found)
