"""app/last_launch.py: the record that `again` repeats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentlaunch.app.last_launch import last_launch, read_record, record_path, write_record
from agentlaunch.app.orders import LaunchOrder, ModelOrder
from agentlaunch.errors import UserError
from agentlaunch.system.dirs import find_dirs

if TYPE_CHECKING:
    from conftest import MakeWorld

_models = st.builds(
    ModelOrder,
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.none() | st.integers(1, 10**7),
    st.sampled_from([None, "f16", "q8_0", "q4_0"]),
    st.sampled_from(["", "openai=http://127.0.0.1:1"]),
    st.sampled_from(["", "KEY"]),
    st.sampled_from(["", "ollama", "lmstudio"]),
    st.sampled_from(["", "Q4_K_M"]),
    st.sampled_from(["", "team"]),
    st.lists(st.text()).map(tuple),
)
_orders = st.builds(
    LaunchOrder,
    st.sampled_from(["claude", "codex"]),
    _models,
    st.none() | st.booleans(),
    st.lists(st.text()).map(tuple),
    st.none() | st.integers(1, 9999),
    force=st.booleans(),
    mcp=st.sampled_from(["", "/srv/mcp.json"]),
    skills=st.sampled_from(["", "/srv/skills"]),
)


@given(order=_orders)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_record_reads_back_as_it_was_written(tmp_path: Path, order: LaunchOrder) -> None:
    """For every order that holds no yes."""
    dirs = find_dirs({"AGENTLAUNCH_HOME": str(tmp_path)})
    write_record(order, dirs)
    assert read_record(dirs) == order


def test_a_record_forgets_the_yes_and_is_private(make_world: MakeWorld) -> None:
    dirs = make_world().world.dirs
    write_record(LaunchOrder("claude", ModelOrder("demo"), yes=True), dirs)
    assert read_record(dirs) == LaunchOrder("claude", ModelOrder("demo"))
    assert record_path(dirs).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1, "agent": 7}'])
def test_a_record_that_is_not_ours_counts_as_none(make_world: MakeWorld, content: str) -> None:
    dirs = make_world().world.dirs
    record_path(dirs).parent.mkdir(parents=True)
    record_path(dirs).write_text(content)
    with pytest.raises(UserError) as caught:
        last_launch(dirs)
    assert (caught.value.code, caught.value.hint) == ("nothing-launched", "agentlaunch claude --model demo")


def test_a_record_of_a_newer_version_is_said_to_be_one(make_world: MakeWorld) -> None:
    dirs = make_world().world.dirs
    record_path(dirs).parent.mkdir(parents=True)
    record_path(dirs).write_text('{"version": 2}')
    assert read_record(dirs) is None
    with pytest.raises(UserError) as caught:
        last_launch(dirs)
    assert caught.value.code == "nothing-launched"
    assert "by another version of agentlaunch" in caught.value.message
