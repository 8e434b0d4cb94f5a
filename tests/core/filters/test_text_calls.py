"""Calls that models write as text: every notation, what only looks like one, and what the user sees meanwhile."""

# ruff: noqa: E501 - markup is written as models write it

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.filters.answers import (
    LIMIT,
    REQUEST,
    Outcome,
    answer,
    call,
    cut,
    filtered,
    outcome,
    thought,
    tool,
    visible,
)

from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_calls import DELTAS_A_PING, TextCalls
from agentlaunch.core.filters.tool_text.gemma_calls import read_gemma
from agentlaunch.core.filters.tool_text.json_calls import read_json
from agentlaunch.core.filters.tool_text.markup import CLOSERS, LONGEST_HEAD, OPENERS, NoCall
from agentlaunch.core.filters.tool_text.named_calls import read_named
from agentlaunch.core.filters.tool_text.nested_calls import read_nested
from agentlaunch.core.filters.tool_text.python_calls import read_python
from agentlaunch.core.filters.tool_text.reading import Reader
from agentlaunch.core.filters.tool_text.tag_calls import read_tags
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Ping,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingSignature,
    ToolCallPart,
    ToolCallStart,
    ToolChoice,
    Usage,
    UsageReport,
)

WRITE_A = Outcome(calls=(("Write", {"path": "a"}),))
WRITE_AB = Outcome(calls=(("Write", {"path": "a", "content": "b"}),))
LS = Outcome(calls=(("bash", {"command": "ls"}),))
LS_PWD = Outcome(calls=(("bash", {"command": "ls"}), ("bash", {"command": "pwd"})))
FILES = Outcome(calls=(("list_files", {}),))

QWEN = "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n</function>\n</tool_call>"
NESTED = f"<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n<parameter=content>\n{QWEN}\n</parameter>\n</function>\n</tool_call>"

