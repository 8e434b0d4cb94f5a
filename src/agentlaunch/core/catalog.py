"""The models we know: their architectures, quantisations and names; and how a name that a person types finds one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

Role = Literal["agent", "small-agent", "other", "not-agent", "partial", "unknown"]
Confidence = Literal["high", "medium", "low"]
ScoreKind = Literal["independent", "third-party", "rival-vendor", "maker", "aggregator"]
SizeStatus = Literal["computed", "published", "file"]
RecurrentKind = Literal["gated-delta-net", "mamba2", "short-conv"]


class CacheGroup(Struct, frozen=True):
    """Layers that keep the same KV rows. Lengths in elements a head; `window` in tokens, None for full attention.

    A latent cache (MLA) is one head of key `kv_lora_rank + rope` and no value; an indexer's keys are such a group too.
    """

    layers: int
    heads: int
    heads_kv: int
    key_length: int
    value_length: int
    window: int | None = None


class Recurrent(Struct, frozen=True):
    """Layers that keep a fixed state for a sequence instead of a cache. `conv_width` counts the current token."""

    kind: RecurrentKind
    layers: int
    conv_width: int
    inner: int
    state: int = 0
    groups: int = 0

    @property
    def elements_per_layer(self) -> int:
        """Numbers (float32) that one sequence keeps in one layer: the convolution's tail and the state itself.

        Source: llama.cpp src/llama-hparams.cpp (n_embd_r, n_embd_s), checked against data/kv_vectors.json.
        """
        if self.kind == "short-conv":
            return (self.conv_width - 1) * self.inner
        return (self.conv_width - 1) * (self.inner + 2 * self.groups * self.state) + self.state * self.inner


class Experts(Struct, frozen=True):
    """A mixture: `used` of `count` experts run for a token. Widths in elements; 0: there is none of it."""

    count: int
    used: int
    feed_forward: int
    shared_feed_forward: int = 0
    leading_dense_layers: int = 0


class Architecture(Struct, frozen=True):
    """What sizes a model at run time. `feed_forward` is the widest dense one, 0 when every layer is a mixture."""

    name: str
    layers: int
    embedding: int
    vocabulary: int
    feed_forward: int
    cache: tuple[CacheGroup, ...]
    recurrent: Recurrent | None = None
    experts: Experts | None = None
    tied_embeddings: bool = False


class Quant(Struct, frozen=True):
    """One quantisation of a model: the bytes of its file; `computed` from the tensor list where no file was seen."""

    name: str
    file_bytes: int = field(name="bytes")
    status: SizeStatus = "computed"


class WeightShares(Struct, frozen=True):
    """How a file's bytes fall apart, as fractions of the file's size (exact for one quant, near for the others).

    `gpu` is what lies on the GPU with every layer there; `host` the input embeddings, which llama.cpp leaves in host
    memory; `experts` is the part of `gpu` that belongs to routed experts.
    """

    gpu: float
    host: float
    experts: float = 0.0


class Score(Struct, frozen=True):
    """One published result, 0 to 100, and who measured it."""

    benchmark: str
    score: float
    kind: ScoreKind
    source: str


class Model(Struct, frozen=True):
    """One model. Parameters are counts; `context_trained` in tokens; `aggregate` a third party's coding score.

    `predecessor` is the id of the release that this one replaces: same maker, same architecture and size.
    """

    id: str
    name: str
    family: str
    role: Role
    architecture: Architecture
    shares: WeightShares
    confidence: Confidence
    repository: str | None = None
    parameters: int = 0
    active_parameters: int = 0
    quants: tuple[Quant, ...] = ()
    context_trained: int = 0
    tool_calling: bool | None = None
    expert_parameters: int = 0
    organisation: str = ""
    license: str = ""
    release_date: str = ""
    thinking: bool = False
    ollama: tuple[str, ...] = ()
    gguf: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    aggregate: float | None = None
    predecessor: str | None = None

    def quant(self, name: str) -> Quant | None:
        """The quantisation of this name, in any case."""
        return next((quant for quant in self.quants if quant.name.lower() == name.lower()), None)


class Match(Struct, frozen=True):
    """A model that a name meant, and the quantisation where the name told one."""

    model: Model
    quant: str | None = None


class UnknownModel(Struct, frozen=True):
    """No model has this name; `nearest` are ids of those that are spelled most alike, best first."""

    query: str
    nearest: tuple[str, ...]


class Catalog(Struct, frozen=True):
    """All models by id, in the file's order; `names` maps every spelling that we know to an id."""

    models: Mapping[str, Model]
    names: Mapping[str, str]

    def find(self, query: str) -> Match | UnknownModel:
        """The model that a person means: an id, alias, Ollama tag, or Hugging Face repository, with or without a quant.

        A name that begins several ids (`gemma-4`) means the smallest of them that is made for agents.
        """
        name = _normal(query)
        for spelling, quant in _readings(name):
            found = self.names.get(spelling)
            if found is not None:
                return Match(self.models[found], quant)
        begun = [model for model in self.models.values() if model.id.startswith((f"{name}-", f"{name}."))]
        if begun:
            return Match(min(begun, key=lambda model: (model.role not in {"agent", "small-agent"}, model.parameters)))
        return UnknownModel(query, self._nearest(name))

    def _nearest(self, name: str) -> tuple[str, ...]:
        from difflib import get_close_matches

        close = get_close_matches(name, self.names, n=12, cutoff=0.5)
        holding = [spelling for spelling in self.names if len(name) > 2 and name in spelling]
        return tuple(dict.fromkeys(self.names[spelling] for spelling in [*close, *holding]))[:3]


