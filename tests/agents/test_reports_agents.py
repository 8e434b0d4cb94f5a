"""Public reports of what launchers tell agents: limits, side jobs, credentials, addresses and paths."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.agents.base import load_agent
from agentlaunch.agents.claude_code import OTHER_CREDENTIALS, ClaudeCode
from agentlaunch.agents.claude_window import SUMMARY_REQUEST, state_window
from agentlaunch.agents.codex import Codex, compact_limit
from agentlaunch.agents.configuration import ConfigContext, load_configuration
from agentlaunch.agents.opencode import CONFIG_VARIABLE, LSP_DOWNLOAD_OFF, OpenCode
from agentlaunch.app.limits import LEAN_BELOW_TOKENS, max_output_for
from agentlaunch.core.launch_environment import launch_environment
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan

WIRED = ("claude", "codex", "opencode")
TOKEN = "session-token-7f3a"


def context(window: int = 65_536, **changes: object) -> AgentContext:
    made = AgentContext(
        executable="/bin/agent",
        shim_url="http://127.0.0.1:4711",
        token=TOKEN,
        model="qwen3-coder",
        context_window=window,
        max_output_tokens=max_output_for(window),
        lean=window < LEAN_BELOW_TOKENS,
        session_dir="/s",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def overrides(plan: LaunchPlan) -> dict[str, object]:
    """What Codex makes of its `-c KEY=VALUE`: one TOML document."""
    return tomllib.loads("\n".join(plan.argv[place + 1] for place, word in enumerate(plan.argv) if word == "-c"))


def opencode_config(made: AgentContext) -> dict[str, dict[str, object]]:
    config: dict[str, dict[str, object]] = json.loads(OpenCode().plan(made).env[CONFIG_VARIABLE])
    return config


def whole_text(plan: LaunchPlan) -> str:
    return "\n".join((*plan.argv, *plan.env.values(), *(file.content for file in plan.files)))


WINDOWS = st.integers(4_096, 1_048_576)


# --- B171: room for the request that compacts ---------------------------------------------------------------------


@pytest.mark.report("B171")
@given(WINDOWS)
def test_a_compaction_that_an_agent_starts_by_itself_fits_the_window_with_its_instruction_and_its_answer(
    window: int,
) -> None:
    output = max_output_for(window)
    sizes = ClaudeCode.prompt_tokens
    claude = state_window(window, output, sizes.lean if window < LEAN_BELOW_TOKENS else sizes.full).compacts_at
    # at the window itself: Claude Code is then compacted by the overflow, and its summary is asked for in pieces
    assert claude == window or claude + SUMMARY_REQUEST + output <= window
    assert compact_limit(window, output) + window // 16 + output <= window
    model = opencode_config(context(window))["provider"]["agentlaunch"]["models"]["qwen3-coder"]  # type: ignore[index]
    assert model["limit"] == {"context": window, "output": output}  # OpenCode compacts at the one less the other
    assert output >= min(window // 4, 8_192) >= 1


# --- B181, B231: one model, for side jobs too ---------------------------------------------------------------------


@pytest.mark.report("B181")
@pytest.mark.report("B231")
@given(WINDOWS)
def test_no_agent_is_told_of_a_second_model_unless_the_policy_routes_by_role(window: int) -> None:
    made = context(window)
    config = opencode_config(made)
    asked = [config["model"], config["small_model"], *(each.get("model") for each in config["agent"].values())]  # type: ignore[attr-defined]
    assert {each for each in asked if each} == {"agentlaunch/qwen3-coder"}
    assert (config["enabled_providers"], list(config["provider"])) == (["agentlaunch"], ["agentlaunch"])
    assert config["agent"]["title"] == {"disable": True}
    claude = json.loads(ClaudeCode().plan(made).files[0].content)["env"]
    named = {claude[name] for name in claude if name.endswith("_MODEL")}
    assert named == {"qwen3-coder"}
    [entry] = json.loads(Codex().plan(made).files[0].content)["models"]
    assert (entry["slug"], overrides(Codex().plan(made))["model"]) == ("qwen3-coder", "qwen3-coder")


# --- B243, B260: OpenCode's limits --------------------------------------------------------------------------------


@pytest.mark.report("B243")
@pytest.mark.report("B260")
@given(WINDOWS, st.booleans(), st.frozensets(st.sampled_from(["background", "subagent"])))
def test_every_model_that_opencode_is_told_has_both_limits_as_positive_whole_numbers(
    window: int, lean: bool, roles: frozenset[str]
) -> None:
    made = context(window, lean=lean, routed_roles=roles)
    written = load_configuration("opencode").change(ConfigContext(replace(made, token=""), "/t")).wanted.values
    for config in (opencode_config(made), written):
        models = config["provider"]["agentlaunch"]["models"]  # type: ignore[index,call-overload]
        assert config["model"].removeprefix("agentlaunch/") in models  # type: ignore[union-attr]
        for model in models.values():  # type: ignore[union-attr]
            assert model.keys() == {"name", "tool_call", "limit"}  # type: ignore[union-attr]
            limit = model["limit"]  # type: ignore[index,call-overload]
            assert {key: type(value) for key, value in limit.items()} == {"context": int, "output": int}  # type: ignore[union-attr]
            assert 0 < limit["output"] < limit["context"] == window  # type: ignore[index,operator,call-overload]


# --- B245, B247, B262: who the agent thinks it is -----------------------------------------------------------------

LOGGED_IN = {
    "ANTHROPIC_API_KEY": "sk-ant-the-users",
    "ANTHROPIC_AUTH_TOKEN": "another-token",
    "CLAUDE_CODE_OAUTH_TOKEN": "oauth-token",
    "OPENAI_API_KEY": "sk-the-users",
}


@pytest.mark.report("B245")
@pytest.mark.report("B247")
def test_claude_code_has_exactly_one_credential_and_it_is_the_sessions() -> None:
    plan = ClaudeCode().plan(context(environment=LOGGED_IN))
    left = launch_environment(LOGGED_IN, plan)
    assert left == {"OPENAI_API_KEY": "sk-the-users"}
    told = json.loads(plan.files[0].content)
    held = {name: told["env"][name] for name in ("ANTHROPIC_AUTH_TOKEN", *OTHER_CREDENTIALS)}
    assert held == {"ANTHROPIC_AUTH_TOKEN": TOKEN, **dict.fromkeys(OTHER_CREDENTIALS, "")}
    assert told["apiKeyHelper"] == ""
    assert not [value for value in LOGGED_IN.values() if value in whole_text(plan)]


@pytest.mark.report("B262")
@given(WINDOWS)
def test_codex_is_given_a_key_for_its_provider_and_never_asked_to_log_in(window: int) -> None:
    plan = Codex().plan(context(window))
    told = overrides(plan)
    providers = told["model_providers"]
    assert isinstance(providers, dict)
    provider = providers[told["model_provider"]]
    assert plan.env[provider["env_key"]] == TOKEN
    assert not provider.get("requires_openai_auth")


# --- B249: nothing is fetched at the start ------------------------------------------------------------------------


@pytest.mark.report("B249")
def test_opencode_fetches_no_list_no_update_no_language_server_and_no_provider_package() -> None:
    plan = OpenCode().plan(context())
    switches = {name: value for name, value in plan.env.items() if name.startswith("OPENCODE_DISABLE_")}
    assert switches == {
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }
    config = json.loads(plan.env[CONFIG_VARIABLE])
    assert (config["autoupdate"], config["share"]) == (False, "disabled")
    assert config["provider"]["agentlaunch"]["npm"] == "@ai-sdk/openai-compatible"  # one of those inside of OpenCode


@pytest.mark.report("B249")
@pytest.mark.parametrize("said", ["", "0", "false"])
def test_who_wants_language_servers_fetched_may_say_so(said: str) -> None:
    assert OpenCode().plan(context(environment={LSP_DOWNLOAD_OFF: said})).env[LSP_DOWNLOAD_OFF] == said


# --- B258: what others have written -------------------------------------------------------------------------------


@pytest.mark.report("B258")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANTHROPIC_MODEL", "glm-5"),
        ("ANTHROPIC_BASE_URL", "https://gateway.example"),
        ("ANTHROPIC_AUTH_TOKEN", "a-real-token"),
        ("ANTHROPIC_DEFAULT_HAIKU_MODEL", "glm-5-air"),
        ("CLAUDE_CODE_SUBAGENT_MODEL", "glm-5-air"),
        ("CLAUDE_CODE_USE_BEDROCK", "1"),
    ],
)
def test_what_a_settings_file_of_the_users_says_is_said_otherwise_above_it(name: str, value: str) -> None:
    """Claude Code lays `--settings` above the files of user and project, key by key (facts/agents.md 1.1)."""
    told = json.loads(ClaudeCode().plan(context()).files[0].content)["env"]
    assert told[name] not in (value, None)


# --- B280, B286: paths and addresses ------------------------------------------------------------------------------

FOLDERS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=6), min_size=1, max_size=3
)


@pytest.mark.report("B280")
@given(FOLDERS, st.sampled_from(["/home/a b/n x/", "C:\\Users\\new user\\temp\\", "/"]))
def test_a_path_of_any_letters_reaches_each_agent_as_it_is(names: list[str], root: str) -> None:
    folder = root + "/".join(names)
    made = context(session_dir=folder, executable=f"{folder}/agent")
    claude, codex = ClaudeCode().plan(made), Codex().plan(made)
    assert claude.argv[claude.argv.index("--settings") + 1] == claude.files[0].path == f"{folder}/claude-settings.json"
    assert overrides(codex)["model_catalog_json"] == codex.files[0].path == f"{folder}/codex-models.json"
    assert {plan.argv[0] for plan in (claude, codex, OpenCode().plan(made))} == {f"{folder}/agent"}


@pytest.mark.report("B286")
@pytest.mark.parametrize("name", WIRED)
def test_every_address_that_an_agent_is_told_is_127_0_0_1(name: str) -> None:
    plan = load_agent(name).plan(context())
    text = whole_text(plan).replace("127.0.0.1,localhost,::1", "")
    assert "http://127.0.0.1:4711" in text
    assert "localhost" not in text
    assert PurePosixPath(plan.argv[0]).name == "agent"