NOTATIONS: dict[str, tuple[str, Outcome]] = {
    "qwen": (QWEN, WRITE_A),
    "qwen, nothing closed": (
        "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n</function>\n",
        WRITE_A,
    ),
    "qwen, only the wrapper closed": ("<function=Write>\n<parameter=path>\na\n</parameter>\n</tool_call>", WRITE_A),
    "qwen, parameter not closed": (
        "<tool_call>\n<function=Write>\n<parameter=path>\na\n<parameter=content>\nb\n</function>\n</tool_call>",
        WRITE_AB,
    ),
    "qwen, parameter and function not closed": (
        "<tool_call>\n<function=Write>\n<parameter=path>\na\n<parameter=content>\nb\n</tool_call>",
        WRITE_AB,
    ),
    "qwen, first parameter not closed": (
        "<function=Write>\n<parameter=path>\na\n<parameter=content>\nb\n</parameter>\n</function>",
        WRITE_AB,
    ),
    "qwen, a value with closing tags": (
        (
            "<function=Write>\n<parameter=path>\na\n</parameter>\n<parameter=content>\n"
            "x </parameter> y </function> z\n</parameter>\n</function>"
        ),
        Outcome(calls=(("Write", {"path": "a", "content": "x </parameter> y </function> z"}),)),
    ),
    "qwen, a call in a value": (NESTED, Outcome(calls=(("Write", {"path": "a", "content": QWEN}),))),
    "qwen, an opening tag in a value": (
        "<function=bash>\n<parameter=command>\ngrep '<function=x>' a\n</parameter>\n</function>",
        Outcome(calls=(("bash", {"command": "grep '<function=x>' a"}),)),
    ),
    "qwen, two calls": (
        (
            "<tool_call>\n<function=bash>\n<parameter=command>\nls\n</parameter>\n</function>\n</tool_call>\n"
            "<tool_call>\n<function=bash>\n<parameter=command>\npwd\n</parameter>\n</function>\n</tool_call>"
        ),
        LS_PWD,
    ),
    "qwen, typed values": (
        (
            "<function=f>\n<parameter=n>\n5\n</parameter>\n<parameter=a>\n[1]\n</parameter>\n<parameter=o>\n{'k': True}\n"
            "</parameter>\n<parameter=s>\n7\n</parameter>\n<parameter=other>\n8\n</parameter>\n</function>"
        ),
        Outcome(calls=(("f", {"n": 5, "a": [1], "o": {"k": True}, "s": "7", "other": "8"}),)),
    ),
    "qwen, line ends of Windows": (
        "<function=Write>\r\n<parameter=path>\r\na\r\n</parameter>\r\n</function>",
        WRITE_A,
    ),
    "qwen, no parameter": ("<function=list_files>\n</function>", FILES),
    "qwen, no parameter and no end": ("<function=list_files>", FILES),
    "qwen, head without its bracket": ("<function=Write\n<parameter=path>a</parameter></function>", WRITE_A),
    "qwen, prose behind a parameter": (
        "<function=Write>\n<parameter=path>\na\n</parameter>\n</tool_call>\nDone.",
        Outcome("Done.", WRITE_A.calls),
    ),
    "qwen, nothing closed, a mark in the value": (
        "<function=Write>\n<parameter=path>\nx </tool_call> y",
        Outcome(calls=(("Write", {"path": "x </tool_call> y"}),)),
    ),
    "llama, bare, brackets too many": ('{"name": "bash", "parameters": {"command": "ls"}}}]</tool_call>', LS),
    "seed": (
        "<seed:tool_call><function=bash><parameter=command>ls</parameter></function></seed:tool_call>",
        LS,
    ),
    "llama's function": ('<function=bash>{"command": "ls"}</function>', LS),
    "llama's function, no end": ('<function=bash>{"command": "ls"}', LS),
    "llama's function, not an object's text": ('<function=bash>{"command": "ls"}</function> <|eot_id|>', LS),
    "llama": ('<|python_tag|>{"name": "bash", "parameters": {"command": "ls"}}', LS),
    "llama, bare": ('{"name": "bash", "parameters": {"command": "ls"}}', LS),
    "llama, bare, with a closing mark": ('{"name": "bash", "parameters": {"command": "ls"}}\n</tool_call>', LS),
    "llama, typed": ('{"type": "function", "name": "bash", "parameters": {"command": "ls"}}', LS),
    "hermes": ('<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>', LS),
    "hermes, arguments first": ('<tool_call>{"arguments": {"command": "ls"}, "name": "bash"}</tool_call>', LS),
    "hermes, flat": ('<tool_call>{"name": "bash", "command": "ls"}</tool_call>', LS),
    "hermes, encoded arguments": (
        '<tool_call>{"name": "bash", "arguments": "{\\"command\\": \\"ls\\"}"}</tool_call>',
        LS,
    ),
    "hermes, a list for the arguments": (
        '<tool_call>{"name": "bash", "arguments": [{"command": "ls"}]}</tool_call>',
        LS,
    ),
    "hermes, null arguments": ('<tool_call>{"name": "list_files", "arguments": null}</tool_call>', FILES),
    "hermes, no arguments": ('<tool_call>{"name": "list_files"}</tool_call>', FILES),
    "hermes, a brace missing": ('<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}\n</tool_call>', LS),
    "hermes, a brace too many": ('<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}}\n</tool_call>', LS),
    "hermes, no end": ('<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}', LS),
    "hermes, a brace and the end missing": ('<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}', LS),
    "hermes, Python's notation": ("<tool_call>\n{'name': 'bash', 'arguments': {'command': 'ls',}}\n</tool_call>", LS),
    "hermes, bare keys": ('<tool_call>{name: "bash", arguments: {command: "ls"}}</tool_call>', LS),
    "hermes, bare quotes and line breaks": (
        '<tool_call>\n{"name": "bash", "arguments": {"command": "echo "a"\nls"}}\n</tool_call>',
        Outcome(calls=(("bash", {"command": 'echo "a"\nls'}),)),
    ),
    "hermes, the mark in a value": (
        '<tool_call>{"name": "bash", "arguments": {"command": "echo </tool_call>"}}</tool_call>',
        Outcome(calls=(("bash", {"command": "echo </tool_call>"}),)),
    ),
    "hermes, OpenAI's form": (
        (
            '<tool_call>{"id": "x", "type": "function", "function": {"name": "bash", "arguments": {"command": "ls"}}}'
            "</tool_call>"
        ),
        LS,
    ),
    "a list under tool_calls": ('{"tool_calls": [{"name": "bash", "arguments": {"command": "ls"}}]}', LS),
    "hermes, two lines": (
        '<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n{"name": "bash", "arguments": {"command": "pwd"}}',
        LS_PWD,
    ),
    "hermes, a list with something else in it": (
        '<tool_call>[{"name": "bash", "arguments": {"command": "ls"}}, 5]</tool_call>',
        LS,
    ),
    "invoke, an item that never ends": (
        '<invoke name="f"><a><item>x</item><item>y</a></invoke>',
        Outcome(calls=(("f", {"a": ["x"]}),)),
    ),
    "invoke, tags that are none in a value": (
        '<invoke name="f"><a><b</a><s>q</s></invoke>',
        Outcome(calls=(("f", {"a": "<b", "s": "q"}),)),
    ),
    "qwen2.5-coder, the wrapper of the definitions": (
        '<tools>{"name": "bash", "arguments": {"command": "ls"}}</tools>',
        LS,
    ),
    "a wrapper of its own": ('<function>{"name": "bash", "arguments": {"command": "ls"}}</function>', LS),
    "granite": ('<|tool_call|>[{"name": "bash", "arguments": {"command": "ls"}}]', LS),
    "apertus": ('<|tools_prefix|>[{"bash": {"command": "ls"}}]<|tools_suffix|>', LS),
    "nemotron": ('<TOOLCALL>[{"name": "bash", "arguments": {"command": "ls"}}]</TOOLCALL>', LS),
    "mistral": ('[TOOL_CALLS] [{"name": "bash", "arguments": {"command": "ls"}}]', LS),
    "mistral, new": ('[TOOL_CALLS]bash[ARGS]{"command": "ls"}', LS),
    "mistral, new, two": ('[TOOL_CALLS]bash[ARGS]{"command": "ls"}[TOOL_CALLS]bash[ARGS]{"command": "pwd"}', LS_PWD),
    "mistral, with an id": ('[TOOL_CALLS]bash[CALL_ID]a1b2c3d4e[ARGS]{"command": "ls"}', LS),
    "devstral": ('[TOOL_CALLS]bash{"command": "ls"}', LS),
    "glm": ("<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>a</arg_value>\n</tool_call>", WRITE_A),
    "glm, typed": (
        (
            "<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>a</arg_value>\n<arg_key>mode</arg_key>\n"
            "<arg_value>5</arg_value>\n<arg_key>x</arg_key><arg_value>6</arg_value></tool_call>"
        ),
        Outcome(calls=(("Write", {"path": "a", "mode": 5, "x": "6"}),)),
    ),
    "glm, value not closed": ("<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>a</tool_call>", WRITE_A),
    "glm, no end": ("<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>a</arg_value>", WRITE_A),
    "glm, nothing but the value's end missing": ("<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>a", WRITE_A),
    "glm, text behind": (
        "<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>a</arg_value>\n</tool_call>\nDone.",
        Outcome("Done.", WRITE_A.calls),
    ),
    "glm, no argument and no end": ("<tool_call>list_files", FILES),
    "deepseek v3": (
        (
            "<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>function<\uff5ctool\u2581sep\uff5c>bash\n```json\n"
            '{"command": "ls"}\n```<\uff5ctool\u2581call\u2581end\uff5c><\uff5ctool\u2581calls\u2581end\uff5c>'
        ),
        LS,
    ),
    "deepseek v3.1": (
        (
            '<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>bash<\uff5ctool\u2581sep\uff5c>{"command": "ls"}<\uff5ctool\u2581call\u2581end\uff5c>'
            '<\uff5ctool\u2581call\u2581begin\uff5c>bash<\uff5ctool\u2581sep\uff5c>{"command": "pwd"}<\uff5ctool\u2581call\u2581end\uff5c><\uff5ctool\u2581calls\u2581end\uff5c>'
        ),
        LS_PWD,
    ),
    "deepseek v3.2": (
        (
            '<\uff5cDSML\uff5cfunction_calls>\n<\uff5cDSML\uff5cinvoke name="bash">\n<\uff5cDSML\uff5cparameter name="command" string="true">ls'
            "</\uff5cDSML\uff5cparameter>\n</\uff5cDSML\uff5cinvoke>\n</\uff5cDSML\uff5cfunction_calls>"
        ),
        LS,
    ),
    "kimi": (
        (
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.bash:0<|tool_call_argument_begin|>"
            '{"command": "ls"}<|tool_call_end|><|tool_calls_section_end|>'
        ),
        LS,
    ),
    "invoke": (
        '<function_calls>\n<invoke name="bash">\n<parameter name="command">ls</parameter>\n</invoke>\n</function_calls>',
        LS,
    ),
    "invoke, alone": ('<invoke name="bash"><parameter name="command">ls</parameter></invoke>', LS),
    "gemma 3": ('```tool_code\nprint(default_api.bash(command="ls"))\n```', LS),
    "gemma 3, two": ('```tool_code\nprint(bash(command="ls"))\nprint(bash(command="pwd"))\n```', LS_PWD),
    "gemma 4": ('<|tool_call>call:bash{command:<|"|>ls<|"|>}<tool_call|>', LS),
    "gemma 4, all types": (
        '<|tool_call>call:f{n:1,a:[<|"|>x, {<|"|>,2],o:{k:true,l:word},s:<|"|>q<|"|>}<tool_call|>',
        Outcome(calls=(("f", {"n": 1, "a": ["x, {", 2], "o": {"k": True, "l": "word"}, "s": "q"}),)),
    ),
    "gemma 4, an empty list": ("<|tool_call>call:f{a:[]}<tool_call|>", Outcome(calls=(("f", {"a": []}),))),
    "gemma 4, JSON's quotes": ('<|tool_call>call:bash{"command":"ls"}<tool_call|>', LS),
    "gemma 4, commas in bare text": (
        "call:Write{content:a, b, c:d,path:x}",
        Outcome(calls=(("Write", {"content": "a, b, c:d", "path": "x"}),)),
    ),
    "gemma 4, braces that do not add up": (
        "call:Write{path:x,content:if (a) {}\n",
        Outcome(calls=(("Write", {"path": "x", "content": "if (a) {"}),)),
    ),
    "functiongemma": (
        "<start_function_call>call:bash{command:<escape>ls<escape>}<end_function_call>",
        LS,
    ),
    "lfm": ("<|tool_call_start|>[bash(command='ls')]<|tool_call_end|>", LS),
    "lfm, two": ('<|tool_call_start|>[bash(command="ls"), bash(command="pwd")]<|tool_call_end|>', LS_PWD),
    "lfm, all types": (
        '<|tool_call_start|>[f(n=-1.5, a=[1, \'x\'], o={\'k\': None}, s="""q\n""")]<|tool_call_end|>',
        Outcome(calls=(("f", {"n": -1.5, "a": [1, "x"], "o": {"k": None}, "s": "q\n"}),)),
    ),
    "lfm, by position": ('<|tool_call_start|>[Write("a", "b")]<|tool_call_end|>', WRITE_AB),
    "lfm, bare": ('[bash(command="ls")]', LS),
    "lfm, nothing in it": ("<|tool_call_start|>[list_files()]<|tool_call_end|>", FILES),
    "gpt-oss": (
        '<|channel|>commentary to=functions.bash <|constrain|>json<|message|>{"command": "ls"}<|call|>',
        LS,
    ),
    "gpt-oss, recipient first": (
        '<|start|>assistant to=functions.bash<|channel|>commentary json<|message|>{"command": "ls"}<|call|>',
        LS,
    ),
    "gpt-oss, a bare recipient": ('<|channel|>commentary to=bash<|message|>{"command": "ls"}<|call|>', LS),
    "gpt-oss, no arguments": ("<|channel|>commentary to=functions.list_files<|message|><|call|>", FILES),
    "gpt-oss, free text": (
        "<|channel|>commentary to=functions.apply_patch<|message|>*** Begin Patch<|call|>",
        Outcome(calls=(("apply_patch", "*** Begin Patch"),)),
    ),
    "llama, typed and numbered behind the name": ('{"name": "bash", "id": "x", "arguments": {"command": "ls"}}', LS),
    "hermes, empty arguments": ('<tool_call>{"name": "list_files", "arguments": ""}</tool_call>', FILES),
    "hermes, OpenAI's form of old": ('<tool_call>{"function": "bash", "arguments": {"command": "ls"}}</tool_call>', LS),
    "hermes, an infinite number": (
        '<tool_call>{"name": "f", "arguments": {"n": 1e999}}</tool_call>',
        Outcome(calls=(("f", {}),)),
    ),
    "hermes, broken beyond its first mark": (
        """<tool_call>{"name": "bash", "arguments": {"command": 'a</tool_call>b': "c"}}
</tool_call>""",
        Outcome(calls=(("bash", {"command": 'a</tool_call>b\': "c"}}\n'}),)),
    ),
    "qwen, a value closed twice": (
        "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n</parameter>\n</function>\n</tool_call>",
        WRITE_A,
    ),
    "qwen, a value closed twice before the next": (
        "<function=Write>\n<parameter=path>\na\n</parameter>\n</parameter>\n<parameter=content>\nb\n</parameter>\n</function>",
        WRITE_AB,
    ),
    "qwen, spaces around names": ("<function= Write >\n<parameter= path >a</parameter></function>", WRITE_A),
    "the wrapper twice": (
        '<tool_call>\n<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>',
        LS,
    ),
    "tags named by the tool": ("<tool_call>\n<bash>\n<command>ls</command>\n</bash>\n</tool_call>", LS),
    "tags named by the tool, JSON inside": ('<tool_use><bash>{"command": "ls"}</bash></tool_use>', LS),
    "tags named by the tool, nothing in it": ("<tool_call><list_files></list_files></tool_call>", FILES),
    "tags named by the tool, two": (
        "<tool_call><bash><command>ls</command></bash></tool_call><tool_call><bash><command>pwd</command></bash></tool_call>",
        LS_PWD,
    ),
    "a tag for the name": (
        '<tool_use>\n<name>bash</name>\n<arguments>{"command": "ls"}</arguments>\n</tool_use>',
        LS,
    ),
    "a tag for the name, tags for the arguments": (
        "<tool_call><tool_name>bash</tool_name><parameters><command>ls</command></parameters></tool_call>",
        LS,
    ),
    "a tag for the name of a tool that needs nothing": ("<tool_call><name>list_files</name>", FILES),
    "a tag for the name, arguments beside it": (
        "<tool_call>\n<name>bash</name>\n<command>ls</command>\n</tool_call>",
        LS,
    ),
    "a namespace of tags": (
        (
            '<atem:function_calls>\n<atem:invoke name="bash">\n<atem:parameter name="command">ls</atem:parameter>\n'
            "</atem:invoke>\n</atem:function_calls>"
        ),
        LS,
    ),
    "step": (
        '<steptml:invoke name="bash"><steptml:parameter name="command">ls</steptml:parameter></steptml:invoke>',
        LS,
    ),
    "OpenAI's parallel tool": (
        '{"tool_uses": [{"recipient_name": "functions.bash", "parameters": {"command": "ls"}}]}',
        LS,
    ),
    "OpenAI's function_call": ('{"function_call": {"name": "bash", "arguments": "{\\"command\\": \\"ls\\"}"}}', LS),
    "a name in capitals behind a prefix": (
        '<tool_call>{"name": "Functions.BASH", "arguments": {"command": "ls"}}</tool_call>',
        LS,
    ),
    "fenced as another language": ('```javascript\n{"name": "bash", "arguments": {"command": "ls"}}\n```', LS),
    "a wrapper with the tool's name": ('<tool_call name="bash">{"command": "ls"}</tool_call>', LS),
    "a wrapper with the tool's name, tags in it": (
        '<tool_use name="bash"><parameter name="command">ls</parameter></tool_use>',
        LS,
    ),
    "qwen, the wrapper and the function in one": (
        "<tool_call=bash>\n<parameter=command>\nls\n</parameter>\n</tool_call>",
        LS,
    ),
    "qwen, no bracket before the function": (
        "<tool_call>\nfunction=bash>\n<parameter=command>\nls\n</parameter>\n</function>\n</tool_call>",
        LS,
    ),
    "qwen, a bare name before parameters": (
        "<tool_call>bash\n<parameter=command>\nls\n</parameter>\n</tool_call>",
        LS,
    ),
    "qwen, the name between tags": (
        "<tool_call>\n<function>bash</function>\n<parameter=command>ls</parameter>\n</tool_call>",
        LS,
    ),
    "qwen, the name behind a tag": (
        "<tool_call>\n<function>bash\n<parameter=command>\nls\n</parameter>\n</function>\n</tool_call>",
        LS,
    ),
    "qwen, the tool's name for a tag": (
        "<tool_call>\n<bash>\n<parameter=command>\nls\n</parameter>\n</bash>\n</tool_call>",
        LS,
    ),
    "qwen, the parameter's name for a tag": (
        "<tool_call>\n<function=bash>\n<command>\nls\n</command>\n</function>\n</tool_call>",
        LS,
    ),
    "qwen, the name in the closing tag": (
        "<tool_call>\n<function=bash>\n<parameter=command>\nls\n</parameter>\n</function=bash>\n</tool_call>",
        LS,
    ),
    "qwen, a list as items": (
        "<function=f>\n<parameter=a>\n<item>x</item><item>y</item>\n</parameter>\n</function>",
        Outcome(calls=(("f", {"a": ["x", "y"]}),)),
    ),
    "invoke, closed in its own tag": ('<function_calls><invoke name="list_files"/></function_calls>', FILES),
    "minimax-m3, the first parameter without its bracket": (
        (
            ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="bash">command>ls]<]minimax[>[</command>'
            "]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>"
        ),
        LS,
    ),
    "minimax-m3, the head without its bracket": (
        (
            ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="bash"]<]minimax[>[<command>ls]<]minimax[>[</command>'
            "]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>"
        ),
        LS,
    ),
    "minimax, its last token": (
        '<minimax:tool_call><invoke name="bash"><parameter name="command">ls</parameter></invoke></minimax:tool_call>[e~[',
        LS,
    ),
    "lm studio": ('[TOOL_REQUEST]\n{"name": "bash", "arguments": {"command": "ls"}}\n[END_TOOL_REQUEST]', LS),
    "glaive": ('<functioncall> {"name": "bash", "arguments": \'{"command": "ls"}\'}', LS),
    "a mark that opens and closes": (
        '<|tool_call|>{"name": "bash", "arguments": {"command": "ls"}}<|tool_call|>',
        LS,
    ),
    "fenced as what it is": ('```tool_use\n{"name": "bash", "arguments": {"command": "ls"}}\n```', LS),
    "a name and a colon": ('<tool_call>bash: {"command": "ls"}</tool_call>', LS),
    "glm, a key closed twice": (
        "<tool_call>bash\n<arg_key>command</arg_key></arg_key><arg_value>ls</arg_value></tool_call>",
        LS,
    ),
    "glm, a key opened twice": (
        "<tool_call>bash\n<arg_key><arg_key>command</arg_key><arg_value>ls</arg_value></tool_call>",
        LS,
    ),
    "glm, no tag before the key": ("<tool_call>bashcommand</arg_key><arg_value>ls</arg_value></tool_call>", LS),
    "glm, a space before the key": ("<tool_call>bash command</arg_key><arg_value>ls</arg_value></tool_call>", LS),
    "glm, the wrapper's tag before the key": (
        "<tool_call>bash<tool_call>command</arg_key><arg_value>ls</arg_value></tool_call>",
        LS,
    ),
    "glm, no tag before the value": (
        "<tool_call>Write<arg_key>path</arg_key>a</arg_value><arg_key>content</arg_key><arg_value>b</arg_value></tool_call>",
        WRITE_AB,
    ),
    "glm, no tag behind the value": (
        "<tool_call>Write<arg_key>path</arg_key><arg_value>a<arg_key>content</arg_key><arg_value>b</arg_value></tool_call>",
        WRITE_AB,
    ),
    "glm, the value on its own line": (
        "<tool_call>bash<arg_key>command</arg_key>\n<arg_value>\nls\n</arg_value></tool_call>",
        LS,
    ),
    "glm, no wrapper": ("bash\n<arg_key>command</arg_key>\n<arg_value>ls</arg_value>\n</tool_call>", LS),
    "longcat": (
        (
            "<longcat_tool_call>bash\n<longcat_arg_key>command</longcat_arg_key>\n"
            "<longcat_arg_value>ls</longcat_arg_value>\n</longcat_tool_call>"
        ),
        LS,
    ),
    "kimi, one section": (
        (
            "<|tool_call_section_begin|><|tool_call_begin|>functions.bash:0<|tool_call_argument_begin|>"
            '{"command": "ls"}<|tool_call_end|><|tool_call_section_end|>'
        ),
        LS,
    ),
    "kimi, its first tokens dropped": (
        'functions.bash:0<|tool_call_argument_begin|>{"command": "ls"}<|tool_call_end|><|tool_calls_section_end|>',
        LS,
    ),
    "kimi, all its tokens dropped": ('functions.bash:0 {"command": "ls"}', LS),
    "mistral, its first token dropped": ('bash[ARGS]{"command": "ls"}', LS),
    "mistral, all its tokens dropped": ('bash{"command": "ls"}', LS),
    "glm 4 of old": ('bash\n{"command": "ls"}', LS),
    "deepseek v3.1, in plain characters": (
        '<|tool_calls_begin|><|tool_call_begin|>bash<|tool_sep|>{"command": "ls"}<|tool_call_end|><|tool_calls_end|>',
        LS,
    ),
    "deepseek v4, its bars doubled": (
        (
            '<\uff5c\uff5cDSML\uff5c\uff5ctool_calls>\n<\uff5c\uff5cDSML\uff5c\uff5cinvoke name="bash">\n'
            '<\uff5c\uff5cDSML\uff5c\uff5cparameter name="command" string="true">ls</\uff5c\uff5cDSML\uff5c\uff5cparameter>\n'
            "</\uff5c\uff5cDSML\uff5c\uff5cinvoke>\n</\uff5c\uff5cDSML\uff5c\uff5ctool_calls>"
        ),
        LS,
    ),
    "gemma 4, brackets for braces": ('<|tool_call>call:bash(command: "ls")<tool_call|>', LS),
    "gemma 4, JSON's quotes around a value": ('<|tool_call>call:bash{command:"ls"}<tool_call|>', LS),
    "gemma 4, JSON": (
        '<|tool_call>call:Write{"path": "a", "content": "x\\ny"}<tool_call|>',
        Outcome(calls=(("Write", {"path": "a", "content": "x\ny"}),)),
    ),
    "gemma 4, no word before the name": ('<|tool_call>bash{command:<|"|>ls<|"|>}<tool_call|>', LS),
    "python, one object for all": ('<tool_call>bash({"command": "ls"})</tool_call>', LS),
    "fenced": ('```json\n{"name": "bash", "arguments": {"command": "ls"}}\n```', LS),
    "fenced, two blocks": (
        (
            '```json\n{"name": "bash", "arguments": {"command": "ls"}}\n```\n'
            '```json\n{"name": "bash", "arguments": {"command": "pwd"}}\n```'
        ),
        LS_PWD,
    ),
    "fenced, not closed": ('```json\n{"name": "bash", "arguments": {"command": "ls"}}\n', LS),
    "fenced tags": (f"```xml\n{QWEN}\n```", WRITE_A),
}


