"""Every runtime behind one host: a spec goes to the runtime that it names, which is made when it is first wanted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineHost, EngineSpec, EngineStatus
from agentlaunch.errors import MachineError
from agentlaunch.runtimes import RUNTIMES, load_host


class RuntimeHosts:
    """The hosts in `RUNTIMES`. One event loop only. Implements core.engine.EngineHost."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = environment
        self._hosts: dict[str, EngineHost] = {}

    async def ensure(self, spec: EngineSpec) -> Endpoint:
        """The endpoint of a ready engine. Raises what the runtime's host raises, MachineError `runtime-unknown`."""
        host = self._hosts.get(spec.runtime)
        if host is None:
            if spec.runtime not in RUNTIMES:
                known = ", ".join(RUNTIMES)
                what = f"the shim knows no runtime `{spec.runtime}`, only {known}"
                raise MachineError("runtime-unknown", what, "end the old shim: agentlaunch stop")
            host = load_host(spec.runtime, self._logs, self._environment)
            self._hosts[spec.runtime] = host
        return await host.ensure(spec)

    async def release(self, spec: EngineSpec) -> None:
        """Stop an engine; nothing happens for a runtime that was never asked."""
        host = self._hosts.get(spec.runtime)
        if host is not None:
            await host.release(spec)

    def running(self) -> tuple[EngineStatus, ...]:
        """The engines of all runtimes."""
        return tuple(status for host in self._hosts.values() for status in host.running())

    async def close(self) -> None:
        """Stop everything."""
        hosts, self._hosts = self._hosts, {}
        for host in hosts.values():
            await host.close()
