"""The other real agents: a tool loop on the real llama.cpp, in a home whose own configuration points elsewhere.

They are pinned in tests/agents_more (npm install --prefix tests/agents_more); AGENTLAUNCH_TEST_AIDER names Aider.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.conftest import Home
from tests.e2e.test_doctor_real import STEPS
from tests.e2e.test_handed import CALL, hand_out, methods

from agentlaunch.core.scripted_gguf import Call, Script, Turn

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

BuildModel = Callable[[Script], Path]

AGENTS = Path(__file__).parent.parent / "agents_more" / "node_modules" / ".bin"
AIDER = os.environ.get("AGENTLAUNCH_TEST_AIDER", "")
ELSEWHERE = "http://127.0.0.1:9/v1"
CONTENT = 'print("hello, wörld")\n'
DONE = "The file is written and checked."

QWEN_SETTINGS = {
    "$version": 4,
    "model": {"name": "evil"},
    "security": {"auth": {"selectedType": "qwen-oauth", "apiKey": "sk-user", "baseUrl": ELSEWHERE}},
    "env": {"OPENAI_BASE_URL": ELSEWHERE},
    "modelProviders": {"openai": [{"id": "evil", "name": "evil", "baseUrl": ELSEWHERE, "envKey": "EVIL"}]},
}
DROID_SETTINGS = {
    "customModels": [
        {
            "model": "evil",
            "id": "custom:evil",
            "displayName": "evil",
            "baseUrl": ELSEWHERE,
            "apiKey": "sk-user",
            "provider": "generic-chat-completion-api",
        }
    ],
    "model": "custom:evil",
    "sessionDefaultSettings": {"model": "custom:evil"},
}
PI_MODELS = {
    "providers": {
        "agentlaunch": {"baseUrl": ELSEWHERE, "api": "openai-completions", "apiKey": "sk", "models": [{"id": "evil"}]}
    }
}
HOSTILE = {
    "~/.pi/agent/settings.json": json.dumps({"defaultProvider": "anthropic", "defaultModel": "claude-opus-4-5"}),
    "~/.pi/agent/models.json": json.dumps(PI_MODELS),
    "~/.qwen/settings.json": json.dumps(QWEN_SETTINGS, indent=2),
    "~/.factory/settings.json": json.dumps(DROID_SETTINGS),
    "~/.aider.conf.yml": f"model: gpt-4o\nopenai-api-base: {ELSEWHERE}\n",
    "./.qwen/settings.json": json.dumps({"$version": 4, "model": {"name": "evil"}}, indent=2),
    "./.factory/settings.json": json.dumps({"sessionDefaultSettings": {"model": "custom:evil"}}),
    "./.env": f"OPENAI_API_BASE={ELSEWHERE}\nOPENAI_BASE_URL={ELSEWHERE}\nOPENAI_API_KEY=sk-user\n",
}
HOSTILE_VARIABLES = {"COPILOT_PROVIDER_BASE_URL": ELSEWHERE, "COPILOT_PROVIDER_BEARER_TOKEN": "sk-user"}


@dataclass(frozen=True)
class MoreHome(Home):
    """A home with configuration of these agents'. Copilot unpacks 235 MB into its cache, once for all tests."""

    cache: Path

    def environment(self) -> dict[str, str]:
        given = super().environment()
        folders = [str(AGENTS), *([str(Path(AIDER).parent)] if AIDER else []), given["PATH"]]
        cache = {"XDG_CACHE_HOME": str(self.cache)}
        return {**given, **HOSTILE_VARIABLES, **cache, "PATH": os.pathsep.join(folders)}

    def hostile(self) -> dict[str, Path]:
        """Where the user's own files are, which no launch may change."""
        roots = {"~": self.path, ".": self.project}
        return {name: roots[name[0]] / name[2:] for name in HOSTILE}

    def configuration(self) -> dict[str, bytes]:
        return {name: path.read_bytes() for name, path in self.hostile().items()}


@pytest.fixture
def more_home(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MoreHome]:
    home = MoreHome(tmp_path / "höme of mine", tmp_path_factory.getbasetemp() / "agents' cache")
    for name, path in home.hostile().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HOSTILE[name])
    yield home
    home.run("stop", "--yes", timeout_s=60)


def loop(*calls: Call) -> Script:
    return Script(turns=tuple(Turn(calls=(call,)) for call in calls), final=Turn(text=DONE))


