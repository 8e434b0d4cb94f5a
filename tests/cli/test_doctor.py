"""`agentlaunch doctor` as a user sees it: the screen, the JSON, the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.doctor.end_to_end import Proof, ProofStep
from agentlaunch.app.doctor.examine import Diagnosis, FamilyReport
from agentlaunch.app.doctor.finding import Inspected, broken, note
from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.doctor_view import doctor_data, doctor_failures, doctor_text

if TYPE_CHECKING:
    from conftest import Run

FOUND = Diagnosis(
    ("claude",),
    (
        FamilyReport("programs", Inspected((note("n", "Node is old", "update it"),), ("Claude Code 2", "Node 18"))),
        FamilyReport("shim", Inspected((broken("shim-wedged", "the shim does not answer", "agentlaunch stop"),))),
    ),
)
PROOF = Proof(
    "claude",
    (ProofStep("agent", 0.01, "2.1.331"), ProofStep("file", 1.25, "", "it is not there", "read the log")),
    "/tmp/kept",
)

SCREEN = """\
What is here
  programs  Claude Code 2
            Node 18

broken: the shim does not answer
  agentlaunch stop

note: Node is old
  update it

End to end with claude
  ok        0.0 s  agent: 2.1.331
  failed    1.2 s  file: it is not there
  read the log
  kept: /tmp/kept

A launch would fail: 1 broken, 1 note."""


def test_the_screen_has_the_worst_first_and_what_mends_it_below() -> None:
    assert doctor_text(FOUND, PROOF, Canvas()) == SCREEN


def test_nothing_found_is_said_in_one_line() -> None:
    assert doctor_text(Diagnosis(("claude",), ()), None, Canvas()) == "A launch should work: nothing found."


def test_the_json_has_every_family_and_the_proof() -> None:
    data = doctor_data(FOUND, PROOF)
    assert data["is_broken"] is True
    assert data["families"] == [
        {
            "family": "programs",
            "seen": ["Claude Code 2", "Node 18"],
            "findings": [{"severity": "note", "code": "n", "told": "Node is old", "mend": "update it"}],
        },
        {
            "family": "shim",
            "seen": [],
            "findings": [
                {
                    "severity": "broken",
                    "code": "shim-wedged",
                    "told": "the shim does not answer",
                    "mend": "agentlaunch stop",
                }
            ],
        },
    ]
    assert json.loads(json.dumps(data))["proof"]["steps"][1]["failed"] == "it is not there"


def test_a_healthy_home_exits_with_0_and_writes_nothing(run_command: Run, home: Path) -> None:
    done = run_command("doctor", "claude", "--json", AGENTLAUNCH_SERVERS="none")
    data = json.loads(done.stdout)["data"]
    assert (done.returncode, data["is_broken"], data["proof"]) == (0, False, None)
    assert not (home / "ours").exists()


def test_a_broken_setting_exits_with_3_and_names_its_file(run_command: Run, home: Path) -> None:
    (home / "ours" / "config").mkdir(parents=True)
    (home / "ours" / "config" / "config.toml").write_text("model = ")
    done = run_command("doctor", AGENTLAUNCH_SERVERS="none", ANTHROPIC_API_KEY="sk-ant-abcdefgh1234")
    assert done.returncode == 3
    assert "broken:" in done.stdout
    assert "config.toml" in done.stdout
    assert "abcdefgh" not in done.stdout + done.stderr


def test_wrong_words_are_the_users_mistake(run_command: Run) -> None:
    assert run_command("doctor", "nobody").returncode == 2
    done = run_command("doctor", "--end-to-end")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "hint: agentlaunch doctor claude --end-to-end")


def test_what_is_broken_stands_in_the_errors_too_and_the_status_agrees_with_the_exit_code(
    run_command: Run, home: Path
) -> None:
    assert doctor_failures(FOUND, PROOF) == (
        ("shim-wedged", "the shim does not answer", "agentlaunch stop"),
        ("proof-failed", "file: it is not there", "read the log"),
    )
    (home / "ours" / "config").mkdir(parents=True)
    (home / "ours" / "config" / "config.toml").write_text("model = ")
    done = run_command("doctor", "claude", "--json", AGENTLAUNCH_SERVERS="none")
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], told["data"]["is_broken"]) == (3, "error", True)
    assert [sorted(error) for error in told["errors"]] == [["code", "hint", "message"]]
