"""What models get wrong in their own notation, and what stands as it is all the same."""

# ruff: noqa: E501 - markup is written as models write it

from __future__ import annotations

import pytest
from tests.core.filters.answers import REQUEST, Outcome, cut, outcome, tool

from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.markup import NoCall
from agentlaunch.core.filters.tool_text.python_calls import read_python
from agentlaunch.core.ir import StopReason

END = StopReason.END_TURN
SIZES = pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
LS = Outcome(calls=(("bash", {"command": "ls"}),))
WRITE = Outcome(calls=(("Write", {"path": "a", "content": "b"}),))
FILES = Outcome(calls=(("list_files", {}),))
BAR = "\uff5cDSML\uff5c"
BARS = "\uff5c\uff5cDSML\uff5c\uff5c"

SLIPS: dict[str, tuple[str, Outcome]] = {
    "phi: functools (vLLM #14682)": ('functools[{"name": "bash", "arguments": {"command": "ls"}}]', LS),
    "phi: its other closing mark": (
        '<|tool_calls|>[{"name": "bash", "arguments": {"command": "ls"}}]<|/tool_calls|>',
        LS,
    ),
    "glm: a closing tag instead of arguments (fw-ai python-sdk #119)": ("<tool_call>list_files</arg_value>", FILES),
    "glm: the same, closed": ("<tool_call>list_files</arg_value></tool_call>", FILES),
    "gemma: no `call` (vLLM #53431)": ('<|tool_call>:bash{command:<|"|>ls<|"|>}<tool_call|>', LS),
    "gemma: round brackets (vLLM #53642)": ('<|tool_call>call:bash(command:<|"|>ls<|"|>)<tool_call|>', LS),
    "gemma: round brackets and an equals sign (oMLX #1846)": (
        '<|tool_call>call:Write(path=<|"|>a<|"|>, content=<|"|>b<|"|>)<tool_call|>',
        WRITE,
    ),
    "gemma: round brackets and another call behind it": (
        '<|tool_call>call:bash(command:<|"|>ls (x)<|"|>)<tool_call|><|tool_call>call:list_files{}<tool_call|>',
        Outcome(calls=(("bash", {"command": "ls (x)"}), ("list_files", {}))),
    ),
    "gemma: no brackets": ("<|tool_call>call:list_files<tool_call|>", FILES),
    "gemma: no brackets and no end": ("<|tool_call>call:list_files", FILES),
    "gemma: the name twice (flutter_gemma #228)": ('<|tool_call>call:bash:bash{command: "ls"}<tool_call|>', LS),
    "gemma: an invented namespace and single quotes (oMLX #1830)": (
        "<|tool_call>call:google:mcp:shell:bash{command: 'ls'}<tool_call|>",
        LS,
    ),
    "gemma: a bare name in its API (bayes-platform #731)": ('default_api:bash{command:"ls"}', LS),
    "gemma: a bare name (bayes-platform #799)": ('Write{path:"a",content:"b"}', WRITE),
    "deepseek: the wrapper misspelled (vLLM #51914)": (
        f'<{BAR}toolcalls>\n<{BAR}invoke name="bash">\n<{BAR}parameter name="command" string="true">ls</{BAR}parameter>\n</{BAR}invoke>\n</{BAR}tool_calls>',
        LS,
    ),
    "deepseek: a closing tag cut short (osaurus #1242)": (
        f'<{BAR}tool_calls>\n<{BAR}invoke name="bash">\n<{BAR}parameter name="command" string="true">ls</{BAR}parameter>\n</{BAR}inv>\n</{BAR}tool_calls>',
        LS,
    ),
    "deepseek: typographic quotes (paper-chat-for-zotero #28)": (
        f"<{BARS}tool_calls>\n<{BARS}invoke name=\u201cbash\u201d>\n<{BARS}parameter name=\u201ccommand\u201d string=\u201ctrue\u201d>ls</{BARS}parameter>\n</{BARS}invoke>\n</{BARS}tool_calls>",
        LS,
    ),
    "deepseek: the tool's name as a tag (pi-free #381)": (
        f"<{BAR}Write>\n <{BAR}path>a</{BAR}path>\n <{BAR}content>b</{BAR}content>\n</{BAR}invoke>",
        WRITE,
    ),
    "deepseek: its keys closed as parameters (pi-free #382)": (
        f"<{BAR}Write>\n <{BAR}path>a</{BAR}parameter>\n <content>b</content>\n</{BAR}Write>",
        WRITE,
    ),
    "deepseek: its own tags behind another's (opencrabs #419)": (
        f'<function>\n<name>bash</name>\n<parameter name="command" string="true">ls</{BARS}parameter>\n</{BARS}invoke>\n</{BARS}tool_calls>',
        LS,
    ),
    "a value closed by its key (claude-code #83088)": (
        '<invoke name="Write">\n<parameter name="content">b</content>\n<parameter name="path">a</parameter>\n</invoke>',
        WRITE,
    ),
    "the last value closed by its key": (
        '<invoke name="Write">\n<parameter name="path">a</parameter>\n<parameter name="content">b</content>\n</invoke>',
        WRITE,
    ),
    "a file that ends with such a tag": (
        '<invoke name="Write">\n<parameter name="path">a</parameter>\n<parameter name="content"><content>b</content></parameter>\n</invoke>',
        Outcome(calls=(("Write", {"path": "a", "content": "<content>b</content>"}),)),
    ),
    "a file that ends with a line break": (
        '<invoke name="Write">\n<parameter name="path">a</parameter>\n<parameter name="content">b\n</parameter>\n</invoke>',
        Outcome(calls=(("Write", {"path": "a", "content": "b\n"}),)),
    ),
    "qwen: a quotation mark lost behind the key (maclocal-api #141)": (
        '<tool_call>\n{"name="bash", "arguments": {"command": "ls"}}\n</tool_call>',
        LS,
    ),
    "qwen: a quotation mark lost behind the name": (
        '<tool_call>\n{"name": "bash, "arguments": {"command": "ls"}}\n</tool_call>',
        LS,
    ),
    "lfm: a tuple and a negative number (vLLM #48171)": (
        "<|tool_call_start|>[f(a=(1, (2,)), n=-3.5)]<|tool_call_end|>",
        Outcome(calls=(("f", {"a": [1, [2]], "n": -3.5}),)),
    ),
    "lfm: an f-string": ('<|tool_call_start|>[bash(command=f"ls")]<|tool_call_end|>', LS),
    "python in tags": ('<tool_code>bash(command="ls")</tool_code>', LS),
    "json in upper case": ('<FUNCTION_CALL>{"name":"bash","arguments":{"command":"ls"}}</FUNCTION_CALL>', LS),
    "muse: tags in a message to the tool": (
        'to=tool.bash<|message|><atem:function_calls>\n<atem:invoke name="bash">\n<atem:parameter name="command">ls</atem:parameter>\n</atem:invoke>\n</atem:function_calls><|eom|>',
        LS,
    ),
}


