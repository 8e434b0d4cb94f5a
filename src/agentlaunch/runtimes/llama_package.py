"""Whether the embedded llama.cpp is installed, and which: read from its files, without an import of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGE = "xllamacpp"


def package_folder() -> Path | None:
    """Where the package lies, None when it is not installed."""
    spec = find_spec(PACKAGE)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def package_version() -> str | None:
    """Its version, None when it is not installed or no file tells.

    importlib.metadata would tell as well, after 20 ms of imports.
    """
    folder = package_folder()
    infos = [] if folder is None else folder.parent.glob(f"{PACKAGE}-*.dist-info")
    return next((info.name.removesuffix(".dist-info").partition("-")[2] for info in infos), None)
