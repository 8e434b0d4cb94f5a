"""The GGUF header: what is read from real files, and what hostile or broken ones may not do."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlaunch.core.gguf import (
    MAX_HEADER_BYTES,
    TENSOR_BLOCKS,
    ArraySummary,
    GgufError,
    GgufHeader,
    Reader,
    parse_gguf,
)
from agentlaunch.core.scripted_gguf import Script, Turn, numbered_words, scripted_gguf

MODEL = scripted_gguf(Script())


def from_bytes(content: bytes) -> Reader:
    """A reader of bytes in memory."""
    return lambda offset, length: content[offset : offset + length]


def written(path: Path, *, split_count: int = 1) -> bytes:
    """A file by the gguf package's own writer."""
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name("Écrit")
    writer.add_context_length(40_960)
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_head_count([4, 8])
    writer.add_head_count_kv(2)
    writer.add_key_length(128)
    writer.add_value_length(96)
    writer.add_file_type(15)
    writer.add_token_list([f"token{number}" for number in range(100_000)])
    writer.add_token_scores([0.5] * 100_000)
    writer.add_chat_template("{{ messages }}")
    writer.add_bool("a.flag", True)
    writer.add_float64("a.double", 2.5)
    writer.add_array("a.nested", [["x"], ["y", "z"]])
    writer.add_uint16("split.count", split_count)
    writer.add_tensor("one", np.zeros((3, 64), np.float32))
    writer.add_tensor("two", np.zeros((1, 34), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def test_a_file_of_the_gguf_package_is_read_whole(tmp_path: Path) -> None:
    content = written(tmp_path / "model.gguf", split_count=3)
    header = parse_gguf(from_bytes(content))
    assert replace(header, metadata={}, tensor_bytes_end=0) == GgufHeader(
        version=3,
        architecture="qwen3",
        name="Écrit",
        context_length=40_960,
        block_count=2,
        embedding_length=64,
        head_count=(4, 8),
        head_count_kv=(2,),
        key_length=128,
        value_length=96,
        vocabulary_length=100_000,
        chat_template="{{ messages }}",
        file_type=15,
        split_count=3,
        tensor_count=2,
        tensor_bytes_end=0,
        metadata={},
    )
    assert header.metadata["a.flag"] is True
    assert header.metadata["a.double"] == 2.5
    assert header.metadata["a.nested"] == ArraySummary(9, 2)
    assert header.metadata["tokenizer.ggml.scores"] == ArraySummary(6, 100_000)


def test_the_tensors_end_where_the_packages_reader_says(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    content = written(path)
    ends = [int(tensor.data_offset + tensor.n_bytes) for tensor in gguf.GGUFReader(path).tensors]
    assert parse_gguf(from_bytes(content)).tensor_bytes_end == max(ends)


def test_tensor_sizes_agree_with_the_gguf_package() -> None:
    theirs = {int(kind): (int(weights), int(size)) for kind, (weights, size) in gguf.GGML_QUANT_SIZES.items()}
    assert {kind: theirs.get(kind, block) for kind, block in TENSOR_BLOCKS.items()} == TENSOR_BLOCKS


def test_only_the_header_is_read() -> None:
    model = scripted_gguf(Script(final=Turn(text=numbered_words(200))))
    asked: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return model[offset : offset + length]

    assert parse_gguf(read).tensor_bytes_end == len(model)
    assert asked == [(0, 2**18)]
    assert len(model) > 2**18


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", "not-a-gguf", "not a GGUF file: it has fewer than 8 bytes"),
        (b"PK\x03\x04zipzip", "not-a-gguf", r"not a GGUF file: it starts with b'PK\x03\x04zipz', not with b'GGUF'"),
        (b"GGUF" + struct.pack("<I", 1), "gguf-unsupported", "GGUF version 1 is not supported, versions 2 and 3 are"),
        (b"GGUF" + struct.pack("<I", 9), "gguf-unsupported", "GGUF version 9 is not supported, versions 2 and 3 are"),
        (
            b"GGUF" + struct.pack(">I", 3),
            "gguf-unsupported",
            "a big-endian GGUF (version 3) is not supported, little-endian is",
        ),
        (MODEL[:20], "gguf-truncated", "the header is cut off: expected 24 bytes, has 20"),
        (MODEL[:3000], "gguf-truncated", None),
        (
            MODEL[:16] + struct.pack("<Q", 2**62),
            "gguf-damaged",
            "the header claims 4,611,686,018,427,387,904 metadata entries, more than 65,536",
        ),
        (
            MODEL[:16] + struct.pack("<QQ", 1, 2**63),
            "gguf-damaged",
            "a metadata key claims 9,223,372,036,854,775,808 bytes, more than 65,535",
        ),
        (
            MODEL[:16] + struct.pack("<QQcIIQ", 1, 1, b"k", 9, 8, 2**61),
            "gguf-damaged",
            "`k` claims an array of 2,305,843,009,213,693,952 items at depth 1",
        ),
        (MODEL[:16] + struct.pack("<QQcI", 1, 1, b"k", 99), "gguf-damaged", "`k` has the unknown value type 99"),
        (
            MODEL[:16] + struct.pack("<QQcIIQQ", 1, 1, b"k", 9, 8, 1, 2**40),
            "gguf-damaged",
            f"the header claims more than {MAX_HEADER_BYTES:,} bytes",
        ),
        (
            b"GGUF" + struct.pack("<IQQQcI", 3, 1, 0, 1, b"t", 2**31),
            "gguf-damaged",
            "the tensor `t` claims 2147483648 dimensions",
        ),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, kind: str, message: str | None) -> None:
    with pytest.raises(GgufError) as raised:
        parse_gguf(from_bytes(content))
    assert raised.value.kind == kind
    assert message is None or str(raised.value) == message


def test_version_2_is_read_like_version_3() -> None:
    older = b"GGUF" + struct.pack("<I", 2) + MODEL[8:]
    assert parse_gguf(from_bytes(older)) == replace(parse_gguf(from_bytes(MODEL)), version=2)


def test_a_number_of_another_type_is_as_good_as_none() -> None:
    key = b"llama.attention.head_count"
    for value in (struct.pack("<I?", 7, True), struct.pack("<IQ2s", 8, 2, b"12"), struct.pack("<If", 6, 1.5)):
        content = b"GGUF" + struct.pack("<IQQ", 3, 0, 2)
        content += struct.pack("<Q20sIQ5s", 20, b"general.architecture", 8, 5, b"llama")
        content += struct.pack(f"<Q{len(key)}s", len(key), key) + value
        header = parse_gguf(from_bytes(content))
        assert (header.architecture, header.head_count, header.tensor_bytes_end) == ("llama", (), len(content))


def test_a_tensor_type_of_the_future_is_no_error() -> None:
    unknown = b"GGUF" + struct.pack("<IQQQcIQIQ", 3, 1, 0, 1, b"t", 1, 64, 999, 4096)
    assert parse_gguf(from_bytes(unknown)).tensor_bytes_end == 64 + 4096


def test_strings_are_walked_across_every_chunk_border(tmp_path: Path) -> None:
    content = written(tmp_path / "model.gguf")
    expected = parse_gguf(from_bytes(content))
    # The header is 2.4 MB in chunks of 256 KiB; a shorter name in front moves every border.
    moved = content.replace("Écrit".encode(), b"Ecrit", 1)
    at = moved.index(b"Ecrit") - 8
    moved = moved[:at] + struct.pack("<Q", 5) + moved[at + 8 :]
    header = parse_gguf(from_bytes(moved))
    assert header.name == "Ecrit"
    assert header.vocabulary_length == expected.vocabulary_length
    assert header.chat_template == expected.chat_template


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 7000), st.binary(min_size=1, max_size=9)), min_size=1, max_size=4),
    st.integers(0, len(MODEL)),
)
def test_a_mutated_header_is_read_or_refused_and_never_asks_for_much(
    edits: list[tuple[int, bytes]], length: int
) -> None:
    content = bytearray(MODEL)
    for offset, change in edits:
        content[offset : offset + len(change)] = change

    def read(offset: int, wanted: int) -> bytes:
        assert wanted <= 2**20
        assert offset <= MAX_HEADER_BYTES
        return bytes(content[:length][offset : offset + wanted])

    with suppress(GgufError):
        assert parse_gguf(read).version in (2, 3)
