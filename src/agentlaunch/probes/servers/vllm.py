"""vLLM: each model's entry in `/v1/models` has `max_model_len`."""

from __future__ import annotations

from agentlaunch.core.served_model import ServedModel, count, text
from agentlaunch.probes.servers.base import Answers, ServerFacts, ServerKind, content, is_refused, listed

MODELS, VERSION, PING = "/v1/models", "/version", "/ping"


def read(answers: Answers) -> ServerFacts | None:
    """As vllm/entrypoints/openai has them: `owned_by` is `vllm`. With `--api-key` only what is below /v1 is closed."""
    match content(answers, VERSION):
        case {"version": str(version)}:
            pass
        case _:
            version = ""
    entries = listed(answers, MODELS)
    if entries and all(entry.get("owned_by") == "vllm" for entry in entries):
        models = (ServedModel(text(entry.get("id")), count(entry.get("max_model_len"))) for entry in entries)
        return ServerFacts(tuple(models), version)
    # /ping is the health check that vLLM has for SageMaker: beside /version it is answered by no other kind here.
    pinged = PING in answers and answers[PING].status == 200
    closed = is_refused(answers, MODELS) and bool(version) and pinged
    return ServerFacts(version=version, wants_key=True) if closed else None


KIND = ServerKind(
    name="vllm",
    title="vLLM",
    port=8000,
    paths=(MODELS, VERSION, PING),
    read=read,
    enlarge="vllm serve {model} --max-model-len {tokens}",
    load="vllm serve {model} --max-model-len {tokens}",
    key_variable="VLLM_API_KEY",
)
