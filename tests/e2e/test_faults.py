"""The real agents before an upstream with faults: each goes on or ends, after few requests, and its user reads why."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from tests.e2e.conftest import Home
from tests.e2e.faults import GENEROUS_S, GOOD, SAID, Answer, Patience, call, calls, refusal, run_agent, text
from tests.shim.doubles import DONE, STARTED, chunk

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(330),
    pytest.mark.skipif(sys.platform == "win32", reason="kills process groups"),
]

AGENTS = ("claude", "codex", "opencode")
every_agent = pytest.mark.parametrize("agent", AGENTS)

ERROR = b'data: {"error":{"message":"the engine has stumbled","code":500}}\n\n'
HALF = (STARTED, chunk({"content": "Half an ans"}))
NO_ANSWER = "[The model gave no answer.]"
OVERFLOW = refusal(
    400, "This model's maximum context length is 32768 tokens. However, your messages resulted in 90000 tokens."
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with nothing in it: what agents make of faults depends on no configuration of the user's."""
    home = Home(tmp_path / "höme of mine")
    home.project.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(home.project)], check=True, capture_output=True)
    return home


SHELLS = {"claude": ("Bash", "command"), "codex": ("exec_command", "cmd"), "opencode": ("bash", "command")}
DESCRIBED: dict[str, dict[str, str]] = {"claude": {"description": "d"}, "codex": {}, "opencode": {"description": "d"}}


def shell(agent: str, command: str, call_id: str = "call_1") -> bytes:
    """A call of the agent's shell, whole."""
    name, argument = SHELLS[agent]
    return call(name, json.dumps({argument: command, **DESCRIBED[agent]}), call_id)


PASSING: dict[str, dict[str, Answer]] = {
    "statuses": {
        "408": refusal(408, "slow"),
        "429 with a wait": refusal(429, "slow down", (("retry-after", "1"),)),
        "429 without one": refusal(429, "slow down"),
        "500": refusal(500, "boom"),
        "502": refusal(502, "bad gateway"),
        "503": refusal(503, "down"),
        "529": refusal(529, "busy"),
    },
    "no answers": {
        "a web page": Answer((b"<html>hello</html>",), content_type="text/html"),
        "closed without a word": Answer(is_cut=True),
        "an empty body": Answer(),
        "junk": Answer((b"\xff\xfe{junk\n\n" * 5,)),
        "an error at the beginning": Answer((STARTED, ERROR)),
    },
    "broken answers": {
        "junk in the middle": Answer((*HALF, b"data: {junk\n\n")),
        "cut in a text": Answer(HALF, is_cut=True),
        "ended in a text": Answer(HALF),
        "cut in a call": Answer((STARTED, call("bash", '{"comm')), is_cut=True),
        "an error in the middle": Answer((*HALF, ERROR)),
    },
}
"""Faults that the next request does not meet: facts/agents.md 4.1."""


@every_agent
@pytest.mark.parametrize("kind", PASSING)
def test_an_agent_asks_once_more_after_each_fault_that_passes(home: Home, agent: str, kind: str) -> None:
    faults = PASSING[kind]
    after = [calls(shell(agent, f"echo after {fault}", f"call_{n}")) for n, fault in enumerate(faults)]
    run = run_agent(home, agent, [*chain.from_iterable(zip(faults.values(), after, strict=True)), GOOD])
    assert (run.code, SAID in run.said) == (0, True), run.said
    assert [fault for fault in faults if not any(f"after {fault}" in result for result in run.results())] == []
    assert len(run.requests) == 2 * len(faults) + 1


@dataclass(frozen=True)
class End:
    """How a run ends before a fault: the most requests of each agent, and what each tells its user in its end."""

    most: tuple[int, int, int]
    said: tuple[str, str, str]


STAYING: dict[str, tuple[Answer, End]] = {
    "400": (refusal(400, "no such field"), End((6, 1, 1), ("no such field", "no such field", "no such field"))),
    "401": (refusal(401, "wrong key"), End((1, 4, 1), ("wrong key", "wrong key", "wrong key"))),
    "403": (refusal(403, "not for you"), End((1, 4, 1), ("not for you", "not for you", "not for you"))),
    "404": (
        refusal(404, "no such model"),
        End((2, 1, 1), ("issue with the selected model", "no such model", "no such model")),
    ),
    "413": (refusal(413, "too much"), End((1, 1, 1), ("Request too large", "too much", "too much"))),
    "overflow": (
        OVERFLOW,
        End((1, 1, 2), ("cannot be compacted", "ran out of room", "maximum context length")),
    ),
}
"""Faults that no retry mends: facts/agents.md 4.1 and 4.4. Without us OpenCode compacts for ever at the last two."""


@every_agent
@pytest.mark.parametrize("fault", STAYING)
def test_an_agent_gives_up_a_fault_that_stays_and_says_why(home: Home, agent: str, fault: str) -> None:
    answer, end = STAYING[fault]
    number = AGENTS.index(agent)
    run = run_agent(home, agent, [answer])
    assert (run.code, end.said[number] in run.said) == (1, True), run.said
    assert len(run.requests) <= end.most[number]


def test_opencode_ends_though_its_compactions_succeed(home: Home) -> None:
    """Compactions that succeed while the work overflows: 546 requests in 71 s without us (facts/agents.md 4.4)."""
    run = run_agent(home, "opencode", [OVERFLOW, GOOD] * 4)
    assert (run.code, "start with a larger --context, or --lean" in run.said) == (1, True), run.said
    assert len(run.requests) <= 5


