"""The token that may only watch: it opens the live view and /metrics, and neither stops the shim nor asks a model."""

from __future__ import annotations

import hashlib
import hmac


def live_token(control_token: str) -> str:
    """Made from the control token, so that the shim and our commands both know it and nothing has to be kept."""
    return hmac.new(control_token.encode(), b"agentlaunch live view", hashlib.sha256).hexdigest()
