"""What `bench` measures: an engine of ours, a model of Ollama's, or what a server on this machine has loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.running_servers import catalogue_id, running_servers, short_name
from agentlaunch.core.engine import EngineSpec, KVType
from agentlaunch.core.weight_names import quant_of, same_quant
from agentlaunch.errors import UserError
from agentlaunch.probes.servers import SERVERS

if TYPE_CHECKING:
    from agentlaunch.app.models import ModelTarget
    from agentlaunch.app.orders import ModelOrder
    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Catalog, Model
    from agentlaunch.core.endpoint import Endpoint

OLLAMA = "ollama"
UNTOLD_CACHE: KVType = "f16"
"""The cache's type where nobody tells it: what servers use unless they are told otherwise."""


@dataclass(frozen=True)
class Subject:
    """A model where it runs. `names` are those by which it is found again, `quant` is empty where nobody tells it.

    `path` is its file, None where it cannot be read from here; `context_window` in tokens.
    """

    target: EngineSpec | Endpoint
    names: tuple[str, ...]
    fingerprint: str
    runtime: str
    quant: str
    kv_type: KVType
    context_window: int
    build: str = ""
    path: Path | None = None

    def model(self, catalog: Catalog) -> Model | None:
        """The model for an estimate: that of the file, else the catalogue's with this quantisation alone."""
        from msgspec.structs import replace

        from agentlaunch.app.local_models import model_of_file

        if self.path is not None:
            return model_of_file(self.path)
        found = next((catalog.models[name] for name in self.names if name in catalog.models), None)
        quants = () if found is None else tuple(one for one in found.quants if same_quant(one.name, self.quant))
        return None if found is None or not quants else replace(found, quants=quants[:1])


def find_subject(order: ModelOrder, target: ModelTarget, world: World) -> Subject:
    """What `target` is to the measuring. Raises UserError `bench-runtime` for what is not on this machine."""
    spec = target.target
    if isinstance(spec, EngineSpec):
        return _of_ollama(order, spec, world) if spec.runtime == OLLAMA else _of_file(order, target.name, spec)
    if target.runtime not in SERVERS:
        what = f"`{target.runtime}` is an upstream: how fast it is tells nothing of this machine"
        raise UserError("bench-runtime", what, "measure a model that runs here: agentlaunch bench PATH.gguf")
    return _of_server(target, spec, world)


def _of_file(order: ModelOrder, name: str, spec: EngineSpec) -> Subject:
    from agentlaunch.app.fingerprint import fingerprint
    from agentlaunch.app.local_models import model_of_file

    path = Path(spec.model_path)
    return Subject(
        target=spec,
        names=(name, *_catalogued(order.model)),
        fingerprint=fingerprint(path),
        runtime=spec.runtime,
        quant=model_of_file(path).quants[0].name,
        kv_type=spec.kv_type,
        context_window=spec.context_window,
        path=path,
    )


def _catalogued(name: str) -> tuple[str, ...]:
    """The catalogue's model that a name means, none or one."""
    from agentlaunch.app.knowledge import load_catalog
    from agentlaunch.core.catalog import Match

    found = load_catalog().find(name)
    return (found.model.id,) if isinstance(found, Match) else ()


def _of_ollama(order: ModelOrder, spec: EngineSpec, world: World) -> Subject:
    """The quantisation of one whose file cannot be read is asked for when it is loaded."""
    from agentlaunch.app.fingerprint import fingerprint
    from agentlaunch.app.local_models import model_of_file
    from agentlaunch.runtimes.ollama_address import given_address
    from agentlaunch.runtimes.ollama_files import find_weights
    from agentlaunch.runtimes.ollama_models import is_cloud

    if is_cloud(spec.model_path) or not given_address(spec.address, spec.authorization).is_local:
        where = "ollama.com" if is_cloud(spec.model_path) else spec.address
        what = f"`{spec.model_path}` runs at {where}: how fast that is tells nothing of this machine"
        raise UserError("bench-runtime", what, "measure what the Ollama of this machine has: ollama list")
    path = find_weights(spec.model_path, world.environment)
    known = _catalogued(spec.model_path) or _catalogued(order.model)
    return Subject(
        target=spec,
        names=tuple(dict.fromkeys((order.model, spec.model_path, *known))),
        fingerprint=f"{OLLAMA}:{spec.model_path}" if path is None else fingerprint(path),
        runtime=OLLAMA,
        quant="" if path is None else model_of_file(path).quants[0].name,
        kv_type=spec.kv_type,
        context_window=spec.context_window,
        path=path,
    )


def _of_server(target: ModelTarget, endpoint: Endpoint, world: World) -> Subject:
    from agentlaunch.app.knowledge import load_catalog

    running = next((one for one in running_servers(world.environment) if one.kind.name == target.runtime), None)
    models = () if running is None else running.facts.models
    told = next((one.quant for one in models if one.name == endpoint.model), "")
    known = catalogue_id(endpoint.model, load_catalog())
    return Subject(
        target=endpoint,
        names=tuple(dict.fromkeys(filter(None, (target.name, endpoint.model, known)))),
        fingerprint=f"{target.runtime}:{endpoint.model}",
        runtime=target.runtime,
        quant=told or quant_of(short_name(endpoint.model)),
        kv_type=UNTOLD_CACHE,
        context_window=target.context_window,
        build="" if running is None else running.facts.version,
    )
