"""What UTF-8 cannot carry, replaced wherever it stands."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.wire.base import ProtocolError, decode_json
from agentlaunch.core.wire.json_text import json_string, mended_arguments, mended_json

ANY_TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["\ud83d", "\ude00\ud83d", "\\ud83d", "😀", "\\\ud83d"]
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.report("B002")
@pytest.mark.parametrize(
    ("body", "mended"),
    [
        (b'"\\ud83d"', b'"\\ufffd"'),
        (b'"\\uD83D x"', b'"\\ufffd x"'),
        (b'"\\ude00\\ud83d"', b'"\\ufffd\\ufffd"'),
        (b'"\\ud83d\\ude00"', b'"\\ud83d\\ude00"'),
        (b'"\\ud83d\\ud83d\\ude00"', b'"\\ufffd\\ud83d\\ude00"'),
        (b'"\\\\ud83d"', b'"\\\\ud83d"'),
        (b'"\\\\\\ud83d"', b'"\\\\\\ufffd"'),
        (b'"a\xffb"', b'"a\xef\xbf\xbdb"'),
        (b'"plain"', b'"plain"'),
    ],
)
def test_only_lone_surrogates_and_broken_bytes_are_replaced(body: bytes, mended: bytes) -> None:
    assert mended_json(body) == mended


@given(DOCUMENTS)
def test_mended_json_is_the_same_document_without_surrogates(document: object) -> None:
    mended = json.loads(mended_json(json.dumps(document).encode()))
    text = json.dumps(document, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert json.dumps(mended, ensure_ascii=False) == text


@given(ANY_TEXT)
def test_any_text_has_a_json_string(text: str) -> None:
    assert json.loads(json_string(text)) == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_arguments_are_mended_one_level_deeper() -> None:
    assert mended_arguments('{"a":"\\ud83d","b":"\\\\ud83d"}') == '{"a":"\\ufffd","b":"\\\\ud83d"}'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[" * 100_000, "the body is nested too deeply"),
        (b"{", "the body is not JSON: "),
        (b"[]", "Expected `object`, got `array`"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_protocol_error(body: bytes, why: str) -> None:
    decoder: msgspec.json.Decoder[object] = msgspec.json.Decoder(object if body[1:2] == b"[" else dict)
    with pytest.raises(ProtocolError, match=why):
        decode_json(body, decoder)
