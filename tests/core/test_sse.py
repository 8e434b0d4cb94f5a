"""The SSE parser and frame encoder against the WHATWG rules, in any cut of the bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.sse import SseParser, encode_frame, unframed
from agentlaunch.core.wire.base import Frame, ProtocolError


def parsed(*chunks: bytes) -> list[Frame]:
    parser = SseParser()
    frames = [frame for chunk in chunks for frame in parser.feed(chunk)]
    return [*frames, *parser.finish()]


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        pytest.param(b"data: a\n\n", [Frame(b"a")], id="one event"),
        pytest.param(b"data:a\n\n", [Frame(b"a")], id="no space"),
        pytest.param(b"data:  a\n\n", [Frame(b" a")], id="only the first space goes"),
        pytest.param(b"data: a\r\ndata: b\r\n\r\n", [Frame(b"a\nb")], id="CRLF, two data lines"),
        pytest.param(b"data: a\rdata: b\r\r", [Frame(b"a\nb")], id="CR alone"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [Frame(b"a")], id="byte order mark"),
        pytest.param(b"event: x\ndata: a\n\ndata: b\n\n", [Frame(b"a", "x"), Frame(b"b")], id="event name, then none"),
        pytest.param(b"event: x\n\ndata: b\n\n", [Frame(b"b")], id="event without data vanishes with its name"),
        pytest.param(b"data\n\n", [Frame(b"")], id="field without a colon"),
        pytest.param(b"id: 1\nretry: 5\nfoo: x\ndata: a\n\n", [Frame(b"a")], id="other fields"),
        pytest.param(b"data: a\n", [Frame(b"a")], id="no final blank line"),
        pytest.param(b"data: [DONE]", [Frame(b"[DONE]")], id="no final line end"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"\n\n\n", [], id="blank lines"),
    ],
)
def test_a_stream_gives_the_frames_of_the_standard(stream: bytes, frames: list[Frame]) -> None:
    assert parsed(stream) == frames


def test_a_line_end_cut_between_its_two_characters_is_one() -> None:
    assert parsed(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [Frame(b"a\nb")]


@pytest.mark.report("B077")
def test_comments_between_events_are_skipped() -> None:
    assert parsed(b": OPENROUTER PROCESSING\n\ndata: a\n\n:\n\n") == [Frame(b"a")]


@pytest.mark.report("B008")
def test_the_error_line_of_old_llama_cpp_is_a_frame() -> None:
    assert parsed(b'error: {"code":500}\n\n') == [Frame(b'{"code":500}', "error")]


@pytest.mark.report("B027")
def test_a_character_cut_between_chunks_stays_whole() -> None:
    stream = 'data: {"text":"日本 🙂"}\n\n'.encode()
    assert parsed(*(bytes([byte]) for byte in stream)) == [Frame('{"text":"日本 🙂"}'.encode())]


A, B = b'{"a":1}', b'{"b":2}'


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        pytest.param(b"data: %b\ndata: %b\n" % (A, B), [Frame(A), Frame(B)], id="one line end between events"),
        pytest.param(b"data: %b\ndata: [DONE]\n" % A, [Frame(A), Frame(b"[DONE]")], id="the end among them"),
        pytest.param(
            b"event: x\ndata: %b\nevent: y\ndata: %b\n" % (A, B), [Frame(A, "x"), Frame(B, "y")], id="names among them"
        ),
        pytest.param(b'data: {"a":\ndata: {}}\ndata: {\n\n', [Frame(b'{"a":\n{}}'), Frame(b"{")], id="JSON over lines"),
        pytest.param(b"data: {x}\ndata: a\n\n", [Frame(b"{x}\na")], id="what only looks like JSON"),
        pytest.param(A, [Frame(A)], id="bare JSON"),
        pytest.param(A + b"\n" + B + b"\n", [Frame(A), Frame(B)], id="a line of bare JSON for each event"),
        pytest.param(b'{\n "a": 1,\n "b": {}\n}', [Frame(b'{\n "a": 1,\n "b": {}\n}')], id="bare JSON over lines"),
        pytest.param(b"data: %b\n\n%b\n\n" % (A, B), [Frame(A), Frame(B)], id="bare JSON behind events"),
        pytest.param(A + b"\nevent: y\ndata: " + B, [Frame(A), Frame(B, "y")], id="events behind bare JSON"),
        pytest.param(b"  data: %b\n\n event: x\n data: %b\n" % (A, B), [Frame(A), Frame(B, "x")], id="blanks before"),
        pytest.param(b"   \ndata: a\n  \n\n", [Frame(b"a")], id="a line of blanks is none"),
    ],
)
def test_a_stream_that_breaks_the_standard_gives_the_frames_that_were_meant(stream: bytes, frames: list[Frame]) -> None:
    assert parsed(stream) == frames
    assert parsed(*(bytes([byte]) for byte in stream)) == frames


LINES = st.sampled_from(
    [
        b'{"a":1}',
        b'data: {"a":1}',
        b"  data: c",
        b"data: a",
        b"data:",
        b"data",
        b"event: x",
        b": note",
        b"",
        b"error: {}",
        b"\xef\xbb\xbfdata: b",
        "data: é🙂".encode(),
    ]
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r", b"\r\n", b""])), max_size=12).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(STREAMS | st.binary(max_size=60), st.data())
def test_any_cut_of_the_bytes_gives_the_same_frames(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    bounds = [0, *cuts, len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(bounds)]
    assert parsed(*chunks) == parsed(stream)


@given(
    st.lists(
        st.builds(
            Frame,
            st.text(st.characters(codec="utf-8", exclude_characters="\r")).map(str.encode),
            st.sampled_from(["", "message_start", "error"]),
        )
    )
)
def test_encoded_frames_are_parsed_to_themselves(frames: list[Frame]) -> None:
    assert parsed(b"".join(map(encode_frame, frames))) == frames


def test_line_breaks_in_data_become_data_lines() -> None:
    assert encode_frame(Frame(b"a\nb\r\nc\rd\n", "x")) == b"event: x\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([b"data: " + b"x" * 8] * 3, id="a line without an end"),
        pytest.param([b"data: xxxxxxxx\n"] * 3, id="an event without an end"),
    ],
)
def test_an_event_without_bound_is_refused(chunks: list[bytes]) -> None:
    parser = SseParser(max_event_bytes=20)
    with pytest.raises(ProtocolError, match="bigger than `20` bytes"):
        [frame for chunk in chunks for frame in parser.feed(chunk)]


def test_an_event_of_very_many_lines_that_each_end_like_an_object_is_one() -> None:
    """Each line had all before it read again: a megabyte of them took minutes."""
    lines = [b"{", *(b'"a":{}' for _ in range(20_000)), b"}"]
    stream = b"".join(b"data: %b\n" % line for line in lines) + b"\ndata: {}\n\n"
    assert parsed(stream) == [Frame(b"\n".join(lines)), Frame(b"{}")]


def test_the_bound_is_on_one_event_and_not_on_the_stream() -> None:
    parser = SseParser(max_event_bytes=20)
    chunks = [b"data: xxx", b"xxxxx\n\n"] * 50
    assert [frame for chunk in chunks for frame in parser.feed(chunk)] == [Frame(b"xxxxxxxx")] * 50


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'data: {"error": {"message": "bad"}}\n\n', b'{"error": {"message": "bad"}}'),
        (
            b'id:1\nevent:error\n:HTTP_STATUS/400\ndata:{"code":"X","message":"bad"}\n\n',
            b'{"code":"X","message":"bad"}',
        ),
        (b'\n: ping\n\ndata: {"error": 1}\n\ndata: [DONE]\n\n', b'{"error": 1}'),
        (b": ping\n\n", b": ping\n\n"),
        (b'{"error": {"message": "data: x"}}', b'{"error": {"message": "data: x"}}'),
        (b"", b""),
    ],
)
def test_a_body_that_is_a_stream_says_what_its_first_event_says(body: bytes, said: bytes) -> None:
    assert unframed(body) == said
