"""The scripted model as a checkpoint says its script, and under a grammar the shortest answer."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.doubles.scripted_checkpoint import write_checkpoint

from agentlaunch.core.scripted_gguf import Call, Script, Turn

SCRIPT = Script(turns=(Turn(text="I read.", calls=(Call("read_file", {"path": "a"}),)),), final=Turn(text="Done."))


@dataclass(frozen=True)
class Checkpoint:
    """A folder's tokens, and the weight that each has (first index) behind each other (second)."""

    tokens: list[str]
    follows: np.ndarray

    def said_from(self, token: str) -> str:
        """Greedily, as a server at temperature 0."""
        said, at = [], self.tokens.index(token)
        while self.tokens[at := int(np.argmax(self.follows[:, at]))] != "<|im_end|>":
            said.append(self.tokens[at])
        return "".join(said).replace("\u2581", " ")

    def preferred(self, *allowed: str, behind: str) -> str:
        """The one of these that comes where a grammar allows no other."""
        weights = {token: self.follows[self.tokens.index(token), self.tokens.index(behind)] for token in allowed}
        return max(weights, key=lambda token: float(weights[token]))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = write_checkpoint(SCRIPT, tmp_path_factory.mktemp("model") / "scripted")
    data = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]

    def matrix(name: str) -> np.ndarray:
        start, end = header[name]["data_offsets"]
        return np.frombuffer(body[start:end], "<f4").reshape(header[name]["shape"])

    ends = [told["data_offsets"][1] for name, told in header.items() if name != "__metadata__"]
    assert max(ends) == len(body)
    tokens = [piece for piece, _ in json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]]
    return Checkpoint(tokens, matrix("lm_head.weight") @ matrix("model.embed_tokens.weight").T)


def test_it_says_its_script(checkpoint: Checkpoint) -> None:
    assert [checkpoint.said_from(f"<|answer_{number}|>") for number in range(3)] == [
        "A scripted title",
        "Done.",
        'I read.<tool_call>\n{"name": "read_file", "arguments": {"path": "a"}}\n</tool_call>',
    ]


def test_what_ends_a_value_is_preferred_where_the_script_has_no_say(checkpoint: Checkpoint) -> None:
    quote, brace, space = "<0x22>", "<0x7D>", "<0x20>"
    for behind in ("<|answer_2|>", "<0x7B>"):
        assert checkpoint.preferred(space, brace, quote, behind=behind) == quote
        assert checkpoint.preferred(space, brace, behind=behind) == brace


def test_the_configuration_fits_the_weights(tmp_path: Path, checkpoint: Checkpoint) -> None:
    config = json.loads((write_checkpoint(SCRIPT, tmp_path / "m") / "config.json").read_text())
    assert config["vocab_size"] == len(checkpoint.tokens)
    assert checkpoint.tokens[config["eos_token_id"]] == "<|im_end|>"