@pytest.mark.parametrize("size", [1_000_000, 1, 4], ids=["whole", "by character", "by four"])
@pytest.mark.parametrize(("text", "expected"), NOTATIONS.values(), ids=NOTATIONS)
def test_a_call_in_any_notation_is_a_call_and_nothing_of_it_is_shown(text: str, expected: Outcome, size: int) -> None:
    assert outcome(*cut(text, size)) == expected
    before = Outcome(f"I will.\n{expected.text}", expected.calls)
    assert outcome(*cut(f"I will.\n{text}", size)) == before


REPORTS: list[tuple[str, str, Outcome]] = [
    (
        "B111",
        "<function=Write>\n<parameter=path> test.txt\n<parameter=content> hello",
        Outcome(calls=(("Write", {"path": "test.txt", "content": "hello"}),)),
    ),
    ("B115", '{"name": "bash", "arguments": {"command": "ls"}}', LS),
    ("B115", '```json\n{"name": "bash", "arguments": {"command": "ls"}}\n```', LS),
    ("B115", 'I will:\n{"name": "bash", "arguments": {"command": "ls"}}', Outcome("I will:\n", LS.calls)),
    (
        "B115",
        '{"name": "bash", "arguments": {"command": "ls"}}\n{"name": "bash", "arguments": {"command": "pwd"}}',
        LS_PWD,
    ),
    (
        "B118",
        "I will list.\n<function=bash>\n<parameter=command>\nls\n</parameter>\n</function>\n</tool_call>",
        Outcome("I will list.\n", LS.calls),
    ),
    (
        "B128",
        ('<minimax:tool_call><invoke name="bash"><parameter name="command">ls</parameter></invoke>'
        '<invoke name="bash"><parameter name="command">pwd</parameter></invoke></minimax:tool_call>'),
        LS_PWD,
    ),
    ("B132", "call:Write{content:b,path:a}", Outcome(calls=(("Write", {"content": "b", "path": "a"}),))),
    ("B137", '<tool_call>{"name":"list_files","args":{}}</tool_call>', FILES),
    ("B140", '<tool_call>{"name":"f","arguments":{"o":{"a":{"b":{}},"c":{}}}}</tool_call>',
     Outcome(calls=(("f", {"o": {"a": {"b": {}}, "c": {}}}),))),
    ("B141", "<tool_call>list_files\n</tool_call>", FILES),
    ("B141", "<tool_call>list_files</tool_call>", FILES),
    ("B142", f"<think>Write.</think>{QWEN}", Outcome("", WRITE_A.calls, "Write.")),
    (
        "B155",
        '[TOOL_CALLS] [{"name": "f", "arguments": {"n": 42, "o": {"a": -1, "b": 1.5, "c": null, "d": true}}}]',
        Outcome(calls=(("f", {"n": 42, "o": {"a": -1, "b": 1.5, "c": None, "d": True}}),)),
    ),
    (
        "B156",
        ("]<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name=\"f\">]<]minimax[>[<n>3]<]minimax[>[</n>"
        "]<]minimax[>[<a>]<]minimax[>[<item>x]<]minimax[>[</item>]<]minimax[>[<item>y]<]minimax[>[</item>]<]minimax[>[</a>"
        "]<]minimax[>[<o>]<]minimax[>[<k>v]<]minimax[>[</k>]<]minimax[>[</o>]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>"),
        Outcome(calls=(("f", {"n": 3, "a": ["x", "y"], "o": {"k": "v"}}),)),
    ),
]  # fmt: skip


@pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [pytest.param(*case[1:], marks=pytest.mark.report(case[0]), id=case[0]) for case in REPORTS],
)
def test_calls_of_the_field_reports_run(text: str, expected: Outcome, size: int) -> None:
    assert outcome(*cut(text, size)) == expected


PROSE = [
    '{"foo":"Write is a tool","x":{"y":1}}',
    '{"name":"Write","version":"1.0"}',
    '{"name":"todorantum","arguments":{"input":"hi"}}',
    '{"name": "bash", "arguments": {"command": "ls"}}\nThis would list the files.',
    '{"type": "function", "name": "nobody", "arguments": {}}',
    '{"title": "A title"}',
    '["a", "b"]',
    "[1] see below",
    '```json\n{"name": "bash", "arguments": {"command": "ls"}}\n```\nThat is how it is called.',
    ('```json\n{"name": "bash", "arguments": {"command": "ls"}}\n```\n```json\n'
    '{"name": "bash", "arguments": {"command": "pwd"}}\n```\nTwo examples.'),
    '```json\n{"name": "nobody", "arguments": {}}\n```',
    '```json\n{"name": "bash", "arguments": {"command": "ls"}, "x": 1\nmore\n```\nBroken.',
    f"```\nHere is how it looks:\n{QWEN}\n```",
    "```python\nbash(command='ls')\n```\nDone.",
    "```rust\nfn main() {}\n```",
    f"```rust\n{QWEN}\n```\n",
    "The tags are `<function=Write><parameter=path>a</parameter></function>`.",
    "Use <tool_call> and then <function=Write> to write a file.",
    "<tool_call>",
    "<tool_call>{}</tool_call>",
    "<tool_call>nobody</tool_call>",
    "```json",
    "<tool_call>" * 20,
    '<tool_call>{"name": "bash", "arguments": {"command": x</tool_call>',
    f"```xml\n{QWEN}\n```\nThat is how it is written.",
    '[bash(command="ls")]\nThis is it.',
    "[bash(command=ls)]\nThis is it.",
    "[bash()] and (so on)",
    "```tool_code\nlist_files\n```",
    "```python\nlist_files()\n```",
    "```python\n[list_files()]\n```",
    '<tool_call>{"arguments": {"path": "a"}}</tool_call>',
    '<tool_call>{"arguments": {"path": "a',
    '<tool_call>{"bash": 5}</tool_call>',
    '<tool_call>{"bash": {"command": "ls"}, "x": 1}</tool_call>',
    '<tool_call>{"arguments": 5, "calls": 5}</tool_call>',
    '{"name": "bash", "price": 5}',
    '<tool_call>{"name":"nobody","arguments":{}}</tool_call>',
    "<function=nobody>\n<parameter=path>\na\n</parameter>\n</function>",
    '<invoke name="nobody"></invoke>',
    "call:nobody{a:b}",
    "call: me",
    "call me",
    "I call:bash{command:ls} often",
    "[nobody(a=1)]",
    "[TOOL_CALLS]nobody[ARGS]{}",
    "[TOOL_CALLS] of the day",
    "<|channel|>commentary to=functions.bash and so on",
    "hello<\u2016DSML\u2016tool_calls>world",
    "]<]minimax[>[<b>",
    "a < b and c <= d, <b>bold</b>, [x](y), {z}, `code`, ``more``",
    "  indented\n\n\nlines",
    "\n",
    "c\nca\ncal\ncall\ncall:",
    "<\uff5ctool\u2581calls\u2581begin\uff5c> means tools",
    "<tool_call>bash(",
    "[bash(1, 2, 3)]",
    "[bash(command=)]",
    "<|tool_call_start|>[bash(command=ls)]",
    "print(bash)",
    '<tool_call>{"name": "bash" "arguments"</tool_call>',
    "<tool_call>Write <b></tool_call>",
    "<tool_call>call:bash</tool_call>",
    "<tool_call><b>bold</b></tool_call>",
    "<tool_call><bash>is a shell</bash></tool_call>",
    "<tool_call><name>nobody</name></tool_call>",
    "<tool_call><nobody><a>b</a></nobody></tool_call>",
    "<tool_call>\n<name>bash</name> is how it begins",
    "<bash>\n<command>ls</command>\n</bash>",
    "<Write><path>a</path></Write> is how Cline writes it.",
    "Tools are called with `<tool_call>{\"name\": \"bash\"}</tool_call>`, see the manual.",
    "```json\n{\"name\": \"bash\", \"version\": \"5.2\", \"arguments\": 3}\n```",
    '{"function_call": "none"}',
    '{"tool_uses": []}',
    '{"recipient_name": "Jane", "parameters": {}}',
    '{"name": "bash", "description": "A shell", "parameters": {"type": "object"}}\nis its definition.',
    "```xml\n<tool_calls>\n  <bash/>\n</tool_calls>\n```\nThis file lists them.",
    "```bash\nls -la\n```",
    "```sh\n{ echo a; echo b; }\n```",
    "```javascript\nconst bash = { name: 'bash' };\n```",
    "| call | tool |\n|---|---|\n| `bash(command=1)` | bash |",
    "to=functions.bash",
    "Action: bash\nAction Input: {}",
    "bash",
    "Write",
    "Write the file, then\nRead_file and",
    "bash {\n  echo a\n}",
    "bash[0] is the first",
    "bash[ARGS] is how it goes on",
    "functions.",
    "functions.nobody:0 {\"a\": 1}",
    'bash {"command": "ls"}\nis how it is called.',
    "bash <b>bold</b>",
    "A call ends with </tool_call>",
    "```xml\n</tool_call>\n```",
    "<tool_call>\n<nobody>\n</tool_call>",
    "<tool_call>nobodypath</arg_key><arg_value>a</arg_value></tool_call>",
    "<tool_call>bashnothing</arg_key><arg_value>a</arg_value></tool_call>",
]  # fmt: skip