def launch(home: MoreHome, agent: str, model: Path, options: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    before = home.configuration()
    ended = home.run(agent, "--model", str(model), *options, "--", *arguments)
    said = f"{ended.stdout}\n{ended.stderr}"
    assert (ended.returncode, (home.project / "hello.py").is_file()) == (0, True), said
    assert (home.project / "hello.py").read_text() == CONTENT
    assert home.configuration() == before


needs = pytest.mark.skipif
missing = "npm install --prefix tests/agents_more"
FULL, LEAN = ("--context", "65536"), ("--context", "65536", "--lean")
WIDE = ("--context", "200000")
"""The scripted model has a token a byte or two: Qwen Code's full prompt of 78 KB would overflow a smaller window."""


@needs(not (AGENTS / "pi").exists(), reason=missing)
def test_pi_writes_a_file_and_reads_it(more_home: MoreHome, scripted_model: BuildModel) -> None:
    script = loop(Call("write", {"path": "hello.py", "content": CONTENT}), Call("read", {"path": "hello.py"}))
    launch(more_home, "pi", scripted_model(script), FULL, ("-p", "Write hello.py"))


@needs(not (AGENTS / "qwen").exists(), reason=missing)
@pytest.mark.parametrize("options", [WIDE, LEAN])
def test_qwen_code_writes_a_file_and_reads_it(
    more_home: MoreHome, scripted_model: BuildModel, options: tuple[str, ...]
) -> None:
    path = str(more_home.project / "hello.py")
    script = loop(Call("write_file", {"file_path": path, "content": CONTENT}), Call("read_file", {"file_path": path}))
    launch(more_home, "qwen", scripted_model(script), options, ("--yolo", "Write hello.py"))


@needs(not (AGENTS / "copilot").exists(), reason=missing)
@pytest.mark.parametrize("options", [FULL, LEAN])
def test_copilot_writes_a_file_and_reads_it(
    more_home: MoreHome, scripted_model: BuildModel, options: tuple[str, ...]
) -> None:
    path = str(more_home.project / "hello.py")
    script = loop(Call("create", {"path": path, "file_text": CONTENT}), Call("view", {"path": path}))
    launch(more_home, "copilot", scripted_model(script), options, ("--allow-all-tools", "-p", "Write hello.py"))


@needs(not (AGENTS / "droid").exists(), reason=missing)
def test_droid_writes_a_file_and_reads_it(more_home: MoreHome, scripted_model: BuildModel) -> None:
    path = str(more_home.project / "hello.py")
    script = loop(Call("Create", {"file_path": path, "content": CONTENT}), Call("Read", {"file_path": path}))
    launch(more_home, "droid", scripted_model(script), FULL, ("exec", "--auto", "medium", "Write hello.py"))


@needs(not AIDER, reason="AGENTLAUNCH_TEST_AIDER names no aider")
def test_aider_applies_the_answers_edit(more_home: MoreHome, scripted_model: BuildModel) -> None:
    """A whole file, as a lean launch asks for it."""
    edit = Turn(text=f"hello.py\n```\n{CONTENT}```\n")
    arguments = ("--yes-always", "--no-gitignore", "--no-auto-commits", "-m", "Write hello.py")
    launch(more_home, "aider", scripted_model(Script(final=edit, untooled=edit)), LEAN, arguments)


@needs(not (AGENTS / "qwen").exists() or not (AGENTS / "copilot").exists(), reason=missing)
@pytest.mark.parametrize(
    ("agent", "options", "call", "arguments"),
    [
        ("qwen", WIDE, Call("tool_call", {"name": "mcp__lucky__lucky_number", "arguments": CALL}), ("--yolo", "ask")),
        ("copilot", LEAN, Call("lucky-lucky_number", CALL), ("--allow-all-tools", "-p", "ask")),
    ],
)
def test_the_agent_calls_the_users_mcp_server(
    more_home: MoreHome,
    scripted_model: BuildModel,
    agent: str,
    options: tuple[str, ...],
    call: Call,
    arguments: tuple[str, ...],
) -> None:
    words = ("--model", str(scripted_model(loop(call))), *options, *hand_out(more_home))
    ended = more_home.run(agent, *words, "--", *arguments)
    assert (ended.returncode, methods(more_home).count("tools/call")) == (0, 1), f"{ended.stdout}\n{ended.stderr}"


@pytest.mark.parametrize("agent", ["pi", "qwen", "copilot", "droid", "aider"])
def test_the_wiring_of_each_agent_is_proved_also_in_a_hostile_home(more_home: MoreHome, agent: str) -> None:
    if not (Path(AIDER) if agent == "aider" else AGENTS / agent).is_file():
        pytest.skip(missing)
    before = more_home.configuration()
    ended = more_home.run("doctor", agent, "--end-to-end", "--json")
    proof = json.loads(ended.stdout)["data"]["proof"]
    assert [(step["name"], step["failed"]) for step in proof["steps"]] == [(step, "") for step in STEPS]
    assert more_home.configuration() == before
