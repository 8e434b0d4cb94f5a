"""Prompt prefixes kept on disk: which one serves a prompt, and which have to go."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

MIN_TOKENS = 512
"""Shorter prefixes are not kept: computing them takes a second or two even on a slow machine."""
WORTH_TOKENS = 256
"""A prefix is kept when it is this much longer than what is kept already; the rest is computed each time."""
LOST_TOKENS = 64
"""How many of the restored tokens an engine may compute again: a sliding window costs a few (measured: 5 of 1,914)."""

_TOKEN_BYTES = 4


class KeptPrefix(msgspec.Struct, frozen=True, kw_only=True):
    """One saved slot. `tokens` are the ids, four bytes each; times are Unix seconds; `model` is for people."""

    name: str
    engine: str
    model: str
    tokens: bytes
    size_bytes: int
    modified_ns: int
    sample: bytes
    used_at: float

    @property
    def token_count(self) -> int:
        """How many tokens it holds."""
        return token_count(self.tokens)


@dataclass(frozen=True)
class Match:
    """A kept prefix and how many of its first tokens a prompt shares."""

    kept: KeptPrefix
    common: int

    @property
    def is_whole(self) -> bool:
        """Whether the prompt begins with all of it."""
        return self.common == self.kept.token_count


def token_count(tokens: bytes) -> int:
    """How many tokens packed ones are."""
    return len(tokens) // _TOKEN_BYTES


def first_tokens(tokens: bytes, count: int) -> bytes:
    """The first `count` of packed tokens."""
    return tokens[: count * _TOKEN_BYTES]


def packed(tokens: Sequence[int]) -> bytes:
    """Token ids as bytes, four each, little-endian or whatever this machine is: the files do not travel."""
    return array("i", tokens).tobytes()


def unpacked(tokens: bytes) -> list[int]:
    """The ids again."""
    return array("i", tokens).tolist()


def common_tokens(first: bytes, second: bytes) -> int:
    """How many tokens two packed prompts share from their beginning."""
    low, high = 0, min(len(first), len(second)) // _TOKEN_BYTES
    while low < high:
        middle = (low + high + 1) // 2
        start, end = low * _TOKEN_BYTES, middle * _TOKEN_BYTES
        if first[start:end] == second[start:end]:
            low = middle
        else:
            high = middle - 1
    return low


def best_match(kept: Iterable[KeptPrefix], engine: str, tokens: bytes, *, whole_only: bool) -> Match | None:
    """The kept prefix of this engine that spares the most of the prompt `tokens`, at least MIN_TOKENS.

    With `whole_only`, those alone that the prompt begins with: a recurrent state cannot be cut, and an engine with a
    sliding window has forgotten what came before a cut (measured on both: nothing of a cut state is used).
    """
    matches = (Match(prefix, common_tokens(prefix.tokens, tokens)) for prefix in kept if prefix.engine == engine)
    good = [match for match in matches if match.common >= MIN_TOKENS and (match.is_whole or not whole_only)]
    return max(good, key=lambda match: (match.common, match.is_whole, match.kept.used_at), default=None)


def is_worth_keeping(stable_tokens: int, match: Match | None) -> bool:
    """Whether a prefix of `stable_tokens` should be saved beside what is there."""
    return stable_tokens >= MIN_TOKENS and stable_tokens - (match.common if match else 0) > WORTH_TOKENS


def excess(kept: Iterable[KeptPrefix], limit_bytes: int) -> tuple[KeptPrefix, ...]:
    """What has to go so that the rest fits `limit_bytes`: the longest unused first."""
    going: list[KeptPrefix] = []
    oldest_first = sorted(kept, key=lambda prefix: prefix.used_at)
    total_bytes = sum(prefix.size_bytes for prefix in oldest_first)
    for prefix in oldest_first:
        if total_bytes <= limit_bytes:
            break
        going.append(prefix)
        total_bytes -= prefix.size_bytes
    return tuple(going)
