"""What a model's name says of itself: a file, the demo, a repository that is written wrongly."""

from __future__ import annotations

import os
from pathlib import Path

from agentlaunch.errors import UserError

DEMO = "demo"

_BEGINS_PATH = ("/", "./", "../", "~", "file:/")


def means_file(name: str, folder: Path) -> bool:
    """Whether a name means a file: it says so, or one is there. `OWNER/REPO` and `UPSTREAM/MODEL` say nothing such."""
    if name.lower().endswith(".gguf") or name.startswith(_BEGINS_PATH) or "\\" in name:
        return True
    is_path = "/" in name and not name.startswith("hf:")
    return is_path and os.path.exists(folder / name)  # noqa: PTH110 - Path.exists raises where it may not look


def find_model_file(name: str, folder: Path) -> Path:
    """The file that `name` means, absolute, whether it exists or not. Raises UserError `model-not-found`."""
    if name.startswith("file:/"):  # as file managers and browsers copy it
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        name = url2pathname(urlsplit(name).path)
    try:
        return (folder / Path(name).expanduser()).absolute()
    except RuntimeError as error:  # `~name` of a user who is not known here
        raise UserError(
            "model-not-found", f"`{name}` names the home of nobody here", "write the path out: --model /PATH/MODEL.gguf"
        ) from error


def repository_hint(name: str) -> str:
    """What `OWNER/REPO` lacks to name a repository, what `hf:` lacks, and how `UPSTREAM/MODEL` comes to be known."""
    if name.lower().startswith("hf:"):
        return "a repository is written hf:OWNER/REPO[:QUANT]"
    head, slash, rest = name.partition("/")
    if not (slash and head and rest):
        return ""
    add = f"agentlaunch upstream add {head} --kind KIND"
    return f"a repository of Hugging Face: hf:{name}; an upstream called `{head}`: {add}"
