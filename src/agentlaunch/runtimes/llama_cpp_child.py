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

SLOTS = 2
"""A second slot, for what an agent asks beside its conversation: a title, a subagent. Both share one KV cache of the
whole window, so the second costs no memory, and either may fill all of it: llama.cpp then clears the other. Measured
with a title between two turns: 2,593 of 2,616 tokens of the conversation stayed cached. llama.cpp's host cache would
copy whole states instead, in memory that no fit has counted, and drops those larger than its limit."""

GGML_TYPES = {"f16": 1, "q8_0": 8, "q4_0": 2}
"""KV cache type -> ggml's number of it (ggml.h, enum ggml_type)."""


class ChildSpec(TypedDict):
    """What the parent sends. `parent` is its pid; the key travels here, since argv and environment are public."""

    model_path: str
    alias: str
    context_window: int
    kv_type: str
    key: str
    parent: int
    slots_folder: str


def main() -> NoReturn:
    """Serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is meant for the agent
    answer = _claim_stdout()
    os.umask(0o077)  # what it saves holds the user's prompts
    # Its crash handler would stop the process under a debugger, if there is one, for tens of seconds.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    spec: ChildSpec = json.loads(sys.stdin.buffer.readline())
    _die_with_parent(spec["parent"])
    threading.Thread(target=_exit_at_end_of_stdin, daemon=True).start()
    try:
        from xllamacpp import Server
    except ImportError as error:
        _fail(answer, "runtime-missing", str(error))
    try:
        server = Server(_parameters(spec))
    except RuntimeError as error:
        _fail(answer, "load-failed", str(error))
    print(json.dumps({"url": server.listening_address}), file=answer, flush=True)
    threading.Event().wait()
    os._exit(0)


def _claim_stdout() -> TextIO:
    """The real stdout for our one line; whatever else the native code prints there goes to the log instead."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answer


def _die_with_parent(parent: int) -> None:
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
    from xllamacpp import CommonParams, ggml_type

    parameters = CommonParams()
    parameters.model.path = spec["model_path"]
    parameters.model_alias = {spec["alias"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [spec["key"]]
    parameters.cors_origins = ""
    parameters.n_parallel = SLOTS
    parameters.kv_unified = True
    # With a separator at its end: llama.cpp puts the file's name right behind it.
    parameters.slot_save_path = os.path.join(spec["slots_folder"], "")  # noqa: PTH118 - a Path drops the separator
    parameters.n_ctx = spec["context_window"]
    parameters.ctx_shift = False
    # With n_ctx given, fitting moves layers between GPU and memory and leaves the context alone.
    parameters.fit_params = True
    parameters.cache_type_k = parameters.cache_type_v = ggml_type(GGML_TYPES[spec["kv_type"]])
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False
    parameters.use_jinja = True
    parameters.ui = False
    parameters.endpoint_slots = True
    parameters.endpoint_metrics = True
    return parameters


def _fail(answer: TextIO, code: str, message: str) -> NoReturn:
    print(json.dumps({"error": code, "message": message}), file=answer, flush=True)
    os._exit(3)


if __name__ == "__main__":
    main()
