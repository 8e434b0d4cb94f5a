"""What variables do to a launch; no value that may be a key is ever repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.agents.base import AGENTS
from agentlaunch.app.doctor.finding import Finding, Severity
from agentlaunch.app.doctor.variables import judge

ALL = tuple(AGENTS)


def _codes(environment: dict[str, str], agents: tuple[str, ...] = ALL) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.code) for finding in judge(environment, agents)]


def test_a_plain_environment_has_no_findings() -> None:
    assert _codes({"PATH": "/usr/bin", "HOME": "/home/a", "LANG": "C"}) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, [("will bite", "provider-variable")]),
        ({"CLAUDE_CODE_USE_VERTEX": "true"}, [("will bite", "provider-variable")]),
        ({"CLAUDE_CODE_USE_BEDROCK": "0", "CLAUDE_CODE_USE_VERTEX": ""}, []),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, [("will bite", "address-variable")]),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:1"}, [("will bite", "address-variable")]),
        ({"ANTHROPIC_UNIX_SOCKET": "/run/a.sock"}, [("note", "credential-variable")]),
        ({"OPENCODE_CONFIG_CONTENT": "{"}, [("broken", "opencode-variable")]),
        ({"OPENCODE_CONFIG_CONTENT": "{}"}, []),
        ({"HTTP_PROXY": "http://p:1"}, [("will bite", "proxy")]),
        ({"all_proxy": "socks5://p:1", "NO_PROXY": "example.com"}, [("will bite", "proxy")]),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "127.0.0.1,localhost,::1"}, []),
        ({"HTTP_PROXY": "http://p:1", "no_proxy": "*"}, []),
        ({"OLLAMA_HOST": "http://[::1"}, [("broken", "bad-ollama-host")]),
        ({"OLLAMA_HOST": "0.0.0.0"}, [("will bite", "ollama-open")]),
        ({"OLLAMA_HOST": "192.168.1.5"}, [("note", "ollama-elsewhere")]),
        ({"OLLAMA_HOST": "127.0.0.1:11434"}, []),
        ({"OLLAMA_CONTEXT_LENGTH": "4096"}, [("note", "ollama-window")]),
        ({"OLLAMA_CONTEXT_LENGTH": "64k"}, [("will bite", "ollama-window")]),
        ({"OLLAMA_CONTEXT_LENGTH": "65536"}, []),
        ({"OLLAMA_NUM_PARALLEL": "4"}, [("will bite", "ollama-parallel")]),
        ({"HF_HUB_OFFLINE": "1"}, [("note", "hub-offline")]),
    ],
)
def test_each_variable_has_its_severity(environment: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert _codes(environment) == expected


def test_variables_of_other_agents_do_not_count() -> None:
    environment = {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_BASE_URL": "x", "OPENCODE_CONFIG_CONTENT": "{"}
    assert _codes(environment, ("codex",)) == []


def test_a_finding_names_the_variable_and_the_command_that_mends_it() -> None:
    told = "`CLAUDE_CODE_USE_BEDROCK` is set: a launch takes it away, a `claude` that you start yourself goes there"
    assert list(judge({"CLAUDE_CODE_USE_BEDROCK": "1"}, ("claude",))) == [
        Finding(Severity.WILL_BITE, "provider-variable", told, "unset CLAUDE_CODE_USE_BEDROCK")
    ]


@given(
    st.dictionaries(
        st.sampled_from(
            ["ANTHROPIC_API_KEY", "ANTHROPIC_CUSTOM_HEADERS", "CLAUDE_CODE_OAUTH_TOKEN", "HTTP_PROXY", "OLLAMA_API_KEY"]
        ),
        st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=12).map(lambda text: f"Zq9{text}"),
    )
)
def test_no_key_of_a_variable_is_repeated(environment: dict[str, str]) -> None:
    for finding in judge(environment, ALL):
        assert "Zq9" not in f"{finding.told}{finding.mend}"


def test_the_password_of_ollamas_address_is_not_shown() -> None:
    found = list(judge({"OLLAMA_HOST": "http://me:s3cretword@10.0.0.5:11434"}, ALL))
    assert [finding.code for finding in found] == ["ollama-elsewhere"]
    assert "s3cretword" not in found[0].told
