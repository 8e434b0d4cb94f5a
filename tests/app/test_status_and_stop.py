"""app/status.py: who is named before the shim is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentlaunch.app.status import Running, StopOutcome, Stopping, find_running, loaded_engines, stop
from agentlaunch.core.engine import EngineStatus
from agentlaunch.errors import UserError
from agentlaunch.shim.control_client import ShimUnreachable
from agentlaunch.shim.protocol import SessionStatus, ShimStatus

if TYPE_CHECKING:
    from conftest import MakeWorld

SESSION = SessionStatus("s1", "claude", "demo", 77, 0.0, 3, 8192)
IDLE = ShimStatus("http://127.0.0.1:4242", 5, "0.1.0", 0.0, (), (), 600.0)
BUSY = ShimStatus("http://127.0.0.1:4242", 5, "0.1.0", 0.0, (SESSION,), (), 600.0)
ENGINE = EngineStatus("demo", "/models/demo.gguf", 78, "ready", 8192, "/logs/engine.log")
SERVE = ShimStatus("http://127.0.0.1:4243", 6, "0.1.0", 0.0, (), (ENGINE,), 0.0)
USERS = "claude (process 77)"


def test_stopping_nothing_is_fine(make_world: MakeWorld) -> None:
    assert stop(make_world().world, yes=False) == Stopping(StopOutcome.NOT_RUNNING)


def test_an_idle_shim_is_stopped_without_a_question(make_world: MakeWorld) -> None:
    made = make_world(answer=False)
    made.shims.found = IDLE
    assert (stop(made.world, yes=False), made.talk.questions) == (Stopping(StopOutcome.ENDED), [])


@pytest.mark.parametrize(("answer", "outcome", "stops"), [(True, StopOutcome.ENDED, 1), (False, StopOutcome.KEPT, 0)])
def test_on_a_terminal_the_users_of_the_shim_are_named_in_a_question(
    make_world: MakeWorld, answer: bool, outcome: StopOutcome, stops: int
) -> None:
    made = make_world(answer=answer)
    made.shims.found = BUSY
    assert stop(made.world, yes=False) == Stopping(outcome)
    assert (made.talk.questions, made.shims.stops) == ([f"In use by {USERS}. Stop anyway?"], stops)


def test_without_a_terminal_the_flag_that_answers_is_named(make_world: MakeWorld) -> None:
    made = make_world()
    made.shims.found = BUSY
    with pytest.raises(UserError) as caught:
        stop(made.world, yes=False)
    assert (caught.value.code, caught.value.message) == ("sessions-open", f"in use by {USERS}")
    assert "agentlaunch stop --yes" in caught.value.hint
    assert made.shims.stops == 0


def test_yes_stops_a_shim_in_use(make_world: MakeWorld) -> None:
    made = make_world()
    made.shims.found = BUSY
    assert (stop(made.world, yes=True), made.shims.stops) == (Stopping(StopOutcome.ENDED), 1)


def test_a_shim_that_does_not_answer_is_stopped_without_a_question(make_world: MakeWorld) -> None:
    made = make_world()
    made.shims.status_failure = ShimUnreachable("http://127.0.0.1:4242", "timed out")
    assert (stop(made.world, yes=False), made.shims.stops) == (Stopping(StopOutcome.ENDED), 1)


@pytest.mark.parametrize("shim", [None, IDLE])
def test_each_serve_is_shown_and_stopped_beside_the_shim_without_a_question(
    make_world: MakeWorld, shim: ShimStatus | None
) -> None:
    made = make_world(answer=False)
    made.shims.found, made.shims.serving = shim, (SERVE, SERVE)
    assert find_running(made.world) == Running(shim, (SERVE, SERVE))
    outcome = StopOutcome.NOT_RUNNING if shim is None else StopOutcome.ENDED
    assert (stop(made.world, yes=False), made.talk.questions) == (Stopping(outcome, serves=2), [])


def test_a_shim_that_is_kept_keeps_each_serve(make_world: MakeWorld) -> None:
    made = make_world(answer=False)
    made.shims.found, made.shims.serving = BUSY, (SERVE,)
    assert stop(made.world, yes=False) == Stopping(StopOutcome.KEPT)


def test_engines_that_hold_memory_are_those_of_a_serve_too_and_of_a_shim_that_answers(make_world: MakeWorld) -> None:
    made = make_world()
    made.shims.serving = (SERVE,)
    made.shims.status_failure = ShimUnreachable("http://127.0.0.1:4242", "timed out")
    assert loaded_engines(made.world) == (ENGINE,)
