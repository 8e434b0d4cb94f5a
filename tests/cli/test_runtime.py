"""`agentlaunch runtime`: the screen and the JSON."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run
from tests.doubles import llama_server

from agentlaunch.app.inventory import FoundRuntime
from agentlaunch.app.runtime import RuntimeReport, Way
from agentlaunch.cli.runtime_view import runtime_data, runtime_text
from agentlaunch.runtimes.llama_builds import EMBEDDED, SERVER, Choice, Device, LlamaBuild

GIB = 1 << 30
CPU = Device("CPU", "CPU", "Test CPU", 64 * GIB, 48 * GIB)
GPU = Device("Vulkan0", "Vulkan", "AMD Radeon 8060S", 96 * GIB, 90 * GIB)
ON_CPU = LlamaBuild(EMBEDDED, "/site/xllamacpp", "2026.10", (CPU,))
OTHERS = (FoundRuntime("ollama", "Ollama", "running", "0.16.1", "http://127.0.0.1:11434"),)
WAYS = (Way("Homebrew, with Metal", "brew install llama.cpp"), Way("a page", "https://example.invalid/releases"))


def test_the_screen_says_which_one_and_why_and_what_to_type() -> None:
    found = RuntimeReport(Choice(EMBEDDED, "", "no llama-server is installed"), (ON_CPU,), OTHERS, ("G", "G"), WAYS)
    assert runtime_text(found) == (
        "llama.cpp: embedded, since no llama-server is installed\n"
        "  * embedded 2026.10\n"
        "      /site/xllamacpp\n"
        "      CPU: Test CPU (CPU), 48.0 of 64.0 GiB free\n"
        "      sees no GPU: it computes on the CPU\n"
        "\n"
        "ALSO    STATE    VERSION  ADDRESS\n"
        "Ollama  running  0.16.1   http://127.0.0.1:11434\n"
        "\n"
        "This machine has a GPU that llama.cpp does not use: G.\n"
        "A llama-server for it, which is then taken by itself:\n"
        "  brew install llama.cpp             Homebrew, with Metal\n"
        "  https://example.invalid/releases   a page"
    )


def test_on_a_narrow_terminal_lines_break_under_their_own_indent_and_columns_go() -> None:
    found = RuntimeReport(Choice(EMBEDDED, "", "no llama-server is installed"), (ON_CPU,), OTHERS, (), ())
    assert runtime_text(found, 42).splitlines() == [
        "llama.cpp: embedded, since no llama-server",
        "is installed",
        "  * embedded 2026.10",
        "      /site/xllamacpp",
        "      CPU: Test CPU (CPU), 48.0 of 64.0",
        "      GiB free",
        "      sees no GPU: it computes on the CPU",
        "",
        "ALSO    STATE    ADDRESS",
        "Ollama  running  http://127.0.0.1:11434",
    ]


def test_the_screen_marks_the_one_in_use_and_names_faults() -> None:
    server = LlamaBuild(SERVER, "/bin/llama-server", "b8204", (GPU,))
    broken = LlamaBuild(SERVER, "/opt/llama-server", fault="it ends with exit code 127")
    used = RuntimeReport(Choice(SERVER, "/bin/llama-server", "it runs on X"), (ON_CPU, server), (), (), ())
    assert "  * llama-server b8204\n      /bin/llama-server\n      Vulkan0: AMD" in runtime_text(used)
    assert "    embedded 2026.10\n" in runtime_text(used)
    faulty = RuntimeReport(Choice(EMBEDDED, "", "so"), (ON_CPU, broken), (), (), (), "`LLAMA_SERVER` names `x`")
    assert runtime_text(faulty).startswith("! `LLAMA_SERVER` names `x`\nllama.cpp: embedded, since so\n")
    assert "      ! it ends with exit code 127" in runtime_text(faulty)
    nothing = RuntimeReport(None, (), (), (), ())
    assert runtime_text(nothing) == ("No llama.cpp is installed. The embedded one: pip install 'agentlaunch[llamacpp]'")


def test_the_json_has_the_same_facts() -> None:
    server = LlamaBuild(SERVER, "/bin/llama-server", "b8204", (GPU,))
    found = RuntimeReport(Choice(SERVER, "/bin/llama-server", "why"), (server,), OTHERS, ("G",), WAYS[:1], "")
    assert runtime_data(found) == {
        "uses": {"runtime": "llama-server", "why": "why"},
        "llama_cpp": [
            {
                "runtime": "llama-server",
                "path": "/bin/llama-server",
                "version": "b8204",
                "has_gpu": True,
                "devices": [
                    {
                        "name": "Vulkan0",
                        "backend": "Vulkan",
                        "description": "AMD Radeon 8060S",
                        "total_bytes": 96 * GIB,
                        "free_bytes": 90 * GIB,
                    }
                ],
                "fault": "",
            }
        ],
        "fault": "",
        "others": [{"name": "ollama", "state": "running", "version": "0.16.1", "url": "http://127.0.0.1:11434"}],
        "gpus": ["G"],
        "ways_to_gpu": [{"title": "Homebrew, with Metal", "command": "brew install llama.cpp"}],
    }
    assert runtime_data(RuntimeReport(None, (), (), (), ()))["uses"] is None


def test_the_command_shows_what_is_here(run_command: Run, tmp_path: Path) -> None:
    program = llama_server.install(tmp_path / "bin")
    done = run_command("runtime", "--json", LLAMA_SERVER=program)
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], told["data"]["uses"]["runtime"]) == (0, "ok", "embedded")
    assert [build["path"] for build in told["data"]["llama_cpp"]][1:] == [program]
    assert run_command("runtime", LLAMA_SERVER=program).stdout.startswith("llama.cpp: embedded, since ")
