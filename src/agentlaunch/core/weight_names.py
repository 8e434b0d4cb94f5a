"""What the names of weight files say: quantisation, parts of a split model; and which file of a repository is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PART = re.compile(r"^(?P<base>.+?)[-.](?P<number>\d{5})-of-(?P<count>\d{5})$")
_QUANT = re.compile(
    r"(?:^|[-._])((?:UD-)?(?:I?Q\d\w*|TQ\d_\d|(?:MX|NV)FP\d(?:_\w+)?|BF16|F16|F32|FP16))$", re.IGNORECASE
)
_NOT_WEIGHTS = re.compile(
    r"(?:^|[-._/])(?:(?:mmproj|imatrix|draft|lora|adapter|vocab|eagle3|dflash)(?:[-._/]|$)|mtp(?:[./]|$))"
    r"|(?:^|/)mtp[-._/]",
    re.IGNORECASE,
)
"""Files that go with a model and are none: image encoders, calibration data, draft models (report B309). `MTP` in front
of a quantisation is none of these: the model has its own heads to draft with (ik_llama.cpp #1762)."""
_HOSTS = ("hf:", "hf.co/", "huggingface.co/", "huggingface://", "hf-mirror.com/")
_OLLAMA_PAGE = re.compile(
    r"(?:ollama://|(?:https?://)?(?:www\.)?ollama\.com/)(?:library/)?(?P<tag>[\w.-]+(?:/[\w.-]+)?(?::[\w.-]+)?)/?"
)
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

PREFERRED_QUANTS = (
    "Q4_K_M", "MXFP4", "MXFP4_MOE", "UD-Q4_K_XL", "Q4_K_S", "IQ4_XS", "Q4_0", "Q5_K_M", "Q3_K_M", "IQ3_XXS", "Q6_K",
    "Q2_K", "Q8_0",
)  # fmt: skip
"""The order in which a quantisation is taken where nothing but the sizes is known; core/fit knows better for a model of
the catalogue."""


@dataclass(frozen=True)
class HubReference:
    """`hf:OWNER/REPO[:QUANT]`. `quant` is empty where none was named."""

    repository: str
    quant: str = ""

    def __str__(self) -> str:
        return f"hf:{self.repository}{':' if self.quant else ''}{self.quant}"


@dataclass(frozen=True)
class RepositoryFile:
    """A file of a repository. `sha256` in hexadecimal digits, empty where the server does not say."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class WeightSet:
    """One model in one quantisation: its files, in order; more than one where the model is split."""

    base: str
    quant: str
    files: tuple[RepositoryFile, ...]

    @property
    def size_bytes(self) -> int:
        """Over all files."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True)
class NoSuchQuant:
    """The repository has weights, and none in this quantisation; `known` are those that it has."""

    known: tuple[str, ...]


@dataclass(frozen=True)
class Incomplete:
    """Parts of a split model are missing: `has` of `count` (report B300)."""

    base: str
    has: int
    count: int


def parse_reference(name: str) -> HubReference | None:
    """The reference in `name`; None where it is another kind of name. A page's address in a browser is one too.

    A file that is named, by its page's address or behind the colon, means its quantisation; Ollama's `latest` means
    none. Underscores may have the backslash that Markdown gives them (ramalama 1755).
    """
    plain = re.sub(r"^https?://(?:www\.)?", "", name.strip(), flags=re.IGNORECASE)
    prefix = next((host for host in _HOSTS if plain.lower().startswith(host)), None)
    if prefix is None:
        return None
    rest = re.split(r"[?#]", plain[len(prefix) :].replace("\\_", "_").strip())[0].strip("/")
    path, _, quant = rest.partition(":")
    parts = path.split("/")
    repository, file = "/".join(parts[:2]), parts[-1] if len(parts) > 2 else ""
    if not _REPOSITORY.fullmatch(repository):
        return None
    return HubReference(repository, _quant_meant(quant.strip()) or _quant_meant(file, is_file=True))


def ollama_page(name: str) -> str:
    """The tag whose page in Ollama's library `name` is the address of, or `ollama://TAG`; empty where it is none."""
    found = _OLLAMA_PAGE.fullmatch(name.strip())
    return "" if found is None else found["tag"]


def _quant_meant(text: str, *, is_file: bool = False) -> str:
    """A quantisation as it is typed, or that of the file that is named in its place."""
    if text.lower() == "latest":
        return ""
    if not text.lower().endswith(".gguf"):
        return "" if is_file else text
    stem = text[: -len(".gguf")]
    return quant_of(stem) if is_weights(text) else ""


def split_part(stem: str) -> tuple[str, int, int]:
    """A file's name without its suffix as base, part and count; part 1 of 1 for a model that is not split."""
    found = _PART.match(stem)
    return (stem, 1, 1) if found is None else (found["base"], int(found["number"]), int(found["count"]))


def quant_of(stem: str) -> str:
    """The quantisation that a name without its suffix tells, in capitals; empty for none."""
    found = _QUANT.search(split_part(stem)[0])
    return "" if found is None else found[1].upper()


def without_quant(stem: str) -> str:
    """The model's own name in a file's name: without part, quantisation and llama.cpp's OWNER_REPO prefix."""
    return _QUANT.sub("", split_part(stem)[0]).rpartition("-GGUF_")[2]


def is_weights(name: str) -> bool:
    """Whether a file of this name holds a model."""
    is_shadow = name.rpartition("/")[2].startswith("._")  # macOS keeps its attributes so where a disk cannot (exFAT)
    return name.lower().endswith(".gguf") and not is_shadow and _NOT_WEIGHTS.search(name) is None


def weight_sets(files: Iterable[RepositoryFile]) -> tuple[WeightSet | Incomplete, ...]:
    """The models among a repository's files, by quantisation and name; a split one with parts missing as that."""
    grouped: dict[tuple[str, int], dict[int, RepositoryFile]] = {}
    for file in files:
        if is_weights(file.name):
            base, number, count = split_part(file.name[: -len(".gguf")])
            grouped.setdefault((base, count), {})[number] = file
    found: list[WeightSet | Incomplete] = []
    for (base, count), parts in sorted(grouped.items()):
        if set(parts) == set(range(1, count + 1)):
            found.append(WeightSet(base, quant_of(base), tuple(parts[number] for number in sorted(parts))))
        else:
            found.append(Incomplete(base, len(parts), count))
    return tuple(found)


def choose_set(
    sets: Iterable[WeightSet | Incomplete], quant: str, budget_bytes: int | None = None
) -> WeightSet | Incomplete | NoSuchQuant:
    """The weights of the quantisation `quant`, in any case, with or without `UD-`.

    Without one: the first of PREFERRED_QUANTS that `budget_bytes` holds, else the largest that it holds, else the
    smallest that there is; with no budget the first of PREFERRED_QUANTS.
    """
    everything = tuple(sets)
    whole = tuple(one for one in everything if isinstance(one, WeightSet))
    if quant:
        matching = [one for one in everything if _same(_label(one), quant)]
        exact = [one for one in matching if _normal(_label(one)) == _normal(quant)]
        chosen = sorted(exact or matching, key=lambda one: (isinstance(one, Incomplete), len(one.base), one.base))
        return chosen[0] if chosen else NoSuchQuant(_labels(whole))
    if not whole:
        return everything[0] if everything else NoSuchQuant(())
    fitting = [one for one in whole if budget_bytes is None or one.size_bytes <= budget_bytes]
    if not fitting:
        return min(whole, key=lambda one: one.size_bytes)
    order = {name: place for place, name in enumerate(PREFERRED_QUANTS)}
    return min(fitting, key=lambda one: (order.get(one.quant, len(order)), -one.size_bytes, len(one.base)))


def same_quant(left: str, right: str) -> bool:
    """Whether two spellings mean one quantisation: case, `-` or `_`, and `UD-` do not count."""
    return _same(left, right)


def _label(one: WeightSet | Incomplete) -> str:
    return one.quant if isinstance(one, WeightSet) else quant_of(one.base)


def _labels(sets: Iterable[WeightSet]) -> tuple[str, ...]:
    ordered = sorted(sets, key=lambda one: one.size_bytes)
    return tuple(dict.fromkeys(one.quant or one.base for one in ordered))


def _normal(quant: str) -> str:
    return quant.upper().replace("-", "_")


def _same(label: str, quant: str) -> bool:
    """Files of one model are spelled `Q4_K_XL` or `UD-Q4_K_XL`, `MXFP4` or `MXFP4_MOE`, `F16` or `FP16`."""

    def plain(name: str) -> str:
        return _normal(name).removeprefix("UD_").removesuffix("_MOE").replace("FP16", "F16").replace("BF16", "B16")

    return bool(label) and plain(label) == plain(quant)
