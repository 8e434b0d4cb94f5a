"""Batch files on Windows: npm's are read, others get arguments that cmd.exe cannot take for commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.windows_command import NpmShim, batch_command_line, parse_npm_shim
from agentlaunch.errors import UserError

HEAD = "@ECHO off\r\nGOTO start\r\n:find_dp0\r\nSET dp0=%~dp0\r\nEXIT /b\r\n:start\r\nSETLOCAL\r\nCALL :find_dp0\r\n"
CLAUDE = f'{HEAD}"%dp0%\\node_modules\\@anthropic-ai\\claude-code\\bin\\claude.exe"   %*\r\n'
CODEX = (
    f'{HEAD}\r\nIF EXIST "%dp0%\\node.exe" (\r\n  SET "_prog=%dp0%\\node.exe"\r\n) ELSE (\r\n  SET "_prog=node"\r\n'
    "  SET PATHEXT=%PATHEXT:;.JS;=;%\r\n)\r\n\r\n"
    'endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%"  '
    '"%dp0%\\node_modules\\@openai\\codex\\bin\\codex.js" %*\r\n'
)
"""Written by npm 10's cmd-shim for Claude Code 2.1.331 and Codex 0.169.0."""
CMD = r"C:\Windows\System32\cmd.exe"
NPM = r"C:\Program Files\nodejs\npm.cmd"


@pytest.mark.parametrize(
    ("text", "shim"),
    [
        (CLAUDE, NpmShim(r"node_modules\@anthropic-ai\claude-code\bin\claude.exe")),
        (CODEX, NpmShim(r"node_modules\@openai\codex\bin\codex.js", "node")),
        (CODEX.replace('SET "_prog=node"', ""), None),
        (CODEX.replace('"%_prog%"  ', '"%_prog%" --no-warnings '), None),
        ('@ECHO OFF\r\n"%NODE_EXE%" "%NPM_CLI_JS%" %*\r\n', None),  # npm.cmd itself
        ("", None),
    ],
)
def test_what_npms_script_starts_is_read_and_nothing_else(text: str, shim: NpmShim | None) -> None:
    assert parse_npm_shim(text) == shim


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [
        ("plain", '"plain"'),
        ("", '""'),
        ("two words", '"two words"'),
        ('"&calc.exe', '"""&calc.exe"'),
        ("a\\", '"a\\\\"'),
        ('a\\"b', '"a\\\\""b"'),
        ("%PATH%", '"%%cd:~,%PATH%%cd:~,%"'),
        ("^&|<>()!", '"^&|<>()!"'),
    ],
)
def test_an_argument_is_one_argument_and_no_command(argument: str, quoted: str) -> None:
    assert batch_command_line(CMD, (NPM, argument)) == f'"{CMD}" /d /e:on /v:off /c ""{NPM}" {quoted}"'


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=40), max_size=5))
def test_between_the_quotes_of_cmd_stands_every_character_that_it_could_act_on(arguments: list[str]) -> None:
    line = batch_command_line(CMD, (NPM, *arguments))
    inner = line.removeprefix(f'"{CMD}" /d /e:on /v:off /c "').removesuffix('"')
    in_quotes, outside = False, ""
    for letter in inner:
        in_quotes ^= letter == '"'
        outside += "" if in_quotes or letter == '"' else letter
    assert not in_quotes
    assert outside == " " * len(arguments)
    assert "%" not in inner.replace("%%cd:~,%", "")


@pytest.mark.parametrize("argument", ["a\nb", "a\rb", "a\0b", "x" * 8200])
def test_what_no_quoting_carries_is_refused(argument: str) -> None:
    with pytest.raises(UserError) as caught:
        batch_command_line(CMD, (NPM, argument))
    assert caught.value.code == "argument-not-passable"


@pytest.mark.parametrize("script", ['C:\\a"b.cmd', "C:\\folder\\"])
def test_a_script_whose_name_would_end_its_quotes_is_refused(script: str) -> None:
    with pytest.raises(UserError):
        batch_command_line(CMD, (script,))
