"""What looks like a key, masked: for texts that others wrote and that we show, log or send on."""

from __future__ import annotations

import re

MASK = "[hidden]"

_SECRET = re.compile(
    r"\b(?:sk|pk|rk|hf|gsk|ghp|xai|nvapi)[-_][\w*-]{6,}(?:\.[\w*-]+)*"  # keys by the prefixes of their vendors
    r"|\bgithub_pat_\w{6,}|\bAIza[\w-]{20,}|\beyJ[\w-]{8,}(?:\.[\w-]+)+"  # GitHub, Google, JSON Web Tokens
    r"|\b(?:key|tok|token)[-_](?=[\w*-]{0,64}\d)[\w*-]{6,}"
    r"|(?<=bearer )[^\s\"',;]+|(?<=basic )(?=\S{0,64}[\d=])[a-z0-9+/=_-]{8,}"
    r"|(?:(?<=key[=:])|(?<=key: ))(?=[^\s\"']{0,64}[\d*])[^\s\"'&,}]+"  # `key=...`, `x-api-key: ...`
    r"|(?:(?<=key\":\")|(?<=key\": \"))[^\"]+"  # the same in JSON
    r"|(?<=://)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)",  # a URL's user and password
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """`text` with whatever looks like a key replaced by `MASK` (field report B316)."""
    return _SECRET.sub(MASK, text)
