"""app/launch.py: from what is prepared to the agent's process, and nothing left when that fails."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentlaunch.agents.base import PromptTokens
from agentlaunch.agents.locate import LocatedAgent
from agentlaunch.app.last_launch import read_record
from agentlaunch.app.launch import Prepared, banner, prepare, rehearse, run
from agentlaunch.app.limits import max_output_for
from agentlaunch.app.models import ModelTarget
from agentlaunch.app.orders import LaunchOrder, ModelOrder
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile
from agentlaunch.errors import MachineError, UserError
from agentlaunch.shim.protocol import OpenSession
from agentlaunch.system.process import identify

if TYPE_CHECKING:
    from conftest import Became, Made, MakeWorld

SPEC = EngineSpec("/models/tiny.gguf", "tiny", 8192)


@dataclass
class FakeAgent:
    """An agent whose plan shows its context. `failure` is raised instead of a plan."""

    failure: BaseException | None = None
    name: str = "fake"
    title: str = "Fake Agent"
    executable: str = "fake"
    one_answer: str = "-p"
    package: str = "fake-agent"
    tested_version: str = "1.2.3"
    minimum_version: str = "1.0.0"
    wire: str = "openai_chat"
    user_configs: tuple[str, ...] = (
        "~/.fake/**/*.md",
        ".../fake.toml",
        "${FAKE_CONFIG}",
        "${FAKE_DIR:-~/.fake}/a.json",
    )
    prompt_tokens: PromptTokens = field(default_factory=lambda: PromptTokens(3, 2, 1))
    contexts: list[AgentContext] = field(default_factory=list)

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word for word in arguments if word.endswith(".json"))

    def plan(self, context: AgentContext) -> LaunchPlan:
        self.contexts.append(context)
        if self.failure is not None:
            raise self.failure
        return LaunchPlan(
            argv=(context.executable, *context.arguments),
            env={"FAKE_TOKEN": context.token},
            unset=("FAKE_KEY",),
            files=(OverlayFile(f"{context.session_dir}/settings.json", f'{{"token":"{context.token}"}}'),),
            notes=("a note of the agent",),
        )


def prepared(agent: FakeAgent, **changes: object) -> Prepared:
    order = LaunchOrder("fake", ModelOrder("models/tiny.gguf"), arguments=("-p", "hi"), idle_seconds=9)
    whole = Prepared(
        order, agent, LocatedAgent("/bin/fake", (1, 2, 3)), ModelTarget("tiny", SPEC, "llamacpp", 8192), 8192
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def launched(made: Made, became: type[Became], ready: Prepared) -> Became:
    with pytest.raises(became) as caught:
        run(ready, made.world)
    return caught.value


def test_a_launch_opens_a_session_for_this_very_process_and_becomes_the_agent(
    make_world: MakeWorld, became: type[Became]
) -> None:
    made = make_world(FAKE_KEY="the user's", KEPT="1")
    end = launched(made, became, prepared(FakeAgent()))
    folder = str(made.world.folder)
    assert made.shims.opened == [
        OpenSession("fake", "tiny", identify(os.getpid()), SPEC, 8192, 2048, project=folder, variant="fake 1.2.3 lean"),
    ]
    assert made.shims.idle == [9]
    assert end.argv == ("/bin/fake", "-p", "hi")
    assert end.environment == {
        "HOME": made.world.environment["HOME"],
        "AGENTLAUNCH_SERVERS": "none",
        "KEPT": "1",
        "FAKE_TOKEN": "session-token",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="names of POSIX are bytes")
def test_a_folder_whose_name_is_not_utf_8_is_counted_under_what_can_be_read_of_it(make_world: MakeWorld) -> None:
    world = replace(make_world().world, folder=Path(os.fsdecode(b"/home/me/caf\xe9")))
    assert world.project == "/home/me/caf\N{REPLACEMENT CHARACTER}"


def test_the_agents_context_is_that_of_the_session(make_world: MakeWorld, became: type[Became]) -> None:
    made, agent = make_world(), FakeAgent()
    made.shims.granted_window = 4096
    launched(made, became, prepared(agent))
    assert agent.contexts == [
        AgentContext(
            executable="/bin/fake",
            shim_url="http://127.0.0.1:4242",
            token="session-token",
            model="tiny",
            context_window=4096,
            max_output_tokens=1024,
            lean=True,
            session_dir=str(made.world.dirs.sessions / "s1"),
            arguments=("-p", "hi"),
            environment=made.world.environment,
        )
    ]


def test_the_users_own_files_reach_the_plan_and_a_missing_one_is_left_out(
    make_world: MakeWorld, became: type[Became]
) -> None:
    made, agent = make_world(), FakeAgent()
    (made.world.folder / "own.json").write_text("ä", "utf-8")
    ready = prepared(agent)
    launched(made, became, replace(ready, order=replace(ready.order, arguments=("own.json", "gone.json"))))
    assert agent.contexts[0].user_files == {"own.json": "ä"}


def test_overlay_files_are_private(make_world: MakeWorld, became: type[Became]) -> None:
    made = make_world()
    launched(made, became, prepared(FakeAgent()))
    path = made.world.dirs.sessions / "s1" / "settings.json"
    assert (path.read_text(), path.stat().st_mode & 0o777) == ('{"token":"session-token"}', 0o600)


def test_the_record_names_the_file_absolutely_and_holds_no_token(make_world: MakeWorld, became: type[Became]) -> None:
    made = make_world()
    ready = prepared(FakeAgent())
    launched(made, became, ready)
    expected = replace(ready.order, model=ModelOrder("/models/tiny.gguf"))
    assert read_record(made.world.dirs) == expected
    assert b"session-token" not in (made.world.dirs.state / "plans" / "last.json").read_bytes()


@pytest.mark.parametrize("name", ["demo", "gpt"])
def test_the_record_keeps_names_that_are_no_paths(make_world: MakeWorld, became: type[Became], name: str) -> None:
    made = make_world()
    target = SPEC if name == "demo" else Endpoint("x", "openai_chat", "http://127.0.0.1:1", name)
    spec = replace(SPEC, alias="demo") if target is SPEC else target
    order = LaunchOrder("fake", ModelOrder(name, upstream="" if name == "demo" else "openai=http://127.0.0.1:1"))
    launched(made, became, prepared(FakeAgent(), order=order, model=ModelTarget(name, spec, "r", 8192)))
    assert read_record(made.world.dirs) == order


@pytest.mark.parametrize(
    "failure", [UserError("bad", "no"), KeyboardInterrupt(), RuntimeError("a bug")], ids=["ours", "ctrl-c", "bug"]
)
def test_whatever_fails_after_the_session_was_opened_closes_it(make_world: MakeWorld, failure: BaseException) -> None:
    made = make_world()
    with pytest.raises(type(failure)):
        run(prepared(FakeAgent(failure)), made.world)
    assert made.shims.closed == ["s1"]


def test_an_agent_that_cannot_be_started_leaves_no_session(make_world: MakeWorld) -> None:
    made = make_world()

    def refuse(*_: object) -> None:
        raise MachineError("agent-not-executable", "no")

    with pytest.raises(MachineError):
        run(prepared(FakeAgent()), replace(made.world, become=refuse))  # type: ignore[arg-type]
    assert made.shims.closed == ["s1"]


def test_an_overlay_that_cannot_be_written_closes_the_session(make_world: MakeWorld, tmp_path: Path) -> None:
    made = make_world()
    blocked = tmp_path / "a file"
    blocked.touch()
    made.shims.sessions_dir = blocked
    with pytest.raises(MachineError) as caught:
        run(prepared(FakeAgent()), made.world)
    assert (caught.value.code, made.shims.closed) == ("folder-not-writable", ["s1"])


def test_a_failure_to_open_says_what_the_shim_said_and_closes_nothing(make_world: MakeWorld) -> None:
    made = make_world()
    made.shims.failure = MachineError("engine-failed", "not enough memory")
    with pytest.raises(MachineError, match="not enough memory"):
        run(prepared(FakeAgent()), made.world)
    assert (made.shims.closed, made.talk.lines) == ([], [])


def test_the_banner_says_what_runs_where(make_world: MakeWorld, became: type[Became]) -> None:
    made = make_world()
    launched(made, became, prepared(FakeAgent()))
    assert (made.talk.waits, made.talk.lines) == (
        ["loading `tiny`"],
        [
            "agentlaunch: Fake Agent 1.2.3 on `tiny` (llamacpp)",
            "  window 8192 tokens, answers up to 2048; lean: the window is below 24000; --full for every tool",
            f"  shim http://127.0.0.1:4242, log {made.world.dirs.logs / 'shim.log'}",
        ],
    )


@pytest.mark.parametrize(
    ("window", "lean", "end"),
    [
        (23_999, None, "; lean: the window is below 24000; --full for every tool"),
        (24_000, None, ""),
        (8192, False, ""),
        (32_768, True, "; lean"),
    ],
)
def test_lean_is_the_users_choice_or_the_windows(window: int, lean: bool | None, end: str) -> None:
    order = LaunchOrder("fake", ModelOrder("demo"), lean)
    line = banner(prepared(FakeAgent(), order=order, context_window=window), "u", "l")[1]
    assert line == f"  window {window} tokens, answers up to {max_output_for(window)}{end}"


@pytest.mark.parametrize(
    ("window", "lean", "sizes", "told"),
    [
        (8192, False, PromptTokens(7591, 3497, 2883), "about 7591 tokens leaves no room for an answer; --lean"),
        (
            8192,
            False,
            PromptTokens(12_434, 7000, 6500),
            "about 12434 tokens leaves no room for an answer; --context 20480",
        ),
        (4096, True, PromptTokens(9000, 5000, 3100), "about 3100 tokens leaves no room for an answer; --context 8192"),
        (4096, True, PromptTokens(9000, 5000, 3072), ""),
        (16_384, True, PromptTokens(90_000, 12_288, 1), ""),
        (16_384, False, PromptTokens(12_288, 1, 1), ""),
    ],
)
def test_a_window_that_the_agents_own_first_prompt_overflows_is_told_with_the_flag_that_helps(
    window: int, lean: bool, sizes: PromptTokens, told: str
) -> None:
    order = LaunchOrder("fake", ModelOrder("demo"), lean)
    said = banner(prepared(FakeAgent(prompt_tokens=sizes), order=order, context_window=window), "u", "l")[3:]
    assert said == ((f"  too small for Fake Agent: its first prompt of {told}",) if told else ())


@pytest.mark.parametrize(
    ("window", "expected"), [(1, 1), (4096, 1024), (8192, 2048), (16_384, 4096), (32_768, 8192), (131_072, 8192)]
)
def test_an_answer_leaves_room_for_the_prompt(window: int, expected: int) -> None:
    assert max_output_for(window) == expected


def test_a_rehearsal_opens_and_writes_nothing_and_masks_the_token(make_world: MakeWorld) -> None:
    made = make_world()
    found = rehearse(prepared(FakeAgent()), made.world)
    folder = str(made.world.dirs.sessions / "SESSION")
    assert (found.shim, found.cleanup) == (None, (folder,))
    assert found.plan == LaunchPlan(
        argv=("/bin/fake", "-p", "hi"),
        env={"FAKE_TOKEN": "********"},
        unset=("FAKE_KEY",),
        files=(OverlayFile(f"{folder}/settings.json", '{"token":"********"}'),),
        notes=("a note of the agent",),
    )
    assert (made.shims.opened, made.world.dirs.state.exists()) == ([], False)


def test_a_user_who_wants_nothing_computed_beforehand_is_obeyed(make_world: MakeWorld, became: type[Became]) -> None:
    made = make_world(AGENTLAUNCH_PREWARM="0")
    launched(made, became, prepared(FakeAgent()))
    assert [opened.variant for opened in made.shims.opened] == [""]


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (ModelOrder("qwen3-codr"), "unknown-model"),
        (ModelOrder("./gone.gguf"), "model-not-found"),
        (ModelOrder("m", upstream="openai=http://"), "bad-upstream-url"),
        (ModelOrder("m", upstream="openai=http://127.0.0.1:1", policy="none"), "unknown-policy"),
    ],
)
def test_what_was_typed_wrong_is_told_before_a_missing_agent(
    make_world: MakeWorld, model: ModelOrder, code: str
) -> None:
    made = make_world(answer=False, PATH="")
    with pytest.raises(UserError) as caught:
        prepare(LaunchOrder("claude", model), made.world)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "model",
    [
        ModelOrder("qwen3-coder"),
        ModelOrder("m", upstream="openai=http://10.1.2.3"),
        ModelOrder("m", upstream="openai=http://127.0.0.1:1"),
    ],
    ids=["known and not here", "not agreed to yet", "fine"],
)
def test_a_missing_agent_is_told_where_the_order_could_be_had(make_world: MakeWorld, model: ModelOrder) -> None:
    made = make_world(answer=False, PATH="")
    with pytest.raises(MachineError) as caught:
        prepare(LaunchOrder("claude", model), made.world)
    assert caught.value.code == "agent-missing"
    assert [question[:37] for question in made.talk.questions] == ["Claude Code is not installed. Install"]
