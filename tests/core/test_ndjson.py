"""Lines of JSON in any cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.ndjson import NdjsonParser, encode_line
from agentlaunch.core.wire.base import Frame, ProtocolError

STREAM = '{"a":"Grüße 🙂"}\n\n  \r\n{"b":1}\r\n{"c":2}'.encode()
FRAMES = [Frame('{"a":"Grüße 🙂"}'.encode()), Frame(b'{"b":1}'), Frame(b'{"c":2}')]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_cut_gives_the_same_frames_and_the_last_line_needs_no_end(cuts: list[int]) -> None:
    parser = NdjsonParser()
    edges = [0, *sorted(cuts), len(STREAM)]
    found = [frame for start, end in pairwise(edges) for frame in parser.feed(STREAM[start:end])]
    assert [*found, *parser.finish()] == FRAMES
    assert list(parser.finish()) == []


def test_a_line_in_two_pieces_is_one_frame_and_blank_ones_are_none() -> None:
    parser = NdjsonParser()
    assert [*parser.feed(b'{"a"'), *parser.feed(b":1}\n\n \r\n"), *parser.finish()] == [Frame(b'{"a":1}')]


@pytest.mark.parametrize("chunk", [b"x" * 11, b"x" * 11 + b"\n"])
def test_a_line_without_end_is_refused(chunk: bytes) -> None:
    parser = NdjsonParser(max_line_bytes=10)
    with pytest.raises(ProtocolError, match="bigger than `10` bytes"):
        list(parser.feed(chunk))


def test_a_line_as_big_as_the_limit_passes() -> None:
    parser = NdjsonParser(max_line_bytes=10)
    assert list(parser.feed(b"x" * 10 + b"\n" + b"y" * 10)) == [Frame(b"x" * 10)]


def test_what_is_encoded_is_parsed_again() -> None:
    assert list(NdjsonParser().feed(b"".join(map(encode_line, FRAMES)))) == FRAMES
