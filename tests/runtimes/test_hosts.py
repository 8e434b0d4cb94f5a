"""Every runtime behind one host."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.doubles.ollama_server import OllamaDouble

from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import MachineError, UserError
from agentlaunch.runtimes.hosts import RuntimeHosts


def test_a_spec_goes_to_the_runtime_that_it_names(tmp_path: Path) -> None:
    spec = EngineSpec("tiny", "tiny", 8192, runtime="ollama")

    async def work(url: str) -> None:
        hosts = RuntimeHosts(tmp_path, {"OLLAMA_HOST": url})
        assert (await hosts.ensure(spec)).name == "ollama"
        assert [status.alias for status in hosts.running()] == ["tiny"]
        with pytest.raises(UserError) as caught:  # llama.cpp's own check of a file
            await hosts.ensure(EngineSpec(str(tmp_path / "none.gguf"), "none", 8192))
        assert caught.value.code == "model-not-found"
        await hosts.release(spec)
        assert hosts.running() == ()
        await hosts.release(EngineSpec("x", "x", 1, runtime="never asked"))
        await hosts.close()

    with OllamaDouble().running() as double:
        asyncio.run(work(double.url))
        assert double.loaded == {}


def test_a_runtime_that_the_shim_does_not_know_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        asyncio.run(RuntimeHosts(tmp_path, {}).ensure(EngineSpec("x", "x", 1, runtime="abacus")))
    assert caught.value.code == "runtime-unknown"
