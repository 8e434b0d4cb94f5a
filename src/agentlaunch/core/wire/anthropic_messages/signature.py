"""The signature that a thinking block carries when its upstream gave none."""

from __future__ import annotations

UNSIGNED = "YWdlbnRsYXVuY2g6dW5zaWduZWQ="
"""Constant, so that a replayed block is the same bytes each time. Opaque: base64 of `agentlaunch:unsigned`."""


def known_signature(signature: str) -> str:
    """`signature` as an upstream gave it; empty when it is our own stand-in, which no vendor would accept."""
    return "" if signature == UNSIGNED else signature
