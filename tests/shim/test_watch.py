"""When sessions, engines and the shim end, over an injected clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import UserError
from agentlaunch.shim.watch import (
    CloseSession,
    Decision,
    Idle,
    IdlePolicy,
    ReleaseEngine,
    SessionSeen,
    StopShim,
    look,
    read_idle_policy,
)

SPEC = EngineSpec("/models/a.gguf", "a", 8192)
OTHER = EngineSpec("/models/b.gguf", "b", 8192)
POLICY = IdlePolicy(engine_s=10, stop_s=30)
START = Idle(None, {})


def seen(id_: str, engine: EngineSpec | None = SPEC, *, lives: bool = True) -> SessionSeen:
    return SessionSeen(id_, engine, lives)


def run(looks: list[tuple[float, tuple[SessionSeen, ...], frozenset[EngineSpec]]]) -> list[tuple[Decision, ...]]:
    idle, made = START, []
    for now, sessions, engines in looks:
        idle, decisions = look(idle, now, sessions, engines, POLICY)
        made.append(decisions)
    return made


def test_a_living_session_keeps_itself_its_engine_and_the_shim() -> None:
    assert look(START, 1000.0, (seen("1"),), frozenset({SPEC}), POLICY) == (Idle(None, {}), ())


def test_a_session_whose_process_has_ended_is_closed() -> None:
    idle, decisions = look(START, 5.0, (seen("1"), seen("2", lives=False)), frozenset({SPEC}), POLICY)
    assert (idle, decisions) == (Idle(None, {}), (CloseSession("2"),))


def test_the_idle_times_begin_with_the_look_that_finds_the_process_dead() -> None:
    idle, decisions = look(START, 5.0, (seen("1", lives=False),), frozenset({SPEC}), POLICY)
    assert (idle, decisions) == (Idle(5.0, {SPEC: 5.0}), (CloseSession("1"),))


def test_an_engine_is_released_once_it_has_been_idle_for_its_time() -> None:
    engines = frozenset({SPEC, OTHER})
    used = (seen("1", OTHER),)
    made = run([(0, used, engines), (9.9, used, engines), (10, used, engines), (11, used, frozenset({OTHER}))])
    assert made == [(), (), (ReleaseEngine(SPEC),), ()]


def test_an_engine_that_is_used_again_begins_its_idle_time_anew() -> None:
    engines = frozenset({SPEC})
    made = run([(0, (), engines), (8, (seen("1"),), engines), (9, (), engines), (18, (), engines), (19, (), engines)])
    assert made == [(), (), (), (), (ReleaseEngine(SPEC),)]


@pytest.mark.report("B287")
def test_two_sessions_on_one_engine_keep_it_until_the_last_ends() -> None:
    engines = frozenset({SPEC})
    both = (seen("1"), seen("2"))
    made = run([(0, both, engines), (20, (seen("2"),), engines), (40, (), engines), (50, (), engines)])
    assert made == [(), (), (), (ReleaseEngine(SPEC),)]


def test_the_shim_stops_after_its_idle_time_without_sessions() -> None:
    none: frozenset[EngineSpec] = frozenset()
    assert run([(0, (), none), (29.9, (), none), (30, (), none)]) == [(), (), (StopShim(),)]


def test_a_session_without_an_engine_keeps_the_shim_too() -> None:
    none: frozenset[EngineSpec] = frozenset()
    made = run([(0, (), none), (29, (seen("1", None),), none), (31, (), none), (60, (), none), (61, (), none)])
    assert made == [(), (), (), (), (StopShim(),)]


def test_a_server_without_a_stop_time_never_stops() -> None:
    assert look(Idle(0.0, {}), 1e9, (), frozenset(), IdlePolicy(stop_s=None)) == (Idle(0.0, {}), ())


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=3)), max_size=20
    )
)
def test_nothing_that_a_living_session_uses_is_ever_ended(steps: list[tuple[int, list[tuple[int, bool]]]]) -> None:
    idle, now, specs = START, 0.0, [SPEC, OTHER]
    for wait, entries in steps:
        now += wait
        sessions = tuple(
            seen(str(at), [*specs, None, None][kind], lives=lives) for at, (kind, lives) in enumerate(entries)
        )
        idle, decisions = look(idle, now, sessions, frozenset(specs), POLICY)
        living = [session for session in sessions if session.process_lives]
        assert not {ReleaseEngine(session.engine) for session in living if session.engine} & set(decisions)
        assert not (living and StopShim() in decisions)
        assert {CloseSession(session.id) for session in sessions if not session.process_lives} <= set(decisions)


def test_the_idle_time_comes_from_the_environment() -> None:
    assert read_idle_policy({"AGENTLAUNCH_IDLE_SECONDS": "1.5"}) == IdlePolicy(1.5, 1.5)
    assert read_idle_policy({"AGENTLAUNCH_IDLE_SECONDS": " "}) == read_idle_policy({}) == IdlePolicy(600.0, 600.0)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_an_idle_time_that_is_no_time_is_the_users_error(text: str) -> None:
    with pytest.raises(UserError, match=f"AGENTLAUNCH_IDLE_SECONDS is `{text}`"):
        read_idle_policy({"AGENTLAUNCH_IDLE_SECONDS": text})
