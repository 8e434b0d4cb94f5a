"""Each agent's plan, whole, and what holds for every plan."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.agents.base import AGENTS, Agent, agent_title, load_agent
from agentlaunch.agents.claude_code import ClaudeCode
from agentlaunch.agents.codex import FULL_HINTS, LEAN_HINTS, Codex
from agentlaunch.agents.instructions import instructions_with
from agentlaunch.agents.locate import parse_version
from agentlaunch.agents.opencode import OpenCode
from agentlaunch.core.launch_environment import launch_environment
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile
from agentlaunch.core.wire.base import WIRES
from agentlaunch.errors import UserError

TOKEN = "session-token-7f3a"
SETTINGS = "/s/claude-settings.json"
CATALOGUE = "/s/codex-models.json"


def context(**changes: object) -> AgentContext:
    base = AgentContext(
        executable="/bin/agent",
        shim_url="http://127.0.0.1:4711",
        token=TOKEN,
        model="qwen3-coder",
        context_window=65_536,
        max_output_tokens=8_192,
        lean=False,
        session_dir="/s",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


LEAN = context(lean=True, context_window=16_384, max_output_tokens=4_096)
TINY = context(lean=True, context_window=8_192, max_output_tokens=2_048)

CLAUDE_UNSET = (
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_FEDERATION_RULE_ID",
    "ANTHROPIC_IDENTITY_TOKEN",
    "ANTHROPIC_IDENTITY_TOKEN_FILE",
    "ANTHROPIC_PROFILE",
    "ANTHROPIC_UNIX_SOCKET",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_GATEWAY",
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_HOST_AUTH_ENV_VAR",
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
    "CLAUDE_CODE_SDK_HAS_HOST_AUTH_REFRESH",
)


def claude_settings(**variables: str) -> dict[str, object]:
    env = {
        "ANTHROPIC_API_KEY": "",
        "ANTHROPIC_CUSTOM_HEADERS": "",
        "ANTHROPIC_FEDERATION_RULE_ID": "",
        "ANTHROPIC_IDENTITY_TOKEN": "",
        "ANTHROPIC_IDENTITY_TOKEN_FILE": "",
        "ANTHROPIC_PROFILE": "",
        "ANTHROPIC_UNIX_SOCKET": "",
        "CLAUDE_CODE_OAUTH_TOKEN": "",
        "CLAUDE_CODE_USE_BEDROCK": "0",
        "CLAUDE_CODE_USE_VERTEX": "0",
        "CLAUDE_CODE_USE_FOUNDRY": "0",
        "CLAUDE_CODE_USE_ANTHROPIC_AWS": "0",
        "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD": "0",
        "CLAUDE_CODE_USE_MANTLE": "0",
        "CLAUDE_CODE_USE_GATEWAY": "0",
        "ANTHROPIC_MODEL": "qwen3-coder",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "qwen3-coder",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "qwen3-coder",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "qwen3-coder",
        "ANTHROPIC_DEFAULT_FABLE_MODEL": "qwen3-coder",
        "CLAUDE_CODE_SUBAGENT_MODEL": "qwen3-coder",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:4711",
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "API_TIMEOUT_MS": "3600000",
        "CLAUDE_CODE_MAX_RETRIES": "2",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_1M_CONTEXT": "1",
        "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1",
        "NO_PROXY": "127.0.0.1,localhost,::1",
        "no_proxy": "127.0.0.1,localhost,::1",
        **variables,
    }
    return {"env": env, "permissions": {"disableAutoMode": "disable"}, "apiKeyHelper": ""}


def parsed(plan: LaunchPlan) -> LaunchPlan:
    """The plan with its JSON texts in one spelling, so that plans compare as wholes."""
    files = tuple(OverlayFile(file.path, spelled(file.content)) for file in plan.files)
    env = {name: spelled(value) if value.startswith("{") else value for name, value in plan.env.items()}
    return replace(plan, files=files, env=env)


def spelled(value: object) -> str:
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)


def claude_plan(argv: tuple[str, ...], settings: dict[str, object], notes: tuple[str, ...] = ()) -> LaunchPlan:
    return LaunchPlan(argv=argv, unset=CLAUDE_UNSET, files=(OverlayFile(SETTINGS, spelled(settings)),), notes=notes)


FULL_WINDOW = {
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "72392",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "8192",
    "CLAUDE_CODE_FILE_READ_MAX_OUTPUT_TOKENS": "16384",
    "MAX_MCP_OUTPUT_TOKENS": "16384",
}


def test_claude_full() -> None:
    arguments = ("-p", "fix it", "--allowedTools", "Bash")
    plan = ClaudeCode().plan(context(arguments=arguments))
    assert parsed(plan) == claude_plan(
        ("/bin/agent", "--settings", SETTINGS, *arguments), claude_settings(**FULL_WINDOW)
    )


def test_claude_lean_has_six_tools_and_its_own_instructions() -> None:
    settings = claude_settings(
        CLAUDE_CODE_MAX_CONTEXT_TOKENS="26312",
        CLAUDE_CODE_MAX_OUTPUT_TOKENS="4096",
        BASH_MAX_OUTPUT_LENGTH="16384",
        CLAUDE_CODE_FILE_READ_MAX_OUTPUT_TOKENS="4096",
        MAX_MCP_OUTPUT_TOKENS="4096",
        CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS="1",
    )
    argv = ("/bin/agent", "--tools", "Bash,Edit,Read,Write,Grep,Glob", "--settings", SETTINGS)
    assert parsed(ClaudeCode().plan(LEAN)) == claude_plan(argv, settings)


def test_claude_in_a_tiny_window_has_four_tools_and_short_instructions() -> None:
    settings = claude_settings(
        CLAUDE_CODE_MAX_CONTEXT_TOKENS="23240",
        CLAUDE_CODE_MAX_OUTPUT_TOKENS="2048",
        BASH_MAX_OUTPUT_LENGTH="8192",
        CLAUDE_CODE_FILE_READ_MAX_OUTPUT_TOKENS="2048",
        MAX_MCP_OUTPUT_TOKENS="2048",
        CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS="1",
        ENABLE_TOOL_SEARCH="0",
    )
    prompt = instructions_with("File paths are absolute.")
    argv = (
        *("/bin/agent", "--tools", "Bash,Edit,Read,Write", "--system-prompt", prompt, "--settings", SETTINGS),
        *("-p", "hello"),
    )
    assert parsed(ClaudeCode().plan(replace(TINY, arguments=("-p", "hello")))) == claude_plan(argv, settings)


@pytest.mark.parametrize(
    ("arguments", "ours"),
    [
        (("--tools", "Read"), ("--system-prompt", instructions_with("File paths are absolute."))),
        (("--tools=Read", "--system-prompt=X"), ()),
        (("--system-prompt-file", "f"), ("--tools", "Bash,Edit,Read,Write")),
        (("--bare", "-p", "x"), ()),
    ],
)
def test_claude_keeps_the_tools_and_instructions_that_the_user_chose(
    arguments: tuple[str, ...], ours: tuple[str, ...]
) -> None:
    argv = ClaudeCode().plan(replace(TINY, arguments=arguments)).argv
    assert argv == ("/bin/agent", *ours, "--settings", SETTINGS, *arguments)


def test_a_tools_option_behind_the_double_dash_is_a_prompt() -> None:
    plan = ClaudeCode().plan(replace(LEAN, arguments=("-p", "--", "--tools")))
    assert plan.argv[1:3] == ("--tools", "Bash,Edit,Read,Write,Grep,Glob")


THEIRS = {
    "env": {"ANTHROPIC_BASE_URL": "http://elsewhere", "MY_VARIABLE": "1"},
    "permissions": {"allow": ["Bash"], "disableAutoMode": ""},
    "apiKeyHelper": "echo sk-user",
    "hooks": {"Stop": []},
}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--settings", json.dumps(THEIRS), "-p", "x"),
        (f"--settings={json.dumps(THEIRS)}", "-p", "x"),
        ("--settings", "{}", "-p", "--settings", json.dumps(THEIRS), "x"),
        ("-p", "x", "--settings", "my.json"),
    ],
)
def test_claude_merges_the_users_last_settings_below_ours(arguments: tuple[str, ...]) -> None:
    plan = ClaudeCode().plan(context(arguments=arguments, user_files={"my.json": json.dumps(THEIRS)}))
    merged = claude_settings(**FULL_WINDOW, MY_VARIABLE="1") | {
        "permissions": {"allow": ["Bash"], "disableAutoMode": "disable"},
        "hooks": {"Stop": []},
    }
    argv = ("/bin/agent", "--settings", SETTINGS, "-p", "x")
    assert parsed(plan) == claude_plan(argv, merged, ("your own --settings are merged with ours",))


def test_claude_asks_for_the_settings_file_that_counts_and_no_other() -> None:
    claude = ClaudeCode()
    assert claude.files_read(("--settings", "a.json", "--settings=b.json", "--", "--settings", "c.json")) == ("b.json",)
    assert claude.files_read(("--settings", "a.json", "--settings", "{}")) == ()
    assert claude.files_read(("-p", "x")) == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--settings", "gone.json"), "cannot read `gone.json`, given to --settings"),
        (("--settings", "bad.json"), "`bad.json`, given to --settings, cannot be used: it is not a JSON object"),
        (("--settings", "{nonsense"), "the JSON given to --settings cannot be used: "),
    ],
)
def test_settings_that_cannot_be_merged_are_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError) as refused:
        ClaudeCode().plan(context(arguments=arguments, user_files={"bad.json": "[1]"}))
    assert refused.value.message.startswith(message)
    assert refused.value.code == "bad-agent-settings"


def test_claude_keeps_the_users_exceptions_from_the_proxy() -> None:
    environment = {"NO_PROXY": "intranet, 127.0.0.1", "no_proxy": "other"}
    settings = json.loads(ClaudeCode().plan(context(environment=environment)).files[0].content)
    expected = "intranet,127.0.0.1,other,localhost,::1"
    assert (settings["env"]["NO_PROXY"], settings["env"]["no_proxy"]) == (expected, expected)


CODEX_OVERRIDES = (
    'model="qwen3-coder"',
    'model_provider="agentlaunch"',
    (
        'model_providers.agentlaunch={name="agentlaunch",base_url="http://127.0.0.1:4711/v1",wire_api="responses",'
        'env_key="AGENTLAUNCH_SESSION_TOKEN",stream_idle_timeout_ms=3600000,request_max_retries=1,stream_max_retries=3,'
        "supports_websockets=false}"
    ),
)
CODEX_QUIET = (
    'web_search="disabled"',
    "analytics.enabled=false",
    "check_for_update_on_startup=false",
    "features.plugins=false",
    "features.apps=false",
    "features.unbounded_connection_retries=false",
)


def codex_argv(*overrides: str) -> tuple[str, ...]:
    return ("/bin/agent", *(word for override in overrides for word in ("-c", override)))


def test_codex_full_has_all_of_its_tools_and_a_catalogue_with_longer_instructions() -> None:
    plan = Codex().plan(context(arguments=("exec", "-s", "workspace-write", "fix it")))
    entry = CATALOGUE_ENTRY | {
        "base_instructions": instructions_with(*LEAN_HINTS, *FULL_HINTS),
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "context_window": 65536,
        "max_context_window": 65536,
    }
    assert parsed(plan) == LaunchPlan(
        argv=(
            *codex_argv(
                *CODEX_OVERRIDES,
                "model_context_window=65536",
                "model_auto_compact_token_limit=53248",
                "tool_output_token_limit=10000",
                *CODEX_QUIET,
                f'model_catalog_json="{CATALOGUE}"',
            ),
            *("exec", "-s", "workspace-write", "fix it"),
        ),
        env={"AGENTLAUNCH_SESSION_TOKEN": TOKEN},
        files=(OverlayFile(CATALOGUE, spelled({"models": [entry]})),),
    )


def test_codex_lean_has_a_catalogue_with_our_instructions_and_the_freeform_patch_tool() -> None:
    plan = Codex().plan(replace(TINY, arguments=("resume", "--last")))
    assert plan.argv == (
        *codex_argv(
            *CODEX_OVERRIDES,
            "model_context_window=8192",
            "model_auto_compact_token_limit=5632",
            "tool_output_token_limit=2048",
            *CODEX_QUIET,
            f'model_catalog_json="{CATALOGUE}"',
            "skills.include_instructions=false",
            "features.multi_agent=false",
            "features.goals=false",
            "features.view_image=false",
        ),
        *("resume", "--last"),
    )
    assert replace(parsed(plan), argv=()) == LaunchPlan(
        argv=(),
        env={"AGENTLAUNCH_SESSION_TOKEN": TOKEN},
        files=(OverlayFile(CATALOGUE, spelled({"models": [CATALOGUE_ENTRY]})),),
    )


CATALOGUE_ENTRY = {
    "slug": "qwen3-coder",
    "display_name": "qwen3-coder",
    "description": "A model served by agentlaunch",
    "default_reasoning_level": None,
    "supported_reasoning_levels": [],
    "shell_type": "shell_command",
    "visibility": "list",
    "supported_in_api": True,
    "priority": 1,
    "upgrade": None,
    "base_instructions": instructions_with(*LEAN_HINTS),
    "supports_reasoning_summaries": False,
    "support_verbosity": False,
    "default_verbosity": None,
    "apply_patch_tool_type": "freeform",
    "truncation_policy": {"mode": "tokens", "limit": 2048},
    "supports_parallel_tool_calls": True,
    "context_window": 8192,
    "max_context_window": 8192,
    "effective_context_window_percent": 100,
    "experimental_supported_tools": [],
    "input_modalities": ["text"],
}


def test_codex_gets_names_as_toml_strings() -> None:
    plan = Codex().plan(context(lean=True, model='a"b\\c😀', session_dir="C:\\s"))
    assert plan.argv[2] == 'model="a\\"b\\\\c😀"'
    assert 'model_catalog_json="C:\\\\s/codex-models.json"' in plan.argv


def opencode_config(window: int, output: int) -> dict[str, object]:
    agents: dict[str, object] = {
        name: {"model": "agentlaunch/qwen3-coder"} for name in ("build", "plan", "general", "explore")
    }
    options = {
        "baseURL": "http://127.0.0.1:4711/v1",
        "apiKey": TOKEN,
        "timeout": False,
        "headerTimeout": False,
        "chunkTimeout": 3600000,
    }
    model = {"name": "qwen3-coder", "tool_call": True, "limit": {"context": window, "output": output}}
    return {
        "model": "agentlaunch/qwen3-coder",
        "small_model": "agentlaunch/qwen3-coder",
        "autoupdate": False,
        "share": "disabled",
        "enabled_providers": ["agentlaunch"],
        "disabled_providers": [],
        "agent": {**agents, "title": {"disable": True}},
        "provider": {
            "agentlaunch": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "agentlaunch",
                "options": options,
                "models": {"qwen3-coder": model},
            }
        },
    }


def opencode_plan(argv: tuple[str, ...], config: dict[str, object], notes: tuple[str, ...] = ()) -> LaunchPlan:
    env = {
        "OPENCODE_CONFIG_CONTENT": spelled(config),
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }
    return LaunchPlan(argv=argv, env=env, notes=notes)


def test_opencode_full() -> None:
    plan = OpenCode().plan(context(arguments=("run", "fix it")))
    assert parsed(plan) == opencode_plan(("/bin/agent", "run", "fix it"), opencode_config(65536, 8192))


def lean_agents(config: dict[str, object]) -> dict[str, object]:
    prompt = {"prompt": instructions_with("File paths are absolute."), "model": "agentlaunch/qwen3-coder"}
    agents = config["agent"]
    assert isinstance(agents, dict)
    return {**agents, "build": prompt, "plan": prompt}


LEAN_OFF = dict.fromkeys(("task", "todowrite", "webfetch", "websearch", "codesearch", "skill", "question"), False)


def test_opencode_lean_has_fewer_tools_and_short_instructions() -> None:
    config = opencode_config(16384, 4096)
    config |= {"tool_output": {"max_bytes": 16384}, "tools": LEAN_OFF, "agent": lean_agents(config)}
    assert parsed(OpenCode().plan(LEAN)) == opencode_plan(("/bin/agent",), config)


def test_opencode_in_a_tiny_window_also_drops_the_search_tools() -> None:
    config = opencode_config(8192, 2048)
    tools = {**LEAN_OFF, "glob": False, "grep": False}
    config |= {"tool_output": {"max_bytes": 8192}, "tools": tools, "agent": lean_agents(config)}
    assert parsed(OpenCode().plan(TINY)) == opencode_plan(("/bin/agent",), config)


def test_opencode_merges_the_users_config_variable() -> None:
    theirs = {"model": "evil/x", "theme": "nord", "tools": {"task": True}, "agent": {"build": {"prompt": "mine"}}}
    environment = {"OPENCODE_CONFIG_CONTENT": json.dumps(theirs)}
    config = opencode_config(16384, 4096)
    agents = lean_agents(config)
    agents["build"] = {"prompt": "mine", "model": "agentlaunch/qwen3-coder"}
    config |= {
        "tool_output": {"max_bytes": 16384},
        "tools": {**LEAN_OFF, "task": True},
        "agent": agents,
        "theme": "nord",
    }
    notes = ("your own OPENCODE_CONFIG_CONTENT is merged with ours",)
    plan = OpenCode().plan(replace(LEAN, environment=environment))
    assert parsed(plan) == opencode_plan(("/bin/agent",), config, notes)


def test_a_config_variable_that_is_not_json_is_refused() -> None:
    with pytest.raises(UserError, match="`OPENCODE_CONFIG_CONTENT` cannot be used"):
        OpenCode().plan(context(environment={"OPENCODE_CONFIG_CONTENT": "{model:"}))


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_states_its_facts(name: str) -> None:
    agent = load_agent(name)
    minimum, tested = parse_version(agent.minimum_version), parse_version(agent.tested_version)
    sizes = agent.prompt_tokens
    assert (agent.name, agent.wire in WIRES) == (name, True)
    assert (minimum is None) == (tested is None) == (agent.evidence == "plan only")
    assert minimum is None or tested is None or minimum <= tested
    assert (agent.title, agent.files_read(("-p", "x"))) == (agent_title(name), ())
    assert 0 < sizes.tiny <= sizes.lean <= sizes.full


WORDS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), max_size=6).map(tuple)


@st.composite
def contexts(draw: st.DrawFn) -> tuple[Agent, AgentContext]:
    window = draw(st.integers(1, 400_000))
    arguments = draw(WORDS | st.just(("-p", "x", "--allowedTools", "Bash")) | st.just(("exec", "--", "--x")))
    made = context(
        context_window=window,
        max_output_tokens=draw(st.integers(1, 40_000)),
        lean=draw(st.booleans()),
        arguments=arguments,
    )
    return load_agent(draw(st.sampled_from(sorted(AGENTS)))), made


@given(contexts())
def test_the_users_arguments_come_last_whole_and_in_order(case: tuple[Agent, AgentContext]) -> None:
    agent, made = case
    argv = agent.plan(made).argv
    assert argv[0] == "/bin/agent"
    assert argv[len(argv) - len(made.arguments) :] == made.arguments


@given(contexts())
def test_the_token_is_in_the_environment_or_a_file_of_the_session_and_never_in_argv(
    case: tuple[Agent, AgentContext],
) -> None:
    agent, made = case
    plan = agent.plan(made)
    assert not any(TOKEN in word for word in (*plan.argv, *plan.notes))
    assert sum(TOKEN in text for text in (*plan.env.values(), *(file.content for file in plan.files))) == 1
    assert all(file.path.startswith("/s/") for file in plan.files)


@given(contexts())
def test_a_plan_is_the_same_each_time_and_unsets_nothing_that_it_sets(case: tuple[Agent, AgentContext]) -> None:
    agent, made = case
    plan = agent.plan(made)
    assert plan == agent.plan(made)
    assert not set(plan.unset) & set(plan.env)


@pytest.mark.parametrize("name", AGENTS)
def test_a_hostile_environment_does_not_reach_the_agent(name: str) -> None:
    hostile = {"ANTHROPIC_UNIX_SOCKET": "/x", "ANTHROPIC_API_KEY": "sk-user", "CLAUDE_CODE_USE_BEDROCK": "1"}
    user = {**hostile, "AWS_REGION": "eu-1", "AGENTLAUNCH_TOKEN": "old", "OPENCODE_DISABLE_AUTOUPDATE": "0"}
    plan = load_agent(name).plan(context(environment=user))
    left = launch_environment(user, plan)
    assert left["AWS_REGION"] == "eu-1"
    assert {key: left.get(key) for key in plan.env} == dict(plan.env)
    assert not set(plan.unset) & set(left)
    assert shlex.join(plan.argv).count("sk-user") == 0


def test_claude_code_in_a_terminal_of_its_desktop_application_takes_our_login_and_not_the_hosts() -> None:
    host = {
        "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1",
        "CLAUDE_CODE_HOST_AUTH_ENV_VAR": "HOST_TOKEN",
        "CLAUDECODE": "1",
    }
    user = {
        **host,
        "CLAUDE_CODE_SDK_HAS_HOST_AUTH_REFRESH": "1",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "TERM": "x",
    }
    assert launch_environment(user, ClaudeCode().plan(context(environment=user))) == {"TERM": "x"}


def test_claude_asks_in_the_roles_that_the_policy_routes_by_their_names() -> None:
    plan = ClaudeCode().plan(context(routed_roles=frozenset({"background", "subagent"})))
    variables = json.loads(plan.files[0].content)["env"]
    asked = {name: variables[name] for name in variables if name.endswith("_MODEL")}
    assert asked == {
        "ANTHROPIC_MODEL": "qwen3-coder",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "qwen3-coder",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "qwen3-coder",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "qwen3-coder@background",
        "ANTHROPIC_DEFAULT_FABLE_MODEL": "qwen3-coder",
        "CLAUDE_CODE_SUBAGENT_MODEL": "qwen3-coder@subagent",
    }


def test_opencode_knows_each_name_that_it_asks_by() -> None:
    plan = OpenCode().plan(context(routed_roles=frozenset({"subagent"})))
    told = json.loads(plan.env["OPENCODE_CONFIG_CONTENT"])
    provider = next(iter(told["provider"]))
    assert (
        told["small_model"],
        {name: told["agent"][name].get("model") for name in told["agent"]},
        list(told["provider"][provider]["models"]),
    ) == (
        f"{provider}/qwen3-coder",
        {
            "build": f"{provider}/qwen3-coder",
            "plan": f"{provider}/qwen3-coder",
            "general": f"{provider}/qwen3-coder@subagent",
            "explore": f"{provider}/qwen3-coder@subagent",
            "title": None,
        },
        ["qwen3-coder", "qwen3-coder@subagent"],
    )
