"""Why a llama.cpp did not come up, in the user's words: the one line of its log that tells, and what to type next."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp_process import Ended
from agentlaunch.runtimes.llama_memory import SIGKILL, names_memory

_UNKNOWN_MODEL = re.compile(r"unknown (model architecture|pre-tokenizer|tokenizer)|unsupported model", re.IGNORECASE)
_ERROR_LINE = re.compile(r"\s*[\d.]+ E (?:\w+ +)?(?:[^\s:]+: )?(?:error loading model: )?(?=\S)")
"""How llama.cpp begins a line of its error level: time since the start, `E`, the part it comes from, its function."""
_CAUSE_CHARACTERS = 300
_READ_LOG = "its log: agentlaunch logs engine"


def crashed(spec: EngineSpec, lines: Sequence[str], ended: Ended | None, newer: str) -> MachineError:
    """The error for a start that failed, from the last lines of its log; `newer` is how to get a newer llama.cpp."""
    message = f"llama.cpp could not load `{spec.model_path}`: {_cause(lines, ended)}"
    return MachineError("engine-crashed", message, _hint(spec, ended, lines, newer))


def slow(spec: EngineSpec, limit_s: float) -> MachineError:
    """The error for a start that took longer than `limit_s` seconds."""
    message = f"llama.cpp did not load `{spec.model_path}` within `{limit_s:.0f}` seconds"
    return MachineError("engine-slow", message, _READ_LOG)


def released(spec: EngineSpec) -> MachineError:
    """The error for those who wait for an engine that is stopped."""
    message = f"the engine of `{spec.alias}` was stopped while it was loading"
    return MachineError("engine-released", message, "start it again")


def _cause(lines: Sequence[str], ended: Ended | None) -> str:
    """Of all that llama.cpp said, the one line that tells why; what was said last where it named no error."""
    cause = _told_cause(lines)[:_CAUSE_CHARACTERS]
    if not cause:
        return str(ended or "it does not end")
    return f"{cause} ({ended})" if ended is not None and ended.status < 0 else cause


def _told_cause(lines: Sequence[str]) -> str:
    known = next((line for line in lines if _UNKNOWN_MODEL.search(line) or names_memory(line)), None)
    if known is None:
        known = next((line for line in lines if _ERROR_LINE.match(line)), lines[-1] if lines else "")
    return _ERROR_LINE.sub("", known, count=1).strip()


def _hint(spec: EngineSpec, ended: Ended | None, lines: Sequence[str], newer: str) -> str:
    """The next thing to type. SIGKILL with nothing said is how Linux ends a process when memory runs out."""
    if any(map(_UNKNOWN_MODEL.search, lines)):
        return f"this model needs a newer llama.cpp: {newer}; {_READ_LOG}"
    if any(map(names_memory, lines)) or ended == Ended(-SIGKILL):
        smaller = max(4096, spec.context_window // 2)
        quantised = "" if spec.kv_type != "f16" else ", or a smaller KV cache: --kv q8_0"
        return f"use a smaller context: --context {smaller}{quantised}; {_READ_LOG}"
    return _READ_LOG
