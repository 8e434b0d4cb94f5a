"""probes/servers: each kind of server is told by its own answers, and no other's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doubles.model_servers import DOCUMENTED, LLAMA_CPP_ROUTER, LM_STUDIO_V0, SERVER_HEADERS, Routes

from agentlaunch.core.served_model import ServedModel
from agentlaunch.probes.servers import SERVERS
from agentlaunch.probes.servers.base import Answer, Answers, ServerFacts, load_kind
from agentlaunch.probes.servers.finding import parse_answer

KINDS = [load_kind(name) for name in SERVERS]
CODER = "docker.io/ai/qwen3-coder:30B-A3B-UD-Q4_K_XL"

FACTS = {
    "lmstudio": ServerFacts(
        (
            ServedModel("gemma-3-270m-it-qat", 4096, True, 32_768, takes_images=False, quant="Q4_0"),
            ServedModel("qwen/qwen3-coder-30b", None, False, 262_144, takes_images=False, quant="Q4_K_M"),
        )
    ),
    "llamacpp-server": ServerFacts(
        (ServedModel("../models/Qwen3-8B-Q4_K_M.gguf", 8192, True, 40_960),), "b6200-4fb9d5ce"
    ),
    "vllm": ServerFacts((ServedModel("Qwen/Qwen3-Coder-30B-A3B-Instruct", 65_536),), "0.11.0"),
    "mlx": ServerFacts(
        (
            ServedModel("mlx-community/Qwen3-8B-4bit", is_loaded=None),
            ServedModel("mlx-community/Mistral-7B-Instruct-v0.3-4bit", is_loaded=None),
        )
    ),
    "jan": ServerFacts((ServedModel("Jan-v3-4b-base-instruct-Q4_K_XL", context_trained=40_960),)),
    "koboldcpp": ServerFacts((ServedModel("koboldcpp/Qwen3-8B-Q4_K_M", 8192),), "1.113.2"),
    "textgen": ServerFacts((ServedModel("Qwen3-8B-Q4_K_M.gguf"),)),
    "localai": ServerFacts((ServedModel("my-llama-model"), ServedModel("whisper-1", is_loaded=False)), "v2.28.0"),
    "docker": ServerFacts((ServedModel(CODER, 8192, is_loaded=None),)),
}


def answers_of(routes: Routes, header: str = "") -> dict[str, Answer]:
    """What every path that any kind asks for is answered with."""
    paths = {path for kind in KINDS for path in kind.paths}
    found = {path: Answer(404, {"error": "not found"}, header) for path in paths}
    return {**found, **{path: Answer(200, content, header) for path, content in routes.items()}}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_told_with_its_models_and_windows(name: str) -> None:
    answers = answers_of(DOCUMENTED[name], SERVER_HEADERS.get(name, ""))
    assert load_kind(name).read(answers) == FACTS[name]


@pytest.mark.parametrize("name", SERVERS)
def test_no_other_kind_takes_it_for_its_own(name: str) -> None:
    answers = answers_of(DOCUMENTED[name], SERVER_HEADERS.get(name, ""))
    assert [kind.name for kind in KINDS if kind.read(answers) is not None] == [name]


@pytest.mark.report("B169")
def test_an_older_lm_studio_tells_the_loaded_window_through_its_first_api() -> None:
    assert load_kind("lmstudio").read(answers_of(LM_STUDIO_V0)) == ServerFacts(
        (
            ServedModel("qwen2-vl-7b-instruct", None, False, 32_768, takes_images=True, quant="4bit"),
            ServedModel("meta-llama-3.1-8b-instruct", 4096, True, 131_072, takes_images=False, quant="Q4_K_M"),
        )
    )


@pytest.mark.report("B163")
def test_llama_cpps_window_is_that_of_one_slot() -> None:
    facts = load_kind("llamacpp-server").read(answers_of(DOCUMENTED["llamacpp-server"]))
    assert facts is not None
    assert facts.models[0].context_window == 8192  # `-c 32768 -np 4`


def test_a_router_of_llama_cpp_tells_what_is_loaded() -> None:
    assert load_kind("llamacpp-server").read(answers_of(LLAMA_CPP_ROUTER)) == ServerFacts(
        (ServedModel("one-Q4_K_M", None, False), ServedModel("two-Q4_K_M", 16_384, True, 131_072))
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("llamacpp-server", "/props"),
        ("llamacpp-server", "/v1/models"),
        ("vllm", "/v1/models"),
        ("jan", "/v1/models"),
        ("localai", "/v1/models"),
    ],
)
def test_one_that_wants_a_key_says_so(name: str, path: str) -> None:
    answers = {**answers_of(DOCUMENTED[name]), path: Answer(401, {}, SERVER_HEADERS.get(name, ""))}
    facts = load_kind(name).read(answers)
    assert facts is not None
    assert facts.wants_key


@pytest.mark.parametrize(
    ("name", "routes"),
    [
        ("koboldcpp", {"/api/extra/version": {"result": "KoboldCpp", "version": "1.9", "llm": False}}),
        ("textgen", {"/v1/internal/model/info": {"model_name": "x"}}),
        ("mlx", {"/v1/models": DOCUMENTED["mlx"]["/v1/models"], "/health": {"status": "ok"}}),
        ("jan", {"/openapi.json": {"info": {"title": "FastAPI"}}, "/v1/models": {"object": "list", "data": []}}),
        ("lmstudio", {"/api/v1/models": {"models": [{"key": "x"}]}, "/api/v0/models": {"data": [{"id": "x"}]}}),
        ("localai", {"/system": {"status": "up"}, "/v1/models": {"object": "list", "data": []}}),
        ("vllm", {"/v1/models": {"data": [{"id": "gpt-4o", "owned_by": "openai"}]}, "/version": {"version": "1"}}),
    ],
)
def test_what_is_only_like_it_is_a_stranger(name: str, routes: Mapping[str, object]) -> None:
    assert load_kind(name).read(answers_of(routes)) is None


def test_a_server_without_a_model_is_there_all_the_same() -> None:
    idle = {"/v1/internal/model/info": {"model_name": "None", "lora_names": []}}
    assert load_kind("textgen").read(answers_of(idle)) == ServerFacts()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)
_replaced = st.dictionaries(
    st.sampled_from(sorted({path for kind in KINDS for path in kind.paths})),
    st.builds(Answer, st.sampled_from([200, 401, 404]), _json, st.just("")),
)


@given(st.sampled_from(list(SERVERS)), _replaced)
def test_no_answer_makes_a_reader_raise(name: str, replaced: Answers) -> None:
    answers = {**answers_of(DOCUMENTED[name], SERVER_HEADERS.get(name, "")), **replaced}
    for kind in KINDS:
        kind.read(answers)
        kind.read(replaced)


@given(st.sampled_from(list(SERVERS)), st.data())
def test_nothing_inside_an_answer_makes_its_reader_raise(name: str, data: st.DataObject) -> None:
    text = json.dumps(DOCUMENTED[name])
    for value in ('"llm"', "4096", "8192", "true", "[]", '"loaded"', "32768", '"model"'):
        other = data.draw(st.sampled_from([value, "null", "-1", '"x"', "{}", "[null]"]))
        text = re.sub(rf"(?<![\w.-]){re.escape(value)}(?=[,\]}}])", other, text)
    load_kind(name).read(answers_of(json.loads(text), SERVER_HEADERS.get(name, "")))


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        (b"", None),
        (b"\xff\x00" * 9, None),
        (b"HTTP/1.0 200 OK\r\n", None),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", None),
        (b"HTTP/1.1 abc\r\n\r\n{}", None),
        (b"HTTP/1.0 200 OK\r\nServer: x y\r\n\r\n{}", Answer(200, {}, "x y")),
        (b"HTTP/1.0 200 OK\r\n\r\n<html>", Answer(200)),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100_000, Answer(200)),
        (b"HTTP/1.1 404 No\r\n\r\n", Answer(404)),
    ],
)
def test_an_http_answer_is_read_and_everything_else_is_none(received: bytes, answer: Answer | None) -> None:
    assert parse_answer(received) == answer
