"""What goes into each agent's own configuration: the launch's plan, with a lasting address and no token in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.agents.base import AGENTS
from agentlaunch.agents.claude_code import ClaudeCode
from agentlaunch.agents.codex import Codex
from agentlaunch.agents.configuration import CONFIGURATIONS, ConfigContext, load_configuration
from agentlaunch.agents.opencode import CONFIG_VARIABLE, OpenCode
from agentlaunch.core.config_edit import put_in, read_config
from agentlaunch.core.launch_plan import AgentContext

URL = "http://127.0.0.1:14277"
TOKEN_PATH = "/home/Jörg's/ours/serve-token"
LAUNCH = AgentContext(
    executable="agent",
    shim_url=URL,
    token="",
    model="qwen3-coder",
    context_window=65_536,
    max_output_tokens=8_192,
    lean=False,
    session_dir="/home/ours/agents",
    environment={"NO_PROXY": "intra.net", "OPENCODE_CONFIG_CONTENT": '{"theme": "mine"}'},
)
CONTEXT = ConfigContext(LAUNCH, TOKEN_PATH)


def test_claude_code_gets_its_launchs_settings_and_a_helper_for_the_token() -> None:
    launched = json.loads(ClaudeCode().plan(LAUNCH).files[0].content)
    changed = load_configuration("claude").change(CONTEXT)
    helper = """cat '/home/Jörg'"'"'s/ours/serve-token'"""
    assert changed.wanted.values == {**launched, "apiKeyHelper": helper}
    assert launched["env"]["ANTHROPIC_BASE_URL"] == URL
    assert launched["env"]["ANTHROPIC_AUTH_TOKEN"] == ""
    assert (changed.files, changed.notes) == ((), ())


def test_claude_code_in_a_small_window_says_that_only_a_launch_is_lean() -> None:
    small = replace(LAUNCH, lean=True, context_window=16_384, max_output_tokens=4_096)
    changed = load_configuration("claude").change(replace(CONTEXT, launch=small))
    full = json.loads(ClaudeCode().plan(replace(small, lean=False)).files[0].content)
    assert changed.wanted.values["env"] == full["env"]
    assert changed.notes == (
        "Claude Code has fewer tools for a small window only when it is launched: agentlaunch claude",
    )


def test_codex_gets_its_launchs_overrides_a_provider_of_another_name_and_the_catalogue() -> None:
    changed = load_configuration("codex").change(CONTEXT)
    assert changed.wanted.values == {
        "model": "qwen3-coder",
        "model_provider": "agentlaunch-serve",
        "model_providers": {
            "agentlaunch-serve": {
                "name": "agentlaunch",
                "base_url": f"{URL}/v1",
                "wire_api": "responses",
                "stream_idle_timeout_ms": 3_600_000,
                "request_max_retries": 1,
                "stream_max_retries": 3,
                "supports_websockets": False,
                "auth": {"command": "cat", "args": [TOKEN_PATH]},
            }
        },
        "model_context_window": 65_536,
        "model_auto_compact_token_limit": 53_248,
        "tool_output_token_limit": 10_000,
        "web_search": "disabled",
        "analytics": {"enabled": False},
        "check_for_update_on_startup": False,
        "features": {"plugins": False, "apps": False, "unbounded_connection_retries": False},
        "model_catalog_json": "/home/ours/agents/codex-models.json",
    }
    assert changed.files == Codex().plan(LAUNCH).files


def test_codex_is_lean_by_configuration_too() -> None:
    changed = load_configuration("codex").change(replace(CONTEXT, launch=replace(LAUNCH, lean=True)))
    assert changed.wanted.values["skills"] == {"include_instructions": False}


def test_opencode_keeps_its_users_other_providers_and_agents() -> None:
    launched = json.loads(OpenCode().plan(replace(LAUNCH, environment={})).env[CONFIG_VARIABLE])
    wanted = load_configuration("opencode").change(CONTEXT).wanted
    options = {**launched["provider"]["agentlaunch"]["options"], "apiKey": f"{{file:{TOKEN_PATH}}}"}
    assert wanted.over({"enabled_providers": ["theirs"], "$schema": "x"}) == {
        "model": "agentlaunch/qwen3-coder",
        "small_model": "agentlaunch/qwen3-coder",
        "autoupdate": False,
        "share": "disabled",
        "provider": {"agentlaunch": {**launched["provider"]["agentlaunch"], "options": options}},
        "enabled_providers": ["theirs", "agentlaunch"],
    }
    assert wanted.over({})["$schema"] == "https://opencode.ai/config.json"
    assert "enabled_providers" not in wanted.over({})


def test_opencode_is_lean_by_configuration_too() -> None:
    lean = replace(LAUNCH, lean=True, context_window=16_384, max_output_tokens=4_096)
    values = load_configuration("opencode").change(replace(CONTEXT, launch=lean)).wanted.values
    launched = json.loads(OpenCode().plan(replace(lean, environment={})).env[CONFIG_VARIABLE])
    prompt = launched["agent"]["build"]["prompt"]
    assert values["agent"] == {"build": {"prompt": prompt}, "plan": {"prompt": prompt}}
    assert (values["tools"], values["tool_output"]) == (launched["tools"], launched["tool_output"])


@pytest.mark.parametrize(
    ("agent", "variables", "paths"),
    [
        ("claude", {}, ("/h/.claude/settings.json",)),
        ("claude", {"CLAUDE_CONFIG_DIR": "/c"}, ("/c/settings.json",)),
        ("claude", {"CLAUDE_CONFIG_DIR": ""}, ("/h/.claude/settings.json",)),
        ("codex", {}, ("/h/.codex/config.toml",)),
        ("codex", {"CODEX_HOME": "/c"}, ("/c/config.toml",)),
        ("opencode", {}, ("/h/.config/opencode/opencode.jsonc", "/h/.config/opencode/opencode.json")),
        ("opencode", {"XDG_CONFIG_HOME": "/x"}, ("/x/opencode/opencode.jsonc", "/x/opencode/opencode.json")),
        ("opencode", {"OPENCODE_CONFIG": "/f.json"}, ("/f.json",)),
        ("opencode", {"OPENCODE_CONFIG_DIR": "/d"}, ("/d/opencode.jsonc", "/d/opencode.json")),
        (
            "opencode",
            {"OPENCODE_CONFIG": "/f.json", "OPENCODE_CONFIG_DIR": "/d"},
            ("/d/opencode.jsonc", "/d/opencode.json"),
        ),
    ],
)
@pytest.mark.report("B255")
@pytest.mark.report("B290")
def test_the_file_is_the_one_that_the_agent_itself_reads(
    agent: str, variables: dict[str, str], paths: tuple[str, ...]
) -> None:
    assert load_configuration(agent).paths("/h", variables) == paths


@pytest.mark.parametrize(
    ("agent", "shown"), [("claude", 'type "C:\\\\o\\\\t"'), ("codex", '"type"'), ("opencode", "{file:C:/o/t}")]
)
def test_on_windows_the_token_is_read_by_what_windows_has(agent: str, shown: str) -> None:
    wanted = load_configuration(agent).change(ConfigContext(LAUNCH, "C:\\o\\t", is_windows=True)).wanted
    assert shown.replace('type "C:\\\\o\\\\t"', 'type \\"C:\\\\o\\\\t\\"') in json.dumps(wanted.values)


@given(
    st.sampled_from(sorted(CONFIGURATIONS)),
    st.sampled_from([8_192, 16_384, 200_000]),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
)
@pytest.mark.report("B319")
def test_every_change_goes_into_an_empty_file_and_no_token_stands_in_it(
    agent: str, window: int, lean: bool, model: str
) -> None:
    launch = replace(
        LAUNCH, context_window=window, max_output_tokens=window // 4, lean=lean, token="secret-token-77", model=model
    )
    configuration = load_configuration(agent)
    wanted = configuration.change(ConfigContext(launch, TOKEN_PATH)).wanted.over({})
    content = put_in(b"", configuration.form, wanted)
    assert read_config(content, configuration.form) == wanted
    assert b"secret-token-77" not in content


def test_every_configuration_is_of_an_agent() -> None:
    assert set(CONFIGURATIONS) <= set(AGENTS)
