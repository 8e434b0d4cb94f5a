"""What we have written into other programs' files, and what stood there before: enough to undo it after any crash."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import get_args

from agentlaunch.core.config_edit import Format
from agentlaunch.core.config_edit.steps import Document
from agentlaunch.errors import MachineError
from agentlaunch.system.files import make_private_dir, write_private
from agentlaunch.system.replace import sync_folder

_VERSION = 1


@dataclass(frozen=True)
class Written:
    """One state of the file that we have written, or were about to write when we were killed."""

    digest: str
    values: Document


@dataclass(frozen=True)
class Entry:
    """One file that an agent's configuration was put into.

    `base` is the digest of what a restore brings back, None for no file; `first` that of what stood there before our
    very first write. Both are kept as backups. `model` and `context_window` (tokens) are what the file tells the agent.
    """

    agent: str
    path: str
    form: Format
    base: str | None
    first: str | None
    mode: int
    written: tuple[Written, ...]
    made_folders: tuple[str, ...] = ()
    model: str = ""
    context_window: int = 0


def digest(content: bytes) -> str:
    """The name of a backup with this content."""
    return sha256(content).hexdigest()


@dataclass(frozen=True)
class ConfigJournal:
    """Entries and backups in one private folder of ours.

    A backup is named by its content's digest, so none is ever overwritten by another; an entry is written only after
    the backup that it names, and before the file that it tells of.
    """

    folder: Path

    @property
    def lock(self) -> Path:
        """Held by whoever changes the journal or a file that it tells of."""
        return self.folder / "lock"

    def entries(self, agent: str = "") -> tuple[Entry, ...]:
        """All entries, or those of one agent, oldest name first. Raises MachineError `journal-damaged`."""
        paths = sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        found = [_read_entry(path) for path in paths]
        return tuple(entry for entry in found if agent in ("", entry.agent))

    def find(self, agent: str, path: Path) -> Entry | None:
        """The entry for this file, None when it is as its user made it."""
        return next((entry for entry in self.entries(agent) if entry.path == str(path)), None)

    def save(self, entry: Entry) -> None:
        """Write an entry over the one of the same agent and path. Raises MachineError `folder-not-writable`."""
        content = json.dumps({"version": _VERSION, **asdict(entry)}, indent=1)
        write_private(self._entry_path(entry), content.encode())
        sync_folder(self.folder)

    def drop(self, entry: Entry) -> None:
        """Forget an entry; the backups stay."""
        with contextlib.suppress(FileNotFoundError):
            self._entry_path(entry).unlink()
        sync_folder(self.folder)

    def keep(self, content: bytes) -> str:
        """Keep a backup, if it is not there already; its digest. Raises MachineError `folder-not-writable`."""
        name = digest(content)
        path = self.backup_path(name)
        if not (path.is_file() and path.read_bytes() == content):
            make_private_dir(path.parent)
            write_private(path, content)
            sync_folder(path.parent)
        return name

    def backup(self, name: str) -> bytes:
        """A backup's content. Raises MachineError `journal-damaged` when it is gone or is not what it was."""
        path = self.backup_path(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _damaged(path, error.strerror or str(error)) from error
        if digest(content) != name:
            raise _damaged(path, "it was changed")
        return content

    def backup_path(self, name: str) -> Path:
        """Where a backup lies."""
        return self.folder / "backups" / name

    def _entry_path(self, entry: Entry) -> Path:
        return self.folder / f"{entry.agent}-{digest(entry.path.encode('utf-8', 'surrogateescape'))[:16]}.json"


def _read_entry(path: Path) -> Entry:
    try:
        data: object = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    match data:
        case {
            "version": 1,
            "agent": str(agent),
            "path": str(file),
            "form": ("json" | "toml") as form,
            "base": str() | None as base,
            "first": str() | None as first,
            "mode": int(mode),
            "written": list(written),
            "made_folders": list(folders),
            "model": str(model),
            "context_window": int(window),
        }:
            known = next(name for name in get_args(Format) if name == form)
            states = tuple(_read_state(state, path) for state in written)
            made = tuple(map(str, folders))
            return Entry(agent, file, known, base, first, mode, states, made, model, window)
        case _:
            raise _damaged(path, "it is not one of ours")


def _read_state(data: object, path: Path) -> Written:
    match data:
        case {"digest": str(name), "values": dict(values)}:
            return Written(name, values)
        case _:
            raise _damaged(path, "it is not one of ours")


def _damaged(path: Path, why: str) -> MachineError:
    hint = f"the backups are in {path.parent}: copy the one you want by hand"
    return MachineError("journal-damaged", f"cannot use `{path}`: {why}", hint)
