"""A machine that somebody describes: a TOML file's keys, and a GPU's name as people write it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from agentlaunch.core.hardware import OperatingSystem, Vendor
from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentlaunch.core.gpus import GpuFacts, GpuTable

_KEYS = ("os", "ram_gb", "cores", "gpu")
_GPU_KEYS = ("name", "memory_gb", "count")
_LARGEST = 1_000_000
_UNSAID = frozenset({"nvidia", "geforce", "amd", "intel", "gpu", "graphics"})
"""Words of a GPU's name that the table leaves away."""
_OTHER_NAMES = {"macos": "darwin", "mac": "darwin", "win32": "windows"}


@dataclass(frozen=True)
class DescribedGpu:
    """One GPU. `facts` is None for a card that the table does not know; then its memory must be told."""

    name: str
    memory_gb: float | None
    facts: GpuFacts | None

    @property
    def vendor(self) -> Vendor:
        """Its maker, from the table or from the name."""
        words = set(self.name.lower().replace("(r)", "").split())
        known = self.facts.vendor if self.facts is not None else ""
        for vendor, marks in _MARKS.items():
            if vendor == known or (not known and words & marks):
                return vendor
        return "unknown"


_MARKS: dict[Vendor, frozenset[str]] = {
    "nvidia": frozenset({"nvidia", "geforce", "rtx", "gtx", "quadro", "tesla"}),
    "amd": frozenset({"amd", "radeon", "instinct"}),
    "intel": frozenset({"intel", "arc"}),
    "apple": frozenset({"apple"}),
    "qualcomm": frozenset({"qualcomm", "adreno"}),
}


@dataclass(frozen=True)
class DescribedMachine:
    """What was said; None is what was not. An empty tuple of GPUs says that there is none. GB are 2**30 bytes."""

    os: OperatingSystem | None = None
    ram_gb: float | None = None
    cores: int | None = None
    gpus: tuple[DescribedGpu, ...] | None = None


def find_gpu(name: str, memory_gb: float | None, table: GpuTable) -> GpuFacts:
    """The card of this name, or of the one known name that holds it as words. Raises UserError `unknown-gpu`."""
    facts = _look_up(name, memory_gb, table)
    if facts is None:
        raise _unknown(name, table)
    return facts


def _look_up(name: str, memory_gb: float | None, table: GpuTable) -> GpuFacts | None:
    """A name as its driver reports it, else as people write it: without maker and series (`M4 Max`, `7900 XTX`)."""
    words = name.lower().replace("-", " ").split()
    wanted = f" {' '.join(word for word in words if word not in _UNSAID)} "
    holding = {known: _words_behind(wanted, known) for known in table.by_name if wanted in f" {known} "}
    if not holding or wanted.strip() in holding:
        return table.find(name, None if memory_gb is None else int(memory_gb * 2**30))
    plain = [known for known in holding if holding[known] == min(holding.values())]
    cards = [card for known in sorted(plain, key=lambda known: (len(known), known)) for card in table.by_name[known]]
    return cards[0] if memory_gb is None else min(cards, key=lambda card: abs((card.memory_gb or 0) - memory_gb))


def _words_behind(wanted: str, known: str) -> int:
    """How many words make `known` another card than `wanted`: `Ti`, `Mobile`; its size in memory makes none."""
    behind = f" {known} ".partition(wanted)[2].split()
    return sum(not word.isdecimal() and word != "gb" for word in behind)


def _unknown(name: str, table: GpuTable) -> UserError:
    from difflib import get_close_matches

    names = {spelling: facts[0].name for spelling, facts in table.by_name.items()}
    close = get_close_matches(name.lower(), names, 8, 0.5)
    near = list(dict.fromkeys(names[spelling] for spelling in close))[:3]
    meant = f"nearest: {', '.join(near)}; " if near else ""
    hint = f"{meant}a card that is not known goes into a file for --simulate, with its memory_gb"
    return UserError("unknown-gpu", f"unknown GPU `{name}`", hint)


def parse_os(text: object, where: str) -> OperatingSystem:
    """Raises UserError `bad-machine`."""
    wanted = str(text).lower()
    for known in get_args(OperatingSystem):
        if known == _OTHER_NAMES.get(wanted, wanted):
            found: OperatingSystem = known
            return found
    raise UserError("bad-machine", f"{where} cannot be `{text}`", f"known: {', '.join(get_args(OperatingSystem))}")


def read_machine_file(path: Path, table: GpuTable) -> DescribedMachine:
    """Raises UserError `bad-machine-file` that names the key."""
    import tomllib

    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError("bad-machine-file", f"`{path}` is not TOML: {error}", "see docs/choosing-a-model.md") from error
    except OSError as error:
        raise UserError(
            "bad-machine-file", f"cannot read `{path}`: {error.strerror or error}", f"see what is there: ls -l {path}"
        ) from error
    _check_keys(values, _KEYS, path, "")
    cores = _number(values, "cores", path, "")
    if cores is not None and cores != int(cores):
        raise _bad(path, "cores", cores, "write a whole number of cores, as in: cores = 16")
    entries = values.get("gpu", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _bad(path, "gpu", entries, "write a table for each GPU: [[gpu]]")
    gpus = [gpu for at, entry in enumerate(entries) for gpu in _gpus(entry, at, path, table)]
    return DescribedMachine(
        os=parse_os(values["os"], f"`os` in `{path}`") if "os" in values else None,
        ram_gb=_number(values, "ram_gb", path, ""),
        cores=None if cores is None else int(cores),
        gpus=tuple(gpus),
    )


def _gpus(entry: Mapping[str, object], at: int, path: Path, table: GpuTable) -> list[DescribedGpu]:
    """One `[[gpu]]`, `count` times. An unknown card is taken with the memory that the file gives it."""
    place = f"gpu[{at}]."
    _check_keys(entry, _GPU_KEYS, path, place)
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _bad(
            path, f"{place}name", name, 'write the name as its driver reports it: name = "NVIDIA GeForce RTX 4090"'
        )
    memory = _number(entry, "memory_gb", path, place)
    count = _number(entry, "count", path, place) or 1
    if count != int(count) or count > 64:
        raise _bad(path, f"{place}count", count, "write a whole number up to 64")
    facts = _look_up(name, memory, table) if memory is not None else find_gpu(name, None, table)
    return [DescribedGpu(name, memory, facts)] * int(count)


def _check_keys(values: Mapping[str, object], known: tuple[str, ...], path: Path, place: str) -> None:
    from difflib import get_close_matches

    for key in values:
        if key not in known:
            near = get_close_matches(key, known, 1)
            meant = f"did you mean `{near[0]}`? " if near else ""
            hint = f"{meant}known: {', '.join(known)}"
            raise UserError("bad-machine-file", f"unknown key `{place}{key}` in `{path}`", hint)


def _number(values: Mapping[str, object], key: str, path: Path, place: str) -> float | None:
    value = values.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
        raise _bad(path, f"{place}{key}", value, f"write a number above 0 and up to {_LARGEST}, as in: {key} = 16")
    return float(value)


def _bad(path: Path, key: str, value: object, hint: str) -> UserError:
    return UserError("bad-machine-file", f"`{key}` in `{path}` cannot be `{value}`", hint)
