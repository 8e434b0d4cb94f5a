"""Puts our keys into a thousand random TOML and a thousand random JSONC files, and restores them: to the byte?

    python scripts/config_round_trips.py [FILES]     default: 1000 of each

The generators are those of tests/core/config_texts.py; the test suite runs a hundred. Prints how many files came back
byte-identical, and how many were refused, which is allowed and should be rare. Ends with 1 when one did not come back.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.core.config_texts import WANTED, jsonc_files, toml_files

from agentlaunch.core.config_edit import Format, NotEditable, read_config
from agentlaunch.core.config_edit.steps import Wanted
from agentlaunch.errors import UserError
from agentlaunch.system.config_files import ConfigTarget, locked, propose, restore, write
from agentlaunch.system.config_journal import ConfigJournal


def round_trip(folder: Path, content: bytes, form: Format, wanted: dict[str, object]) -> str:
    """What became of one file: `identical`, `refused`, `not readable before` or `DIFFERENT`."""
    file, journal = folder / "user" / "file", ConfigJournal(folder / "ours")
    file.parent.mkdir()
    file.write_bytes(content)
    try:
        read_config(content, form)
    except NotEditable:
        return "not readable before"
    with locked(journal):
        try:
            write(journal, propose(journal, ConfigTarget("agent", file, form), Wanted(wanted)))
        except UserError:
            return "refused" if file.read_bytes() == content else "DIFFERENT"
        (entry,) = journal.entries()
        restore(journal, entry)
    return "identical" if file.read_bytes() == content else "DIFFERENT"


def count(files: int, form: Format, texts: st.SearchStrategy[bytes]) -> Counter[str]:
    """The outcomes of `files` round trips."""
    seen: Counter[str] = Counter()

    @settings(max_examples=files, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(texts, WANTED)
    def run(content: bytes, wanted: dict[str, object]) -> None:
        with TemporaryDirectory() as folder:
            seen[round_trip(Path(folder), content, form, wanted)] += 1

    run()
    return seen


def main() -> int:
    """Run both kinds; the exit code."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    toml, jsonc = count(files, "toml", toml_files()), count(files, "json", jsonc_files())
    sys.stdout.write(f"TOML:  {dict(toml)}\nJSONC: {dict(jsonc)}\n")
    return 1 if toml["DIFFERENT"] or jsonc["DIFFERENT"] else 0


if __name__ == "__main__":
    sys.exit(main())
