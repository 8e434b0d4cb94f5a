"""The life of a request in the books: its row, the picture meanwhile, and what was spent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doubles.usage_rows import NOON
from tests.shim.traffic_doubles import LOCAL, TestedTraffic, local_session

from agentlaunch.core.endpoint import Prices
from agentlaunch.core.ir import (
    ChatEvent,
    ErrorKind,
    Finished,
    Ping,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.metering import CANCELLED, MOST_TOKENS, OK, RequestRecord
from agentlaunch.shim.live_status import ActiveRequest, Flow, LiveStatus, SessionTraffic
from agentlaunch.shim.traffic import SESSIONS_SHOWN

PAID = Prices(input_usd=1.0, output_usd=2.0)


@pytest.mark.report("B182")
def test_a_request_that_is_answered_makes_one_whole_row() -> None:
    tested = TestedTraffic()
    trace = tested.traffic.begin(local_session(), "/home/me/app")
    trace.routed("main", 2)
    trace.attempt("openrouter", "qwen/qwen3", PAID)
    tested.clock.passed = 0.5
    trace.event(Started())
    trace.event(Ping())
    tested.clock.passed = 1.5
    trace.event(TextDelta("never kept"))
    tested.clock.passed = 3.5
    trace.event(TextDelta("nor this"))
    trace.event(UsageReport(Usage(1_000_000, 400_000, 21)))
    trace.event(Finished(StopReason.END_TURN))
    tested.clock.passed = 4.0
    trace.finish(OK, mended=2)
    assert tested.recorder.rows == [
        RequestRecord(
            time=NOON,
            session="s1",
            agent="claude",
            project="/home/me/app",
            route="main",
            upstream="openrouter",
            model="qwen/qwen3",
            attempts=1,
            status="ok",
            tokens_in=1_000_000,
            tokens_cached=400_000,
            tokens_out=21,
            first_byte_ms=1500.0,
            total_ms=4000.0,
            mended=2,
            cost_usd=pytest.approx(1.000042),  # type: ignore[arg-type]
            reference_cost_usd=pytest.approx(1.8 + 0.12 + 0.000315),  # type: ignore[arg-type]
            decode_tok_s=10.0,
        )
    ]


@pytest.mark.parametrize(
    "first", [TextDelta("a"), ThinkingDelta("b"), ToolCallStart("id", "Write")], ids=lambda event: type(event).__name__
)
def test_the_first_byte_is_the_first_content_of_any_kind(first: ChatEvent) -> None:
    tested = TestedTraffic()
    trace = tested.traffic.begin(local_session(), "")
    tested.clock.passed = 2.0
    trace.event(Started())
    tested.clock.passed = 3.0
    trace.event(first)
    trace.finish(OK, 0)
    assert tested.recorder.rows[0].first_byte_ms == 3000.0


def test_a_request_names_the_upstream_that_answered_and_counts_all_that_were_asked() -> None:
    tested = TestedTraffic()
    trace = tested.traffic.begin(local_session(), "")
    trace.attempt("dead", "m", None)
    trace.attempt("dead", "m", None)
    trace.attempt("alive", "n", PAID)
    trace.event(UsageReport(Usage(10, 0, 5)))
    trace.finish(OK, 0)
    row = tested.recorder.rows[0]
    assert (row.upstream, row.model, row.attempts, row.cost_usd) == ("alive", "n", 3, pytest.approx(20e-6))
    assert tested.traffic.totals.failovers == 2


def test_a_request_that_is_refused_before_any_upstream_is_asked_has_a_row_too() -> None:
    tested = TestedTraffic()
    tested.traffic.begin(local_session(), "").finish(ErrorKind.PERMISSION, 0)
    row = tested.recorder.rows[0]
    assert (row.status, type(row.status), row.upstream, row.attempts, row.first_byte_ms) == (
        "permission",
        str,
        "",
        0,
        None,
    )


def test_the_engine_of_the_session_costs_nothing_and_an_upstream_of_unknown_price_an_unknown_sum() -> None:
    tested = TestedTraffic()
    for upstream in (LOCAL.name, "somewhere"):
        trace = tested.traffic.begin(local_session(), "")
        trace.attempt(upstream, "m", None)
        trace.event(UsageReport(Usage(1000, 0, 10)))
        trace.finish(OK, 0)
    assert [row.cost_usd for row in tested.recorder.rows] == [0.0, None]


@pytest.mark.parametrize("prices", [None, PAID])
def test_what_the_upstream_says_that_it_charges_is_believed_over_any_price(prices: Prices | None) -> None:
    tested = TestedTraffic()
    trace = tested.traffic.begin(local_session(), "")
    trace.attempt("openrouter", "m", prices)
    trace.event(UsageReport(Usage(1000, 0, 10, cost_usd=0.0125)))
    trace.finish(OK, 0)
    assert tested.recorder.rows[0].cost_usd == 0.0125
    assert tested.traffic.spent_day_usd() == 0.0125


def test_counts_that_no_request_can_have_are_bounded() -> None:
    tested = TestedTraffic()
    trace = tested.traffic.begin(local_session(), "")
    trace.attempt("somewhere", "m", PAID)
    trace.event(UsageReport(Usage(10**20, -1, -5)))
    trace.finish(OK, 0)
    row = tested.recorder.rows[0]
    assert (row.tokens_in, row.tokens_cached, row.tokens_out) == (MOST_TOKENS, 0, 0)


def test_an_answer_that_breaks_off_is_charged_for_the_estimated_prompt_and_the_pieces_that_came() -> None:
    tested = TestedTraffic()
    trace = tested.traffic.begin(local_session(), "")
    trace.routed("main", 1, prompt_tokens=500)
    trace.attempt("openrouter", "m", PAID)
    trace.event(TextDelta("a"))
    trace.event(TextDelta("b"))
    trace.finish(CANCELLED, 0)
    row = tested.recorder.rows[0]
    assert (row.tokens_in, row.tokens_out, row.cost_usd) == (500, 2, pytest.approx(504e-6))


def test_a_request_that_is_called_off_before_any_answer_is_charged_nothing() -> None:
    tested = TestedTraffic()
    trace = tested.traffic.begin(local_session(), "")
    trace.routed("main", 1, prompt_tokens=500)
    trace.attempt("openrouter", "m", PAID)
    trace.finish(CANCELLED, 0)
    assert (tested.recorder.rows[0].tokens_in, tested.recorder.rows[0].cost_usd) == (0, 0.0)


def test_a_request_is_finished_once() -> None:
    tested = TestedTraffic()
    trace = tested.traffic.begin(local_session(), "")
    trace.finish(OK, 0)
    trace.finish(CANCELLED, 0)
    assert [row.status for row in tested.recorder.rows] == ["ok"]
    assert tested.traffic.snapshot().sessions[0].active == 0


def test_the_picture_shows_what_runs_whose_it_is_and_which_way_it_flows() -> None:
    tested = TestedTraffic()
    done = tested.traffic.begin(local_session(), "/app")
    done.routed("main", 1)
    done.attempt("llamacpp", "qwen", None)
    done.event(UsageReport(Usage(1000, 900, 100)))
    done.finish(OK, 0)
    tested.clock.passed = 10.0
    waiting = tested.traffic.begin(local_session("s2", "codex"), "")
    waiting.routed("main", 1)
    waiting.attempt("llamacpp", "qwen", None)
    running = tested.traffic.begin(local_session(), "/app")
    running.routed("background", 1)
    running.attempt("openrouter", "m", PAID)
    running.event(TextDelta("a"))
    tested.clock.passed = 12.0
    for _ in range(20):
        running.event(TextDelta("b"))
    tested.recorder.lost = 3
    assert tested.traffic.snapshot() == LiveStatus(
        at=NOON + 12,
        started_at=NOON,
        active=(
            ActiveRequest(2, "s2", "codex", "", "main", "llamacpp", "qwen", 1, "waiting", 2.0, 0, None),
            ActiveRequest(3, "s1", "claude", "/app", "background", "openrouter", "m", 1, "answering", 2.0, 21, 10.0),
        ),
        sessions=(
            SessionTraffic(
                "s1",
                "claude",
                "qwen3-coder",
                "/app",
                requests=1,
                active=1,
                tokens_in=1000,
                tokens_cached=900,
                tokens_out=100,
                context_tokens=1100,
                context_window=32768,
                cost_usd=0.0,
                decode_tok_s=None,
                last_at=NOON + 10,
            ),
            SessionTraffic(
                "s2", "codex", "qwen3-coder", "", 0, 1, 0, 0, 0, 0, 32768, 0.0, decode_tok_s=None, last_at=NOON + 10
            ),
        ),
        flows=(
            Flow("claude", "main", "llamacpp", "qwen", active=0, requests=1, failed=0, tokens=1100),
            Flow("codex", "main", "llamacpp", "qwen", active=1, requests=0, failed=0, tokens=0),
            Flow("claude", "background", "openrouter", "m", active=1, requests=0, failed=0, tokens=0),
        ),
        engines=(),
        requests=1,
        spent_day_usd=0.0,
        lost=3,
    )
    assert tested.traffic.active == 2


def test_only_engines_of_ours_that_serve_a_request_are_to_be_looked_at() -> None:
    tested = TestedTraffic()
    assert tested.traffic.engine_endpoints() == ()
    traces = [tested.traffic.begin(local_session(name), "") for name in ("s1", "s2")]
    assert tested.traffic.engine_endpoints() == (LOCAL,)
    for trace in traces:
        trace.finish(OK, 0)
    assert tested.traffic.engine_endpoints() == ()


def spend(tested: TestedTraffic, session_id: str, tokens_in: int) -> None:
    trace = tested.traffic.begin(local_session(session_id), "")
    trace.attempt("openrouter", "m", PAID)
    trace.event(UsageReport(Usage(tokens_in, 0, 0)))
    trace.finish(OK, 0)


def test_spending_is_summed_by_session_and_by_day_with_that_of_other_processes() -> None:
    tested = TestedTraffic()
    tested.recorder.others = 10.0
    spend(tested, "s1", 1_000_000)
    spend(tested, "s2", 2_000_000)
    assert tested.traffic.spent_session_usd("s1") == pytest.approx(1.0)
    assert tested.traffic.spent_session_usd("never seen") == 0.0
    assert tested.traffic.spent_day_usd() == pytest.approx(13.0)
    assert tested.recorder.refreshed == 2


def test_a_new_day_begins_with_nothing_spent_and_a_session_keeps_its_sum() -> None:
    tested = TestedTraffic()
    spend(tested, "s1", 1_000_000)
    tested.clock.passed = 2 * 86_400.0
    assert tested.traffic.spent_day_usd() == 0.0
    spend(tested, "s1", 2_000_000)
    assert tested.traffic.spent_day_usd() == pytest.approx(2.0)
    assert tested.traffic.spent_session_usd("s1") == pytest.approx(3.0)


def test_rows_that_cannot_be_kept_are_spent_all_the_same() -> None:
    tested = TestedTraffic()
    tested.recorder.lost = 1
    spend(tested, "s1", 1_000_000)
    assert tested.traffic.spent_day_usd() == pytest.approx(1.0)


def test_sessions_used_longest_ago_are_forgotten_and_one_with_a_running_request_never() -> None:
    tested = TestedTraffic()
    running = tested.traffic.begin(local_session("running"), "")
    for number in range(SESSIONS_SHOWN + 50):
        tested.traffic.begin(local_session(str(number)), "").finish(OK, 0)
    shown = [session.session for session in tested.traffic.snapshot().sessions]
    assert len(shown) == SESSIONS_SHOWN
    assert shown[0] == str(SESSIONS_SHOWN + 49)
    assert shown[-1] == "running"
    running.finish(OK, 0)


def test_a_session_that_is_no_longer_shown_has_spent_what_it_spent() -> None:
    tested = TestedTraffic()
    spend(tested, "early", 1_000_000)
    for number in range(SESSIONS_SHOWN + 1):
        tested.traffic.begin(local_session(str(number)), "").finish(OK, 0)
    assert tested.traffic.spent_session_usd("early") == pytest.approx(1.0)


EVENTS = st.sampled_from(
    [
        Started(),
        Ping(),
        TextDelta("a"),
        ToolCallStart("i", "n"),
        UsageReport(Usage(5, 9, 3)),
        Finished(StopReason.END_TURN),
    ]
)


@given(st.lists(EVENTS, max_size=20), st.integers(0, 3), st.sampled_from([OK, CANCELLED, *ErrorKind]))
def test_no_order_of_events_breaks_the_books(events: list[ChatEvent], attempts: int, status: str) -> None:
    tested = TestedTraffic()
    trace = tested.traffic.begin(local_session(), "")
    for number in range(attempts):
        trace.attempt(f"u{number}", "m", PAID if number % 2 else None)
    for event in events:
        tested.clock.passed += 0.25
        trace.event(event)
        tested.traffic.snapshot()
    trace.finish(status, 0)
    row = tested.recorder.rows[0]
    assert row.total_ms >= (row.first_byte_ms or 0.0)
    assert min(row.tokens_in, row.tokens_out, row.cost_usd or 0.0) >= 0
    assert tested.traffic.active == 0