@SIZES
@pytest.mark.parametrize(("text", "expected"), SLIPS.values(), ids=SLIPS)
def test_a_call_is_read_in_spite_of_the_slip(text: str, expected: Outcome, size: int) -> None:
    assert outcome(*cut(text, size)) == expected


@SIZES
@pytest.mark.parametrize(
    "rest",
    [
        *(f"</{BAR}parameter>\n</{BAR}invoke>\n</{BAR}tool_calls>", "</parameter>\n</function>\n</tool_call>"),
        "</parameter>",
    ],
)
def test_what_closes_a_call_that_never_began_is_not_shown(rest: str, size: int) -> None:
    assert outcome(*cut(f"All done.\n{rest}", size)) == Outcome("All done.\n", (), "", END)


@SIZES
def test_marks_of_bars_are_not_shown_behind_a_sentence_either(size: int) -> None:
    assert outcome(*cut(f"All done.</{BAR}invoke></{BAR}tool_calls>", size)) == Outcome("All done.", (), "", END)
    assert outcome(*cut("It ends with </tool_call>", size)) == Outcome("It ends with </tool_call>", (), "", END)


@SIZES
@pytest.mark.parametrize(
    "text",
    [
        *("functools is a module\nfunctools.wraps", "functools[0] is no call", "from x import y\nfunctools"),
        *('Write{path:"a"} is how it is written', "call:bash", "<|tool_call>call:bash<tool_call|>"),
        *(f"The tag <{BAR}foo> is", f"The tag <{BAR}Write is", f"The tag <{BAR}Write> is", "def default_api: x"),
        *("call:list_files", '<tool_call>{"name="nothing", "arguments": {}}</tool_call>'),
        '<tool_call>{"name="bash", "arguments": {broken}</tool_call>',
    ],
)
def test_what_is_no_call_stays_as_it_is(text: str, size: int) -> None:
    assert outcome(*cut(text, size)) == Outcome(text, (), "", END)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *(("list_files</arg_value>", "list_files"), ("bash>", "bash"), ("bash</parameter>", "bash")),
        *(("function=bash", "bash"), ("<function=bash>", "bash"), ('invoke name="bash"', "bash")),
        *(("bash\n<parameter=command>", "bash"), ("functions.bash:call_12", "bash"), ("bash:bash", "bash")),
        *(("google:mcp:shell:bash", "bash"), ("Write:bash", None), ("foo:bar", None), ("function=", None)),
    ],
)
def test_a_name_with_marks_around_it_is_the_name(said: str, meant: str | None) -> None:
    assert OfferedTools(REQUEST.tools).find(said) == meant


@pytest.mark.parametrize("text", ["f(a=(1", "f(a=(1,", 'f(a=("x'])
def test_a_tuple_that_never_ends_is_no_whole_call(text: str) -> None:
    [call] = read_python(text, 0, OfferedTools(REQUEST.tools))[0]
    assert (call.name, bool(call.unclosed)) == ("f", True)


@pytest.mark.parametrize("text", ["f(a=(%))", f"f(a={'(' * 5000}"])
def test_what_is_no_value_in_a_tuple_is_no_call(text: str) -> None:
    with pytest.raises(NoCall):
        read_python(text, 0, OfferedTools((tool("f", a="array"),)))


@SIZES
def test_muse_thinks_to_itself_and_answers_the_user(size: int) -> None:
    text = " to=self<|message|>hm<|eom|><|start|>assistant to=user<|message|>Hello.<|eot|>"
    assert outcome(*cut(text, size)) == Outcome("Hello.", (), "hm", END)


@SIZES
@pytest.mark.parametrize(
    "end",
    [
        *("<|eot|>", "<|EOT|>", "<|return|>", "<|role_end|>", "<|assistant_end|>", "<seed:eos>", "<eos>", "<|eos|>"),
        *("<|end_of_sentence|>", "</assistant>"),
    ],
)
def test_other_families_tokens_at_the_end_of_an_answer_are_not_shown(end: str, size: int) -> None:
    assert outcome(*cut(f"Hello.{end}", size)) == Outcome("Hello.", (), "", END)


def test_a_call_with_a_slip_that_a_limit_cut_is_not_whole() -> None:
    text = '<tool_call>{"name="bash", "arguments": {"command": "l'
    assert outcome(text, reason=StopReason.MAX_TOKENS) == Outcome(
        calls=(("bash", '{"command": "l'),), reason=StopReason.MAX_TOKENS
    )
