"""The judges: what they take, what they refuse, and that they never raise."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.ir import Answer, StopReason, TextPart, ThinkingPart, ToolCallPart, Usage
from agentlaunch.core.verify.agent_tools import AGENTS_WITH_TOOLS, agent_cases
from agentlaunch.core.verify.case import Reading, read_answer
from agentlaunch.core.verify.judges import brings, calls_exactly, edits, is_json, refuses, runs, says, writes
from agentlaunch.core.verify.score import battery
from agentlaunch.core.verify.text_edits import edits_by_blocks, gives_whole

BEFORE = "a = 1\nb = 2\na = 1\n"
EVERY = (*battery("", 8192), *(case for agent in AGENTS_WITH_TOOLS for case in agent_cases(agent)))


def _call(name: str, arguments: object) -> ToolCallPart:
    return ToolCallPart("c", name, arguments if isinstance(arguments, str) else json.dumps(arguments))


def _called(*calls: ToolCallPart) -> Reading:
    return Reading("", calls, StopReason.TOOL_CALLS)


def _said(text: str, reason: StopReason = StopReason.END_TURN) -> Reading:
    return Reading(text, (), reason)


def test_an_answer_is_read_without_its_reasoning() -> None:
    call = _call("read", {"path": "a"})
    answer = Answer((ThinkingPart("hm"), TextPart("I read. "), call), StopReason.TOOL_CALLS, "", Usage())
    assert read_answer(answer) == Reading("I read. ", (call,), StopReason.TOOL_CALLS)


def test_calls_may_come_in_any_order_with_more_arguments_and_a_dot_before_the_path() -> None:
    judge = calls_exactly(("read", {"path": "a.md"}), ("read", {"path": "b.md"}))
    assert judge(_called(_call("read", {"path": "./b.md", "limit": 5}), _call("read", {"path": "a.md"}))) == ""


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (_said("Done."), 'no call of read with `{"path": "a.md"}`; said `Done.`'),
        (_called(_call("read", {"path": "b.md"})), "called read"),
        (_called(_call("read", '{"path": "a.md"')), "called read"),
        (_called(_call("read", {"path": "a.md"}), _call("stop", {})), "a call too many: stop"),
        (_said("", StopReason.MAX_TOKENS), "said nothing (max_tokens)"),
    ],
)
def test_a_missing_a_wrong_and_a_superfluous_call_are_told(reading: Reading, why: str) -> None:
    assert why in calls_exactly(("read", {"path": "a.md"}))(reading)


def test_written_content_is_compared_letter_by_letter_but_for_line_ends_at_its_end() -> None:
    judge = writes("write", "path", "x.py", 'print("ü")\n')
    assert judge(_called(_call("write", {"path": "x.py", "content": 'print("ü")'}))) == ""
    assert judge(_called(_call("write", {"path": "x.py", "content": "print('ü')\n"}))).startswith("the content differs")
    assert judge(_called(_call("write", {"path": "y.py", "content": 'print("ü")\n'}))) == "wrong path: `y.py`"
    assert judge(_said("Here it is.")) == "said `Here it is.`"
    assert judge(_called(_call("read", {}))) == "called read, not write"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("b = 2", "b = 3", ""),
        ("b = 2\n", "b = 3\n", ""),
        ("a = 1", "a = 3", "old stands 2 times in the file: `a = 1`"),
        ("c = 1", "c = 3", "old stands 0 times in the file: `c = 1`"),
        ("b = 2", "b = 4", "the edited file is not what was asked for: `b = 4`"),
        ("", "b = 3", "old or new is missing"),
    ],
)
def test_an_edit_must_name_a_text_that_is_there_once_and_come_to_the_wanted_file(old: str, new: str, why: str) -> None:
    judge = edits("edit", ("old", "new"), BEFORE, BEFORE.replace("b = 2", "b = 3"))
    assert judge(_called(_call("edit", {"old": old, "new": new}))) == why


def test_an_edit_is_one_call_of_its_tool() -> None:
    judge = edits("edit", ("old", "new"), BEFORE, BEFORE)
    assert judge(_said("Done.")) == "said `Done.`"
    two = _called(_call("edit", {}), _call("edit", {}))
    assert judge(two) == "2 calls, one was due; called edit, edit with `{}`"


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([{"old": "b = 2", "new": "b = 3"}], ""),
        ([{"old": "b = 2\na = 1", "new": "b = 3\na = 1"}], ""),
        (
            [{"old": "b =", "new": "b  ="}, {"old": " 2", "new": " 3"}],
            "the edited file is not what was asked for: `b =, 3`",
        ),
        ([{"old": "b = 2", "new": "b = 3"}, "more"], "old or new is missing"),
        ([{"old": "a = 1", "new": "a = 2"}], "old stands 2 times in the file: `a = 1`"),
        ([], "edits is missing"),
        ({"old": "b = 2", "new": "b = 3"}, "edits is missing"),
    ],
)
def test_an_edit_by_a_list_has_each_old_text_once_in_the_file_as_it_was(pairs: object, why: str) -> None:
    judge = edits("edit", ("old", "new"), BEFORE, BEFORE.replace("b = 2", "b = 3"), "edits")
    assert judge(_called(_call("edit", {"path": "x", "edits": pairs}))) == why


def test_the_text_that_is_written_may_have_another_name() -> None:
    judge = writes("create", "path", "x.py", "print()\n", "file_text")
    assert judge(_called(_call("create", {"path": "x.py", "file_text": "print()\n"}))) == ""
    assert judge(_called(_call("create", {"path": "x.py", "content": "print()\n"}))) == "the content differs: `null`"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"command": "ls", "risk": "low", "why": "It reads."}, ""),
        ({"command": "ls", "risk": "low"}, "why is missing"),
        ({"command": "ls", "risk": "", "why": 3}, "risk, why is missing"),
        ("[]", "risk, why is missing"),
    ],
)
def test_what_an_agent_wants_beside_the_command_must_be_there(arguments: object, why: str) -> None:
    judge = brings("run", ("risk", "why"), calls_exactly(("run", {"command": "ls"})))
    assert judge(_called(_call("run", arguments))) == why
    assert judge(_said("Done.")).startswith("no call of run")


def _block(search: str, replace: str, path: str = "x.py\n```python\n") -> str:
    return f"Here:\n\n{path}<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n```\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_block("b = 2\n", "b = 3\n"), ""),
        (_block("b = 2\n", "b = 3\n", "```\n**x.py**\n"), ""),
        (_block("b = 2\n", "b = 3\n", "y.py\n```\n"), "no line x.py above the block"),
        (_block("b = 2\n", "b = 3\n", ""), "no line x.py above the block"),
        (_block("a = 1\n", "b = 3\n"), "SEARCH stands 2 times in the file: `a = 1`"),
        (_block("", "b = 3\n"), "SEARCH or REPLACE is missing"),
        (_block("b = 2\n", "b = 4\n"), "the edited file is not what was asked for: `b = 4`"),
        ("b = 3", "said `b = 3`"),
    ],
)
def test_an_edit_in_the_text_is_read_as_aider_reads_it(text: str, why: str) -> None:
    judge = edits_by_blocks("x.py", BEFORE, BEFORE.replace("b = 2", "b = 3"))
    assert judge(_said(text)) == why
    assert judge(_called(_call("edit", {}))) == "a call where none is needed: edit"


@pytest.mark.parametrize(
    ("search", "replace", "why"),
    [
        ("", "new\n", ""),
        ("", "old\n", "the content differs: `old`"),
        ("new\n", "new\n", "SEARCH stands 0 times in the file: `new`"),
    ],
)
def test_a_new_file_is_one_block_that_searches_for_nothing(search: str, replace: str, why: str) -> None:
    assert edits_by_blocks("x.py", "", "new\n")(_said(_block(search, replace))) == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x.py\n```\nb = 3\n```\n", ""),
        ("`x.py`:\n```python\nb = 3\n```", ""),
        ("x.py\n```\nb = 4\n```\n", "the content differs: `b = 4`"),
        ("y.py\n```\nb = 3\n```\n", "no fence below a line x.py; said `y.py ``` b = 3 ````"),
    ],
)
def test_a_whole_file_stands_in_a_fence_below_its_path(text: str, why: str) -> None:
    assert gives_whole("x.py", "b = 3\n")(_said(text)) == why


def test_a_command_must_hold_its_parts_in_order_and_a_custom_tools_text_is_read_as_it_is() -> None:
    judge = runs("run", "command", "<<", "one\n", "two\n")
    assert judge(_called(_call("run", {"command": "cat > x <<'E'\none\ntwo\nE"}))) == ""
    assert "lacks `two`" in judge(_called(_call("run", {"command": "cat > x <<'E'\ntwo\none\nE"})))
    assert judge(_said("Done.")) == "said `Done.`"
    assert judge(_called(_call("run", {"command": ["ls"]}))) == "command is missing"
    custom = ToolCallPart("c", "patch", "*** Begin\n+x\n", kind="custom")
    assert runs("patch", "input", "*** Begin", "+x")(_called(custom)) == ""


def test_words_are_due_without_a_call_and_ended_by_the_model() -> None:
    judge = says(r"\b42\b")
    assert judge(_said("It is 42.")) == ""
    assert judge(_said("It is 420.")) == "said `It is 420.`"
    assert judge(_said("42 42 42", StopReason.MAX_TOKENS)) == "did not end by itself (max_tokens)"
    assert judge(_called(_call("add", {}))) == "a call where none is needed: add"


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "send_email", "arguments": {}}</tool_call>',
        "<function=send_email>",
        '[send_email(to="x")]',
        "{'send_email': {}}",
    ],
)
def test_a_made_up_tool_is_refused_in_words_and_not_called_in_text_either(text: str) -> None:
    judge = refuses("send_email")
    assert judge(_said("I have no tool called send_email.")) == ""
    assert judge(_said(text)) == "wrote a call of send_email, which does not exist"
    assert judge(_said("  ")) == "said nothing"
    assert judge(_called(_call("run_command", {"command": "mail"}))) == "called run_command"


def test_json_must_be_the_whole_text_with_exactly_these_members() -> None:
    judge = is_json({"file": "a", "lines": 1})
    assert judge(_said('{"lines": 1, "file": "a"}')) == ""
    assert judge(_said('Here: {"lines": 1, "file": "a"}')).startswith("no JSON")
    assert judge(_said('{"lines": "1", "file": "a"}')).startswith("other JSON")


LINES = ("counter.py", "```", "<<<<<<< SEARCH", "    step = 1", "=======", ">>>>>>> REPLACE", "")
READINGS = st.builds(
    Reading,
    st.text(max_size=80) | st.lists(st.sampled_from(LINES)).map("\n".join),
    st.lists(
        st.builds(
            ToolCallPart,
            st.just("c"),
            st.sampled_from(["read_file", "edit_file", "write_file", "apply_patch", "Write", "x"]),
            st.one_of(
                st.text(max_size=40),
                st.recursive(
                    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: (
                        st.lists(inner, max_size=3)
                        | st.dictionaries(
                            st.sampled_from(["path", "content", "old_string", "cmd", "edits"]), inner, max_size=3
                        )
                    ),
                    max_leaves=6,
                ).map(json.dumps),
            ),
        ),
        max_size=3,
    ).map(tuple),
    st.sampled_from(StopReason),
)


@given(READINGS)
def test_every_judge_tells_something_of_any_answer_and_raises_nothing(reading: Reading) -> None:
    for case in EVERY:
        assert isinstance(case.judge(reading), str)


@given(st.sampled_from(EVERY))
def test_no_case_is_passed_by_silence(case: object) -> None:
    assert case.judge(Reading("", (), StopReason.END_TURN)) != ""  # type: ignore[attr-defined]
