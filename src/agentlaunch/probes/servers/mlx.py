"""mlx_lm.server: Python's own HTTP server, and a list without owners; it has no window of its own."""

from __future__ import annotations

from agentlaunch.core.served_model import ServedModel, text
from agentlaunch.probes.servers.base import Answers, ServerFacts, ServerKind, content, listed

MODELS, HEALTH = "/v1/models", "/health"


def read(answers: Answers) -> ServerFacts | None:
    """As mlx_lm/server.py has it: `/v1/models` lists what the Hugging Face cache holds, not what is loaded."""
    entries = listed(answers, MODELS)
    own = all(set(entry) <= {"id", "object", "created"} for entry in entries)
    if not entries or not own or not answers[MODELS].server.startswith("BaseHTTP/"):
        return None
    if content(answers, HEALTH) != {"status": "ok"}:
        return None
    return ServerFacts(tuple(ServedModel(text(entry.get("id")), is_loaded=None) for entry in entries))


KIND = ServerKind(
    name="mlx",
    title="MLX server",
    port=8080,
    paths=(MODELS, HEALTH),
    read=read,
    enlarge="--context {tokens} (it takes what the memory holds)",
    load="mlx_lm.server --model {model}",
    key_variable="",
)
