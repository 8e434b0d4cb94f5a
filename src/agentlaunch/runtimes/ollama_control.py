"""Ollama's control side: version, models, what is loaded, loading and pulling, each call with a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from agentlaunch.errors import AgentlaunchError, MachineError, RemoteError, UserError
from agentlaunch.runtimes.ollama_address import OllamaAddress

if TYPE_CHECKING:
    import httpx
    import ollama

NOTHING_SAID = "(nothing)"


class Refused(Exception):
    """Ollama answered with an error: its HTTP status (-1 for an error inside a stream) and its sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence or NOTHING_SAID


@dataclass(frozen=True)
class Shown:
    """A model's facts. `capabilities` is None where an old server does not tell them; the context is in tokens."""

    capabilities: frozenset[str] | None
    family: str
    context_length: int | None


@dataclass(frozen=True)
class Running:
    """A loaded model. Bytes and tokens; `context_length` is None where an old server does not tell it."""

    name: str
    size_bytes: int
    vram_bytes: int
    context_length: int | None


class OllamaControl:
    """One server's control API, over the package `ollama`, which is imported (271 ms) with the first call.

    Every method raises AgentlaunchError for a server that cannot be used, and `Refused` for an answer that is an error.
    """

    def __init__(self, address: OllamaAddress, answer_limit_s: float) -> None:
        self.address = address
        self._limit_s = answer_limit_s
        self._client: ollama.AsyncClient | None = None
        self._http: httpx.AsyncClient | None = None

    async def version(self) -> str | None:
        """The server's version, None when nobody listens. The package has no call for it."""
        import httpx

        from agentlaunch.system.outbound import AsyncOutboundTransport

        async with self._within(self._limit_s):
            if self._http is None:
                self._http = httpx.AsyncClient(
                    headers=self.address.headers, transport=AsyncOutboundTransport(), timeout=self._limit_s
                )
            try:
                answer = await self._http.get(f"{self.address.base_url}/api/version")
            except httpx.ConnectError:
                return None
            if answer.status_code in (401, 403):
                raise self.error(Refused(answer.status_code, answer.text[:200]))
            match answer.json() if answer.status_code == 200 else None:
                case {"version": str(version)}:
                    return version
                case _:
                    raise ValueError(answer.status_code)

    async def models(self) -> dict[str, int]:
        """The names of all pulled models, with their tags, and their sizes in bytes."""
        async with self._calling(self._limit_s) as client:
            return {model.model: int(model.size or 0) for model in (await client.list()).models if model.model}

    async def show(self, name: str) -> Shown:
        """What `name` is."""
        async with self._calling(self._limit_s) as client:
            shown = await client.show(name)
        facts: Mapping[str, object] = shown.modelinfo or {}
        trained = next((value for key, value in facts.items() if key.endswith(".context_length")), None)
        family = (shown.details.family if shown.details else None) or ""
        capabilities = None if shown.capabilities is None else frozenset(shown.capabilities)
        return Shown(capabilities, family, trained if isinstance(trained, int) else None)

    async def running(self) -> tuple[Running, ...]:
        """What is loaded now."""
        async with self._calling(self._limit_s) as client:
            return tuple(
                Running(model.model or "", int(model.size or 0), int(model.size_vram or 0), model.context_length)
                for model in (await client.ps()).models
            )

    async def load(self, name: str, num_ctx: int | None, keep_alive: str | int, limit_s: float) -> None:
        """Load `name` with a context in tokens; a `keep_alive` of 0 unloads it."""
        options = None if num_ctx is None else {"num_ctx": num_ctx}
        async with self._calling(limit_s) as client:
            await client.chat(name, messages=[], options=options, keep_alive=keep_alive)

    async def pull(self, name: str, silence_s: float) -> AsyncGenerator[ollama.ProgressResponse, None]:
        """What a pull says, as it comes, each within `silence_s` seconds."""
        async with self._calling(silence_s) as client:
            said = await client.pull(name, stream=True)
        try:
            while True:
                async with self._calling(silence_s):
                    line = await anext(said, None)
                if line is None:
                    return
                yield line
        finally:
            await said.aclose()  # type: ignore[attr-defined]  # the package says AsyncIterator; it is a generator

    async def close(self) -> None:
        """Let the connections go."""
        client, self._client = self._client, None
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()
        if client is not None:
            await client.close()  # type: ignore[no-untyped-call]

    def error(self, refused: Refused) -> AgentlaunchError:
        """What an error answer means that is not about a model."""
        url = self.address.base_url
        match refused.status:
            case 401 | 403:
                return UserError(
                    "ollama-key",
                    f"the Ollama at `{url}` refuses us: {refused.sentence}",
                    "give its token: export OLLAMA_API_KEY=..., or a password: OLLAMA_HOST=http://user:password@host",
                )
            case 503:
                return RemoteError(
                    "ollama-busy", f"the Ollama at `{url}` is busy: {refused.sentence}", "try again soon"
                )
            case _:
                return self._server_error(f"failed: {refused.sentence}")

    @asynccontextmanager
    async def _calling(self, limit_s: float) -> AsyncIterator[ollama.AsyncClient]:
        """A client, and what its failures mean."""
        client = await self._connected()
        import ollama  # loaded by now

        async with self._within(limit_s):
            try:
                yield client
            except ollama.ResponseError as error:
                raise Refused(error.status_code, str(error.error)) from error

    @asynccontextmanager
    async def _within(self, limit_s: float) -> AsyncIterator[None]:
        import httpx

        from agentlaunch.system.outbound import OutboundProxyError
        from agentlaunch.system.proxies import PROXY_HINT

        url = self.address.base_url
        try:
            async with asyncio.timeout(limit_s):
                yield
        except (TimeoutError, httpx.TimeoutException) as error:
            what = f"the Ollama at `{url}` did not answer within `{limit_s:g}` seconds"
            raise self._blame("ollama-wedged", what, "restart it, then again; `ollama ps` should answer") from error
        except ConnectionError as error:
            raise self._server_error("cannot be reached") from error
        except OutboundProxyError as error:
            raise MachineError("bad-proxy", f"the Ollama at `{url}` cannot be asked: {error}", PROXY_HINT) from error
        except httpx.HTTPError as error:
            raise self._server_error("broke the connection off") from error
        except ValueError as error:
            raise self._server_error("answered with what is not of Ollama's API: is another server there?") from error

    def _server_error(self, what: str) -> AgentlaunchError:
        url = self.address.base_url
        return self._blame("ollama-unusable", f"the Ollama at `{url}` {what}", f"look at it: curl {url}/api/version")

    def _blame(self, code: str, message: str, hint: str) -> AgentlaunchError:
        """This machine's fault, or that of the one that OLLAMA_HOST names."""
        kind = MachineError if self.address.is_local else RemoteError
        return kind(code, message, hint)

    async def _connected(self) -> ollama.AsyncClient:
        if self._client is None:
            package = await asyncio.to_thread(import_module, "ollama")
            from agentlaunch.system.outbound import AsyncOutboundTransport  # httpx is loaded by now

            self._client = package.AsyncClient(
                self.address.base_url, headers=self.address.headers, transport=AsyncOutboundTransport()
            )
        client: ollama.AsyncClient = self._client
        return client
