"""The keeper of an installed llama-server: starts it, tells where it listens, and ends it when our own end is near.

Run by `llama_server.py` as `python -P -m agentlaunch.runtimes.llama_server_child`. stdin: one line of JSON,
`ServerSpec` as an object, then nothing until the parent closes it or dies. stdout: one line of JSON, {"url"} or
{"error", "message"}. stderr: llama-server's log. It ends as llama-server does, with its exit code or by its signal.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO, NoReturn, TextIO, TypedDict

from agentlaunch.runtimes.llama_cpp_child import claim_stdout, die_with_parent, fail

KEY_VARIABLE = "LLAMA_API_KEY"
HELP_LIMIT_S = 30.0
_LISTENING = re.compile(rb"listening on (http://[\w.:\[\]-]+)")
"""Said once it listens; port 0 is the one that the system gave by then (llama.cpp: tools/server/server.cpp)."""


class ServerSpec(TypedDict):
    """What the parent sends: argv of the program, whose flags in `optional` an older one need not know.

    `parent` is its pid; the key travels here and from here in the program's environment, since argv is public.
    """

    program: str
    arguments: list[str]
    optional: list[list[str]]
    key: str
    parent: int


def main() -> NoReturn:
    """Keep llama-server until it ends or the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is meant for the agent
    answer = claim_stdout()
    os.umask(0o077)  # what it saves holds the user's prompts
    spec: ServerSpec = json.loads(sys.stdin.buffer.readline())
    die_with_parent(spec["parent"])
    try:
        argv = [spec["program"], *spec["arguments"], *known_flags(_help_of(spec["program"]), spec["optional"])]
        server = _start(argv, spec["key"])
    except (OSError, subprocess.TimeoutExpired) as error:
        fail(answer, "runtime-missing", str(error))
    threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    if server.stderr is not None:
        _pass_log_on(server.stderr, answer)
    _end_like(server.wait())


def known_flags(help_text: str, optional: Sequence[Sequence[str]]) -> list[str]:
    """Those of `optional`, each a flag and its values, whose flag stands in the program's `--help`."""
    known = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", help_text))
    return [word for words in optional if words[0] in known for word in words]


def _help_of(program: str) -> str:
    done = subprocess.run([program, "--help"], stdin=subprocess.DEVNULL, capture_output=True, timeout=HELP_LIMIT_S)  # noqa: PLW1510 - older ones end with 1
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def _start(argv: Sequence[str], key: str) -> subprocess.Popen[bytes]:
    own = os.getpid()
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {KEY_VARIABLE: key},
        # Killed hard, we cannot end it any more: on Linux the kernel does. We have one thread yet, so that is safe.
        preexec_fn=(lambda: die_with_parent(own)) if sys.platform == "linux" else None,  # noqa: PLW1509
    )


def _end_with_stdin(server: subprocess.Popen[bytes]) -> None:
    """The parent has closed our stdin, or died. No clean-up: nothing is to be saved, and a busy slot would delay it."""
    sys.stdin.buffer.read()
    server.kill()
    server.wait()
    os._exit(0)


def _pass_log_on(log: IO[bytes], answer: TextIO) -> None:
    is_told = False
    for line in log:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
        found = None if is_told else _LISTENING.search(line)
        if found is not None:
            print(json.dumps({"url": found[1].decode("ascii")}), file=answer, flush=True)
            is_told = True


def _end_like(status: int) -> NoReturn:
    """Our own end tells the parent how the program ended."""
    if sys.platform != "win32" and status < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core file is the program's, if anybody's
        if -status != signal.SIGKILL:  # which has no other disposition
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status if status >= 0 else 1)


if __name__ == "__main__":
    main()
