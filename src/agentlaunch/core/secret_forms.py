"""The forms of well-known secrets: keys that tell their vendor, key files, tokens, and passwords that look random."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import log2

LEAST_ENTROPY_BITS = 3.0
"""Bits a character below which a value behind `password=` is a word or a pattern rather than chance."""

_LEAST_ALTERNATIONS = 3
"""Changes between letter and digit: chance has many, names such as `get_config_v2` have one."""

_ALTERNATION = re.compile(rb"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")

_PLACEHOLDER = re.compile(
    rb"example|placeholder|change-?me|dummy|your|xxxx|1234567|abcdef|test|passw|secret|sample|redacted", re.IGNORECASE
)
"""What a value says that is no secret."""

_INSIDE_A_WORD = re.compile(rb"(?<!\\)[A-Za-z0-9_]|(?<=\\)[AC-Zac-eg-mo-qsu-z0-9_]")
"""The last of the two bytes in front of a secret's form, when it makes the form a part of a longer word. Inside JSON a
line's end is a backslash and a letter, which does not."""


@dataclass(frozen=True)
class SecretForm:
    """One form. `pattern` begins with a letter that must be there: the search for that is what makes it fast."""

    name: str
    pattern: re.Pattern[bytes]

    def is_in(self, body: bytes) -> bool:
        """Whether `body` holds one that does not call itself an example."""
        return any(
            _begins_a_word(body, found.start()) and not _is_example(found.group())
            for found in self.pattern.finditer(body)
        )


def _begins_a_word(body: bytes, at: int) -> bool:
    before = body[max(0, at - 2) : at]
    return not before or _INSIDE_A_WORD.match(before, len(before) - 1) is None


def _is_example(secret: bytes) -> bool:
    """As documentation writes them: `AKIAIOSFODNN7EXAMPLE`, and the same character over and over."""
    text = secret.lower()
    return b"example" in text or b"xxxx" in text or len(set(secret[-16:])) < 5


def _form(name: str, pattern: bytes) -> SecretForm:
    return SecretForm(name, re.compile(pattern + rb"(?![A-Za-z0-9_])"))


SECRET_FORMS: tuple[SecretForm, ...] = (
    _form("an AWS access key", rb"A[KS]IA[A-Z2-7]{16}"),
    _form("a GitHub token", rb"gh[pousr]_[A-Za-z0-9]{36,255}"),
    _form("a GitHub token", rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _form("a GitLab token", rb"glpat-[A-Za-z0-9_-]{20,300}(?:\.[a-z0-9]{2}\.[a-z0-9]{7,9})?"),
    _form("a Slack token", rb"xox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{16,}"),
    _form(
        "an Anthropic, OpenAI, OpenRouter or Stripe key",  # in one, since each search takes its time
        rb"sk[-_](?:ant-[a-z0-9]{2,10}-[A-Za-z0-9_-]{80,120}|(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,200}"
        rb"|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|or-v1-[0-9a-f]{64}|live_[A-Za-z0-9]{24,247})",
    ),
    _form("a Google key", rb"AIza[A-Za-z0-9_-]{35}"),
    _form("a Hugging Face token", rb"hf_[A-Za-z0-9]{34}"),
    _form("a JSON Web Token", rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
    SecretForm(
        "a private key",
        # With the beginning of its body: code that reads and tests key files has the first line alone.
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
            rb"(?:\\+[rn]|\s){1,8}[A-Za-z0-9+/=\\:., -]{32}"
        ),
    ),
)
"""By what the vendors say of their keys, with the least length that each has had."""

_SPACE = rb"[ ]{0,8}"
_QUOTE = rb"\\*[\"']"
_NAMES = (
    re.compile(rb"passw(?:or)?d"),
    re.compile(rb"secret(?:[_-]?(?:access[_-]?)?key)?"),
    re.compile(rb"api[_-]?key"),
    re.compile(rb"token(?:(?<=auth.token)|(?<=access.token)|(?<=refresh.token)|(?<=api.token))"),
)
_VALUE = re.compile(
    rb"(?:" + _QUOTE + rb")?" + _SPACE + rb"(?::=|=>|=|:)" + _SPACE + rb"(?:"
    rb"" + _QUOTE + rb"(?P<quoted>[A-Za-z0-9+/_!@#%^*~.=-]{12,200}+)" + _QUOTE + rb""
    rb"|(?P<bare>[A-Za-z0-9+/_!@#%^*~=-]{12,200}+)(?=[\s\\\"',;&]|$))"
)
"""What follows a name: `DB_PASSWORD=...`, `"client_secret": "..."`, `api_key := '...'`. A bare value has no dot and no
bracket in it: that would be code, which takes the secret from elsewhere."""


def holds_assigned_secret(body: bytes, lowered: bytes) -> bool:
    """Whether something like `password=...` has a value that looks random. `lowered` is `body` in lower case."""
    for name in _NAMES:
        for found in name.finditer(lowered):
            value = _VALUE.match(body, found.end())
            if value is not None and _looks_random(value["quoted"] or value["bare"]):
                return True
    return False


def _looks_random(value: bytes) -> bool:
    """Whether letters and digits are mixed as chance mixes them."""
    if _PLACEHOLDER.search(value):
        return False
    return len(_ALTERNATION.findall(value)) >= _LEAST_ALTERNATIONS and entropy_bits(value) >= LEAST_ENTROPY_BITS


def entropy_bits(value: bytes) -> float:
    """Shannon's entropy of the bytes of `value`, in bits a byte."""
    shares = [value.count(byte) / len(value) for byte in set(value)]
    return sum(-share * log2(share) for share in shares)
