"""The child process that is llama.cpp: reads its spec from stdin, serves, and ends when stdin does.

Run by `llama_cpp.py` as `python -P -m agentlaunch.runtimes.llama_cpp_child`. stdin: one line of JSON, `ChildSpec` as an
object, then nothing until the parent closes it or dies. stdout: one line of JSON, {"url"} or {"error", "message"}.
stderr: llama.cpp's log. Imports only what it needs, because every engine start waits for it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import NoReturn, TextIO, TypedDict

GGML_TYPES = {"f16": 1, "q8_0": 8, "q4_0": 2}
"""KV cache type -> ggml's number of it (ggml.h, enum ggml_type)."""


FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
"""llama.h, enum llama_flash_attn_type."""


class ChildSpec(TypedDict):
    """What the parent sends. `parent` is its pid; the key travels here, since argv and environment are public.

    `gpu_layers` -1 leaves the placement to llama.cpp; what the others mean stands in `core.engine.EngineParameters`.
    """

    model_path: str
    alias: str
    context_window: int
    kv_type: str
    gpu_layers: int
    cpu_expert_layers: int
    flash_attention: str
    slots: int
    host_cache_mib: int
    checkpoints: int
    key: str
    parent: int
    slots_folder: str


def main() -> NoReturn:
    """Serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is meant for the agent
    answer = claim_stdout()
    os.umask(0o077)  # what it saves holds the user's prompts
    # Its crash handler would stop the process under a debugger, if there is one, for tens of seconds.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    spec: ChildSpec = json.loads(sys.stdin.buffer.readline())
    die_with_parent(spec["parent"])
    threading.Thread(target=_exit_at_end_of_stdin, daemon=True).start()
    try:
        from xllamacpp import Server
    except ImportError as error:
        fail(answer, "runtime-missing", str(error))
    try:
        server = Server(_parameters(spec))
    except RuntimeError as error:
        fail(answer, "load-failed", str(error))
    print(json.dumps({"url": server.listening_address}), file=answer, flush=True)
    threading.Event().wait()
    os._exit(0)


def claim_stdout() -> TextIO:
    """The real stdout for our one line; whatever else the native code prints there goes to the log instead."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answer


def die_with_parent(parent: int) -> None:
    """On Linux, have the kernel end us with the parent even while loading, when no thread of ours can run.

    llama.cpp loads with the interpreter's lock held, so elsewhere an orphan ends only after it has loaded.
    """
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _exit_at_end_of_stdin() -> None:
    """The parent has closed our stdin, or died. No clean-up: nothing is to be saved, and a busy slot would delay it."""
    sys.stdin.buffer.read()
    os._exit(0)


def _parameters(spec: ChildSpec) -> object:
    """llama.cpp's own parameters: slots that share one cache, loopback, the context as asked and never less."""
    from xllamacpp import CommonParams, ggml_type, llama_flash_attn_type

    parameters = CommonParams()
    parameters.model.path = spec["model_path"]
    parameters.model_alias = {spec["alias"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [spec["key"]]
    parameters.cors_origins = ""
    parameters.n_parallel = spec["slots"]
    parameters.kv_unified = True
    # With a separator at its end: llama.cpp puts the file's name right behind it.
    parameters.slot_save_path = os.path.join(spec["slots_folder"], "")  # noqa: PTH118 - a Path drops the separator
    parameters.n_ctx = spec["context_window"]
    parameters.ctx_shift = False
    # With n_ctx given, fitting moves layers between GPU and memory and leaves the context alone. Planned layers stay.
    parameters.fit_params = spec["gpu_layers"] < 0
    parameters.n_gpu_layers = spec["gpu_layers"]
    if spec["cpu_expert_layers"]:
        parameters.tensor_buft_overrides = experts_on_host(spec["cpu_expert_layers"])
    parameters.flash_attn_type = llama_flash_attn_type(FLASH_ATTENTION[spec["flash_attention"]])
    parameters.cache_type_k = parameters.cache_type_v = ggml_type(GGML_TYPES[spec["kv_type"]])
    parameters.cache_ram_mib = spec["host_cache_mib"]
    parameters.cache_idle_slots = spec["host_cache_mib"] > 0
    parameters.n_ctx_checkpoints = spec["checkpoints"]
    parameters.use_jinja = True
    parameters.ui = False
    parameters.endpoint_slots = True
    parameters.endpoint_metrics = True
    return parameters


def experts_on_host(layers: int) -> str:
    """llama.cpp's override for the experts of the first `layers` layers, as its `--n-cpu-moe` makes it (common.h)."""
    return ",".join(rf"blk\.{layer}\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU" for layer in range(layers))


def fail(answer: TextIO, code: str, message: str) -> NoReturn:
    """Tell the parent why there is no engine, and end."""
    print(json.dumps({"error": code, "message": message}), file=answer, flush=True)
    os._exit(3)


if __name__ == "__main__":
    main()
