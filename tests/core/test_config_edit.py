"""Our keys go into any readable file and come out of it, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, event, given
from tests.core.config_texts import WANTED, jsonc_files, toml_files

from agentlaunch.core.config_edit import Format, NotEditable, put_in, read_config, take_out
from agentlaunch.core.config_edit.diff import config_diff
from agentlaunch.core.config_edit.steps import same
from agentlaunch.core.secrets import MASK


def merged(below: object, above: object) -> object:
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: merged(below[key], value) if key in below else value for key, value in above.items()}}
    return above


@given(jsonc_files(), WANTED)
def test_any_jsonc_file_says_what_we_want_and_keeps_the_rest(content: bytes, wanted: dict[str, Any]) -> None:
    edited = put_in(content, "json", wanted)
    assert same(read_config(edited, "json"), merged(read_config(content, "json"), wanted))
    assert edited.startswith(b"\xef\xbb\xbf") == content.startswith(b"\xef\xbb\xbf")


@given(jsonc_files(), WANTED)
def test_no_comment_moves_or_goes_for_keys_that_a_jsonc_file_lacks(content: bytes, wanted: dict[str, Any]) -> None:
    edited = put_in(content, "json", {"ours": wanted})
    assert comments(edited) == comments(content)
    assert comments(take_out(edited, "json", {"ours": wanted}, content).content) == comments(content)


@given(jsonc_files(), WANTED)
def test_what_went_into_a_jsonc_file_comes_out_again(content: bytes, wanted: dict[str, Any]) -> None:
    out = take_out(put_in(content, "json", wanted), "json", wanted, content)
    assert out.kept == ()
    assert same(read_config(out.content, "json"), read_config(content, "json"))


@given(toml_files(), WANTED)
def test_any_toml_file_says_what_we_want_or_is_refused_whole(content: bytes, wanted: dict[str, Any]) -> None:
    assume(is_readable(content, "toml"))
    try:
        edited = put_in(content, "toml", wanted)
    except NotEditable as refusal:
        event(f"refused: {refusal}")
        return
    assert same(read_config(edited, "toml"), merged(read_config(content, "toml"), wanted))
    assert edited.endswith(b"\n") == content.endswith(b"\n") or content in (b"", b"\xef\xbb\xbf")


@given(toml_files(), WANTED)
def test_what_went_into_a_toml_file_comes_out_again(content: bytes, wanted: dict[str, Any]) -> None:
    assume(is_readable(content, "toml"))
    try:
        out = take_out(put_in(content, "toml", wanted), "toml", wanted, content)
    except NotEditable as refusal:
        event(f"refused: {refusal}")
        return
    assert out.kept == ()
    assert same(read_config(out.content, "toml"), read_config(content, "toml"))


def is_readable(content: bytes, form: Format) -> bool:
    try:
        read_config(content, form)
    except NotEditable:
        return False
    return True


def comments(content: bytes) -> list[str]:
    """The comments of JSON, by a scan of our own: strings are skipped as a whole."""
    text, found, at = content.decode(), [], 0
    while at < len(text):
        if text[at] == '"':
            at += 1
            while text[at] != '"':
                at += 2 if text[at] == "\\" else 1
        elif text.startswith("//", at):
            end = min(i for i in (text.find("\n", at), len(text)) if i >= 0)
            found.append(text[at:end].rstrip("\r"))
            at = end
        elif text.startswith("/*", at):
            end = text.index("*/", at)
            found.append(text[at:end])
            at = end + 1
        at += 1
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{\n  "a": 1\n}'),
        ("", '{\n  "a": 1\n}\n'),
        ("// mine", '// mine\n{\n  "a": 1\n}\n'),
        ('{"b": 2}', '{"b": 2, "a": 1}'),
        ('{"b": 2,}', '{"b": 2, "a": 1,}'),
        ('{\n\t"b": 2\n}\n', '{\n\t"b": 2,\n\t"a": 1\n}\n'),
        ('{\n    "b": 2, // two\n}', '{\n    "b": 2, // two\n    "a": 1,\n}'),
        ('{\n  "b": 2 // two\n  // end\n}', '{\n  "b": 2, // two\n  // end\n  "a": 1\n}'),
        ('{"b": 2 /* two */}', '{"b": 2, /* two */ "a": 1}'),
        ('{\r\n  "b": 2\r\n}', '{\r\n  "b": 2,\r\n  "a": 1\r\n}'),
        ('{"a": {"x": 1}, "b": 2}', '{"a": 1, "b": 2}'),
    ],
)
def test_a_json_key_is_written_as_its_file_is(before: str, after: str) -> None:
    assert put_in(before.encode(), "json", {"a": 1}).decode() == after


@pytest.mark.report("B289")
def test_quotes_in_comments_and_comment_signs_in_strings_are_what_they_are() -> None:
    before = '{\n  // 27" display\n  "glob": "*.{ts,}", /* " */ "url": "http://x",\n}'
    after = '{\n  // 27" display\n  "glob": "*.{ts,}", /* " */ "url": "http://x",\n  "a": 1,\n}'
    assert put_in(before.encode(), "json", {"a": 1}).decode() == after


@pytest.mark.report("B238")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[features]\nx = true\n", 'model = "m"\n\n[features]\nx = true\ny = false\n'),
        ("# mine\nmodel = 'old' # why\n", '# mine\nmodel = "m" # why\n\n[features]\ny = false\n'),
        ("features.x = true\n", 'features.x = true\nfeatures.y = false\nmodel = "m"\n'),
        ("features = {x = true}\n", 'features = {x = true,y = false}\nmodel = "m"\n'),
        ("a = 1\r\n[features]\r\nx = true", 'a = 1\r\nmodel = "m"\r\n\r\n[features]\r\nx = true\r\ny = false'),
    ],
)
def test_a_toml_key_lands_in_its_own_table(before: str, after: str) -> None:
    assert put_in(before.encode(), "toml", {"model": "m", "features": {"y": False}}).decode() == after


@pytest.mark.parametrize(
    "line",
    [
        '"ANTHROPIC_AUTH_TOKEN": "hush-hush"',
        'experimental_bearer_token = "hush-hush"',
        "api_key='hush-hush'",
        '{"a": {"apiKey": "hush-hush"}, "Authorization": "Bearer hush-hush"}',
        '"args": ["--api-key", "hush-hush"]',
        '"apiKeyHelper": "echo hush-hush"',
        '"X_HEADERS": "x-custom: hush-hush"',
        '"url": "https://me:hush-hush@host/v1"',
        '"password": "hush\\"-hush-hush"',
    ],
)
def test_no_secret_of_the_user_is_shown(line: str) -> None:
    shown = config_diff("f", b"", line.encode())
    assert "hush-hush" not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "line",
    [
        '"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "8192"',
        '"ANTHROPIC_AUTH_TOKEN": ""',
        '''"apiKeyHelper": "cat '/home/me/ours/serve-token'"''',
        '"apiKey": "{file:/home/me/ours/serve-token}"',
        "model_auto_compact_token_limit = 22528",
        'base_url = "http://127.0.0.1:14277/v1"',
    ],
)
def test_what_we_write_is_shown_as_it_is(line: str) -> None:
    assert config_diff("f", None, line.encode()) == f"--- /dev/null\n+++ f\n@@ -0,0 +1 @@\n+{line}"
