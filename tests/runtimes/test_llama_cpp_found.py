"""The real llama.cpp is told from its answers as a server that runs already."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.probes.servers import SERVERS
from agentlaunch.probes.servers.base import load_kind
from agentlaunch.probes.servers.finding import Place, RunningServer, find_servers
from agentlaunch.runtimes.llama_cpp import LlamaCppHost

pytestmark = pytest.mark.real


def test_a_real_llama_cpp_is_found_with_its_model_and_the_window_of_a_slot(
    tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    async def look() -> tuple[list[RunningServer], list[RunningServer]]:
        host = LlamaCppHost(tmp_path, os.environ)
        try:
            endpoint = await host.ensure(EngineSpec(str(scripted_model(Script())), "scripted", 4096))
            port = urlsplit(endpoint.base_url).port or 0
            found = []
            for key in ("", endpoint.key):
                places = [Place(load_kind(name), port, key) for name in SERVERS]
                found.append(list(await asyncio.to_thread(find_servers, places, 30.0)))
            return found[0], found[1]
        finally:
            await host.close()

    without, [server] = asyncio.run(asyncio.wait_for(look(), 120))
    assert [(one.kind.name, one.facts.wants_key) for one in without] == [("llamacpp-server", True)]
    assert (server.kind.name, server.facts.wants_key) == ("llamacpp-server", False)
    [model] = server.facts.models
    assert (model.name, model.context_window, model.is_loaded) == ("scripted", 4096, True)
    assert model.context_trained is not None