@pytest.mark.report("B146")
@pytest.mark.report("B133")
@pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
@pytest.mark.parametrize("text", PROSE)
def test_what_only_looks_like_a_call_stays_text_to_the_letter(text: str, size: int) -> None:
    events, mended = filtered(cut(text, size))
    shown = visible(events)
    note = "[The model gave no answer.]" if not text.strip() else ""
    assert (shown, [event for event in events if isinstance(event, ToolCallStart)]) == (text + note, [])
    assert "text_call" not in mended


def test_the_example_of_an_earlier_block_does_not_hide_the_call_behind_it() -> None:
    example_text = '```json\n{"name": "bash", "arguments": {"command": "ls"}}\n```\nSo it is called. Now:\n'
    bare = '{"name": "bash", "arguments": {"command": "ls"}}\n'
    for text in (example_text, example_text.partition("So it is")[0], bare, bare * 2):
        for size in (1, 5, 1_000):
            assert outcome(*cut(text + QWEN, size)) == Outcome(text, WRITE_A.calls)


@pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
@pytest.mark.parametrize("mark", ["<\uff5cDSML\uff5cfunction_calls", "<tool_call>", "<tool_call>\n", "[TOOL_CALLS]"])
def test_a_mark_left_in_front_of_a_call_that_the_server_has_read_is_not_shown(mark: str, size: int) -> None:
    server = call('{"path": "a"}')
    found = outcome(*cut(f"I look.\n{mark}", size), *server, "</tool_call>", reason=StopReason.TOOL_CALLS)
    assert found == Outcome("I look.\n", WRITE_A.calls)
    assert outcome("Is a <t", *server, reason=StopReason.TOOL_CALLS) == Outcome("Is a <t", WRITE_A.calls)


