"""The header of a GGUF file: what a model is and how long its file must be, read from bytes without loading it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, TypeAlias, cast

Reader: TypeAlias = Callable[[int, int], bytes]
"""`read(offset, length)`: the bytes there, fewer only at the end of the file. Any source: a file, HTTP ranges."""

GgufFault = Literal["not-a-gguf", "gguf-truncated", "gguf-unsupported", "gguf-damaged"]


class GgufError(ValueError):
    """The bytes are no GGUF header that we can read; `kind` tells why in a word for scripts."""

    def __init__(self, kind: GgufFault, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class ArraySummary:
    """An array too long to keep (a vocabulary): its item type by the specification's number, and its length."""

    item_type: int
    length: int


MetadataValue: TypeAlias = str | int | float | bool | tuple[int | float | bool, ...] | ArraySummary


@dataclass(frozen=True)
class GgufHeader:
    """What the header says. None means that the file does not say. Lengths are in tokens where not in bytes.

    `context_length` is the length the model was trained for. `head_count` and `head_count_kv` hold one number for all
    blocks, or one for each block. `tensor_bytes_end` is where the last tensor ends: a shorter file is truncated.
    """

    version: int
    architecture: str
    name: str | None
    context_length: int | None
    block_count: int | None
    embedding_length: int | None
    head_count: tuple[int, ...]
    head_count_kv: tuple[int, ...]
    key_length: int | None
    value_length: int | None
    vocabulary_length: int | None
    chat_template: str | None
    file_type: int | None
    split_count: int
    tensor_count: int
    tensor_bytes_end: int
    metadata: Mapping[str, MetadataValue] = field(repr=False)


# Limits against hostile headers. The largest real ones are about 20 MiB (a vocabulary of 262,144 tokens with its
# merges) and 2,000 tensors; the 65,535 bytes of a key and the four dimensions are the specification's own
# (ggml-org/ggml, docs/gguf.md).
MAX_HEADER_BYTES = 128 * 2**20
MAX_ENTRIES = 65_536
MAX_KEY_BYTES = 65_535
MAX_TEXT_BYTES = 2**20
MAX_STRINGS = 2**22
MAX_KEPT_ITEMS = 4_096
MAX_DIMENSIONS = 4
MAX_ARRAY_DEPTH = 4
_CHUNK_BYTES = 2**18

_STRING, _ARRAY = 8, 9
_SCALARS: dict[int, str] = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip

TENSOR_BLOCKS: dict[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66),
    17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136),
    24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54),
    35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""Tensor type -> (weights a block, bytes a block), as in ggml's type table; a test compares the gguf package."""


def parse_gguf(read: Reader) -> GgufHeader:
    """Read the header. Raises GgufError; never allocates more than the bytes that the reader really gives."""
    cursor = _Cursor(read)
    version = _version(cursor)
    tensor_count = _count(cursor, "tensors")
    metadata = dict(_entries(cursor, _count(cursor, "metadata entries")))
    end = _tensor_bytes_end(cursor, tensor_count, _integer(metadata, "general.alignment") or 32)
    architecture = _text(metadata, "general.architecture") or ""
    tokens = metadata.get("tokenizer.ggml.tokens")
    return GgufHeader(
        version=version,
        architecture=architecture,
        name=_text(metadata, "general.name"),
        context_length=_integer(metadata, f"{architecture}.context_length"),
        block_count=_integer(metadata, f"{architecture}.block_count"),
        embedding_length=_integer(metadata, f"{architecture}.embedding_length"),
        head_count=_integers(metadata, f"{architecture}.attention.head_count"),
        head_count_kv=_integers(metadata, f"{architecture}.attention.head_count_kv"),
        key_length=_integer(metadata, f"{architecture}.attention.key_length"),
        value_length=_integer(metadata, f"{architecture}.attention.value_length"),
        vocabulary_length=tokens.length if isinstance(tokens, ArraySummary) else None,
        chat_template=_text(metadata, "tokenizer.chat_template"),
        file_type=_integer(metadata, "general.file_type"),
        split_count=_integer(metadata, "split.count") or 1,
        tensor_count=tensor_count,
        tensor_bytes_end=end,
        metadata=metadata,
    )


class _Cursor:
    """A position in the header over chunks of the source; it refuses to go past `MAX_HEADER_BYTES`."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._start = 0
        self._chunk = b""
        self.offset = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes. Raises GgufError `gguf-truncated` when the source has fewer."""
        self._check(length)
        at = self.offset - self._start
        if at + length > len(self._chunk):
            self._start = self.offset
            self._chunk = self._read(self.offset, max(length, _CHUNK_BYTES))
            at = 0
            if len(self._chunk) < length:
                has = self.offset + len(self._chunk)
                raise GgufError(
                    "gguf-truncated", f"the header is cut off: expected {self.offset + length:,} bytes, has {has:,}"
                )
        self.offset += length
        return self._chunk[at : at + length]

    def skip(self, length: int) -> None:
        """Go `length` bytes on without reading them."""
        self._check(length)
        self.offset += length

    def number(self, code: str) -> int:
        """The next little-endian integer of this `struct` code."""
        return cast("int", struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0])

    def skip_strings(self, count: int) -> None:
        """Go past `count` strings. The inner loop of a vocabulary: a header has half a million of them."""
        unpack = struct.Struct("<Q").unpack_from
        while count:
            head = self.take(8)
            chunk, at = self._chunk, self.offset - self._start
            (length,) = unpack(head)
            end = at + length
            last = len(chunk) - 8
            count -= 1
            while count and end <= last:
                (length,) = unpack(chunk, end)
                end += 8 + length
                count -= 1
            self.offset = self._start + at
            self.skip(end - at)

    def _check(self, length: int) -> None:
        if self.offset + length > MAX_HEADER_BYTES:
            raise GgufError("gguf-damaged", f"the header claims more than {MAX_HEADER_BYTES:,} bytes")


