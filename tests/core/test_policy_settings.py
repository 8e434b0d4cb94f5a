"""core/policy_settings.py and policy_table.py: policies out of settings files, and who may say what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.policy import Caps, Policy, Privacy, Route, RouteMatch
from agentlaunch.core.policy_settings import PolicyInForce, choose_policy, read_policies
from agentlaunch.core.policy_table import POLICY_KEYS
from agentlaunch.core.settings import SettingsFile, Sourced, resolve_policy, resolve_settings
from agentlaunch.errors import UserError

USER, FOLDER = "config.toml", ".agentlaunch.toml"
WHOLE: dict[str, object] = {
    "policy": {
        "privacy": "prefer-local",
        "fallback": ["hpc", "openrouter/qwen/qwen3-coder"],
        "budget_day_usd": 5,
        "budget_session_usd": 0.5,
        "over_budget": "stop",
        "long_context_tokens": 40_000,
        "route": [
            {"role": "background", "use": ["local"]},
            {"min_prompt_tokens": 60_000, "max_prompt_tokens": 90_000, "use": ["hpc", "local"]},
            {"name": "named", "model": "gpt-*", "use": ["openai/gpt-5"]},
        ],
        "never_send": {"paths": ["**/secrets/**"], "patterns": ["ACME-[0-9]{8}"], "secrets": False},
    }
}
POLICY = Policy(
    privacy="prefer-local",
    routes=(
        Route("background", RouteMatch(role="background"), ("local",)),
        Route("route 2", RouteMatch(min_prompt_tokens=60_000, max_prompt_tokens=90_000), ("hpc", "local")),
        Route("named", RouteMatch(model="gpt-*"), ("openai/gpt-5",)),
    ),
    fallbacks=("hpc", "openrouter/qwen/qwen3-coder"),
    budget_day_usd=5.0,
    budget_session_usd=0.5,
    over_budget="stop",
    caps=Caps(("**/secrets/**",), ("ACME-[0-9]{8}",), built_in_secrets=False),
    long_context_tokens=40_000,
)


def chosen(
    values: Mapping[str, object], folders: Mapping[str, object] | None = None, name: str = "default"
) -> PolicyInForce:
    files = [read_policies(USER, values, is_folders=False)]
    if folders is not None:
        files.insert(0, read_policies(FOLDER, folders, is_folders=True))
    return choose_policy(name, "--policy", files)


def test_nothing_said_keeps_everything_here() -> None:
    assert chosen({}) == PolicyInForce(Policy(), dict.fromkeys(POLICY_KEYS, "default"))
    assert Policy().privacy == "local-only"


def test_every_key_is_read_and_told_with_its_source() -> None:
    assert chosen(WHOLE) == PolicyInForce(POLICY, dict.fromkeys(POLICY_KEYS, "[policy] of config.toml"))


def test_a_named_policy_stands_alone_but_keeps_back_what_the_default_one_does() -> None:
    mine = {"privacy": "any", "never_send": {"paths": ["*.pem", "**/secrets/**"]}}
    found = chosen({**WHOLE, "policies": {"work": mine}}, name="work")
    caps = Caps(("*.pem", "**/secrets/**"), ("ACME-[0-9]{8}",), built_in_secrets=True)
    said = {"privacy": "[policies.work] of config.toml"}
    said["never_send"] = "[policies.work] of config.toml, and [policy] of config.toml"
    sources = {**dict.fromkeys(POLICY_KEYS, "default"), **said}
    assert found == PolicyInForce(Policy(name="work", privacy="any", caps=caps), sources)
    bare = chosen({**WHOLE, "policies": {"bare": {}}}, name="bare")
    assert bare.policy == Policy(name="bare", caps=replace(POLICY.caps, built_in_secrets=True))
    assert bare.sources["never_send"] == "[policy] of config.toml"


def test_an_unknown_name_is_told_with_its_source_and_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        chosen({"policies": {"work": {}}}, name="wrok")
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "unknown-policy",
        "there is no policy `wrok`, which --policy names",
        "did you mean `work`? known: default, work; see them: agentlaunch policy show --policy NAME",
    )


@given(own=st.sampled_from(get_args(Privacy)), theirs=st.sampled_from(get_args(Privacy)))
def test_a_folders_file_can_only_make_privacy_stricter(own: Privacy, theirs: Privacy) -> None:
    strictness = ["any", "prefer-local", "local-only"]
    stricter = max(own, theirs, key=strictness.index)
    for name, values in (("default", {"policy": {"privacy": own}}), ("work", {"policies": {"work": {"privacy": own}}})):
        found = chosen(values, {"policy": {"privacy": theirs}}, name)
        assert found.policy == Policy(name=name, privacy=stricter)
        assert (found.sources["privacy"] == "[policy] of .agentlaunch.toml") is (stricter != own)


def test_a_folders_file_that_is_stricter_wins_and_is_named_as_the_source() -> None:
    found = chosen({"policy": {"privacy": "any"}}, {"policy": {"privacy": "local-only"}})
    sources = {**dict.fromkeys(POLICY_KEYS, "default"), "privacy": "[policy] of .agentlaunch.toml"}
    assert found == PolicyInForce(Policy(privacy="local-only"), sources)


def test_a_folders_file_without_privacy_changes_nothing() -> None:
    assert chosen(WHOLE, {"policy": {}}) == chosen(WHOLE, {"model": "m"}) == chosen(WHOLE)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"policy": {"fallback": ["hpc"]}}, "`fallback` in [policy]"),
        ({"policy": {"privacy": "local-only", "route": []}}, "`route` in [policy]"),
        ({"policy": {"never_send": {}}}, "`never_send` in [policy]"),
        ({"policy": "work"}, "a policy's name"),
        ({"policies": {"work": {}}}, "`policies`"),
    ],
)
def test_a_folders_file_names_no_upstreams_and_no_policies(values: Mapping[str, object], what: str) -> None:
    with pytest.raises(UserError) as caught:
        read_policies(FOLDER, values, is_folders=True)
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "bad-policy",
        f"{what} may not stand in `.agentlaunch.toml`",
        "a folder's file may only say `privacy` in [policy]; write the rest into your own config.toml",
    )


USE = 'name upstreams in order of preference, as in ["local", "NAME", "NAME/MODEL"]'


@pytest.mark.parametrize(
    ("policy", "message", "hint"),
    [
        (7, "policy in config.toml cannot be `7`", "write it as a table: [policy]"),
        (
            {"privcy": "any"},
            "unknown key `privcy` in [policy] of `config.toml`",
            "did you mean `privacy`? known keys: ",
        ),
        (
            {"privacy": "none"},
            "privacy in [policy] of config.toml cannot be `none`",
            "allowed: local-only, prefer-local, any",
        ),
        ({"over_budget": 1}, "over_budget in [policy] of config.toml cannot be `1`", "allowed: local, stop"),
        ({"fallback": "hpc"}, "fallback in [policy] of config.toml cannot be `hpc`", USE),
        ({"fallback": ["hpc", 7]}, "fallback in [policy] of config.toml cannot be `7`", USE),
        ({"fallback": ["two words"]}, "fallback in [policy] of config.toml cannot be `two words`", USE),
        ({"fallback": ["/m"]}, "fallback in [policy] of config.toml cannot be `/m`", USE),
        (
            {"fallback": ["local/m"]},
            "fallback in [policy] of config.toml cannot be `local/m`",
            "`local` is the launch's own model, and takes no other: write `local`",
        ),
        (
            {"budget_day_usd": "5"},
            "budget_day_usd in [policy] of config.toml cannot be `5`",
            "write US dollars, as in 5.0; 0 spends nothing; leave it away for no limit",
        ),
        ({"budget_day_usd": -1}, "budget_day_usd in [policy] of config.toml cannot be `-1`", "write US dollars"),
        ({"budget_day_usd": True}, "budget_day_usd in [policy] of config.toml cannot be `True`", "write US dollars"),
        (
            {"budget_session_usd": float("inf")},
            "budget_session_usd in [policy] of config.toml cannot be `inf`",
            "write US dollars",
        ),
        (
            {"long_context_tokens": 0},
            "long_context_tokens in [policy] of config.toml cannot be `0`",
            "write whole tokens, as in 60000",
        ),
        (
            {"route": {}},
            "route in [policy] of config.toml cannot be `{}`",
            "write each route as a table: [[policy.route]]",
        ),
        ({"route": ["x"]}, "route in [policy] of config.toml cannot be `['x']`", "write each route as a table"),
        ({"route": [{"role": "main"}]}, "the 1. [[policy.route]] of `config.toml` has no `use`", USE),
        ({"route": [{"use": []}]}, "use in [[policy.route]] of config.toml cannot be `[]`", USE),
        (
            {"route": [{"rol": "main", "use": ["local"]}]},
            "unknown key `rol` in [[policy.route]] of `config.toml`",
            "did you mean `role`?",
        ),
        (
            {"route": [{"role": "chat", "use": ["local"]}]},
            "role in [[policy.route]] of config.toml cannot be `chat`",
            "allowed: main, background, long_context, thinking, image, subagent",
        ),
        (
            {"route": [{"min_prompt_tokens": 9, "max_prompt_tokens": 8, "use": ["local"]}]},
            "max_prompt_tokens in [[policy.route]] of config.toml cannot be `8`",
            "its minimum is 9: write 9 or more",
        ),
        (
            {"route": [{"model": " ", "use": ["local"]}]},
            "model in [[policy.route]] of config.toml cannot be ` `",
            "write a text in quotes",
        ),
        ({"never_send": []}, "never_send in [policy] of config.toml cannot be `[]`", "[policy.never_send]"),
        (
            {"never_send": {"files": []}},
            "unknown key `files` in [policy.never_send] of `config.toml`",
            "known keys: paths, patterns, secrets",
        ),
        (
            {"never_send": {"paths": ["**/*"]}},
            "paths in [policy.never_send] of config.toml cannot be `**/*`",
            "a glob needs two letters of a name, or it would match everything",
        ),
        (
            {"never_send": {"patterns": ["ok", "("]}},
            "patterns in [policy.never_send] of config.toml cannot be `(`",
            "it is no regular expression: ",
        ),
        (
            {"never_send": {"patterns": ["x*"]}},
            "patterns in [policy.never_send] of config.toml cannot be `x*`",
            "it matches the empty text, and would keep everything here",
        ),
        (
            {"never_send": {"secrets": "no"}},
            "secrets in [policy.never_send] of config.toml cannot be `no`",
            "true or false",
        ),
        (
            {"fallback": ["x" * 200 + " "]},
            f"fallback in [policy] of config.toml cannot be `{'x' * 80}...`",
            USE,
        ),
    ],
)
def test_a_bad_policy_is_refused_with_key_table_and_file(policy: object, message: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        read_policies(USER, {"policy": policy}, is_folders=False)
    assert (caught.value.code, caught.value.message) == ("bad-policy", message)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"policies": 7}, "policies in config.toml cannot be `7`"),
        ({"policies": {"default": {}}}, "policies in config.toml cannot be `{'default': {}}`"),
        ({"policies": {"work": 7}}, "policies.work in config.toml cannot be `7`"),
        ({"policies": {"work": {"privacy": 7}}}, "privacy in [policies.work] of config.toml cannot be `7`"),
        (
            {"policies": {"work": {"route": [{"use": 7}]}}},
            "use in [[policies.work.route]] of config.toml cannot be `7`",
        ),
    ],
)
def test_named_policies_are_checked_whether_they_are_used_or_not(values: Mapping[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve_settings({}, {}, (SettingsFile(USER, values),))
    assert (caught.value.code, caught.value.message) == ("bad-policy", message)


def test_the_policy_is_named_by_flag_variable_or_the_users_file() -> None:
    files = (SettingsFile(USER, {"policy": "filed", "policies": {"filed": {}, "flagged": {}, "set": {}}}),)
    flagged = resolve_settings({"policy": "flagged"}, {"AGENTLAUNCH_POLICY": "set"}, files).policy
    named = resolve_settings({}, {"AGENTLAUNCH_POLICY": "set"}, files).policy
    filed = resolve_settings({}, {}, files).policy
    assert [flagged, named, filed] == [
        Sourced("flagged", "--policy"),
        Sourced("set", "AGENTLAUNCH_POLICY"),
        Sourced("filed", "policy in config.toml"),
    ]
    assert [resolve_policy(each, files).policy.name for each in (flagged, named, filed)] == ["flagged", "set", "filed"]


def test_a_table_is_the_default_policy_and_names_none() -> None:
    files = (SettingsFile(FOLDER, {"policy": {"privacy": "any"}}, is_folders=True), SettingsFile(USER, WHOLE))
    named = resolve_settings({}, {}, files).policy
    assert named == Sourced("default", "default")
    assert resolve_policy(named, files).policy == POLICY


def test_a_folders_file_that_names_a_policy_is_refused_with_the_rest_of_the_settings() -> None:
    with pytest.raises(UserError) as caught:
        resolve_settings({}, {}, (SettingsFile(FOLDER, {"policy": "work"}, is_folders=True),))
    assert caught.value.code == "bad-policy"