def test_a_call_that_the_server_has_read_and_left_in_the_text_too_is_one_call() -> None:
    server = call('{ "path":"a" }')
    for pieces in ([QWEN, *server], [f"I write.\n{QWEN}", *server]):
        events, mended = filtered(pieces, StopReason.TOOL_CALLS)
        assert [event.name for event in events if isinstance(event, ToolCallStart)] == ["Write"]
        assert mended == {"text_call": 1, "twice": 1}
    assert outcome(QWEN, *call('{"path": "b"}')).calls == (("Write", {"path": "a"}), ("Write", {"path": "b"}))
    assert outcome(*server, *call('{"path": "a"}', call_id="c2")).calls == WRITE_A.calls * 2


@pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
@pytest.mark.parametrize("mark", ["</tool_call>", "</function>\n</tool_call>\n", "<tool_call|>"])
def test_the_end_of_a_call_that_was_none_is_not_shown(mark: str, size: int) -> None:
    assert outcome(*cut(f"Done.\n{mark}", size)) == Outcome("Done.\n", reason=StopReason.END_TURN)


def test_an_example_before_a_call_of_the_servers_is_an_example() -> None:
    text = '```json\n{"name": "bash", "arguments": {"command": "ls"}}\n```\n'
    server = call('{"path": "a"}')
    assert outcome(text, *server, reason=StopReason.TOOL_CALLS) == Outcome(text, WRITE_A.calls)
    assert outcome(*server, text, reason=StopReason.TOOL_CALLS) == Outcome(text, WRITE_A.calls)


def test_without_offered_tools_nothing_is_looked_for() -> None:
    nothing = ChatRequest("m", ())
    refused = ChatRequest("m", (), tools=REQUEST.tools, tool_choice=ToolChoice("none"))
    expected = Outcome(QWEN, reason=StopReason.END_TURN)
    assert outcome(QWEN, request=nothing) == outcome(QWEN, request=refused) == expected
    assert not OfferedTools(())


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("readFile", "read_file"),
        ("READ-FILE", "read_file"),
        ("functions.read_file", "read_file"),
        ("default_api.read_file", "read_file"),
        ("read_file:3", "read_file"),
        ("WRITE", "Write"),
        (' "Write"\n', "Write"),
        ("Write<|channel|>json", "Write"),
        ("nobody", None),
        ("Functions.read_file", "read_file"),
        ("read_file()", "read_file"),
        pytest.param("read_fileread_file", "read_file", marks=pytest.mark.report("B143")),
        ("read_fil", None),
        ("mcp__server__read_file", None),
    ],
)
def test_a_name_in_another_spelling_is_the_tools(written: str, name: str | None) -> None:
    assert OfferedTools(REQUEST.tools).find(written) == name


