"""Reasoning as `encrypted_content`: what a client sends back untouched, so that the next turn has it whole."""

from __future__ import annotations

import base64
import binascii

import msgspec

SEAL = "agentlaunch.1."
"""Marks content of ours. Nothing secret is in it: the format only keeps clients from reading it as anything else."""


class Sealed(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed."""

    text: str
    signature: str = ""
    encrypted: str = ""


_DECODER = msgspec.json.Decoder(Sealed)
_ENCODER = msgspec.json.Encoder()


def seal(text: str, signature: str, encrypted: str) -> str:
    """The `encrypted_content` of a reasoning item.

    A vendor's own goes out as it came, because only the vendor can read it; with a signature beside it, both are ours
    to keep together. Empty when there is nothing to keep.
    """
    if not signature and (encrypted or not text):
        return encrypted
    packed = _ENCODER.encode(Sealed(text, signature, encrypted))
    return SEAL + base64.urlsafe_b64encode(packed).decode()


def unseal(content: str) -> Sealed | None:
    """What `seal` kept; None when `content` is not ours. Ours but damaged gives an empty `Sealed`: nobody reads it."""
    if not content.startswith(SEAL):
        return None
    try:
        return _DECODER.decode(base64.urlsafe_b64decode(content[len(SEAL) :].encode("ascii", "replace")))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        return Sealed("")
