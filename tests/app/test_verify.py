"""`verify` over the real engine through a real shim, with models whose answers are known beforehand."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.app.conftest import GIB, WORKSTATION, MakeWorld

from agentlaunch.app.check import CheckOrder, check
from agentlaunch.app.fingerprint import fingerprint
from agentlaunch.app.orders import ModelFlags
from agentlaunch.app.shim_ensure import stop_shim
from agentlaunch.app.verify import VerifyFlags, choose_verify, verify
from agentlaunch.app.verify_asking import AskedCase, Bounds
from agentlaunch.app.verify_store import Verified, VerifiedScore, keep, record_path, verified_score
from agentlaunch.app.world import UserShims, World
from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.check_view import check_data, check_text
from agentlaunch.core.hardware import Gpu
from agentlaunch.core.scripted_gguf import Call, Reply, Script, Turn
from agentlaunch.core.verify.agent_tools import agent_cases
from agentlaunch.core.verify.general import CODE, UNICODE
from agentlaunch.core.verify.score import BATTERY_VERSION, CaseResult, Outcome, battery, score_of
from agentlaunch.errors import UserError

BuildModel = Callable[[Script], Path]
HEREDOC = "cat > notes.txt <<'EOF'\nfirst $HOME\nsecond \"quoted\"\nEOF"
PATCH = "*** Begin Patch\n*** Add File: added.py\n+print('patched')\n*** End Patch\n"
STEP = {"file_path": "/work/app/counter.py", "old_string": "step = 1", "new_string": "step = 5"}
DOWN = {"filePath": "/work/app/counter.py", "oldString": "value + self.step", "newString": "value - self.step"}


def _calls(*calls: Call) -> Turn:
    return Turn(calls=calls)


def _read(path: str) -> Call:
    return Call("read_file", {"path": path})


GOOD: dict[str, tuple[str, Turn]] = {
    "single-call": ("Read the file src/main.py", _calls(_read("src/main.py"))),
    "tool-choice": ("FIXME-204", _calls(Call("search_text", {"text": "FIXME-204"}))),
    "parallel-calls": ("docs/alpha.md", _calls(_read("docs/alpha.md"), _read("docs/beta.md"))),
    "multi-line-code": ("greet.py", _calls(Call("write_file", {"path": "greet.py", "content": CODE}))),
    "unicode": ("hello.txt", _calls(Call("write_file", {"path": "hello.txt", "content": UNICODE}))),
    "heredoc": ("notes.txt", _calls(Call("run_command", {"command": HEREDOC}))),
    "edit": (
        "In totals.py",
        _calls(Call("edit_file", {"path": "totals.py", "old_string": "result = 0", "new_string": "result = 100"})),
    ),
    "error-recovery": ("config.yml", _calls(_read("config.yaml"))),
    "stop": ("state.txt", Turn(text="The word stands there.")),
    "no-tool": ("17 + 25", Turn(text="That makes 42, no more.")),
    "made-up-tool": ("send_email", Turn(text="Nothing of the kind is offered.")),
    "claude-write": (
        "status.txt",
        _calls(Call("Write", {"file_path": "/work/app/status.txt", "content": 'claude: it\'s "ready"\n'})),
    ),
    "claude-edit": ("step of the counter", _calls(Call("Edit", STEP))),
    "claude-bash": ("git log", _calls(Call("Bash", {"command": "git log --oneline -5"}))),
    "codex-exec": ("git status", _calls(Call("exec_command", {"cmd": "git status --short"}))),
    "codex-patch": ("added.py", _calls(Call("apply_patch", {"input": PATCH}))),
    "opencode-write": (
        "notes.md",
        _calls(Call("write", {"content": "# opencode <notes> & more\n", "filePath": "/work/app/notes.md"})),
    ),
    "opencode-edit": ("count down", _calls(Call("edit", DOWN))),
    "recall-early": ("Question 1:", Turn(text="4417, it says.")),
    "recall-middle": ("Question 2:", Turn(text="It was 2093.")),
    "recall-late": ("Question 3:", Turn(text="8852!")),
}
BAD: dict[str, Turn] = {
    "parallel-calls": _calls(_read("docs/alpha.md")),
    "edit": _calls(Call("edit_file", {"path": "totals.py", "old_string": "result", "new_string": "result = 100"})),
    "error-recovery": _calls(_read("config.yml")),
    "stop": _calls(Call("write_file", {"path": "state.txt", "content": "once more"})),
    "recall-middle": Turn(text="I have forgotten it."),
}
JSON_ANSWER = Turn(text='{"file": "main.py", "lines": 120}')


def _script(**changed: Turn) -> Script:
    turns = {name: (contains, turn) for name, (contains, turn) in GOOD.items()}
    for name, turn in changed.items():
        turns[name] = (turns[name][0], turn)
    return Script(replies=tuple(Reply(contains, turn) for contains, turn in turns.values()), untooled=JSON_ANSWER)


@pytest.fixture
def world(make_world: MakeWorld, tmp_path: Path) -> Iterator[World]:
    """A world with the real shim, in a home of its own."""
    made = make_world(PATH=os.environ["PATH"], AGENTLAUNCH_HOME=str(tmp_path / "home of ours")).world
    dirs = replace(made.dirs)
    environment = {**made.environment, "AGENTLAUNCH_HOME": str(dirs.state.parent), "AGENTLAUNCH_IDLE_SECONDS": "60"}
    yield replace(made, environment=environment, shims=UserShims(dirs, environment))
    stop_shim(dirs)


def _verify(model: str, world: World, bounds: Bounds | None = None, **own: object) -> Verified:
    flags = ModelFlags(model, 32_768, runtime="llamacpp")
    own_flags = VerifyFlags(**own)  # type: ignore[arg-type]
    return verify(choose_verify(flags, own_flags, bounds or Bounds(answer_tokens=600), world), world)


def test_the_scripts_answer_every_case_but_the_one_without_tools() -> None:
    assert {*GOOD, "json"} == {case.name for case in battery("", 32_768)}


@pytest.mark.real
def test_a_perfect_model_gets_a_hundred_raw_too_and_is_found_again(scripted_model: BuildModel, world: World) -> None:
    path = scripted_model(_script())
    done = _verify(str(path), world)
    assert [(one.result.name, one.result.why) for one in done.asked if one.result.why] == []
    assert (done.score.score, done.score.raw, done.score.mended, done.score.total) == (100, 100, 0, 22)
    assert {one.result.mended for one in done.asked} == {0}
    found = verified_score(str(path), world.dirs)
    assert found == VerifiedScore(path.stem, 100, 100, "llamacpp", "", done.at, done.record)
    assert verified_score("another", world.dirs) is None
    assert stat.S_IMODE(Path(done.record).stat().st_mode) == 0o600


@pytest.mark.real
def test_a_model_that_fails_five_cases_loses_their_weight_and_each_is_named(
    scripted_model: BuildModel, world: World
) -> None:
    done = _verify(str(scripted_model(_script(**BAD))), world)
    failed = {one.result.name: one.result.why for one in done.asked if not one.result.passed}
    assert set(failed) == set(BAD)
    assert "old_string stands" in failed["edit"]
    assert failed["stop"] == "a call where none is needed: write_file"
    assert failed["recall-middle"] == "said `I have forgotten it.`"
    weights = {case.name: case.weight for case in battery("", 32_768)}
    lost = sum(weights[name] for name in BAD)
    assert done.score.score == 100 * (sum(weights.values()) - lost) // sum(weights.values())
    kept = json.loads(Path(done.record).read_text("utf-8"))
    assert next(case["answer"] for case in kept["cases"] if case["name"] == "recall-middle") == "I have forgotten it."


@pytest.mark.real
def test_a_call_written_as_text_passes_mended_and_not_raw(scripted_model: BuildModel, world: World) -> None:
    text = '```json\n{"name": "read_file", "arguments": {"path": "src/main.py"}}\n```'
    done = _verify(str(scripted_model(_script(**{"single-call": Turn(text=text)}))), world, only=("single-call",))
    assert [(one.result.outcome, (one.result.mended or 0) > 0) for one in done.asked] == [(Outcome.PASSED, True)]
    assert (done.score.score, done.score.raw, done.score.mended) == (100, 0, 1)
    assert done.record == ""
    assert verified_score(done.model, world.dirs) is None


@pytest.mark.real
def test_an_endless_answer_is_cut_and_fails_only_its_own_case(scripted_model: BuildModel, world: World) -> None:
    endless = Turn(text="and on and off ", endless=True)
    model = str(scripted_model(_script(**{"no-tool": endless})))
    done = _verify(model, world, only=("no-tool", "single-call"))
    assert {one.result.name: one.result.outcome for one in done.asked} == {
        "single-call": Outcome.PASSED,
        "no-tool": Outcome.FAILED,
    }


@pytest.mark.real
def test_cases_of_one_agent_are_asked_over_its_own_api(scripted_model: BuildModel, world: World) -> None:
    done = _verify(str(scripted_model(_script())), world, agent="claude")
    assert (done.score.score, done.score.total, done.agent) == (100, 18, "claude")


STEP_5 = {"path": "counter.py", "old_str": "step = 1", "new_str": "step = 5"}
LOG = {"command": "git log --oneline -5"}
RISK = {"riskLevelReason": "It only reads.", "riskLevel": "low"}
MORE: dict[str, tuple[tuple[str, Call], ...]] = {
    "pi": (
        ("pi.txt", Call("write", {"path": "pi.txt", "content": "pi: 3 < 4 & 'so on'\n"})),
        (
            "step of the counter",
            Call("edit", {"path": "counter.py", "edits": [{"oldText": "step = 1", "newText": "step = 5"}]}),
        ),
        ("git log", Call("bash", LOG)),
    ),
    "qwen": (
        ("qwen.md", Call("write_file", {"file_path": "/work/app/qwen.md", "content": '# Qwen "code" & more\n'})),
        ("step of the counter", Call("edit", STEP)),
        ("git log", Call("run_shell_command", LOG)),
    ),
    "copilot": (
        (
            "copilot.txt",
            Call("create", {"path": "/work/app/copilot.txt", "file_text": 'copilot says "ready" \\o/\n'}),
        ),
        ("step of the counter", Call("edit", STEP_5)),
        ("git log", Call("bash", {**LOG, "description": "Show the last commits"})),
    ),
    "droid": (
        ("droid.txt", Call("Create", {"file_path": "/work/app/droid.txt", "content": "droid: <ready> & 'waiting'\n"})),
        (
            "step of the counter",
            Call("Edit", {"file_path": "counter.py", "old_str": "step = 1", "new_str": "step = 5"}),
        ),
        ("git log", Call("Execute", {"summary": "Show the last five commits", **LOG, **RISK})),
    ),
}


@pytest.mark.real
@pytest.mark.parametrize("agent", MORE)
def test_the_newer_agents_tools_are_called_through_the_engines_own_grammar(
    scripted_model: BuildModel, world: World, agent: str
) -> None:
    script = Script(replies=tuple(Reply(contains, _calls(call)) for contains, call in MORE[agent]))
    own = tuple(case.name for case in agent_cases(agent))
    done = _verify(str(scripted_model(script)), world, agent=agent, only=own)
    assert [(one.result.name, one.result.why) for one in done.asked] == [(name, "") for name in own]
    assert (done.score.score, done.score.raw) == (100, 100)


@pytest.mark.real
def test_an_edit_of_aiders_form_is_text_and_comes_through_as_it_was_written(
    scripted_model: BuildModel, world: World
) -> None:
    block = "counter.py\n```python\n<<<<<<< SEARCH\n    step = 1\n=======\n    step = 5\n>>>>>>> REPLACE\n```\n"
    model = str(scripted_model(Script(untooled=Turn(text=block))))
    done = _verify(model, world, agent="aider", only=("aider-edit", "aider-new"))
    assert {one.result.name: one.result.why for one in done.asked} == {
        "aider-edit": "",
        "aider-new": "no line aider.txt above the block",
    }


def test_an_agent_without_a_tool_set_is_the_users_mistake(make_world: MakeWorld) -> None:
    with pytest.raises(UserError, match="no tool set of `goose`"):
        choose_verify(ModelFlags("demo"), VerifyFlags("goose"), Bounds(), make_world().world)


def test_an_unknown_case_is_told_before_anything_is_loaded(make_world: MakeWorld) -> None:
    made = make_world()
    flags = ModelFlags("m", 8192, upstream="openai=http://127.0.0.1:9")
    order = choose_verify(flags, VerifyFlags(only=("single-cal",), yes=True), Bounds(), made.world)
    with pytest.raises(UserError, match="unknown case `single-cal`"):
        verify(order, made.world)
    assert made.shims.opened == []


@pytest.mark.real
def test_an_upstream_that_is_not_there_fails_each_case_with_its_reason(world: World) -> None:
    flags = ModelFlags("m", 8192, upstream="openai=http://127.0.0.1:9")
    order = choose_verify(flags, VerifyFlags(only=("single-call",), yes=True), Bounds(case_s=60), world)
    done = verify(order, world)
    assert [one.result.outcome for one in done.asked] == [Outcome.FAILED]
    assert done.score.score == 0
    assert "openai" in done.asked[0].result.why


def _verified(model: str, at: float, score: int) -> Verified:
    passed = CaseResult("c", "t", score, Outcome.PASSED, mended=0)
    failed = CaseResult("d", "t", 100 - score, Outcome.FAILED, "said nothing", mended=0)
    asked = (AskedCase(passed, "yes"), AskedCase(failed, "key sk-ant-abcdefgh1234"))
    return Verified(
        model, "llamacpp", "", 8192, f"print of {model}", BATTERY_VERSION, at, score_of((passed, failed)), asked
    )


def test_the_newest_score_of_a_name_counts_and_broken_records_are_passed_over(make_world: MakeWorld) -> None:
    dirs = make_world().world.dirs
    assert verified_score("one", dirs) is None
    keep(_verified("old", 1.0, 40), ("one", "tag:1b"), dirs)
    path = keep(_verified("new", 2.0, 60), ("one",), dirs)
    (path.parent / "broken.json").write_text("{")
    (path.parent / "foreign.json").write_text('{"version": 9}')
    assert verified_score("one", dirs) == VerifiedScore("new", 60, 60, "llamacpp", "", 2.0, str(path))
    assert verified_score("tag:1b", dirs) == VerifiedScore(
        "old", 40, 40, "llamacpp", "", 1.0, str(record_path(_verified("old", 1.0, 40), dirs))
    )


def test_check_shows_the_kept_score_of_what_it_recommends(make_world: MakeWorld) -> None:
    card = Gpu("NVIDIA GeForce RTX 4090", "nvidia", 24 * GIB, 23 * GIB)
    world = make_world(report=replace(WORKSTATION, gpus=(card,)), PATH="").world
    best = check(CheckOrder(), world).recommendation.best
    assert best is not None
    keep(_verified("tried", 2.0, 60), (best.model,), world.dirs)
    found = check(CheckOrder(), world)
    assert {model: score.score for model, score in found.verified.items()} == {best.model: 60}
    assert check_data(found)["verified"] != {}
    assert "  verified  60 of 100 on llamacpp" in check_text(found, Canvas()).splitlines()


def test_a_second_run_of_a_model_replaces_the_first_and_another_agent_stands_beside(make_world: MakeWorld) -> None:
    dirs = make_world().world.dirs
    first = keep(_verified("m", 1.0, 40), ("m",), dirs)
    assert keep(_verified("m", 2.0, 50), ("m",), dirs) == first
    assert keep(replace(_verified("m", 3.0, 50), agent="codex"), ("m",), dirs) != first


def test_files_are_told_apart_by_size_and_both_ends(tmp_path: Path) -> None:
    contents = (b"a" * 100, b"a" * 101, b"b" + b"a" * 99, b"a" * 99 + b"b", b"")
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
    assert len({fingerprint(tmp_path / str(number)) for number in range(len(contents))}) == len(contents)