def test_an_mcp_tool_is_found_without_its_server_where_only_one_can_be_meant() -> None:
    tools = OfferedTools(
        (tool("mcp__git__log"), tool("mcp__jira__log"), tool("mcp__jira__find"), tool("read"), tool("mcp__fs__read"))
    )
    assert [tools.find(name) for name in ("find", "mcp.jira.find", "jira.find", "log", "read", "mcp__fs__read")] == [
        *("mcp__jira__find", "mcp__jira__find", None, None, "read", "mcp__fs__read")
    ]


def test_a_name_that_could_be_two_tools_is_none() -> None:
    tools = OfferedTools((tool("readFile"), tool("read_file")))
    assert [tools.find(name) for name in ("readFile", "read_file", "read-file")] == ["readFile", "read_file", None]


@pytest.mark.parametrize("reader", [read_gemma, read_json, read_named, read_nested, read_python, read_tags])
def test_a_reader_refuses_what_is_not_of_its_notation(reader: Reader) -> None:
    with pytest.raises(NoCall):
        reader("?", 0, OfferedTools(REQUEST.tools))
    with pytest.raises(NoCall):
        reader("nobody", 0, OfferedTools(REQUEST.tools))


def test_text_without_a_key_is_no_argument() -> None:
    assert outcome("<|tool_call>call:list_files{just so}<tool_call|>") == FILES


# --- streaming ----------------------------------------------------------------------------------------------------


def fed(filter_: TextCalls, *pieces: str) -> list[ChatEvent]:
    return [event for piece in pieces for event in filter_.feed(TextDelta(piece))]


def text_calls() -> TextCalls:
    return TextCalls(REQUEST, OfferedTools(REQUEST.tools))


def test_plain_text_is_told_delta_by_delta() -> None:
    pieces = ["A ", "plain < text", ", with ", "[brackets] {", "and `code`", " in it."]
    assert fed(text_calls(), *pieces) == [TextDelta(piece) for piece in pieces]


@pytest.mark.parametrize("opener", [*OPENERS, "<function=", "```json\n", "call:", '{"name": "'])
def test_the_beginning_of_a_mark_is_held_back_and_let_go_at_once_when_it_is_none(opener: str) -> None:
    filter_ = text_calls()
    assert fed(filter_, "word\n") == [TextDelta("word\n")]
    for character in opener[:-1]:
        assert fed(filter_, character) == []
    assert visible(fed(filter_, "\u00a7 no")) == f"{opener[:-1]}\u00a7 no"


def test_no_more_than_a_head_is_ever_held_back() -> None:
    filter_ = text_calls()
    assert fed(filter_, "word\n<tool_call>") == [TextDelta("word\n")]
    assert visible(fed(filter_, " " * LONGEST_HEAD)) == "<tool_call>" + " " * LONGEST_HEAD


def test_an_example_is_told_as_soon_as_text_follows_it() -> None:
    filter_ = text_calls()
    block = '```json\n{"name": "bash", "arguments": {"command": "ls"}}\n```\n'
    assert fed(filter_, *cut(block, 3)) == []
    assert visible(fed(filter_, "This is ", "an example")) == f"{block}This is an example"


@pytest.mark.parametrize("block", ['[bash(command="ls")]\n', '{"tool_calls":[{"name":"bash","arguments":{}}]}\n'])  # fmt: skip
def test_whatever_looks_like_a_call_is_told_as_soon_as_text_follows_it(block: str) -> None:
    filter_ = text_calls()
    assert fed(filter_, *cut(block, 3)) == []
    assert visible(fed(filter_, "This is ", "an example")) == f"{block}This is an example"


def test_a_long_call_is_held_with_signs_of_life() -> None:
    filter_ = text_calls()
    long = "<function=Write>\n<parameter=content>\n" + "x" * (DELTAS_A_PING * 2 + 10)
    assert set(fed(filter_, *cut(long, 1))) == {Ping()}


def test_an_answer_that_failed_tells_its_text_but_no_call() -> None:
    fault = Failed(ChatFault(ErrorKind.UNAVAILABLE, "gone"))
    usage = UsageReport(Usage(1))
    filter_ = text_calls()
    events = [*fed(filter_, "a <tool"), *filter_.feed(usage), *filter_.feed(fault), *filter_.finish()]
    assert events == [TextDelta("a "), TextDelta("<tool"), usage, fault]
    filter_ = text_calls()
    assert [*fed(filter_, QWEN), *filter_.feed(fault), *filter_.finish()] == [fault]


def test_a_stream_without_an_end_tells_its_text_but_no_call() -> None:
    filter_ = text_calls()
    assert [*fed(filter_, "a <tool"), *filter_.finish()] == [TextDelta("a "), TextDelta("<tool")]
    filter_ = text_calls()
    assert [*fed(filter_, QWEN), *filter_.finish()] == []


def test_what_is_not_text_passes_in_its_place() -> None:
    events = [Ping(), RefusalDelta("no"), ThinkingSignature("s"), *call('{"path":"b"}', size=99)]
    told, _ = filtered(["a <tool", *events, "<"])
    assert told[1:-2] == [TextDelta("a "), Ping(), TextDelta("<tool"), *events[1:], TextDelta("<")]


def test_a_structured_call_behind_a_written_one_keeps_the_order() -> None:
    assert outcome(QWEN, *call('{"path":"b"}')).calls == (("Write", {"path": "a"}), ("Write", {"path": "b"}))


def test_the_ids_of_written_calls_differ_within_and_between_answers() -> None:
    ids = []
    for start in ("r1", "r2"):
        filter_ = text_calls()
        list(filter_.feed(Started(start)))
        fed(filter_, QWEN, QWEN)
        filter_.feed(UsageReport(Usage()))
        events = [*filter_.feed(Failed(ChatFault(ErrorKind.INTERNAL, "x")))]
        assert len(events) == 1
    first, _ = filtered([QWEN, QWEN])
    ids = [event.id for event in first if isinstance(event, ToolCallStart)]
    assert len(set(ids)) == 2
    assert all(id_.startswith("call_") for id_ in ids)


# --- calls that broke off ----------------------------------------------------------------------------------------

