"""Starting the shim's process: its environment, its log, and how its parent learns that it listens."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentlaunch.shim.state import shim_log
from agentlaunch.shim.watch import read_idle_policy
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.files import make_private_dir, not_writable
from agentlaunch.system.process import spawn_detached

LOG_LIMIT_BYTES = 5_000_000
READY_LINE = b"ready\n"
_READ_BYTES = 64_000
"""Of the log's end; its last line is what is wanted."""

_KEPT = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TEMP", "TMP"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH"),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "NUMBER_OF_PROCESSORS", "HF_HOME", "HF_ENDPOINT"),
        # For an `ollama serve` of ours. Not OLLAMA_HOST, which may hold a password: it comes with each launch.
        *(
            "OLLAMA_MODELS",
            "OLLAMA_KV_CACHE_TYPE",
            "OLLAMA_FLASH_ATTENTION",
            "OLLAMA_NUM_PARALLEL",
            "OLLAMA_KEEP_ALIVE",
        ),
        *("OLLAMA_CONTEXT_LENGTH", "OLLAMA_MAX_LOADED_MODELS", "OLLAMA_LLM_LIBRARY", "OLLAMA_SCHED_SPREAD"),
    }
)
_KEPT_PREFIXES = (
    "AGENTLAUNCH_",
    "LC_",
    "XDG_",
    "CUDA_",
    "NVIDIA_",
    "HIP_",
    "ROCR_",
    "HSA_",
    "GGML_",
    "LLAMA_",
    "VK_",
    "OMP_",
)
_SECRET_ENDINGS = ("KEY", "TOKEN", "SECRET", "PASSWORD")


@dataclass(frozen=True)
class Said:
    """What a new shim told us: that it is ready, or why it is not."""

    ready: bool
    last_words: str = ""


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the shim needs of the user's environment. It outlives the terminal, so it keeps no keys of theirs."""
    return {name: value for name, value in environment.items() if _is_kept(name.upper())}


def spawn_shim(dirs: Dirs, environment: Mapping[str, str], timeout_s: float) -> Said:
    """Start the shim and wait, at most `timeout_s` seconds, until it listens or has ended.

    Raises UserError `setting-invalid`, MachineError `folder-not-writable`.
    """
    read_idle_policy(environment)
    log = shim_log(dirs)
    make_private_dir(log.parent)
    _rotate(log)
    begin = log.stat().st_size if log.exists() else 0
    reader, writer = os.pipe()
    try:
        # -P: the child starts in the home folder, whose files must not pass for Python's own modules.
        argv = [sys.executable, "-P", "-m", "agentlaunch.app.shim_process"]
        child = spawn_detached(argv, _absolute(clean_environment(environment), dirs), log, stdout=writer)
    finally:
        os.close(writer)
    line = _read_line(reader, timeout_s)
    if line == READY_LINE:
        if sys.platform != "win32":
            child.wait()  # it has forked the shim away and ended
        return Said(ready=True)
    if line is None:
        return Said(ready=False, last_words=f"it does not listen after {timeout_s:.0f} s")
    child.wait()
    told = line.decode(errors="replace").strip()
    return Said(ready=False, last_words=told or last_words(log, begin))


def _absolute(environment: dict[str, str], dirs: Dirs) -> dict[str, str]:
    """Relative paths made absolute, since the shim stands in another folder than we do."""
    if environment.get("AGENTLAUNCH_HOME"):
        environment["AGENTLAUNCH_HOME"] = str(dirs.state.parent)
    if environment.get("PYTHONPATH"):
        entries = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in entries)
    return environment


def _is_kept(name: str) -> bool:
    if name.endswith(_SECRET_ENDINGS):
        return False
    return name in _KEPT or name.startswith(_KEPT_PREFIXES)


def _read_line(reader: int, timeout_s: float) -> bytes | None:
    """The first line from the pipe, which it owns; empty when the writer has ended, None when time is up."""
    lines: list[bytes] = []

    def read() -> None:
        with os.fdopen(reader, "rb") as pipe:
            lines.append(pipe.readline())

    waiting = threading.Thread(target=read, daemon=True)
    waiting.start()
    waiting.join(timeout_s)
    return lines[0] if lines else None


def _rotate(log: Path) -> None:
    """Keep one older log. Done before the start, since the shim writes to the file that it is given."""
    try:
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(log.with_name(log.name + ".1"))
    except OSError as error:
        raise not_writable(log.parent, error) from error


def last_words(log: Path, begin: int) -> str:
    """The last line that was written after the byte `begin`: a shim that ends by itself says why in it, and so does
    the traceback of one that crashes."""
    try:
        with log.open("rb") as file:
            file.seek(max(begin, file.seek(0, os.SEEK_END) - _READ_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError as error:
        return f"its log cannot be read: {error.strerror or error}"
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else "it said nothing"
