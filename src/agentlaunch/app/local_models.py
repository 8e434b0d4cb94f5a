"""Model files that lie on this machine already, where we and other programs keep them, by the model that they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.weights.found import find_holdings, weight_places

if TYPE_CHECKING:
    from agentlaunch.core.catalog import Catalog, Model
    from agentlaunch.system.dirs import Dirs


@dataclass(frozen=True)
class LocalModel:
    """A file, the catalogue's model that its name tells, and its quantisation as the name spells it."""

    path: Path
    model: str
    quant: str


def find_local_models(
    catalog: Catalog, environment: Mapping[str, str], folder: Path, dirs: Dirs
) -> tuple[LocalModel, ...]:
    """Files whose names tell a model of the catalogue, a split model by its first part; in the order of the places.

    A split model with parts missing does not count: fetching it again brings the rest.
    """
    found = []
    for holding in find_holdings(weight_places(environment, folder, dirs.cache / "models")):
        model = model_of_name(holding.model, catalog)
        if model and holding.path is not None and not holding.missing_parts:
            found.append(LocalModel(holding.path, model, holding.quant))
    return tuple(found)


def model_of_name(name: str, catalog: Catalog) -> str:
    """The id of the model that a file's name without quantisation tells; empty for none."""
    spelled = name.lower().replace("_", "-")
    model = catalog.names.get(spelled, "")
    is_vague = bool(model) and spelled in catalog.models[model].aliases  # `qwen3.gguf` may be any of its sizes
    return "" if is_vague else model


def model_of_file(path: Path) -> Model:
    """The model in a file, sized from its header. Raises what check_model raises."""
    from agentlaunch.core.fit.from_gguf import model_from_gguf
    from agentlaunch.runtimes.model_file import check_model

    facts = check_model(path, 1)
    return model_from_gguf(facts.header, facts.file_bytes, path.stem)
