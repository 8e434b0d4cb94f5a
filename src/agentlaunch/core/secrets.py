"""What looks like a key, masked: for texts that others wrote and that we show, log or send on."""

from __future__ import annotations

import re

MASK = "[hidden]"

_SECRET = re.compile(
    # keys by the prefixes of their vendors
    r"\b(?:sk|pk|rk|hf|gsk|gh[pousr]|xai|nvapi|csk|pplx|fw|tgp|r8|glpat|xox[abprs])[-_][\w*-]{6,}(?:\.[\w*-]+)*"
    r"|\bsess-(?=[\w-]{0,64}\d)[\w-]{8,}|\bA[KS]IA[A-Z0-9]{16}\b|\bya29\.[\w.-]{8,}"  # OpenAI, AWS, Google
    r"|\bgithub_pat_\w{6,}|\bAIza[\w-]{20,}|\beyJ[\w-]{8,}(?:\.[\w-]+)+"  # GitHub, Google, JSON Web Tokens
    r"|\b(?:key|tok|token)[-_](?=[\w*-]{0,64}\d)[\w*-]{6,}"
    r"|(?:(?<=bearer )|(?<=bearer%20))[^\s\"',;&]+|(?<=basic )(?=\S{0,64}[\d=])[a-z0-9+/=_-]{8,}"
    r"|(?:(?<=key[=:])|(?<=key: ))(?=[^\s\"']{0,64}[\d*])[^\s\"'&,}]+"  # `key=...`, `x-api-key: ...`
    r"|(?:(?<=key\":\")|(?<=key\": \"))[^\"]+"  # the same in JSON
    r"|(?<=://)[^\s/@:]{0,256}:[^\s/]{1,256}(?=@)|(?<=://)[^\s/@:]{12,256}(?=@)",  # a URL's user and password
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    r"((?:token|secret|passw(?:or)?d|signature|[?&]sig|key|credential)[\"']?[ \t]{0,4}[=:][ \t]{0,4}[\"']?)"
    r"(?=[^\s\"'&,;}]{0,64}\d)(?=[^\s\"'&,;}]{0,64}[a-z])[^\s\"'&,;}]{8,}"  # letters and digits: no word, no count
    r"|(authorization[\"']?[ \t]{0,4}[=:][ \t]{0,4}[\"']?(?:basic|token|digest|negotiate|apikey|aws4-[\w-]{1,20})[ ]+)"
    r"[^\r\n\"']+"
    r"|(cookie[\"']?[ \t]{0,4}:[ \t]{0,4}[\"']?)[^\r\n\"']+",
    re.IGNORECASE,
)
_LEAST_KEY = 8
"""Characters: a shorter key, such as `none` or `EMPTY`, is a word that may stand anywhere."""


def without_secrets(text: str) -> str:
    """`text` with whatever looks like a key replaced by `MASK` (field report B316)."""
    found = _ASSIGNED.sub(lambda assigned: (assigned[1] or assigned[2] or assigned[3]) + MASK, text)
    return _SECRET.sub(MASK, found)


def without_key(text: str, key: str) -> str:
    """`text` without a key that is known: upstreams quote what they refuse, and not every key looks like one."""
    return text.replace(key, MASK) if len(key) >= _LEAST_KEY else text
