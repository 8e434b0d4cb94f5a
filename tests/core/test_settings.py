"""core/settings.py: which source wins, and what a bad value is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.settings import Settings, SettingsFile, Sourced, resolve_settings
from agentlaunch.errors import UserError

PROJECT = ".agentlaunch.toml"
USER = "config.toml"

DEFAULTS = Settings(
    model=Sourced(None, "default"),
    context=Sourced(None, "default"),
    kv=Sourced("f16", "default"),
    lean=Sourced(None, "default"),
    idle_seconds=Sourced(None, "default"),
    yes=Sourced(False, "default"),
)


def test_nothing_said_gives_the_defaults() -> None:
    assert resolve_settings({"model": None, "context": None}, {}, ()) == DEFAULTS


def test_each_value_names_the_strongest_source_that_has_it() -> None:
    found = resolve_settings(
        {"model": "flag", "context": None},
        {"AGENTLAUNCH_MODEL": "variable", "AGENTLAUNCH_CONTEXT": "4096", "AGENTLAUNCH_YES": "1"},
        (
            SettingsFile(PROJECT, {"model": "project", "context": 1, "kv": "q8_0"}),
            SettingsFile(USER, {"kv": "q4_0", "lean": True, "idle_seconds": 60}),
        ),
    )
    assert found == Settings(
        model=Sourced("flag", "--model"),
        context=Sourced(4096, "AGENTLAUNCH_CONTEXT"),
        kv=Sourced("q8_0", "kv in .agentlaunch.toml"),
        lean=Sourced(True, "lean in config.toml"),
        idle_seconds=Sourced(60, "idle_seconds in config.toml"),
        yes=Sourced(True, "AGENTLAUNCH_YES"),
    )


def test_the_runtime_may_stand_in_a_file_and_the_variable_goes_before_it() -> None:
    files = (SettingsFile(USER, {"runtime": "embedded"}),)
    assert resolve_settings({}, {}, files).runtime == Sourced("embedded", "runtime in config.toml")
    said = resolve_settings({}, {"AGENTLAUNCH_RUNTIME": "ollama"}, files).runtime
    assert said == Sourced("ollama", "AGENTLAUNCH_RUNTIME")


@given(said=st.sets(st.sampled_from(["flag", "variable", "project", "user"])))
def test_the_order_of_the_sources_is_flag_variable_project_user(said: set[str]) -> None:
    """For every subset of sources that name the model."""
    found = resolve_settings(
        {"model": "flag" if "flag" in said else None},
        {"AGENTLAUNCH_MODEL": "variable"} if "variable" in said else {},
        tuple(SettingsFile(name, {"model": name} if name in said else {}) for name in ("project", "user")),
    )
    expected = next((name for name in ("flag", "variable", "project", "user") if name in said), None)
    assert found.model.value == expected


def test_the_space_that_cmd_leaves_behind_a_variable_is_no_part_of_it() -> None:
    said = {
        "AGENTLAUNCH_CONTEXT": "4096 ",
        "AGENTLAUNCH_KV": "Q8_0 ",
        "AGENTLAUNCH_MODEL": '"demo" ',
        "AGENTLAUNCH_YES": "1 ",
    }
    found = resolve_settings({}, said, ())
    assert (found.context.value, found.kv.value, found.model.value, found.yes.value) == (4096, "q8_0", "demo", True)
    assert resolve_settings({}, {"AGENTLAUNCH_MODEL": " "}, ()) == DEFAULTS


def test_an_empty_variable_counts_as_unset() -> None:
    assert resolve_settings({}, {"AGENTLAUNCH_CONTEXT": "", "AGENTLAUNCH_MODEL": ""}, ()) == DEFAULTS


@pytest.mark.parametrize(("word", "value"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False)])
def test_a_switch_reads_the_usual_words(word: str, value: bool) -> None:
    assert resolve_settings({}, {"AGENTLAUNCH_LEAN": word}, ()).lean.value is value


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"contxt": 4096}, "unknown key `contxt` in `config.toml`", "did you mean `context`?"),
        ({"yes": True}, "unknown key `yes` in `config.toml`", "known keys: model, context, kv, runtime, lean"),
        ({"upstream": "openai=http://x"}, "unknown key `upstream` in `config.toml`", "known keys: "),
        ({"context": "many"}, "context in config.toml cannot be `many`", "tokens"),
        ({"context": True}, "context in config.toml cannot be `True`", "tokens"),
        ({"context": 0}, "context in config.toml cannot be `0`", "tokens"),
        ({"context": 4096.5}, "context in config.toml cannot be `4096.5`", "tokens"),
        ({"kv": "q5"}, "kv in config.toml cannot be `q5`", "f16, q8_0, q4_0"),
        ({"lean": "perhaps"}, "lean in config.toml cannot be `perhaps`", "true or false"),
        ({"model": 7}, "model in config.toml cannot be `7`", "in quotes"),
        ({"model": " "}, "model in config.toml cannot be ` `", "in quotes"),
        ({"usage_days": "ever"}, "usage_days in config.toml cannot be `ever`", "400"),
        ({"idle_seconds": -1}, "idle_seconds in config.toml cannot be `-1`", "600"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_key(values: Mapping[str, object], message: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve_settings({"context": 1, "model": "m", "kv": "f16", "lean": True}, {}, (SettingsFile(USER, values),))
    assert (caught.value.code, caught.value.message) == ("bad-setting", message)
    assert hint in caught.value.hint


def test_a_bad_variable_is_refused_by_its_own_name() -> None:
    with pytest.raises(UserError) as caught:
        resolve_settings({}, {"AGENTLAUNCH_CONTEXT": "32k"}, ())
    assert caught.value.message == "AGENTLAUNCH_CONTEXT cannot be `32k`"


@pytest.mark.parametrize("word", ["0", "false", "off"])
def test_warming_is_on_until_a_variable_or_a_file_says_no(word: str) -> None:
    assert resolve_settings({}, {}, ()).prewarm == Sourced(True, "default")
    assert resolve_settings({}, {"AGENTLAUNCH_PREWARM": word}, ()).prewarm == Sourced(False, "AGENTLAUNCH_PREWARM")
    said = resolve_settings({}, {}, (SettingsFile(USER, {"prewarm": False}),)).prewarm
    assert said == Sourced(False, "prewarm in config.toml")


def test_how_long_requests_are_kept_is_the_users_to_say_and_no_folders() -> None:
    users, folders = SettingsFile(USER, {"usage_days": 90}), SettingsFile(PROJECT, {"usage_days": 1}, is_folders=True)
    assert resolve_settings({}, {}, ()).usage_days == Sourced(400, "default")
    assert resolve_settings({}, {}, (users,)).usage_days == Sourced(90, "usage_days in config.toml")
    found = resolve_settings({}, {"AGENTLAUNCH_USAGE_DAYS": "30"}, (users,)).usage_days
    assert found == Sourced(30, "AGENTLAUNCH_USAGE_DAYS")
    with pytest.raises(UserError) as caught:
        resolve_settings({}, {}, (folders, users))
    assert (caught.value.message, caught.value.hint) == (
        "`usage_days` is not for a folder to say, as `.agentlaunch.toml` does",
        "say it in config.toml, or: AGENTLAUNCH_USAGE_DAYS=1",
    )
