"""An Ollama double: a real HTTP server written from facts/ollama-api.md F, with a switch for each of its moods.

It refuses what the real one refuses (an array as content, a string as arguments, options of a wrong type) and keeps
what it got, so that a test can also see what the real one would ignore without a word.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from tests.doubles.http_server import Cut, HttpReply, HttpRequest, HttpServer, json_reply

NDJSON = "application/x-ndjson"
CREATED_AT = "2026-08-21T18:48:22.123456789Z"
GIB = 2**30

INTEGER_OPTIONS = {
    "num_keep", "seed", "num_predict", "top_k", "repeat_last_n", "num_ctx", "num_batch", "num_gpu", "main_gpu",
    "num_thread", "draft_num_predict",
}  # fmt: skip
FLOAT_OPTIONS = {
    "top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty",
}  # fmt: skip
KNOWN_FIELDS = {
    "model", "messages", "tools", "stream", "format", "options", "think", "keep_alive", "truncate", "shift", "logprobs",
    "top_logprobs", "_debug_render_only",
}  # fmt: skip


@dataclass
class Model:
    """A model that was pulled. `name` carries its tag; sizes in bytes, the context in tokens.

    `tells_capabilities` is false for the answers of servers before 0.6.4.
    """

    name: str
    capabilities: tuple[str, ...] = ("completion", "tools")
    family: str = "llama"
    size: int = 4 * GIB
    context_length: int = 131_072
    remote_host: str = ""
    is_manifest_gone: bool = False
    tells_capabilities: bool = True


@dataclass(frozen=True)
class Say:
    """One answer: reasoning, then text in pieces, then calls as (name, arguments)."""

    text: tuple[str, ...] = ("Hel", "lo")
    thinking: str = ""
    calls: tuple[tuple[str, dict[str, object]], ...] = ()
    done_reason: str = "stop"


@dataclass
class Moods:
    """The switches. Seconds and tokens; `cut_after` and `error_after` count the lines of a chat stream."""

    overflow: Literal["refuse", "nested", "silent", "emptied"] = "refuse"
    is_wedged: bool = False
    is_queue_full: bool = False
    is_cloud_disabled: bool = False
    out_of_memory: bool = False
    token: str = ""
    prefill_s: float = 0.0
    latency_s: float = 0.0
    cut_after: int | None = None
    error_after: int | None = None
    error_text: str = "an error was encountered while running the model"
    has_call_ids: bool = True
    default_num_ctx: int = 4096
    vram_bytes: int = 24 * GIB


@dataclass
class Loaded:
    """A model in memory."""

    num_ctx: int
    keep_alive: object


@dataclass
class OllamaDouble:
    """The server and its state; a test may change `moods`, `models` and `replies` at any time."""

    models: list[Model] = field(default_factory=lambda: [Model("tiny:latest")])
    replies: list[Say] = field(default_factory=list)
    moods: Moods = field(default_factory=Moods)
    version: str = "0.32.15"
    pulls: dict[str, list[object]] = field(default_factory=dict)
    loaded: dict[str, Loaded] = field(default_factory=dict)
    loads: list[tuple[str, int]] = field(default_factory=list)
    chats: list[dict[str, object]] = field(default_factory=list)
    requests: list[HttpRequest] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self, port: int = 0) -> Iterator[OllamaDouble]:
        with HttpServer(self._answer).running(port) as server:
            self.url = server.url
            yield self

    async def _answer(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        moods = self.moods
        if moods.is_wedged:
            await asyncio.Event().wait()
        await asyncio.sleep(moods.latency_s)
        if moods.token and request.headers.get("authorization") != moods.token:
            return json_reply({"error": "unauthorized"}, 401)
        if request.headers.get("host", "").rpartition(":")[0] not in ("127.0.0.1", "localhost", "[::1]"):
            return HttpReply(403)
        match request.method, request.path:
            case "GET" | "HEAD", "/":
                return HttpReply(body=b"Ollama is running", content_type="text/plain; charset=utf-8")
            case "GET" | "HEAD", "/api/version":
                return json_reply({"version": self.version})
            case "GET" | "HEAD", "/api/tags":
                return json_reply({"models": [self._tag(model) for model in self.models]})
            case "GET", "/api/ps":
                return json_reply({"models": [self._process(name) for name in self.loaded]})
            case "POST", ("/api/show" | "/api/chat" | "/api/pull") as path:
                return await self._post(path, request.body)
            case _, "/" | "/api/version" | "/api/tags" | "/api/ps" | "/api/show" | "/api/chat" | "/api/pull":
                return HttpReply(405, b"405 method not allowed", "text/plain")
            case _:
                return HttpReply(404, b"404 page not found", "text/plain")

    async def _post(self, path: str, body: bytes) -> HttpReply:
        if not body:
            return json_reply({"error": "missing request body"}, 400)
        try:
            wanted = json.loads(body)
        except ValueError as error:
            return json_reply({"error": str(error)}, 400)
        match path:
            case "/api/show":
                return self._show(wanted)
            case "/api/pull":
                return self._pull(wanted)
            case _:
                return await self._chat(wanted)

    # --- inventory ----------------------------------------------------------------------------------------------

    def _find(self, name: str) -> Model | None:
        whole = _with_tag(name)
        return next((model for model in self.models if model.name == whole), None)

    def _details(self, model: Model) -> dict[str, object]:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": model.family,
            "families": [model.family],
            "parameter_size": "8.0B",
            "quantization_level": "Q4_K_M",
        }

    def _tag(self, model: Model) -> dict[str, object]:
        tag: dict[str, object] = {
            "name": model.name,
            "model": model.name,
            "modified_at": "2026-08-01T10:00:00Z",
            "size": model.size,
            "digest": "60e05f2100077d28" * 4,
            "details": self._details(model),
        }
        if model.remote_host:
            tag |= {"remote_model": model.name.partition(":")[0], "remote_host": model.remote_host}
        return tag

    def _process(self, name: str) -> dict[str, object]:
        model, loaded = self._find(name), self.loaded[name]
        assert model is not None
        size = model.size + loaded.num_ctx * 100_000
        process: dict[str, object] = {
            "name": name,
            "model": name,
            "size": size,
            "digest": "60e05f2100077d28" * 4,
            "details": self._details(model),
            "expires_at": "2026-08-21T19:48:22Z",
            "size_vram": min(size, self.moods.vram_bytes),
        }
        if _number(self.version) >= (0, 11, 5):
            process["context_length"] = loaded.num_ctx
        return process

    def _show(self, wanted: dict[str, object]) -> HttpReply:
        name = wanted.get("model") or wanted.get("name")
        if not name:
            return json_reply({"error": "model is required"}, 400)
        model = self._find(str(name))
        if model is None or model.is_manifest_gone:
            return json_reply({"error": f"model '{_with_tag(str(name))}' not found"}, 404)
        shown: dict[str, object] = {
            "modelfile": "FROM x",
            "parameters": 'stop                           "<|im_end|>"',
            "template": "{{ .Prompt }}",
            "details": self._details(model),
            "model_info": {
                "general.architecture": model.family,
                "general.parameter_count": 8_030_261_248,
                f"{model.family}.context_length": model.context_length,
            },
            "modified_at": "2026-08-01T10:00:00Z",
        }
        if model.tells_capabilities:
            shown["capabilities"] = list(model.capabilities)
        if model.remote_host:
            shown |= {"remote_model": model.name.partition(":")[0], "remote_host": model.remote_host}
        return json_reply(shown)

    # --- pull ---------------------------------------------------------------------------------------------------

    def _pull(self, wanted: dict[str, object]) -> HttpReply:
        name = str(wanted.get("model") or wanted.get("name") or "")
        script = self.pulls.get(name, [{"error": "pull model manifest: file does not exist"}])
        return HttpReply(body=self._pull_lines(name, script), content_type=NDJSON)

    async def _pull_lines(self, name: str, script: list[object]) -> AsyncIterator[bytes]:
        """`script` holds the lines behind `pulling manifest`; a float is a pause, a Cut ends the connection."""
        yield _line({"status": "pulling manifest"})
        for step in script:
            match step:
                case float():
                    await asyncio.sleep(step)
                case Cut():
                    raise step
                case _:
                    yield _line(step)
        if {"status": "success"} in script:
            self.models.append(Model(_with_tag(name)))

    # --- chat ---------------------------------------------------------------------------------------------------

    async def _chat(self, wanted: dict[str, object]) -> HttpReply:
        refusal = _malformed(wanted) or self._refused(wanted)
        if refusal is not None:
            return json_reply({"error": refusal[1]}, refusal[0])
        model = self._find(str(wanted["model"]))
        assert model is not None
        if not wanted.get("messages"):
            return self._load_only(model, wanted)
        self.chats.append(wanted)
        load_ns = self._load(model, wanted)
        num_ctx = self.loaded[model.name].num_ctx
        tokens = _tokens(wanted)
        if tokens > num_ctx:
            overflow = self._overflow(tokens, num_ctx, wanted)
            if overflow is not None:
                return overflow
            tokens = num_ctx // 2 + 2
        await asyncio.sleep(self.moods.prefill_s)
        lines = self._lines(str(wanted["model"]), self._next_reply(), tokens, load_ns)
        if wanted.get("stream") is False:
            return json_reply(_merged(lines))
        return HttpReply(body=self._stream(lines), content_type=NDJSON)

    def _refused(self, wanted: dict[str, object]) -> tuple[int, str] | None:
        name = str(wanted["model"])
        model = self._find(name)
        if model is None or model.is_manifest_gone:
            return 404, f"model '{name}' not found"
        if model.remote_host and self.moods.is_cloud_disabled:
            return 403, "ollama cloud is disabled: remote inference is unavailable"
        if "completion" not in model.capabilities:
            return 400, f'"{name}" does not support chat'
        if wanted.get("tools") and "tools" not in model.capabilities:
            return 400, f"registry.ollama.ai/library/{model.name} does not support tools"
        if wanted.get("think") and "thinking" not in model.capabilities:
            return 400, f'"{name}" does not support thinking'
        if self.moods.is_queue_full:
            return 503, "server busy, please try again.  maximum pending requests exceeded"
        if self.moods.out_of_memory:
            return 500, "model requires more system memory (21.0 GiB) than is available (7.9 GiB)"
        return None

    def _load(self, model: Model, wanted: dict[str, object]) -> int:
        """Load or reload; how long it took in ns, a little when nothing was to do."""
        options = wanted.get("options") or {}
        assert isinstance(options, dict)
        num_ctx = min(int(options.get("num_ctx") or self.moods.default_num_ctx), model.context_length)
        loaded = self.loaded.get(model.name)
        self.loaded[model.name] = Loaded(num_ctx, wanted.get("keep_alive", "5m"))
        if loaded is not None and loaded.num_ctx == num_ctx:
            return 40_000_000
        self.loads.append((model.name, num_ctx))
        return 3_000_000_000

    def _load_only(self, model: Model, wanted: dict[str, object]) -> HttpReply:
        reason = "unload" if wanted.get("keep_alive") in (0, "0") else "load"
        if reason == "unload":
            self.loaded.pop(model.name, None)
        else:
            self._load(model, wanted)
        line = {"model": wanted["model"], "created_at": CREATED_AT, "message": {"role": "assistant", "content": ""}}
        return json_reply({**line, "done": True, "done_reason": reason})

    def _overflow(self, tokens: int, num_ctx: int, wanted: dict[str, object]) -> HttpReply | None:
        is_old = _number(self.version) < (0, 12, 11)
        match self.moods.overflow:
            case "nested":
                text = f"request ({tokens} tokens) exceeds the available context size ({num_ctx} tokens)"
                inner = {"code": 400, "message": text, "type": "exceed_context_size_error"}
                inner |= {"n_prompt_tokens": tokens, "n_ctx": num_ctx}
                return json_reply({"error": json.dumps({"error": inner})}, 400)
            case "emptied":
                return json_reply({"error": "no user query found in messages"}, 500)
            case "refuse" if wanted.get("truncate") is False and not is_old:
                return json_reply({"error": "the input length exceeds the context length"}, 400)
            case _:
                return None

    def _next_reply(self) -> Say:
        return self.replies.pop(0) if self.replies else Say()

    def _lines(self, model: str, say: Say, tokens: int, load_ns: int) -> list[dict[str, object]]:
        head = {"model": model, "created_at": CREATED_AT}
        messages: list[dict[str, object]] = []
        if say.thinking:
            messages.append({"content": "", "thinking": say.thinking})
        messages += [{"content": piece} for piece in say.text]
        for index, (name, arguments) in enumerate(say.calls):
            call: dict[str, object] = {"function": {"index": index, "name": name, "arguments": arguments}}
            messages.append(
                {
                    "content": "",
                    "tool_calls": [({"id": f"call_{index:08x}"} | call) if self.moods.has_call_ids else call],
                }
            )
        lines = [{**head, "message": {"role": "assistant", **message}, "done": False} for message in messages]
        last = {**head, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": say.done_reason}
        metrics = {"total_duration": load_ns + 9_000_000, "load_duration": load_ns, "prompt_eval_count": tokens}
        return [
            *lines,
            {**last, **metrics, "prompt_eval_duration": 5_000_000, "eval_count": 5, "eval_duration": 4_000_000},
        ]

    async def _stream(self, lines: list[dict[str, object]]) -> AsyncIterator[bytes]:
        for number, line in enumerate(lines):
            if number == self.moods.cut_after:
                raise Cut
            if number == self.moods.error_after:
                yield _line({"error": self.moods.error_text})
                return
            yield _line(line)


def _malformed(wanted: dict[str, object]) -> tuple[int, str] | None:
    """What Go's decoder refuses: values of a wrong type. It ignores fields that it does not know."""
    if not wanted.get("model"):
        return 400, "model is required"
    for message in wanted.get("messages") or ():  # type: ignore[attr-defined]
        if not isinstance(message.get("content", ""), str):
            kind = "array" if isinstance(message["content"], list) else "object"
            return 400, f"json: cannot unmarshal {kind} into Go struct field ChatRequest.messages of type string"
        for call in message.get("tool_calls") or ():
            if not isinstance(call["function"].get("arguments", {}), dict):
                return (
                    400,
                    "json: cannot unmarshal string into Go value of type api.ToolCallFunctionArguments",
                )
        for image in message.get("images") or ():
            try:
                base64.b64decode(image, validate=True)
            except ValueError:
                return 400, "illegal base64 data at input byte 4"
    if wanted.get("think") not in (None, True, False, "low", "medium", "high", "max"):
        think = json.dumps(wanted["think"])
        return 400, f'invalid think value: {think} (must be "high", "medium", "low", "max", true, or false)'
    return _bad_option(wanted.get("options") or {})


