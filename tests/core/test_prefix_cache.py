"""Which kept prefix serves a prompt, and which have to go."""

from __future__ import annotations

from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.prefix_cache import (
    KeptPrefix,
    Match,
    best_match,
    common_tokens,
    excess,
    first_tokens,
    is_worth_keeping,
    packed,
    token_count,
    unpacked,
)
from agentlaunch.core.prefix_store import MAX_BYTES, default_limit_bytes, engine_digest

TOKENS = st.lists(st.integers(0, 3), max_size=40)


def kept(name: str, tokens: range | list[int], *, engine: str = "e", size: int = 10, used: float = 0) -> KeptPrefix:
    return KeptPrefix(
        name=name,
        engine=engine,
        model="m",
        tokens=packed(tokens),
        size_bytes=size,
        modified_ns=0,
        sample=b"",
        used_at=used,
    )


@given(TOKENS, TOKENS)
def test_common_tokens_are_counted_from_the_beginning(first: list[int], second: list[int]) -> None:
    common = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))))
    assert common_tokens(packed(first), packed(second)) == common


def test_packed_tokens_are_counted_and_cut_by_tokens() -> None:
    tokens = packed([7, 8, 9])
    assert (token_count(tokens), unpacked(first_tokens(tokens, 2)), unpacked(tokens)) == (3, [7, 8], [7, 8, 9])


@given(st.lists(st.integers(0, 2**31 - 1)))
def test_packed_tokens_come_back(tokens: list[int]) -> None:
    assert unpacked(packed(tokens)) == tokens


def test_the_prefix_that_spares_the_most_is_taken() -> None:
    short, long = kept("short", range(600)), kept("long", range(1000))
    elsewhere, tiny = kept("elsewhere", range(1200), engine="other"), kept("tiny", range(500))
    prompt = packed(range(1100))
    assert best_match([short, long, elsewhere, tiny], "e", prompt, whole_only=False) == Match(long, 1000)


def test_a_prefix_may_be_used_in_part_unless_the_state_cannot_be_cut() -> None:
    parted, whole = kept("parted", range(1000)), kept("whole", range(600))
    prompt = packed([*range(900), 7, 7, 7])
    assert best_match([parted, whole], "e", prompt, whole_only=False) == Match(parted, 900)
    assert best_match([parted, whole], "e", prompt, whole_only=True) == Match(whole, 600)
    assert best_match([parted], "e", prompt, whole_only=True) is None


@pytest.mark.parametrize(
    ("stable", "common", "worth"), [(511, 0, False), (512, 0, True), (1256, 1000, False), (1257, 1000, True)]
)
def test_a_prefix_is_kept_when_it_spares_more_than_what_is_there(stable: int, common: int, worth: bool) -> None:
    match = Match(kept("there", range(common)), common) if common else None
    assert is_worth_keeping(stable, match) == worth


def test_the_longest_unused_goes_first() -> None:
    old, middle, new = kept("old", [], used=1), kept("middle", [], used=2), kept("new", [], used=3)
    assert excess([new, old, middle], 30) == ()
    assert excess([new, old, middle], 29) == (old,)
    assert excess([new, old, middle], 9) == (old, middle, new)


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(0, 100)), max_size=8), st.integers(0, 300))
def test_what_stays_fits_and_no_more_goes_than_must(sizes: list[tuple[int, float]], limit: int) -> None:
    there = [kept(str(at), [], size=size, used=used) for at, (size, used) in enumerate(sizes)]
    going = excess(there, limit)
    left = sum(prefix.size_bytes for prefix in there if prefix not in going)
    assert left <= limit
    assert not going or left + going[-1].size_bytes > limit


def test_the_limit_is_a_tenth_of_the_free_disk_and_four_gib_at_most() -> None:
    assert default_limit_bytes(10_000) == 1_000
    assert default_limit_bytes(2**50) == MAX_BYTES


def test_any_other_fact_makes_another_engine() -> None:
    facts = ("weights", 1, "build", 8192, "f16")
    digests = {engine_digest((*facts[:at], "changed", *facts[at + 1 :])) for at in range(len(facts))}
    assert len({engine_digest(facts), *digests}) == 6
    assert engine_digest(facts) == engine_digest(list(facts))
