"""The scripted model: how answers become chains of tokens, and that the file is a sound GGUF."""

from __future__ import annotations

import re
from pathlib import Path

import gguf
import jinja2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentlaunch.core.gguf import parse_gguf
from agentlaunch.core.scripted_gguf import (
    Call,
    Reply,
    Script,
    Turn,
    numbered_words,
    scripted_gguf,
    scripted_network,
)

THINKING = Turn(thinking="I think.", text="Two calls.", calls=(Call("Write", {"path": "a"}), Call("Bash", {"x": [1]})))


def spoken_by(content: bytes, answer: int, path: Path, limit: int = 5_000) -> tuple[str, ...]:
    """Run the network by hand: the tokens that follow the control token of this answer, at most `limit`."""
    path.write_bytes(content)
    reader = gguf.GGUFReader(path)
    field = reader.fields["tokenizer.ggml.tokens"]
    tokens = [bytes(field.parts[index]).decode() for index in field.data]
    weights = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    follower = np.argmax(weights["output.weight"] @ weights["token_embd.weight"].T, axis=0)
    token, said = tokens.index(f"<|answer_{answer}|>"), []
    while tokens[token := int(follower[token])] != "<|im_end|>" and len(said) < limit:
        said.append(tokens[token])
    return tuple(said)


def test_the_answers_are_the_chains_from_their_control_tokens(tmp_path: Path) -> None:
    script = Script(turns=(THINKING,), final=Turn(text="Done."), replies=(Reply("compact", Turn(text="A summary.")),))
    content = scripted_gguf(script)
    said = ["".join(spoken_by(content, number, tmp_path / "model.gguf")) for number in range(4)]
    assert said == [
        "A scripted title",
        "Done.",
        (
            "<think>I think.</think>\nTwo calls."
            '<tool_call>\n{"name": "Write", "arguments": {"path": "a"}}\n</tool_call>\n'
            '<tool_call>\n{"name": "Bash", "arguments": {"x": [1]}}\n</tool_call>'
        ),
        "A summary.",
    ]


def test_a_reply_may_be_for_one_round_of_tool_results_alone() -> None:
    script = Script(replies=(Reply("write", Turn(text="I write.")), Reply("read", Turn(text="I read."), rounds=1)))
    template = jinja2.Environment().from_string(scripted_network(script).template)  # noqa: S701 - a prompt, no page
    tool = {"type": "function", "function": {"name": "f"}}
    call: dict[str, object] = {"function": {"name": "f", "arguments": "{}"}}
    rounds: list[dict[str, object]] = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "content": "1"}]

    def answer(question: str, count: int) -> str:
        messages = [{"role": "user", "content": question}, *rounds * count]
        return template.render(messages=messages, tools=[tool], add_generation_prompt=True).rpartition("\n")[2]

    assert [answer("write", count) for count in range(3)] == ["<|answer_2|>"] * 3
    assert [answer("read", count) for count in range(3)] == ["<|answer_1|>", "<|answer_3|>", "<|answer_1|>"]


def test_an_answer_takes_several_tokens(tmp_path: Path) -> None:
    content = scripted_gguf(Script(final=Turn(text=numbered_words(200))))
    said = spoken_by(content, 1, tmp_path / "model.gguf")
    assert said[:3] == ("word1 ", "word2 ", "word3 ")
    assert len(said) == 200


def test_an_endless_answer_comes_back_to_its_beginning(tmp_path: Path) -> None:
    content = scripted_gguf(Script(final=Turn(text="round and round ", endless=True)))
    said = spoken_by(content, 1, tmp_path / "model.gguf", limit=100)
    assert len(said) == 100
    assert ("round and round " * 100).startswith("".join(said))


def test_short_answers_may_be_tokens_of_the_prompt_too(tmp_path: Path) -> None:
    content = scripted_gguf(Script(final=Turn(text="ok"), untooled=Turn(text="\n")))
    assert [spoken_by(content, number, tmp_path / "model.gguf") for number in (0, 1)] == [("\n",), ("ok",)]


def test_an_empty_answer_ends_at_once(tmp_path: Path) -> None:
    assert spoken_by(scripted_gguf(Script(final=Turn())), 1, tmp_path / "model.gguf") == ()


def test_the_header_says_what_the_engine_needs() -> None:
    content = scripted_gguf(Script())
    header = parse_gguf(lambda offset, length: content[offset : offset + length])
    assert (header.architecture, header.name, header.context_length) == ("llama", "scripted", 262_144)
    assert header.tensor_bytes_end == len(content) < 2_000_000


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        (Turn(text="a\u2581b"), "a scripted text cannot hold '\u2581': the tokenizer reads it as a space"),
        (Turn(endless=True), "an endless turn has text and no calls"),
        (Turn(text="x", calls=(Call("a", {}),), endless=True), "an endless turn has text and no calls"),
        (Turn(text="</s>"), "`</s>` cannot be cut into tokens that no other answer has"),
    ],
)
def test_what_cannot_be_said_is_named(turn: Turn, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        scripted_gguf(Script(final=turn))


@settings(max_examples=12)
@given(st.lists(st.text("ab {", max_size=60), min_size=1, max_size=4))
def test_any_texts_are_said_exactly(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    script = Script(turns=tuple(Turn(text=text) for text in texts))
    try:
        content = scripted_gguf(script)
    except ValueError:
        assume(False)
    path = tmp_path_factory.mktemp("said") / "model.gguf"
    assert ["".join(spoken_by(content, number, path)) for number in range(2, 2 + len(texts))] == texts