CUT = [
    "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n<parameter=content>\nhalf of",
    "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n",
    '<tool_call>\n{"name": "Write", "arguments": {"path": "a", "content": "half',
    '<tool_call>\n{"name": "Write", "arguments": {"path": "a"',
    '<tool_call>\n{"name": "Write", "arguments": ',
    '{"name": "Write", "arguments": {"path": "a", "content": "half',
    "<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>half",
    "<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>a</arg_value>\n",
    '[TOOL_CALLS]Write[ARGS]{"path": "a", "content": "half',
    '<|tool_call>call:Write{path:<|"|>half',
    "call:Write{path:a,content:half",
    '<|tool_call_start|>[Write(path="a", content="half',
    '<|tool_call_start|>[Write(path="a", mode=1',
    '<|tool_call_start|>[Write(path="a", ',
    '<|channel|>commentary to=functions.Write<|message|>{"path": "a", "content": "half',
    '<function=Write>{"path": "a", "content": "half',
    '<invoke name="Write"><path>half',
    "<|channel|>commentary to=functions.Write<|message|>half",
]


@pytest.mark.report("B124")
@pytest.mark.parametrize("text", CUT)
@pytest.mark.parametrize("size", [1_000_000, 3], ids=["whole", "by three"])
def test_a_call_that_the_limit_cut_is_told_as_json_that_does_not_end(text: str, size: int) -> None:
    for kwargs in ({"reason": StopReason.MAX_TOKENS}, {"output_tokens": LIMIT}):
        found = outcome(*cut(text, size), **kwargs)  # type: ignore[arg-type]
        assert found.reason is StopReason.MAX_TOKENS
        assert [(name, isinstance(arguments, str)) for name, arguments in found.calls] == [("Write", True)]


@pytest.mark.report("B124")
def test_a_string_that_never_ends_is_cut_off_whatever_the_upstream_says() -> None:
    found = outcome('<tool_call>\n{"name": "Write", "arguments": {"path": "a", "content": "half')
    assert found == Outcome(calls=(("Write", '{"path": "a", "content": "half'),), reason=StopReason.MAX_TOKENS)


def test_a_limit_behind_the_calls_does_not_spoil_them() -> None:
    assert outcome(f"{QWEN}\nAnd then", reason=StopReason.MAX_TOKENS) == Outcome("And then", WRITE_A.calls)


@pytest.mark.parametrize("closer", CLOSERS)
def test_a_closing_mark_that_the_limit_cut_is_not_shown(closer: str) -> None:
    assert outcome(f"{QWEN}{closer[:-1]}", reason=StopReason.MAX_TOKENS) == WRITE_A


@pytest.mark.parametrize(
    "mark",
    [
        *("<tool_response>", "<|im_start|>user", "<function_results>", "<tool_result>", "<|observation|>", "<|user|>"),
        *("<|eot_id|><|start_header_id|>tool<|end_header_id|>", "[TOOL_RESULTS]", "<|start_of_role|>tool"),
    ],
)
def test_a_result_that_the_model_makes_up_is_not_heard(mark: str) -> None:
    assert outcome(f"{QWEN}\n{mark}\nok\n</tool_response>\n{NESTED}") == WRITE_A


# --- calls in the reasoning ---------------------------------------------------------------------------------------


@pytest.mark.report("B121")
@pytest.mark.parametrize("text", [QWEN, '<tool_call>{"name": "Write", "arguments": {"path": "a"}}</tool_call>'])
def test_a_whole_call_in_the_reasoning_counts_when_there_is_nothing_else(text: str) -> None:
    shown = f"I should write. {text} So."
    assert outcome(thought(shown)) == Outcome("", WRITE_A.calls, shown)
    assert outcome(f"<think>{shown}") == Outcome("", WRITE_A.calls, shown)
    assert outcome(thought(shown), "\n") == Outcome("", WRITE_A.calls, shown)


def test_only_the_last_calls_of_the_reasoning_count() -> None:
    shown = f"Perhaps {NESTED} or rather {QWEN}\n{QWEN}"
    assert outcome(thought(shown)).calls == WRITE_A.calls * 2


@pytest.mark.parametrize("text", ["I changed my mind.", f"Now: {NESTED}"])
def test_a_call_in_the_reasoning_is_a_draft_when_text_or_another_call_follows(text: str) -> None:
    drafted = outcome(thought(QWEN), text)
    assert drafted.calls == outcome(text).calls


def test_a_broken_call_in_the_reasoning_is_none() -> None:
    broken = QWEN.partition("</function>")[0]
    assert outcome(thought(broken)).calls == ()
    assert outcome(thought("no call")).calls == ()


# --- properties ---------------------------------------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    [*OPENERS, *CLOSERS, "<function=Write>", "<parameter=path>", "</parameter>", "</function>", '{"name": "bash", ',
     '"arguments": {"command": "ls"}}', "call:bash{command:", "[bash(command='", "')]", "```json\n", "\n```\n", "`",
     "<think>", "</think>", "bash", "\n", " ", "text", "{", "}", "[", "]", '"', "<", "analysis", "assistantfinal",
     "<|channel|>", "<|message|>", "analysis", "final", "<|start|>assistant", "commentary to=functions.bash ", "\\"]
)  # fmt: skip
TEXTS = st.lists(FRAGMENTS | st.text(max_size=4), max_size=20).map("".join) | st.builds(
    lambda text, start, size, inside: text[:start] + inside + text[start + size :],
    st.sampled_from([text for text, _ in NOTATIONS.values()]),
    st.integers(0, 80),
    st.integers(0, 9),
    FRAGMENTS,
)


@example(" analysisWe", [1, 2], StopReason.END_TURN)
@given(TEXTS, st.lists(st.integers(0, 200), max_size=12), st.sampled_from([StopReason.END_TURN, StopReason.MAX_TOKENS]))
def test_the_answer_is_the_same_however_it_is_cut(text: str, cuts: list[int], reason: StopReason) -> None:
    bounds = [0, *sorted(min(each, len(text)) for each in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(bounds) if start < end]
    whole, mended = filtered([text] if text else [], reason)
    parts, mended_parts = filtered(pieces, reason)
    assert (answer(parts), mended_parts) == (answer(whole), mended)


@given(st.text(st.characters(exclude_characters="<[]{}`\u25c1"), max_size=60))
def test_text_without_marks_is_never_changed(text: str) -> None:
    if text.lstrip().startswith(("call:", "analysis", "commentary")) or not text.strip():
        return
    assert visible(filtered(cut(text, 3))[0]) == text


@given(TEXTS)
def test_a_call_is_always_one_of_the_offered_tools(text: str) -> None:
    events, _ = filtered([text] if text else [])
    names = {part.name for part in answer(events).parts if isinstance(part, ToolCallPart)}
    assert names <= {each.name for each in REQUEST.tools if hasattr(each, "name")}


@pytest.mark.parametrize("size", [1, 3])
def test_the_beginning_of_a_closing_mark_behind_bare_json_is_no_other_text(size: int) -> None:
    text = '{"name": "bash", "arguments": {"command": "ls"}}\n[/TOOL_CALLS]'
    assert outcome(*cut(text, size)) == LS