SILENT_S = 8.0
SILENCES = {
    "before the answer": Answer(GOOD.pieces, silent_s=SILENT_S),
    "in its middle": Answer((*HALF, *GOOD.pieces[1:]), silent_s=SILENT_S, silent_before=2),
}


@every_agent
@pytest.mark.parametrize("silence", SILENCES)
def test_an_agent_waits_through_a_silence_since_we_show_signs_of_life(home: Home, agent: str, silence: str) -> None:
    """Without our signs Claude Code asks again at the first silence, Codex and OpenCode at the second (measured)."""
    run = run_agent(home, agent, [SILENCES[silence], GOOD], Patience(event_ms=5_000))
    assert (run.code, len(run.requests), SAID in run.said) == (0, 1, True), run.said


@every_agent
def test_an_overflow_in_the_middle_of_work_is_compacted_or_told(home: Home, agent: str) -> None:
    code, said = (1, "ran out of room") if agent == "codex" else (0 if agent == "claude" else 1, SAID)
    run = run_agent(home, agent, [calls(shell(agent, "echo made it")), OVERFLOW, GOOD])
    assert (run.code, said in run.said) == (code, True), run.said
    assert len(run.requests) <= 5


LASTING: dict[str, tuple[Answer, End]] = {
    "429": (
        PASSING["statuses"]["429 with a wait"],
        End((3, 4, 6), ("slow down", "429 Too Many Requests", "slow down")),
    ),
    "500": (PASSING["statuses"]["500"], End((3, 8, 6), ("boom", "boom", ""))),
    "529": (PASSING["statuses"]["529"], End((3, 8, 6), ("busy", "busy", ""))),
    "closed without a word": (
        PASSING["no answers"]["closed without a word"],
        End((6, 16, 12), ("`double` closed the connection", "`double` closed the connection", "")),
    ),
    "cut in a text": (
        PASSING["broken answers"]["cut in a text"],
        End((6, 4, 6), ("Server error mid-response", "`double` closed the connection", "")),
    ),
    "an error in the middle": (
        PASSING["broken answers"]["an error in the middle"],
        End((6, 4, 6), ("Server error mid-response", "the engine has stumbled", "")),
    ),
}
"""Faults that may pass and do not; without us OpenCode asked 253 times (facts/agents.md 4.1)."""
PATIENCE_S = 12.0


@every_agent
@pytest.mark.parametrize("fault", LASTING)
def test_an_agent_asks_seldom_while_a_fault_lasts_that_may_pass(home: Home, agent: str, fault: str) -> None:
    answer, end = LASTING[fault]
    number = AGENTS.index(agent)
    endures = agent == "opencode"  # whose waits grow for minutes; the others have a number of retries
    run = run_agent(home, agent, [answer], Patience(PATIENCE_S if endures else GENEROUS_S))
    assert run.code == 1 or (endures and run.code is None), run.said
    assert run.code is None or end.said[number] in run.said, run.said
    assert 1 <= len(run.requests) <= end.most[number]


EMPTY: dict[str, tuple[Answer, str]] = {
    "no text": (text(), NO_ANSWER),
    "only the end": (Answer((DONE,)), NO_ANSWER),
    "no finish reason": (text(chunk({"content": SAID}), finish=None), SAID),
}


@every_agent
@pytest.mark.parametrize("answer", EMPTY)
def test_one_request_is_enough_for_an_answer_that_lacks_something(home: Home, agent: str, answer: str) -> None:
    run = run_agent(home, agent, [EMPTY[answer][0]])
    assert (run.code, len(run.requests), EMPTY[answer][1] in run.said) == (0, 1, True), run.said


def malformed(agent: str) -> list[Answer]:
    """Calls as weak models write them, one kind a turn (facts/agents.md 5); those that can be mended say `mended N`."""
    name, argument = SHELLS[agent]
    good = {argument: "echo", **DESCRIBED[agent]}
    return [
        calls(call(name, json.dumps({**good, argument: "echo mended 1"}), "a")),
        calls(call(name.swapcase(), json.dumps({**good, argument: "echo mended 2"}), "a")),
        calls(call(name, json.dumps(json.dumps({**good, argument: "echo mended 3"})), "b")),
        calls(call(name, json.dumps({**good, argument: "echo mended 4"})[:-1], "c")),
        calls(call(name, json.dumps({**good, argument: "echo mended 5", "surprise": 1}), "d")),
        calls(*(call(name, json.dumps({**good, argument: f"echo mended {n}"}), "e", n - 6) for n in (6, 7))),
        calls(call(name, "".join(json.dumps({**good, argument: f"echo mended {n}"}) for n in (8, 9)), "k")),
        calls(call("no_such_tool", "{}", "f")),
        calls(call(name, "", "g")),
        calls(call(name, "null", "h")),
        calls(call(name, "not JSON at all", "i")),
    ]


@every_agent
def test_every_malformed_call_is_mended_or_told_to_the_model_and_the_work_goes_on(home: Home, agent: str) -> None:
    answers = malformed(agent)
    run = run_agent(home, agent, [*answers, GOOD])
    results = run.results()
    assert (run.code, len(run.requests), SAID in run.said) == (0, len(answers) + 1, True), run.said
    assert [n for n in range(1, 10) if not any(f"mended {n}" in result for result in results)] == [], results
    assert len(results) == len(answers) + 2