def _bad_option(options: object) -> tuple[int, str] | None:
    assert isinstance(options, dict)
    for name, value in options.items():
        if name in INTEGER_OPTIONS and (isinstance(value, bool) or not isinstance(value, int)):
            return 500, f'option "{name}" must be of type integer'
        if name in FLOAT_OPTIONS and (isinstance(value, bool) or not isinstance(value, int | float)):
            return 500, f'option "{name}" must be of type float32'
        if name == "stop" and not isinstance(value, list):
            return 500, 'option "stop" must be of type array'
    return None


def _merged(lines: list[dict[str, object]]) -> dict[str, object]:
    """A stream's lines as the one object of an answer that is not streamed."""
    message: dict[str, object] = {"role": "assistant", "content": ""}
    calls: list[object] = []
    for line in lines:
        piece = line["message"]
        assert isinstance(piece, dict)
        message["content"] = f"{message['content']}{piece['content']}"
        if "thinking" in piece:
            message["thinking"] = f"{message.get('thinking', '')}{piece['thinking']}"
        calls += piece.get("tool_calls", [])
    if calls:
        message["tool_calls"] = calls
    return {**lines[-1], "message": message}


def _tokens(wanted: dict[str, object]) -> int:
    """A token for four characters of what a template would render."""
    messages = wanted["messages"]
    assert isinstance(messages, list)
    tools = json.dumps(wanted["tools"]) if wanted.get("tools") else ""
    said = sum(len(m.get("content", "")) + len(json.dumps(m.get("tool_calls") or "")) for m in messages)
    return (said + len(tools)) // 4 + 1


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.partition("-")[0].split("."))


def _with_tag(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