def _version(cursor: _Cursor) -> int:
    """The version after the magic. Raises GgufError for other files and for versions that llama.cpp refuses too."""
    try:
        start = cursor.take(8)
    except GgufError as error:
        raise GgufError("not-a-gguf", "not a GGUF file: it has fewer than 8 bytes") from error
    if start[:4] != b"GGUF":
        raise GgufError("not-a-gguf", f"not a GGUF file: it starts with {start[:8]!r}, not with b'GGUF'")
    little, big = (cast("int", struct.unpack(f"{order}I", start[4:])[0]) for order in "<>")
    if little in (2, 3):
        return little
    if big in (1, 2, 3):
        raise GgufError("gguf-unsupported", f"a big-endian GGUF (version {big}) is not supported, little-endian is")
    raise GgufError("gguf-unsupported", f"GGUF version {little} is not supported, versions 2 and 3 are")


def _count(cursor: _Cursor, what: str) -> int:
    count = cursor.number("Q")
    if count > MAX_ENTRIES:
        raise GgufError("gguf-damaged", f"the header claims {count:,} {what}, more than {MAX_ENTRIES:,}")
    return count


def _string(cursor: _Cursor, limit_bytes: int, what: str) -> str:
    length = cursor.number("Q")
    if length > limit_bytes:
        raise GgufError("gguf-damaged", f"{what} claims {length:,} bytes, more than {limit_bytes:,}")
    return cursor.take(length).decode("utf-8", "replace")


def _entries(cursor: _Cursor, count: int) -> Iterator[tuple[str, MetadataValue]]:
    for _ in range(count):
        key = _string(cursor, MAX_KEY_BYTES, "a metadata key")
        yield key, _value(cursor, key)


def _value(cursor: _Cursor, key: str) -> MetadataValue:
    kind = cursor.number("I")
    if kind == _STRING:
        return _string(cursor, MAX_TEXT_BYTES, f"`{key}`")
    if kind == _ARRAY:
        return _array(cursor, key, 1)
    return _scalars(cursor, kind, 1, key)[0]


def _array(cursor: _Cursor, key: str, depth: int) -> MetadataValue:
    kind, length = cursor.number("I"), cursor.number("Q")
    limit = {_STRING: MAX_STRINGS, _ARRAY: MAX_ENTRIES}.get(kind, MAX_HEADER_BYTES)
    if length > limit or depth > MAX_ARRAY_DEPTH:
        raise GgufError("gguf-damaged", f"`{key}` claims an array of {length:,} items at depth {depth}")
    if kind == _STRING:
        cursor.skip_strings(length)
    elif kind == _ARRAY:
        for _ in range(length):
            _array(cursor, key, depth + 1)
    elif length <= MAX_KEPT_ITEMS:
        return _scalars(cursor, kind, length, key)
    else:
        cursor.skip(length * struct.calcsize(f"<{_code(kind, key)}"))
    return ArraySummary(kind, length)


def _scalars(cursor: _Cursor, kind: int, length: int, key: str) -> tuple[int | float | bool, ...]:
    code = f"<{length}{_code(kind, key)}"
    return struct.unpack(code, cursor.take(struct.calcsize(code)))


def _code(kind: int, key: str) -> str:
    if kind not in _SCALARS:
        raise GgufError("gguf-damaged", f"`{key}` has the unknown value type {kind}")
    return _SCALARS[kind]


def _tensor_bytes_end(cursor: _Cursor, count: int, alignment: int) -> int:
    """Where the data of the last tensor ends, in bytes from the start; the tensor infos are read for it."""
    ends = [0]
    for _ in range(count):
        name = _string(cursor, MAX_KEY_BYTES, "a tensor's name")
        dimensions = cursor.number("I")
        if dimensions > MAX_DIMENSIONS:
            raise GgufError("gguf-damaged", f"the tensor `{name}` claims {dimensions} dimensions")
        weights = tuple(accumulate((cursor.number("Q") for _ in range(dimensions)), lambda a, b: a * b, initial=1))[-1]
        kind, offset = cursor.number("I"), cursor.number("Q")
        # A type newer than our table has an unknown size: its offset is then a lower bound, never a false alarm.
        per_block, block_bytes = TENSOR_BLOCKS.get(kind, (1, 0))
        ends.append(offset + weights // per_block * block_bytes)
    data_start = -(-cursor.offset // alignment) * alignment if alignment > 0 else cursor.offset
    return data_start + max(ends) if count else cursor.offset


def _text(metadata: Mapping[str, MetadataValue], key: str) -> str | None:
    value = metadata.get(key)
    return value if isinstance(value, str) else None


def _integer(metadata: Mapping[str, MetadataValue], key: str) -> int | None:
    value = metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _integers(metadata: Mapping[str, MetadataValue], key: str) -> tuple[int, ...]:
    match metadata.get(key):
        case int(number) if not isinstance(number, bool):
            return (number,)
        case tuple(numbers):
            return tuple(number for number in numbers if isinstance(number, int))
        case _:
            return ()