def with_quant(model: Model, quant: Quant) -> Model:
    """The model with this quantisation in place of its own of that name: a file that lies on this machine."""
    return replace(model, quants=(*(known for known in model.quants if known.name != quant.name), quant))


class _File(Struct):
    model: tuple[Model, ...]


def parse_catalog(text: str | bytes) -> Catalog:
    """Read data/catalog.json, which scripts/build_catalog.py makes from data/catalog.toml.

    JSON and not TOML at run time: tomllib needs many times as long for the same content (see the script).
    """
    models = {model.id: model for model in msgspec.json.decode(text, type=_File).model}
    names: dict[str, str] = {}
    for model in models.values():
        for spelling in _spellings(model):
            names.setdefault(spelling, model.id)
    for model in models.values():  # An alias says what people mean, so it wins over a derived spelling.
        names.update({_normal(alias): model.id for alias in model.aliases})
    return Catalog(models, names | {model_id: model_id for model_id in models})


def _normal(name: str) -> str:
    """One spelling for names that differ in case, blanks, underscores or a registry's prefix."""
    plain = name.strip().lower().replace("_", "-").replace(" ", "-")
    for prefix in ("hf:", "hf.co/", "https://huggingface.co/", "huggingface.co/", "ollama:", "ollama/"):
        plain = plain.removeprefix(prefix)
    return plain.removesuffix(":latest").strip("/")


def _readings(name: str) -> Iterator[tuple[str, str | None]]:
    """The name itself, then with what follows its last `:` or within its tag read as a quantisation."""
    yield name, None
    base, colon, tag = name.rpartition(":")
    if not colon:
        return
    size, dash, quant = tag.partition("-q")
    if dash:
        yield f"{base}:{size}", _quant_name(f"q{quant}")
    yield f"{base}-{tag}", None
    if not tag[:1].isdigit():  # a tag that begins with a size, and not with this model's, means another model
        yield base, _quant_name(tag)


def _quant_name(text: str) -> str | None:
    """`q4-k-m` (a normal name) as llama.cpp writes it."""
    upper = text.upper().replace("-", "_")
    return upper.removeprefix("UD_") if upper.startswith(("Q", "IQ", "MXFP4", "NVFP4", "BF16", "F16", "UD_")) else None


def _spellings(model: Model) -> Iterator[str]:
    yield _normal(model.name)
    for tag in model.ollama:
        yield _normal(tag)
    for repository in (model.repository, *model.gguf):
        if repository is not None:
            full = _normal(repository)
            short = full.rpartition("/")[2]
            yield from (full, short, full.removesuffix("-gguf"), short.removesuffix("-gguf"))
