"""`agentlaunch verify` as a user sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agentlaunch.app.verify_asking import AskedCase
from agentlaunch.app.verify_store import Verified, VerifiedScore
from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.verify_view import verified_text, verify_data, verify_text
from agentlaunch.core.verify.score import CaseResult, Outcome, score_of

if TYPE_CHECKING:
    from conftest import Run

RESULTS = (
    CaseResult("single-call", "calls a tool", 12, Outcome.PASSED, "", 0, 0.52, 20),
    CaseResult("unicode", "writes", 5, Outcome.PASSED, "", 2, 1.0, 30),
    CaseResult("edit", "edits", 3, Outcome.FAILED, "said nothing (end_turn)", None, 2.0, 0),
)
DONE = Verified(
    "m", "llamacpp", "claude", 32_768, "print", 1, 1.0, score_of(RESULTS),
    tuple(AskedCase(result) for result in RESULTS), "/data/verified/a.json",
)  # fmt: skip

SCREEN = """\
CASE         RESULT  MENDED  SECONDS  WEIGHT
single-call  passed  -       0.5      12
unicode      passed  2       1.0      5
edit         failed  ?       2.0      3

What failed
  edit: said nothing (end_turn)

m on llamacpp with the tools of claude, window 32k: 85 of 100
2 of 3 cases passed, 1 of them mended; raw 60 of 100
answers: /data/verified/a.json"""


def test_the_screen_has_a_line_a_case_what_failed_and_the_score() -> None:
    assert verify_text(DONE, Canvas()) == SCREEN


def test_the_json_has_the_score_and_every_case() -> None:
    data = json.loads(json.dumps(verify_data(DONE)))
    assert {key: value for key, value in data.items() if key != "cases"} == {
        "model": "m", "runtime": "llamacpp", "agent": "claude", "context_window": 32_768, "battery": 1,
        "score": 85, "raw": 60, "passed": 2, "total": 3, "mended": 1, "record": "/data/verified/a.json",
    }  # fmt: skip
    assert data["cases"][2] == {
        "name": "edit", "title": "edits", "weight": 3, "outcome": "failed", "why": "said nothing (end_turn)",
        "mended": None, "seconds": 2.0, "tokens_out": 0,
    }  # fmt: skip


def test_a_kept_score_is_told_in_a_few_words() -> None:
    score = VerifiedScore("m", 85, 85, "llamacpp", "", 1.0, "/p")
    assert verified_text(score) == "85 of 100 on llamacpp"
    mended = VerifiedScore("m", 85, 60, "Ollama", "codex", 1.0, "/p")
    assert verified_text(mended) == "85 of 100 for codex on Ollama, 60 without mending"


def test_an_agent_without_a_tool_set_is_told_with_those_that_have_one(run_command: Run) -> None:
    done = run_command("verify", "demo", "--agent", "goose")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no tool set of `goose`" in done.stderr
