"""The plans of pi, Qwen Code, Copilot CLI, Droid, Aider and goose, whole; and what is handed on to each agent."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agentlaunch.agents.aider import Aider
from agentlaunch.agents.base import AGENTS, load_agent
from agentlaunch.agents.claude_code import ClaudeCode
from agentlaunch.agents.codex import Codex
from agentlaunch.agents.copilot import COMMANDS as COPILOT_COMMANDS
from agentlaunch.agents.copilot import LEAN_TOOLS_OFF, OTHER_PROVIDER, Copilot
from agentlaunch.agents.droid import Droid
from agentlaunch.agents.goose import OTHER_SERVER, Goose
from agentlaunch.agents.instructions import instructions_with
from agentlaunch.agents.opencode import OpenCode
from agentlaunch.agents.pi import COMMANDS as PI_COMMANDS
from agentlaunch.agents.pi import Pi
from agentlaunch.agents.qwen_code import COMMANDS as QWEN_COMMANDS
from agentlaunch.agents.qwen_code import QwenCode
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile, OverlayLink
from agentlaunch.core.mcp import HttpServer, StdioServer
from agentlaunch.core.skills import Skill, skills_text

TOKEN = "session-token-7f3a"
SECRET = "sk-of-a-server"
FULL = AgentContext(
    executable="/bin/agent",
    shim_url="http://127.0.0.1:4711",
    token=TOKEN,
    model="qwen3-coder",
    context_window=65_536,
    max_output_tokens=8_192,
    lean=False,
    session_dir="/s",
    arguments=("-p", "fix it"),
)
TINY = replace(FULL, lean=True, context_window=8_192, max_output_tokens=2_048)
FILES = StdioServer("files", "npx", ("-y", "server"), {"FILES_KEY": SECRET})
TRACKER = HttpServer("tracker", "https://example.invalid/mcp", {"Authorization": SECRET})
SKILLS = (Skill("review", "Looks at code.", "/k/review/SKILL.md"),)
HANDED = replace(FULL, mcp_servers=(FILES, TRACKER), skills_dir="/k", skills=SKILLS)
SERVERS = {
    "mcpServers": {
        "files": {"type": "stdio", "command": "npx", "args": ["-y", "server"], "env": {"FILES_KEY": SECRET}},
        "tracker": {"type": "http", "url": TRACKER.url, "headers": {"Authorization": SECRET}},
    }
}
PLUGIN = OverlayFile(
    "/s/plugin/.claude-plugin/plugin.json",
    '{"description": "Skills handed on at the launch", "name": "handed", "version": "1.0.0"}',
)
SKILLS_LINK = OverlayLink("/s/plugin/skills", "/k")


def spelled(value: object) -> str:
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)


def parsed(plan: LaunchPlan) -> LaunchPlan:
    """The plan with its JSON files in one spelling, so that plans compare as wholes."""
    return replace(plan, files=tuple(OverlayFile(file.path, spelled(file.content)) for file in plan.files))


def pi_extension(window: int, answer: int) -> str:
    model = {
        "id": "qwen3-coder",
        "name": "qwen3-coder",
        "reasoning": False,
        "input": ["text"],
        "contextWindow": window,
        "maxTokens": answer,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    }
    provider = {
        "baseUrl": "http://127.0.0.1:4711/v1",
        "api": "openai-completions",
        "apiKey": "AGENTLAUNCH_SESSION_TOKEN",
        "models": [model],
    }
    return f'export default (pi) => pi.registerProvider("agentlaunch", {json.dumps(provider, indent=1)});\n'


PI_ENVIRONMENT = {
    "AGENTLAUNCH_SESSION_TOKEN": TOKEN,
    "PI_OFFLINE": "1",
    "PI_TELEMETRY": "0",
    "PI_SKIP_VERSION_CHECK": "1",
}


def test_pi_gets_a_provider_by_an_extension_and_compacts_where_an_answer_needs_room() -> None:
    assert Pi().plan(FULL) == LaunchPlan(
        argv=("/bin/agent", "-e", "/s/pi-provider.js", "--model", "agentlaunch/qwen3-coder", "-p", "fix it"),
        env=PI_ENVIRONMENT,
        files=(OverlayFile("/s/pi-provider.js", pi_extension(65_536 - 8_192 - 4_096 + 16_384, 8_192)),),
    )


def test_pi_in_a_window_below_what_it_keeps_says_what_to_set() -> None:
    plan = Pi().plan(TINY)
    assert (plan.warnings, plan.files[0].content) == (
        (
            (
                "pi keeps 20000 tokens when it compacts, too many for this window: set compaction.keepRecentTokens"
                " to 2048 in ~/.pi/agent/settings.json"
            ),
        ),
        pi_extension(8_192 - 2_048 - 512 + 16_384, 2_048),
    )


@pytest.mark.parametrize("word", PI_COMMANDS)
def test_pis_own_commands_get_no_options_of_ours(word: str) -> None:
    plan = Pi().plan(replace(HANDED, arguments=(word, "x")))
    assert plan == LaunchPlan(argv=("/bin/agent", word, "x"), env=PI_ENVIRONMENT)


def test_pi_keeps_the_users_model_and_takes_skills_by_their_folder() -> None:
    plan = Pi().plan(replace(HANDED, arguments=("--model", "x/y")))
    assert plan.argv == ("/bin/agent", "-e", "/s/pi-provider.js", "--skill", "/k", "--model", "x/y")
    assert plan.warnings == ("pi takes no MCP servers: yours are left out",)


def qwen_settings(window: int, answer: int, **more: object) -> str:
    model = {
        "id": "qwen3-coder",
        "name": "qwen3-coder",
        "baseUrl": "http://127.0.0.1:4711/v1",
        "envKey": "AGENTLAUNCH_SESSION_TOKEN",
        "generationConfig": {
            "contextWindowSize": window,
            "timeout": 3_600_000,
            "maxRetries": 1,
            "samplingParams": {"max_tokens": answer},
        },
    }
    return spelled(
        {
            "$version": 4,
            "security": {"auth": {"selectedType": "openai"}},
            "model": {"name": "qwen3-coder"},
            "modelProviders": {"openai": [model]},
            "telemetry": {"enabled": False},
            "privacy": {"usageStatisticsEnabled": False},
            "general": {"enableAutoUpdate": False},
            **more,
        }
    )


QWEN_ENVIRONMENT = {
    "QWEN_CODE_SYSTEM_SETTINGS_PATH": "/s/qwen-settings.json",
    "AGENTLAUNCH_SESSION_TOKEN": TOKEN,
}


def qwen_plan(argv: tuple[str, ...], settings: str) -> LaunchPlan:
    return LaunchPlan(argv=argv, env=QWEN_ENVIRONMENT, files=(OverlayFile("/s/qwen-settings.json", settings),))


def test_qwen_code_gets_system_settings() -> None:
    assert parsed(QwenCode().plan(FULL)) == qwen_plan(("/bin/agent", "-p", "fix it"), qwen_settings(65_536, 8_192))


def test_qwen_code_lean_has_fewer_tools_and_short_instructions() -> None:
    denied = ["agent", "get_goal", "list_agents", "notebook_edit", "skill", "update_goal"]
    prompt = instructions_with("File paths are absolute.")
    assert parsed(QwenCode().plan(TINY)) == qwen_plan(
        ("/bin/agent", "--system-prompt", prompt, "-p", "fix it"),
        qwen_settings(8_192, 2_048, permissions={"deny": denied}),
    )


def test_qwen_code_is_told_of_servers_in_its_settings_and_of_skills_in_its_prompt() -> None:
    assert parsed(QwenCode().plan(HANDED)) == qwen_plan(
        ("/bin/agent", "--append-system-prompt", skills_text(SKILLS), "-p", "fix it"),
        qwen_settings(65_536, 8_192, **SERVERS),
    )


def test_qwen_code_keeps_the_users_prompts_and_its_own_commands() -> None:
    for arguments in (("--system-prompt", "x", "--append-system-prompt=y"), *((word, "x") for word in QWEN_COMMANDS)):
        lean = replace(HANDED, lean=True, arguments=arguments)
        assert QwenCode().plan(lean).argv == ("/bin/agent", *arguments)


COPILOT_ENVIRONMENT = {
    "COPILOT_PROVIDER_BASE_URL": "http://127.0.0.1:4711/v1",
    "COPILOT_PROVIDER_TYPE": "openai",
    "COPILOT_PROVIDER_WIRE_API": "completions",
    "COPILOT_PROVIDER_API_KEY": TOKEN,
    "COPILOT_PROVIDER_MAX_PROMPT_TOKENS": "57344",
    "COPILOT_PROVIDER_MAX_OUTPUT_TOKENS": "8192",
    "COPILOT_MODEL": "qwen3-coder",
    "COPILOT_OFFLINE": "true",
    "COPILOT_AUTO_UPDATE": "false",
}


def test_copilot_gets_a_provider_in_its_variables() -> None:
    argv = ("/bin/agent", "-p", "fix it")
    assert Copilot().plan(FULL) == LaunchPlan(argv=argv, env=COPILOT_ENVIRONMENT, unset=OTHER_PROVIDER)


def test_copilot_lean_has_fewer_tools_unless_the_user_chose_them() -> None:
    assert Copilot().plan(TINY).argv == (
        "/bin/agent",
        f"--excluded-tools={','.join(LEAN_TOOLS_OFF)}",
        "-p",
        "fix it",
    )
    chosen = ("--available-tools=bash", "-p", "x")
    assert Copilot().plan(replace(TINY, arguments=chosen)).argv == ("/bin/agent", *chosen)


def test_copilot_gets_servers_by_a_file_and_skills_by_a_plugin() -> None:
    assert parsed(Copilot().plan(HANDED)) == LaunchPlan(
        argv=(
            *("/bin/agent", "--additional-mcp-config", "@/s/copilot-mcp.json", "--plugin-dir", "/s/plugin"),
            *("-p", "fix it"),
        ),
        env=COPILOT_ENVIRONMENT,
        unset=OTHER_PROVIDER,
        files=(OverlayFile("/s/copilot-mcp.json", spelled(SERVERS)), PLUGIN),
        links=(SKILLS_LINK,),
    )


@pytest.mark.parametrize("word", COPILOT_COMMANDS)
def test_copilots_own_commands_get_no_options_of_ours(word: str) -> None:
    plan = Copilot().plan(replace(HANDED, lean=True, arguments=(word,)))
    assert plan == LaunchPlan(argv=("/bin/agent", word), env=COPILOT_ENVIRONMENT, unset=OTHER_PROVIDER)


def droid_plan(**more: str) -> LaunchPlan:
    model = {
        "id": "custom:agentlaunch",
        "model": "qwen3-coder",
        "displayName": "qwen3-coder",
        "baseUrl": "http://127.0.0.1:4711/v1",
        "apiKey": "${AGENTLAUNCH_SESSION_TOKEN}",
        "provider": "generic-chat-completion-api",
        "maxOutputTokens": 8_192,
        "maxContextLimit": 65_536,
    }
    settings = {
        "customModels": [model],
        "model": "custom:agentlaunch",
        "sessionDefaultSettings": {"model": "custom:agentlaunch"},
        "enableTelemetry": False,
        "cloudSessionSync": False,
    }
    env = {
        "FACTORY_RUNTIME_SETTINGS_PATH": "/s/droid-settings.json",
        "AGENTLAUNCH_SESSION_TOKEN": TOKEN,
        "FACTORY_AIRGAP_ENABLED": "true",
        "FACTORY_DROID_AUTO_UPDATE_ENABLED": "false",
        **more,
    }
    return LaunchPlan(
        argv=("/bin/agent", "-p", "fix it"),
        env=env,
        files=(OverlayFile("/s/droid-settings.json", spelled(settings)),),
    )


def test_droid_gets_runtime_settings_lean_or_not() -> None:
    assert parsed(Droid().plan(FULL)) == droid_plan()
    assert Droid().plan(replace(FULL, lean=True)) == Droid().plan(FULL)


def test_droid_is_told_of_skills_and_goes_without_servers() -> None:
    warning = "Droid takes MCP servers from its own mcp.json alone: yours are left out"
    told = droid_plan(FACTORY_APPEND_SYSTEM_PROMPT=skills_text(SKILLS))
    assert parsed(Droid().plan(HANDED)) == replace(told, warnings=(warning,))


def aider_files(edit_format: str, window: int, answer: int, *, has_map: bool) -> tuple[OverlayFile, ...]:
    settings = {
        "name": "openai/qwen3-coder",
        "edit_format": edit_format,
        "weak_model_name": "openai/qwen3-coder",
        "use_repo_map": has_map,
        "extra_params": {"api_base": "http://127.0.0.1:4711/v1", "api_key": TOKEN, "max_tokens": answer},
    }
    sizes = {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_tokens": answer,
        "max_output_tokens": answer,
        "max_input_tokens": window - answer,
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
    }
    return (
        OverlayFile("/s/aider-settings.json", spelled([settings])),
        OverlayFile("/s/aider-metadata.json", spelled({"openai/qwen3-coder": sizes})),
    )


AIDER_OPTIONS = (
    *("--model-settings-file", "/s/aider-settings.json", "--model-metadata-file", "/s/aider-metadata.json"),
    *("--timeout", "3600", "--no-analytics", "--no-check-update", "--no-show-release-notes"),
    "--no-show-model-warnings",
)
AIDER_ENVIRONMENT = {"OPENAI_API_KEY": "agentlaunch", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


AIDER_MODELS = tuple(
    word for option in ("--model", "--weak-model", "--editor-model") for word in (option, "openai/qwen3-coder")
)


def test_aider_gets_model_settings_with_address_and_token() -> None:
    assert parsed(Aider().plan(FULL)) == LaunchPlan(
        argv=("/bin/agent", *AIDER_MODELS, *AIDER_OPTIONS, "-p", "fix it"),
        env=AIDER_ENVIRONMENT,
        files=aider_files("diff", 65_536, 8_192, has_map=True),
    )


def test_aider_in_a_tiny_window_writes_whole_files_and_has_no_map() -> None:
    assert parsed(Aider().plan(TINY)) == LaunchPlan(
        argv=("/bin/agent", *AIDER_MODELS, *AIDER_OPTIONS, "--map-tokens", "0", "-p", "fix it"),
        env=AIDER_ENVIRONMENT,
        files=aider_files("whole", 8_192, 2_048, has_map=False),
    )


def test_aider_writes_commit_messages_and_edits_with_no_other_model_that_a_file_of_the_users_names() -> None:
    plan = Aider().plan(replace(FULL, arguments=("--weak-model=x", "--", "--editor-model")))
    assert plan.argv[1:5] == ("--model", "openai/qwen3-coder", "--editor-model", "openai/qwen3-coder")


def test_aider_keeps_the_users_model_and_map_and_goes_without_servers_and_skills() -> None:
    chosen = ("--model", "x", "--map-tokens", "512")
    plan = Aider().plan(replace(HANDED, context_window=8_192, arguments=chosen))
    assert plan.argv == ("/bin/agent", *AIDER_MODELS[2:], *AIDER_OPTIONS, *chosen)
    assert plan.warnings == (
        "Aider calls no tools and takes no MCP servers: yours are left out",
        "Aider calls no tools and takes no skills: yours are left out",
    )


def test_goose_gets_an_openai_server_in_its_variables_and_says_that_it_is_untested() -> None:
    plan = LaunchPlan(
        argv=("/bin/agent", "-p", "fix it"),
        env={
            "GOOSE_PROVIDER": "openai",
            "GOOSE_MODEL": "qwen3-coder",
            "GOOSE_LEAD_PROVIDER": "openai",
            "GOOSE_PLANNER_PROVIDER": "openai",
            "GOOSE_CONTEXT_LIMIT": "65536",
            "GOOSE_MAX_TOKENS": "8192",
            "GOOSE_TELEMETRY_ENABLED": "false",
            "GOOSE_DISABLE_SESSION_NAMING": "true",
            "OPENAI_HOST": "http://127.0.0.1:4711",
            "OPENAI_BASE_PATH": "v1/chat/completions",
            "OPENAI_API_KEY": TOKEN,
            "OPENAI_TIMEOUT": "3600",
        },
        unset=OTHER_SERVER,
        warnings=("the plan for goose is from its documentation and was never tried",),
    )
    assert Goose().plan(FULL) == plan
    assert Goose().plan(HANDED).warnings == (
        *plan.warnings,
        "goose is handed no MCP servers yet: yours are left out",
        "goose is handed no skills yet: yours are left out",
    )


def test_claude_code_gets_servers_by_a_file_and_skills_by_a_plugin() -> None:
    plan, plain = ClaudeCode().plan(HANDED), ClaudeCode().plan(FULL)
    assert parsed(plan) == replace(
        parsed(plain),
        argv=(
            *("/bin/agent", "--mcp-config", "/s/claude-mcp.json", "--plugin-dir", "/s/plugin"),
            *plain.argv[1:],
        ),
        files=(*parsed(plain).files, OverlayFile("/s/claude-mcp.json", spelled(SERVERS)), PLUGIN),
        links=(SKILLS_LINK,),
    )


def test_codex_gets_servers_by_overrides_with_every_secret_in_a_variable_that_commands_do_not_see() -> None:
    plan, plain = Codex().plan(replace(HANDED, arguments=())), Codex().plan(replace(FULL, arguments=()))
    handed = (
        'mcp_servers.files={command="npx",args=["-y","server"],env_vars=["FILES_KEY"]}',
        (
            'mcp_servers.tracker={url="https://example.invalid/mcp",'
            'env_http_headers={"Authorization"="AGENTLAUNCH_MCP_HEADER_1"}}'
        ),
        'shell_environment_policy.set.FILES_KEY=""',
        'shell_environment_policy.set.AGENTLAUNCH_MCP_HEADER_1=""',
    )
    assert plan.argv == (*plain.argv, *(word for override in handed for word in ("-c", override)))
    assert plan.env == {**plain.env, "FILES_KEY": SECRET, "AGENTLAUNCH_MCP_HEADER_1": SECRET}
    assert plan.warnings == ()
    entry = json.loads(plan.files[0].content)["models"][0]
    plain_entry = json.loads(plain.files[0].content)["models"][0]
    assert entry == {**plain_entry, "base_instructions": plain_entry["base_instructions"] + skills_text(SKILLS)}


def test_codex_gets_a_server_without_headers_without_a_variable() -> None:
    plan = Codex().plan(replace(FULL, mcp_servers=(HttpServer("open", "https://example.invalid/mcp"),)))
    assert [word for word in plan.argv if "mcp_servers" in word] == [
        'mcp_servers.open={url="https://example.invalid/mcp"}'
    ]
    assert plan.env == Codex().plan(FULL).env


@pytest.mark.parametrize(
    ("server", "warning"),
    [
        (StdioServer("a", "x", (), {"PATH": "/x"}), "Codex goes without the MCP server `a`: it cannot pass PATH on"),
        (
            StdioServer("a", "x", (), {"OPENAI_API_KEY": SECRET}),
            "Codex goes without the MCP server `a`: it cannot pass OPENAI_API_KEY on",
        ),
        (
            StdioServer("a", "x", (), {"FILES_KEY": "another"}),
            "Codex goes without the MCP server `a`: it cannot pass FILES_KEY on",
        ),
        (HttpServer("a", "http://h", is_sse=True), "Codex goes without the MCP server `a`: it speaks no SSE"),
    ],
)
def test_codex_goes_without_a_server_whose_variables_would_change_codex_or_another_server(
    server: StdioServer | HttpServer, warning: str
) -> None:
    plan = Codex().plan(replace(FULL, mcp_servers=(FILES, server)))
    assert plan.warnings == (warning,)
    assert [word for word in plan.argv if "mcp_servers" in word] == [
        'mcp_servers.files={command="npx",args=["-y","server"],env_vars=["FILES_KEY"]}'
    ]


@pytest.mark.parametrize("is_lean", [False, True])
def test_opencode_gets_servers_and_skills_in_its_configuration_and_keeps_the_skill_tool(*, is_lean: bool) -> None:
    given = replace(HANDED, lean=is_lean)
    config = json.loads(OpenCode().plan(given).env["OPENCODE_CONFIG_CONTENT"])
    plain = json.loads(OpenCode().plan(replace(FULL, lean=is_lean)).env["OPENCODE_CONFIG_CONTENT"])
    if is_lean:
        assert plain["tools"].pop("skill") is False
    assert config == {
        **plain,
        "mcp": {
            "files": {
                "type": "local",
                "command": ["npx", "-y", "server"],
                "environment": {"FILES_KEY": SECRET},
                "enabled": True,
            },
            "tracker": {
                "type": "remote",
                "url": TRACKER.url,
                "headers": {"Authorization": SECRET},
                "enabled": True,
            },
        },
        "skills": {"paths": ["/k"]},
    }


@pytest.mark.parametrize("name", AGENTS)
def test_no_secret_of_a_server_is_in_argv_or_a_warning_and_what_is_left_out_is_told(name: str) -> None:
    plan = load_agent(name).plan(HANDED)
    told = (*plan.argv, *plan.warnings, *plan.notes)
    assert not any(SECRET in word for word in told)
    taken = any("files" in text and SECRET in text for text in (*plan.env.values(), *(f.content for f in plan.files)))
    by_variable = plan.env.get("FILES_KEY") == SECRET
    assert (taken or by_variable) != any("MCP servers" in warning for warning in plan.warnings)
