"""A program called `ollama` for tests: `serve` is the double, in a real process of its own."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

from tests.doubles.ollama_server import OllamaDouble

ROOT = Path(__file__).parents[2]


def install(folder: Path, *, broken: str = "") -> Path:
    """Put the program into `folder`; `broken` is what it says before it ends with 1."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "ollama"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"sys.path[:0] = {[str(ROOT), str(ROOT / 'src')]!r}\n"
        "from tests.runtimes.ollama_program import main\n"
        f"main(sys.argv[1:], {broken!r})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def main(arguments: list[str], broken: str) -> None:
    """Serve until SIGTERM; the environment is written down beside the log of calls."""
    assert arguments == ["serve"], arguments
    if broken:
        sys.exit(broken)
    sys.stderr.write("".join(f"env {name}={value}\n" for name, value in sorted(os.environ.items())))
    sys.stderr.flush()
    port = int(os.environ["OLLAMA_HOST"].rpartition(":")[2])
    with OllamaDouble().running(port):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
