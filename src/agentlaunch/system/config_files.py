"""Puts our keys into an agent's file and takes them out again, in an order that a kill at any moment cannot spoil."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from agentlaunch.core.config_edit import Format, NotEditable, put_in, read_config, take_out
from agentlaunch.core.config_edit.steps import Document, KeyPath, Wanted
from agentlaunch.errors import AgentlaunchError, MachineError, UserError
from agentlaunch.system.config_journal import ConfigJournal, Entry, Written, digest
from agentlaunch.system.locks import held
from agentlaunch.system.replace import FoundFile, find_file, remove_file, remove_leftover, replace_file

LOCK_TIMEOUT_S = 10
"""Nobody holds the lock for longer than a few writes take."""


@dataclass(frozen=True)
class ConfigTarget:
    """Whose file it is and how it is written; `model` and `context_window` (tokens) are what it will tell the agent."""

    agent: str
    path: Path
    form: Format
    model: str = ""
    context_window: int = 0


@dataclass(frozen=True)
class Proposal:
    """What a write would do. `base` is the file without our keys, None for no file; `content` is it with them."""

    target: ConfigTarget
    found: FoundFile
    base: bytes | None
    values: Document
    content: bytes
    entry: Entry | None

    @property
    def changes(self) -> bool:
        """Whether a write would change the file."""
        return self.content != self.found.content


class Outcome(Enum):
    """How a restore ended."""

    WAS_RESTORED = "was as it had been already"
    RESTORED = "is as it was, to the byte"
    REMOVED = "is gone: there was none before"
    TAKEN_OUT = "has changed since: only our keys were taken out"
    FORCED = "is as it was before; what it was just now is kept"


@dataclass(frozen=True)
class Restored:
    """One file after a restore. `kept` are keys of ours with a value that somebody else has set since: they stay."""

    path: Path
    outcome: Outcome
    kept: tuple[KeyPath, ...] = ()
    backup: Path | None = None


@contextmanager
def locked(journal: ConfigJournal, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """One writer at a time; the others wait for `timeout_s` seconds. Raises MachineError `config-busy`."""
    with held(journal.lock, timeout_s) as taken:
        if not taken:
            raise MachineError("config-busy", "another `agentlaunch config` is at work", "run the same command again")
        yield


def propose(journal: ConfigJournal, target: ConfigTarget, wanted: Wanted) -> Proposal:
    """Read the file and decide; nothing is written.

    A file that has our keys already gets the new ones in place of them. Raises UserError `file-not-replaceable`, and
    `config-not-editable` for a file that cannot be read or changed safely.
    """
    found = find_file(target.path)
    entry = journal.find(target.agent, found.path)
    try:
        base = _without_ours(journal, entry, found)
        values = wanted.over(read_config(base or b"", target.form))
        content = put_in(base or b"", target.form, values)
    except NotEditable as error:
        message = f"`{found.path}` is left as it is: {error}"
        hint = f"mend that place, or start without configuration: agentlaunch {target.agent}"
        raise UserError("config-not-editable", message, hint) from error
    return Proposal(target, found, base, values, content, entry)


def write(journal: ConfigJournal, proposal: Proposal) -> Entry:
    """Do it: first the backup, then the journal, then the file, then the journal once more. Hold `locked`.

    Between any two instructions of it a restore finds the file in a state that the journal knows.
    """
    target, found, old = proposal.target, proposal.found, proposal.entry
    if journal.find(target.agent, found.path) != old:
        raise UserError("file-changed", f"`{found.path}` was written by another `config`", "run the same command again")
    remove_leftover(found.path)
    base = None if proposal.base is None else journal.keep(proposal.base)
    entry = Entry(
        agent=target.agent,
        path=str(found.path),
        form=target.form,
        base=base,
        first=base if old is None else old.first,
        mode=found.mode if old is None else old.mode,
        written=(Written(digest(proposal.content), proposal.values),),
        made_folders=_missing_folders(found.path) if old is None else old.made_folders,
        model=target.model,
        context_window=target.context_window,
    )
    journal.save(entry if old is None else replace(entry, written=(*old.written, *entry.written)))
    if proposal.changes:
        _replace(journal, proposal, entry)
    if old is not None:
        journal.save(entry)
    return entry


def _replace(journal: ConfigJournal, proposal: Proposal, entry: Entry) -> None:
    """Replace the file; where that fails the file is as it was, and so shall the journal be."""
    try:
        replace_file(proposal.found, proposal.content)
    except AgentlaunchError:
        if proposal.entry is None:
            journal.drop(entry)
        else:
            journal.save(proposal.entry)
        raise


def restore(journal: ConfigJournal, entry: Entry, *, force: bool = False) -> Restored:
    """Bring the file back and forget the entry; the backups stay. Hold `locked`.

    A file that is as we wrote it becomes what it was, to the byte. One that was changed since keeps those changes, and
    only our keys go; `force` brings the old bytes back all the same and keeps the others as a backup.
    Raises UserError `config-not-editable` for a changed file that cannot be read.
    """
    path = Path(entry.path)
    remove_leftover(path)
    found = find_file(path)
    if found.content is None:
        found = replace(found, mode=entry.mode)
    restored = _restore(journal, entry, found, force=force)
    for folder in reversed(entry.made_folders):
        with contextlib.suppress(OSError):  # there is something in it by now
            Path(folder).rmdir()
    journal.drop(entry)
    return restored


def _restore(journal: ConfigJournal, entry: Entry, found: FoundFile, *, force: bool) -> Restored:
    base = None if entry.base is None else journal.backup(entry.base)
    if found.content == base:
        return Restored(found.path, Outcome.WAS_RESTORED)
    if found.content is None or _is_ours(entry, found.content):
        _set(found, base)
        return Restored(found.path, Outcome.REMOVED if base is None else Outcome.RESTORED)
    if force:
        backup = journal.backup_path(journal.keep(found.content))
        _set(found, base)
        return Restored(found.path, Outcome.FORCED, backup=backup)
    return _take_out(entry, found, base)


def _take_out(entry: Entry, found: FoundFile, base: bytes | None) -> Restored:
    content, kept = found.content or b"", dict[KeyPath, None]()
    try:
        for state in reversed(entry.written):
            out = take_out(content, entry.form, state.values, base or b"")
            content, kept = out.content, kept | dict.fromkeys(out.kept)
        is_empty = base is None and content.strip() in (b"", b"{}")
    except NotEditable as error:
        message = f"`{found.path}` was changed since and is left as it is: {error}"
        hint = f"mend that place, or bring back the old file: agentlaunch config {entry.agent} --restore --force"
        raise UserError("config-not-editable", message, hint) from error
    _set(found, None if is_empty else content)
    return Restored(found.path, Outcome.REMOVED if is_empty else Outcome.TAKEN_OUT, tuple(kept))


def _without_ours(journal: ConfigJournal, entry: Entry | None, found: FoundFile) -> bytes | None:
    """The file as it would be without us. Raises NotEditable."""
    if entry is None:
        return found.content
    base = None if entry.base is None else journal.backup(entry.base)
    if found.content is None or found.content == base or _is_ours(entry, found.content):
        return base
    content = found.content
    for state in reversed(entry.written):
        content = take_out(content, entry.form, state.values, base or b"").content
    return content


def _is_ours(entry: Entry, content: bytes) -> bool:
    return digest(content) in {state.digest for state in entry.written}


def _set(found: FoundFile, content: bytes | None) -> None:
    if content is None:
        remove_file(found)
    elif content != found.content:
        replace_file(found, content)


def _missing_folders(path: Path) -> tuple[str, ...]:
    """The folders that writing this file will make, the outermost first."""
    return tuple(str(folder) for folder in reversed(path.parents) if not folder.exists())
