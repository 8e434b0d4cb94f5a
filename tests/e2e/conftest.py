"""The real agents, each in a home of its own, launched through our real command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

AGENTS = Path(__file__).parent.parent / "agents_pinned" / "node_modules" / ".bin"
HOSTILE_SETTINGS = {
    "model": "opus",
    "apiKeyHelper": "echo a-real-key",
    "env": {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "ANTHROPIC_AUTH_TOKEN": "a-real-token",
        "ANTHROPIC_MODEL": "claude-opus-5-5",
        "CLAUDE_CODE_USE_BEDROCK": "1",
    },
}
CODEX_CONFIG = """# mine, with a comment
model = "gpt-6-sol"
model_provider = "elsewhere"

[model_providers.elsewhere]
name = "Elsewhere"
base_url = "http://127.0.0.1:9/v1"
wire_api = "responses"
"""
OPENCODE_CONFIG = {
    # OpenCode adds this line by itself to a configuration without it, launched by us or not.
    "$schema": "https://opencode.ai/config.json",
    "model": "elsewhere/big",
    "provider": {
        "elsewhere": {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": "http://127.0.0.1:9/v1"},
            "models": {"big": {}},
        }
    },
}


@dataclass(frozen=True)
class Home:
    """A user's home with configuration of their own, and a project in it. Names have spaces and non-ASCII letters."""

    path: Path

    @property
    def project(self) -> Path:
        return self.path / "my projeçt"

    def environment(self) -> dict[str, str]:
        """What a launch gets: nothing of the variables of whoever runs the tests."""
        node = shutil.which("node")
        assert node is not None, "Node is missing"
        folders = [str(AGENTS), str(Path(node).parent), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
        return {
            "PATH": os.pathsep.join(folders),
            "HOME": str(self.path),
            "AGENTLAUNCH_HOME": str(self.path / "agent launch"),
            "AGENTLAUNCH_IDLE_SECONDS": "60",
            "IS_SANDBOX": "1",
            "TERM": "xterm",
            "LANG": "C.UTF-8",
        }

    def run(self, *arguments: str, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
        """Run `agentlaunch` in the project, to its end, without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "agentlaunch", *arguments],
            cwd=self.project,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def configuration(self) -> dict[str, bytes]:
        """The user's own files that no launch may change."""
        paths = [
            self.path / ".claude" / "settings.json",
            self.path / ".codex" / "config.toml",
            self.path / ".config" / "opencode" / "opencode.json",
            self.project / ".claude" / "settings.local.json",
            self.project / "opencode.json",
        ]
        return {str(path.relative_to(self.path)): path.read_bytes() for path in paths}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "höme of mine")
    files: dict[Path, str] = {
        home.path / ".claude" / "settings.json": json.dumps(HOSTILE_SETTINGS, indent=3),
        home.project / ".claude" / "settings.local.json": json.dumps({"env": HOSTILE_SETTINGS["env"]}),
        home.path / ".codex" / "config.toml": CODEX_CONFIG,
        home.path / ".config" / "opencode" / "opencode.json": json.dumps(OPENCODE_CONFIG, indent=1),
        home.project / "opencode.json": json.dumps({"$schema": OPENCODE_CONFIG["$schema"], "model": "elsewhere/big"}),
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    subprocess.run(["git", "init", "-q", str(home.project)], check=True, capture_output=True)
    yield home
    home.run("stop", "--yes", timeout_s=60)
