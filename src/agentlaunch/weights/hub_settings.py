"""How Hugging Face is reached: address, token, cache and offline mode, as its own tools read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentlaunch.core.offline import is_offline
from agentlaunch.core.pasted import pasted_key

DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE = ("1", "on", "yes", "true")  # huggingface_hub/constants.py, ENV_VARS_TRUE_VALUES


@dataclass(frozen=True)
class HubSettings:
    """`token` is empty where there is none; it is never shown."""

    endpoint: str
    cache: Path
    token: str = field(default="", repr=False)
    is_offline: bool = False


def read_hub_settings(environment: Mapping[str, str]) -> HubSettings:
    """From HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN or the saved token, HF_HUB_OFFLINE and our AGENTLAUNCH_OFFLINE.

    Source: Hugging Face's reference, "Environment variables".
    """
    home = hub_home(environment)
    named = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE")
    return HubSettings(
        endpoint=(environment.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).strip().rstrip("/"),
        cache=Path(named).expanduser() if named else home / "hub",
        token=_token(environment, home),
        is_offline=is_offline(environment)
        or any(_is_true(environment, name) for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
    )


def hub_home(environment: Mapping[str, str]) -> Path:
    """Hugging Face's own folder."""
    named = environment.get("HF_HOME")
    if named:
        return Path(named).expanduser()
    caches = environment.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else user_home(environment) / ".cache") / "huggingface"


def user_home(environment: Mapping[str, str]) -> Path:
    """The user's home, also on Windows."""
    named = environment.get("HOME") or environment.get("USERPROFILE")
    return Path(named) if named else Path.home()


def _token(environment: Mapping[str, str], home: Path) -> str:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        found = pasted_key(environment.get(name, "").replace("\r", "").replace("\n", ""))
        if found:
            return found
    if _is_true(environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        return ""
    named = environment.get("HF_TOKEN_PATH")
    try:
        return pasted_key((Path(named).expanduser() if named else home / "token").read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""


def _is_true(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").strip().lower() in _TRUE
