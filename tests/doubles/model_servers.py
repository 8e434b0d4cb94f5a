"""Doubles of model servers: the answers that each one's documentation or source gives, at a real port.

Each entry of DOCUMENTED names its source. A path that a server does not have is answered as that server does it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.http_server import HttpReply, HttpRequest, HttpServer, json_reply

Routes = Mapping[str, object]

# lmstudio-ai/docs, 1_developer/2_rest/list.md: the response of GET /api/v1/models, with a second model that is not
# loaded and one that was loaded twice.
LM_STUDIO_V1: Routes = {
    "/api/v1/models": {
        "models": [
            {
                "type": "llm",
                "publisher": "lmstudio-community",
                "key": "gemma-3-270m-it-qat",
                "display_name": "Gemma 3 270m Instruct Qat",
                "architecture": "gemma3",
                "quantization": {"name": "Q4_0", "bits_per_weight": 4},
                "size_bytes": 241410208,
                "params_string": "270M",
                "loaded_instances": [{"id": "gemma-3-270m-it-qat", "config": {"context_length": 4096}}],
                "max_context_length": 32768,
                "format": "gguf",
                "capabilities": {"vision": False, "trained_for_tool_use": False},
                "description": None,
            },
            {
                "type": "llm",
                "publisher": "qwen",
                "key": "qwen/qwen3-coder-30b",
                "display_name": "Qwen3 Coder 30B",
                "architecture": "qwen3moe",
                "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
                "size_bytes": 18556692000,
                "params_string": "30B",
                "loaded_instances": [],
                "max_context_length": 262144,
                "format": "gguf",
                "capabilities": {"vision": False, "trained_for_tool_use": True},
                "description": None,
            },
            {
                "type": "embedding",
                "publisher": "gaianet",
                "key": "text-embedding-nomic-embed-text-v1.5-embedding",
                "display_name": "Nomic Embed Text v1.5",
                "quantization": {"name": "F16", "bits_per_weight": 16},
                "size_bytes": 274290560,
                "params_string": None,
                "loaded_instances": [],
                "max_context_length": 2048,
                "format": "gguf",
            },
        ]
    }
}

# lmstudio-ai/docs, 1_developer/2_rest/endpoints.mdx: GET /api/v0/models; `loaded_context_length` stands beside a state
# of `loaded` (report B169). Versions before 0.4 answer a path that they do not know with 200 and an error.
LM_STUDIO_V0: Routes = {
    "/api/v1/models": {"error": "Unexpected endpoint or method. (GET /api/v1/models)"},
    "/api/v0/models": {
        "object": "list",
        "data": [
            {
                "id": "qwen2-vl-7b-instruct",
                "object": "model",
                "type": "vlm",
                "publisher": "mlx-community",
                "arch": "qwen2_vl",
                "compatibility_type": "mlx",
                "quantization": "4bit",
                "state": "not-loaded",
                "max_context_length": 32768,
            },
            {
                "id": "meta-llama-3.1-8b-instruct",
                "object": "model",
                "type": "llm",
                "publisher": "lmstudio-community",
                "arch": "llama",
                "compatibility_type": "gguf",
                "quantization": "Q4_K_M",
                "state": "loaded",
                "max_context_length": 131072,
                "loaded_context_length": 4096,
            },
            {
                "id": "text-embedding-nomic-embed-text-v1.5",
                "object": "model",
                "type": "embeddings",
                "publisher": "nomic-ai",
                "arch": "nomic-bert",
                "compatibility_type": "gguf",
                "quantization": "Q4_0",
                "state": "not-loaded",
                "max_context_length": 2048,
            },
        ],
    },
}

# ggml-org/llama.cpp, tools/server/README.md: GET /v1/models and GET /props; the real one is asked in
# tests/runtimes/test_llama_cpp_found.py. `-c 32768 -np 4`: each slot has a quarter.
LLAMA_CPP: Routes = {
    "/v1/models": {
        "object": "list",
        "data": [
            {
                "id": "../models/Qwen3-8B-Q4_K_M.gguf",
                "object": "model",
                "created": 1735142223,
                "owned_by": "llamacpp",
                "meta": {
                    "vocab_type": 2,
                    "n_vocab": 151936,
                    "n_ctx_train": 40960,
                    "n_embd": 4096,
                    "n_params": 8190735360,
                    "size": 5024389120,
                },
            }
        ],
    },
    "/props": {
        "default_generation_settings": {"id": 0, "id_task": -1, "n_ctx": 8192, "speculative": False, "params": {}},
        "total_slots": 4,
        "model_path": "../models/Qwen3-8B-Q4_K_M.gguf",
        "chat_template": "...",
        "modalities": {"vision": False},
        "build_info": "b6200-4fb9d5ce",
    },
}

# The same README, "Using multiple models": a router lists what it could load, each with a status.
LLAMA_CPP_ROUTER: Routes = {
    "/v1/models": {
        "object": "list",
        "data": [
            {"id": "one-Q4_K_M", "object": "model", "owned_by": "llamacpp", "status": {"value": "unloaded"}},
            {
                "id": "two-Q4_K_M",
                "object": "model",
                "owned_by": "llamacpp",
                "status": {"value": "loaded"},
                "meta": {"n_ctx": 16384, "n_ctx_train": 131072},
            },
        ],
    },
    "/props": {"default_generation_settings": None, "total_slots": 0, "role": "router"},
}

# vllm-project/vllm, vllm/entrypoints/openai: ModelCard, /version, /ping.
VLLM: Routes = {
    "/v1/models": {
        "object": "list",
        "data": [
            {
                "id": "Qwen/Qwen3-Coder-30B-A3B-Instruct",
                "object": "model",
                "created": 1729693000,
                "owned_by": "vllm",
                "root": "Qwen/Qwen3-Coder-30B-A3B-Instruct",
                "parent": None,
                "max_model_len": 65536,
                "permission": [{"id": "modelperm-1", "object": "model_permission", "allow_sampling": True}],
            }
        ],
    },
    "/version": {"version": "0.11.0"},
    "/ping": None,
}

# ml-explore/mlx-lm, mlx_lm/server.py: handle_models_request and handle_health_check; Python's http.server.
MLX: Routes = {
    "/v1/models": {
        "object": "list",
        "data": [
            {"id": "mlx-community/Qwen3-8B-4bit", "object": "model", "created": 1764000000},
            {"id": "mlx-community/Mistral-7B-Instruct-v0.3-4bit", "object": "model", "created": 1764000000},
        ],
    },
    "/health": {"status": "ok"},
}

# janhq/jan, src-tauri/static/openapi.json: the description, and ModelDto.
JAN: Routes = {
    "/openapi.json": {
        "openapi": "3.0.0",
        "info": {"title": "Jan API Server Endpoints", "description": "...", "version": "1.0"},
        "servers": [{"url": "http://localhost:1337/v1", "description": "Jan API server"}],
    },
    "/v1/models": {
        "object": "list",
        "data": [{"id": "Jan-v3-4b-base-instruct-Q4_K_XL", "object": "model", "engine": "llamacpp", "ctx_len": 40960}],
    },
}

# LostRuins/koboldcpp, koboldcpp.py: the GET handler.
KOBOLD_CPP: Routes = {
    "/api/extra/version": {"result": "KoboldCpp", "version": "1.113.2", "protected": False, "llm": True},
    "/api/extra/true_max_context_length": {"value": 8192},
    "/v1/models": {
        "object": "list",
        "data": [
            {
                "id": "koboldcpp/Qwen3-8B-Q4_K_M",
                "object": "model",
                "created": 1,
                "owned_by": "koboldcpp",
                "permission": [],
                "root": "koboldcpp",
            }
        ],
    },
}

# oobabooga/text-generation-webui, extensions/openai/models.py: get_current_model_info.
TEXTGEN: Routes = {"/v1/internal/model/info": {"model_name": "Qwen3-8B-Q4_K_M.gguf", "lora_names": []}}

# localai.io/features/api-discovery and /docs/reference/system-info.
LOCAL_AI: Routes = {
    "/.well-known/localai.json": {
        "version": "v2.28.0",
        "endpoints": {"chat_completions": "/v1/chat/completions", "models": "/v1/models"},
        "capabilities": {"mcp": True},
    },
    "/system": {"backends": ["llama-cpp", "whisper"], "loaded_models": [{"id": "my-llama-model"}]},
    "/v1/models": {
        "object": "list",
        "data": [{"id": "my-llama-model", "object": "model"}, {"id": "whisper-1", "object": "model"}],
    },
}

# docs.docker.com/ai/model-runner/api-reference, and `docker model list --openai`.
DOCKER: Routes = {
    "/engines/v1/models": {
        "object": "list",
        "data": [
            {
                "id": "docker.io/ai/qwen3-coder:30B-A3B-UD-Q4_K_XL",
                "object": "model",
                "created": 1745580818,
                "owned_by": "docker",
                "dmr": {"architecture": "qwen3moe", "quantization": "MOSTLY_Q4_K_M", "context_window": 8192},
            }
        ],
    }
}

DOCUMENTED: dict[str, Routes] = {
    "lmstudio": LM_STUDIO_V1,
    "llamacpp-server": LLAMA_CPP,
    "vllm": VLLM,
    "mlx": MLX,
    "jan": JAN,
    "koboldcpp": KOBOLD_CPP,
    "textgen": TEXTGEN,
    "localai": LOCAL_AI,
    "docker": DOCKER,
}
"""By the name that `--runtime` has for the server."""
SERVER_HEADERS = {"mlx": "BaseHTTP/0.6 Python/3.12.4", "vllm": "uvicorn", "llamacpp-server": "llama.cpp"}


@dataclass
class ModelServerDouble:
    """One server. With a `key` all but `open_paths` want it; `asked` is what it was asked.

    `chat` answers what is posted to a path that ends in /v1/chat/completions.
    """

    routes: Routes
    header: str = ""
    key: str = ""
    open_paths: tuple[str, ...] = ()
    asked: list[HttpRequest] = field(default_factory=list)
    port: int = 0
    chat: Callable[[dict[str, Any]], object] | None = None

    @contextmanager
    def running(self) -> Iterator[ModelServerDouble]:
        self.routes = copy.deepcopy(dict(self.routes))
        with HttpServer(self._answer).running() as server:
            self.port = server.port
            yield self

    async def _answer(self, request: HttpRequest) -> HttpReply:
        self.asked.append(request)
        more = (("server", self.header),) if self.header else ()
        is_free = not self.key or request.path in self.open_paths
        if not is_free and request.headers.get("authorization") != f"Bearer {self.key}":
            return HttpReply(401, b'{"error":"Unauthorized"}', headers=more)
        if self.chat is not None and request.method == "POST" and request.path.endswith("/v1/chat/completions"):
            return json_reply(self.chat(json.loads(request.body)))
        if request.path not in self.routes:
            return json_reply({"error": "not found"}, 404)
        content = self.routes[request.path]
        return HttpReply(200, b"" if content is None else json.dumps(content).encode(), headers=more)


def documented(name: str, **more: object) -> ModelServerDouble:
    """The double of the server that `--runtime` calls `name`."""
    return ModelServerDouble(DOCUMENTED[name], SERVER_HEADERS.get(name, ""), **more)  # type: ignore[arg-type]
