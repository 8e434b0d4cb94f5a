"""`agentlaunch policy`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run

CONFIG = """
[policy]
privacy = "prefer-local"
fallback = ["hpc", "paid"]
budget_day_usd = 5.0
[[policy.route]]
role = "background"
use = ["local"]
[[policy.route]]
name = "long prompts"
min_prompt_tokens = 60000
model = "*"
use = ["hpc"]
[policy.never_send]
paths = ["**/secrets/**"]
"""
UPSTREAMS = """
[hpc]
kind = "vllm"
url = "https://hpc.example.org"
model = "qwen3"
context = 131072
may_leave = true
[paid]
kind = "openrouter"
url = "https://openrouter.ai/api"
model = "qwen/qwen3-coder"
"""


@pytest.fixture
def config(home: Path) -> Path:
    folder = home / "ours" / "config"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG)
    (folder / "upstreams.toml").write_text(UPSTREAMS)
    return folder


def test_show_tells_each_value_and_whose_it_is(run_command: Run, config: Path, home: Path) -> None:
    (home / "project" / ".agentlaunch.toml").write_text('[policy]\nprivacy = "local-only"\n')
    done = run_command("policy")
    assert (done.returncode, done.stderr) == (0, "")
    title, rest = done.stdout.split("\n  privacy", 1)
    assert " ".join(title.split()) == f"policy default, as written in [policy] of {config / 'config.toml'}"
    assert (
        "  privacy" + rest
        == """\
  privacy             local-only ([policy] of .agentlaunch.toml)
  route               role background -> local
  route               long prompts: from 60,000 prompt tokens, model * -> hpc
  fallback            hpc, then paid
  budget_day_usd      $5.00
  budget_session_usd  no limit (default)
  over_budget         local (default)
  long_context_tokens 60,000 (default)
  never_send          secrets of well-known form; paths **/secrets/**

What a request would meet: agentlaunch policy explain --help
"""
    )


def test_show_json_has_the_files_own_keys_with_their_sources(run_command: Run, config: Path) -> None:
    data = json.loads(run_command("policy", "show", "--json").stdout)["data"]
    assert data["name"] == "default"
    assert data["values"] == {
        "privacy": "prefer-local",
        "route": [
            {"name": "background", "role": "background", "use": ["local"]},
            {"name": "long prompts", "min_prompt_tokens": 60000, "model": "*", "use": ["hpc"]},
        ],
        "fallback": ["hpc", "paid"],
        "budget_day_usd": 5.0,
        "budget_session_usd": None,
        "over_budget": "local",
        "long_context_tokens": 60000,
        "never_send": {"paths": ["**/secrets/**"], "patterns": [], "secrets": True},
    }
    assert data["sources"]["over_budget"] == "default"
    assert data["sources"]["route"] == f"[policy] of {config / 'config.toml'}"


@pytest.mark.usefixtures("config")
def test_explain_tells_where_the_bytes_would_go(run_command: Run) -> None:
    done = run_command("policy", "explain", "--prompt-tokens", "200000", "--model", "qwen3")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == """\
  request             long_context for qwen3, 200,000 prompt tokens (60,000
                      prompt tokens or more)
  policy              default, prefer-local
  route               long prompts

tried in this order
  1. local            the launch's own model on this machine (what this launch
                      runs)
  2. paid             qwen/qwen3-coder at https://openrouter.ai/api, which is
                      NOT on this machine (fallback); you have not agreed to
                      that yet: `may_leave = true` in upstreams.toml

not asked
  hpc                 the prompt has 200,000 tokens, and its window is 131,072

  never leaves        secrets of well-known form; paths **/secrets/**
"""
    )


@pytest.mark.usefixtures("config")
def test_explain_json_tells_the_same(run_command: Run) -> None:
    done = run_command("policy", "explain", "--role", "background", "--image", "--prompt-tokens", "5", "--json")
    assert json.loads(done.stdout)["data"] == {
        "policy": "default",
        "privacy": "prefer-local",
        "request": {
            "role": "background",
            "prompt_tokens": 5,
            "model": "",
            "has_images": True,
            "why": "as --role says",
        },
        "route": "background",
        "candidates": [
            {
                "upstream": name,
                "why": why,
                "model": model,
                "url": url,
                "is_local": name == "local",
                "is_last_resort": False,
                "needs_consent": name == "paid",
            }
            for name, why, model, url in (
                ("local", "route `background`", "", ""),
                ("hpc", "fallback", "qwen3", "https://hpc.example.org"),
                ("paid", "fallback", "qwen/qwen3-coder", "https://openrouter.ai/api"),
            )
        ],
        "skipped": [],
        "refusal": "",
    }


def test_a_stopped_policy_says_what_to_do(run_command: Run, config: Path) -> None:
    (config / "config.toml").write_text('[policy]\nbudget_day_usd = 0\nover_budget = "stop"\n')
    done = run_command("policy", "explain", "--prompt-tokens", "5")
    assert done.stdout.splitlines()[2:] == [
        "  route               none takes it",
        "",
        "refused: the day's budget of $0.00 is spent ($0.00), and the policy `default`",
        "         then stops: raise it in [policy] of config.toml, or see `agentlaunch",
        "         usage`",
    ]


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("policy", "shwo"), "unknown action `shwo`", "agentlaunch policy [show|explain]"),
        (("policy", "--role", "main"), "`policy show` describes no request", "agentlaunch policy explain"),
        (("policy", "--policy", "x"), "there is no policy `x`, which --policy names", "known: default"),
        (("policy", "explain", "--role", "x"), "there is no role `x`", "known: main, background"),
    ],
)
def test_what_cannot_be_done_says_what_can(run_command: Run, words: tuple[str, ...], message: str, hint: str) -> None:
    done = run_command(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert hint in done.stderr
