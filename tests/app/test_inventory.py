"""app/inventory.py: what is installed, found without starting it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentlaunch.app.inventory import FoundRuntime, InstalledAgent, find_agents, find_runtimes
from agentlaunch.system.dirs import find_dirs


def program(path: Path, content: str = "#!/bin/sh\ntouch started\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def by_name(environment: dict[str, str]) -> dict[str, FoundRuntime]:
    return {runtime.name: runtime for runtime in find_runtimes({"AGENTLAUNCH_SERVERS": "none", **environment})}


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """Answers every connection on a free port of 127.0.0.1 with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_agent_is_found_with_the_version_of_its_package(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "@openai" / "codex"
    program(package / "codex")
    (package / "package.json").write_text(json.dumps({"name": "@openai/codex", "version": "0.169.0"}))
    found = find_agents({"PATH": str(package)}, find_dirs({"AGENTLAUNCH_HOME": str(tmp_path)}))
    assert found == (InstalledAgent("codex", "Codex CLI", str(package / "codex"), "0.169.0"),)


def test_a_program_kept_under_its_version_tells_it_without_being_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    real = program(tmp_path / "share" / "claude" / "versions" / "2.1.331")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "claude").symlink_to(real)
    [found] = find_agents({"PATH": str(tmp_path / "bin")}, find_dirs({"AGENTLAUNCH_HOME": str(tmp_path)}))
    assert (found.version, (tmp_path / "started").exists()) == ("2.1.331", False)


def test_a_version_that_no_file_tells_stays_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program(tmp_path / "bin" / "opencode")
    [found] = find_agents({"PATH": str(tmp_path / "bin")}, find_dirs({"AGENTLAUNCH_HOME": str(tmp_path)}))
    assert (found.version, (tmp_path / "started").exists()) == ("", False)


def test_the_embedded_runtime_is_found_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "xllamacpp").mkdir()
    (tmp_path / "xllamacpp" / "__init__.py").write_text("raise AssertionError('imported')")
    (tmp_path / "xllamacpp-2026.9.1.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "xllamacpp", raising=False)
    assert by_name({"PATH": ""})["llamacpp"] == FoundRuntime("llamacpp", "llama.cpp", "installed", "2026.9.1")


def test_programs_on_path_count_as_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("llama-server", "ollama"):
        program(tmp_path / "bin" / name)
    program(tmp_path / ".lmstudio" / "bin" / "lms")
    free = _free_port()
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "OLLAMA_HOST": f"127.0.0.1:{free}"}
    found = by_name(environment)
    assert [found[name].state for name in ("llama-server", "ollama", "lmstudio")] == ["installed"] * 3
    assert not (tmp_path / "started").exists()


def test_a_llama_server_counts_where_a_launch_would_find_it(tmp_path: Path) -> None:
    named = program(tmp_path / "mine" / "llama-custom")
    program(tmp_path / ".local" / "bin" / "llama-server")
    environments = (
        {"PATH": "", "HOME": str(tmp_path / "other"), "AGENTLAUNCH_LLAMA_SERVER": str(named)},
        {"PATH": "", "HOME": str(tmp_path)},
        {"PATH": "", "HOME": str(tmp_path), "AGENTLAUNCH_LLAMA_SERVER": str(tmp_path / "gone")},
    )
    states = [by_name(environment)["llama-server"].state for environment in environments]
    assert states == ["installed", "installed", "missing"]


def test_an_ollama_that_answers_is_running_with_its_version(tmp_path: Path) -> None:
    with server(b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"version":"0.13.5"}') as port:
        found = by_name({"PATH": "", "HOME": str(tmp_path), "OLLAMA_HOST": f"http://localhost:{port}"})
    assert found["ollama"] == FoundRuntime("ollama", "Ollama", "running", "0.13.5", f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 200 OK\r\n\r\n<html>", b"HTTP/1.0 200 OK\r\n\r\n[1]", b"\xff" * 9])
def test_another_program_on_the_port_is_no_ollama(tmp_path: Path, answer: bytes) -> None:
    with server(answer) as port:
        found = by_name({"PATH": "", "HOME": str(tmp_path), "OLLAMA_HOST": f"127.0.0.1:{port}"})
    assert found["ollama"].state == "missing"


def test_a_server_that_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = by_name({"PATH": "", "HOME": str(tmp_path), "OLLAMA_HOST": f"127.0.0.1:{port}"})
    assert found["ollama"].state == "missing"


@pytest.mark.parametrize("host", ["http://10.0.0.7:11434", "https://ollama.example/x", "::::", "http://"])
def test_a_host_that_is_not_this_machine_is_not_asked(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was made")

    if host != "http://":
        monkeypatch.setattr(socket.socket, "connect", refuse)
    assert by_name({"PATH": "", "HOME": str(tmp_path), "OLLAMA_HOST": host})["ollama"].state == "missing"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
