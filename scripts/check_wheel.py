"""Checks what is in a wheel: every file of the package that is read at run time, and no more."""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

PACKAGE = Path(__file__).parent.parent / "src" / "agentlaunch"


def differences(wheel: Path) -> tuple[set[str], set[str]]:
    """The files that the wheel lacks, and those that it should not have."""
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and not _is_left_out(path.relative_to(PACKAGE))
    }
    return package - names, names - package


def _is_left_out(path: Path) -> bool:
    """What Python and the linters make, and the sources of the data, which only scripts/build_catalog.py reads."""
    made = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return made or (path.parts[0] == "data" and path.suffix == ".toml")


def main() -> None:
    """Exit with a message when there is a difference."""
    lacking, strange = differences(Path(sys.argv[1]))
    if lacking or strange:
        sys.exit(f"the wheel lacks {sorted(lacking)} and should not have {sorted(strange)}")


if __name__ == "__main__":
    main()
