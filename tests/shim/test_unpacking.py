"""Unpacking in bounded pieces, whatever the packed bytes hold and however they are cut."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.shim.unpacking import STEP_BYTES, Damaged, UnknownEncoding, unpack, unpackers

WORDS = b"".join(b"%d words " % number for number in range(3000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "x-gzip": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    "deflate": zlib.compress,
    "zstd": lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
    "br": lambda data: brotli.compress(data, quality=1),
    "gzip, zstd": lambda data: zstandard.compress(gzip.compress(data)),
}

packings = pytest.mark.parametrize("encoding", PACKERS)


@packings
@pytest.mark.parametrize("cut", [1, 2, 7, 4096, 10**9])
def test_the_cut_of_the_packed_bytes_does_not_matter(encoding: str, cut: int) -> None:
    packed, chain = PACKERS[encoding](WORDS), unpackers(encoding)
    pieces = [packed[start : start + cut] for start in range(0, len(packed), cut)]
    assert b"".join(piece for each in pieces for piece in unpack(each, chain)) == WORDS
    assert all(unpacker.is_whole for unpacker in chain)


@packings
def test_a_bomb_comes_out_in_pieces_that_fit_the_memory(encoding: str) -> None:
    size_bytes = 160 * 2**20
    packed = PACKERS[encoding](bytes(size_bytes))
    pieces = [len(piece) for piece in unpack(packed, unpackers(encoding))]
    assert sum(pieces) == size_bytes
    assert max(pieces) <= {"br": 2 * STEP_BYTES, "zstd": 32 * 2**20}.get(encoding, STEP_BYTES)


@packings
@given(st.integers(0, 2000), st.integers(1, 50))
def test_what_is_cut_off_is_not_whole(encoding: str, at: int, missing: int) -> None:
    packed, chain = PACKERS[encoding](WORDS), unpackers(encoding)
    cut = packed[: min(at, len(packed) - missing)]
    unpacked = b"".join(unpack(cut, chain))
    assert WORDS.startswith(unpacked)
    assert unpacked == WORDS or not chain[-1].is_whole or len(unpacked) == 9  # x-gzip and zstd begin with nine bytes


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br"])
@pytest.mark.parametrize("junk", [b"no such packing", b"\xff" * 99])
def test_junk_is_damaged(encoding: str, junk: bytes) -> None:
    with pytest.raises(Damaged):
        list(unpack(junk, unpackers(encoding)))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br"])
def test_junk_behind_what_is_whole_is_damaged(encoding: str) -> None:
    with pytest.raises(Damaged):
        list(unpack(PACKERS[encoding](WORDS) + b"\xff junk" * 9, unpackers(encoding)))


@pytest.mark.parametrize(("encodings", "named"), [("lzma", "lzma"), ("gzip, x" + "y" * 99, "x" + "y" * 39)])
def test_an_unknown_encoding_is_named(encodings: str, named: str) -> None:
    with pytest.raises(UnknownEncoding, match=f"^{named}$"):
        unpackers(encodings)


def test_without_an_encoding_bytes_stay_as_they_are() -> None:
    assert list(unpack(b"plain", unpackers("identity, "))) == [b"plain"]


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_fifty_thousand_packed_streams_one_behind_the_other_are_one_body(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """Each step over one of them copied all that were behind it: a body of 64 MiB would have taken hours."""
    (unpacker,) = unpackers(encoding)
    packed = pack(b"") * 50_000 + pack(b"the end")
    assert (b"".join(unpacker.feed(packed)), unpacker.is_whole) == (b"the end", True)
