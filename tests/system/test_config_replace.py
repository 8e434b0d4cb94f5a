"""Other programs' files: what a write keeps, what it refuses, and that a restore finds its way back from anywhere."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.config_texts import WANTED, jsonc_files, toml_files

from agentlaunch.core.config_edit import Format, put_in, read_config
from agentlaunch.core.config_edit.steps import Wanted
from agentlaunch.errors import MachineError, UserError
from agentlaunch.system.config_files import ConfigTarget, Outcome, Restored, locked, propose, restore, write
from agentlaunch.system.config_journal import ConfigJournal
from agentlaunch.system.locks import held
from agentlaunch.system.replace import FoundFile, find_file, remove_file, replace_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and links")

THEIRS = b'{\n  // mine\n  "model": "theirs",\n  "env": {"A": "1"},\n}\n'
WANTED_HERE = Wanted({"model": "ours", "env": {"PORT": "1"}, "provider": {"ours": {"port": 1}}})


class User:
    """A user's file and what `config` does with it."""

    def __init__(self, folder: Path, content: bytes | None = THEIRS, form: Format = "json") -> None:
        self.file = folder / "user" / f"settings.{form}"
        self.form: Format = form
        self.journal = ConfigJournal(folder / "ours")
        self.file.parent.mkdir(parents=True)
        if content is not None:
            self.file.write_bytes(content)

    def write(self, wanted: Wanted = WANTED_HERE) -> None:
        with locked(self.journal):
            write(self.journal, propose(self.journal, ConfigTarget("codex", self.file, self.form), wanted))

    def restore(self, *, force: bool = False) -> Restored:
        (entry,) = self.journal.entries()
        with locked(self.journal):
            return restore(self.journal, entry, force=force)


@given(st.one_of(st.tuples(jsonc_files(), st.just("json")), st.tuples(toml_files(), st.just("toml"))), WANTED, WANTED)
def test_any_file_is_the_same_to_the_byte_after_two_writes_and_a_restore(
    made: tuple[bytes, Format], first: dict[str, object], second: dict[str, object]
) -> None:
    content, form = made
    with TemporaryDirectory() as folder:
        user = User(Path(folder), content, form)
        with suppress(UserError):  # what cannot be edited safely is refused
            user.write(Wanted(first))
            user.write(Wanted(second))
        if user.journal.entries():
            user.restore()
        assert user.file.read_bytes() == content


@pytest.mark.report("B261")
def test_a_second_write_replaces_what_the_first_one_said(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.write()
    user.write(Wanted({"model": "another"}))
    assert user.file.read_bytes() == put_in(THEIRS, "json", {"model": "another"})


def test_a_file_that_was_not_there_goes_and_the_folders_made_for_it(tmp_path: Path) -> None:
    user = User(tmp_path, None)
    user.file.parent.rmdir()
    user.write()
    assert stat.S_IMODE(user.file.stat().st_mode) == 0o600
    assert user.restore() == Restored(user.file, Outcome.REMOVED)
    assert not user.file.parent.exists()


@pytest.mark.report("B261")
def test_what_the_user_has_changed_since_stays_and_only_our_keys_go(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.write()
    user.file.write_bytes(user.file.read_bytes().replace(b'"A": "1"', b'"A": "2", "B": "3"'))
    assert user.restore() == Restored(user.file, Outcome.TAKEN_OUT)
    assert user.file.read_bytes() == THEIRS.replace(b'"A": "1"', b'"A": "2", "B": "3"')


def test_a_key_of_ours_that_the_user_has_set_since_stays_and_is_named(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.write()
    user.file.write_bytes(user.file.read_bytes().replace(b'"ours"', b'"mine now"', 1))
    assert user.restore() == Restored(user.file, Outcome.TAKEN_OUT, (("model",),))
    assert user.file.read_bytes() == THEIRS.replace(b'"theirs"', b'"mine now"')


def test_a_write_over_a_file_that_was_changed_keeps_the_changes_and_so_does_its_restore(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.write()
    user.file.write_bytes(user.file.read_bytes().replace(b"// mine", b"// mine, changed"))
    user.write(Wanted({"model": "another"}))
    assert user.restore() == Restored(user.file, Outcome.RESTORED)
    assert user.file.read_bytes() == THEIRS.replace(b"// mine", b"// mine, changed")


def test_a_file_that_cannot_be_read_any_more_is_left_until_force_and_then_kept(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.write()
    user.file.write_bytes(b'{"half": ')
    with pytest.raises(UserError, match="was changed since and is left as it is") as refused:
        user.restore()
    assert refused.value.hint.endswith("agentlaunch config codex --restore --force")
    assert user.file.read_bytes() == b'{"half": '
    forced = user.restore(force=True)
    assert (forced.outcome, user.file.read_bytes()) == (Outcome.FORCED, THEIRS)
    assert forced.backup is not None
    assert forced.backup.read_bytes() == b'{"half": '


def test_a_file_that_the_user_has_deleted_comes_back_with_its_mode(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.file.chmod(0o640)
    user.write()
    user.file.unlink()
    user.restore()
    assert (user.file.read_bytes(), stat.S_IMODE(user.file.stat().st_mode)) == (THEIRS, 0o640)


def test_the_original_stays_as_a_private_backup_after_the_restore(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.write()
    (entry,) = user.journal.entries()
    user.restore()
    assert entry.first is not None
    kept = user.journal.backup_path(entry.first)
    assert (kept.read_bytes(), stat.S_IMODE(kept.stat().st_mode)) == (THEIRS, 0o600)


def test_a_backup_that_was_changed_is_not_put_into_the_users_file(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.write()
    (entry,) = user.journal.entries()
    assert entry.base is not None
    user.journal.backup_path(entry.base).write_bytes(b"{}")
    written = user.file.read_bytes()
    with pytest.raises(MachineError, match="it was changed"):
        user.restore()
    assert user.file.read_bytes() == written


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        (b'{"a": 1', "json", "a comma or `}` is missing"),
        (b'{"a": 1, "a": 2}', "json", "the key `a` is there twice"),
        (b"[1]", "json", "it is not a JSON object"),
        (b'{"model": "x"} {}', "json", "there is more behind its end"),
        (b"{'a': 1}", "json", "a key in quotes is missing"),
        (b'{"a": ' + b"[" * 4000, "json", "levels deep"),
        (b'{"a": "\xff"}', "json", "it is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "json", "it is not UTF-8"),
        (b"a = 1\na = 2\n", "toml", "Cannot overwrite a value"),
        (b"a = \n", "toml", "Invalid value"),
    ],
)
@pytest.mark.report("B236")
def test_a_file_that_cannot_be_read_is_refused_with_the_reason_and_stays(
    tmp_path: Path, content: bytes, form: Format, why: str
) -> None:
    user = User(tmp_path, content, form)
    with pytest.raises(UserError) as refused:
        user.write()
    assert refused.value.code == "config-not-editable"
    assert why in refused.value.message
    assert user.file.read_bytes() == content
    assert user.journal.entries() == ()


@posix
@pytest.mark.report("B268")
def test_a_link_stays_a_link_and_the_file_behind_it_keeps_its_mode(tmp_path: Path) -> None:
    user = User(tmp_path, None)
    dotfiles = tmp_path / "dotfiles" / "claude.json"
    dotfiles.parent.mkdir()
    dotfiles.write_bytes(THEIRS)
    dotfiles.chmod(0o640)
    user.file.symlink_to(Path("..") / "dotfiles" / "claude.json")
    user.write()
    assert user.file.is_symlink()
    assert read_config(dotfiles.read_bytes(), "json")["model"] == "ours"
    assert stat.S_IMODE(dotfiles.stat().st_mode) == 0o640
    user.restore()
    assert (user.file.is_symlink(), dotfiles.read_bytes()) == (True, THEIRS)


@posix
def test_a_link_to_nothing_gets_its_file_and_loses_it_again(tmp_path: Path) -> None:
    user = User(tmp_path, None)
    user.file.symlink_to(tmp_path / "elsewhere" / "claude.json")
    user.write()
    assert (tmp_path / "elsewhere" / "claude.json").is_file()
    user.restore()
    assert (user.file.is_symlink(), (tmp_path / "elsewhere").exists()) == (True, False)


def hard_link(file: Path) -> None:
    file.with_name("second").hardlink_to(file)


def read_only(file: Path) -> None:
    file.chmod(0o444)


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


@posix
@pytest.mark.parametrize("make", [hard_link, read_only, folder_instead, link_to_itself])
def test_what_a_replacement_could_not_keep_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    user = User(tmp_path)
    make(user.file)
    with pytest.raises(UserError) as refused:
        user.write()
    assert refused.value.code == "file-not-replaceable"
    assert refused.value.hint
    assert not user.journal.entries()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux")
def test_owner_and_attributes_stay(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"a = 1\n")
    os.chown(file, 1234, 2345)
    os.setxattr(file, "user.note", b"kept")
    replace_file(find_file(file), b"a = 2\n")
    status = file.stat()
    assert (status.st_uid, status.st_gid, os.getxattr(file, "user.note")) == (1234, 2345, b"kept")


def test_a_file_that_another_program_has_written_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"a = 1\n")
    found = find_file(file)
    file.write_bytes(b"a = 3\n")
    for change in (lambda: replace_file(found, b"a = 2\n"), lambda: remove_file(found)):
        with pytest.raises(UserError, match="changed by another program"):
            change()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"a = 3\n"]


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"a = 1\n")
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from agentlaunch.system.replace import find_file, replace_file\n"
        "from agentlaunch.errors import MachineError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "found = find_file(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n    replace_file(found, b'#' * 1000)\n"
        "except MachineError as error:\n    sys.exit(error.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "file-not-writable"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"a = 1\n"]


def test_two_writers_take_turns(tmp_path: Path) -> None:
    journal = User(tmp_path).journal
    with held(journal.lock, 1), pytest.raises(MachineError, match="at work"), locked(journal, 0):
        pass


def test_a_write_that_fails_leaves_file_and_journal_as_they_were(tmp_path: Path) -> None:
    user = User(tmp_path)
    user.write()
    before = (user.journal.entries(), user.file.read_bytes())
    proposal = propose(user.journal, ConfigTarget("codex", user.file, "json"), Wanted({"model": "another"}))
    user.file.write_bytes(before[1] + b"\n")
    with pytest.raises(UserError, match="changed by another program"):
        write(user.journal, proposal)
    assert (user.journal.entries(), user.file.read_bytes()) == (before[0], before[1] + b"\n")


def test_a_first_write_that_fails_leaves_no_entry(tmp_path: Path) -> None:
    user = User(tmp_path)
    proposal = propose(user.journal, ConfigTarget("codex", user.file, "json"), WANTED_HERE)
    user.file.write_bytes(b"{}")
    with pytest.raises(UserError, match="changed by another program"):
        write(user.journal, proposal)
    assert (user.journal.entries(), user.file.read_bytes()) == ((), b"{}")


def test_a_write_that_was_overtaken_by_another_one_gives_up(tmp_path: Path) -> None:
    user = User(tmp_path)
    proposal = propose(user.journal, ConfigTarget("codex", user.file, "json"), Wanted({"model": "another"}))
    user.write()
    written = user.file.read_bytes()
    with pytest.raises(UserError, match="was written by another `config`"):
        write(user.journal, proposal)
    assert user.file.read_bytes() == written


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version": 2}'])
def test_a_damaged_note_says_where_the_backups_are(tmp_path: Path, content: bytes) -> None:
    user = User(tmp_path)
    user.write()
    (note,) = user.journal.folder.glob("*.json")
    note.write_bytes(content)
    with pytest.raises(MachineError, match="cannot use") as refused:
        user.journal.entries()
    assert str(user.journal.folder) in refused.value.hint


def test_a_found_file_without_content_is_made_with_its_folders(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "config.toml"
    replace_file(find_file(file), b"a = 1\n")
    assert find_file(file) == FoundFile(file, b"a = 1\n", 0o600, (os.getuid(), os.getgid()))


@pytest.mark.real
@posix
def test_killed_at_two_hundred_moments_the_file_is_old_or_new_and_a_restore_brings_it_back(tmp_path: Path) -> None:
    program = Path(__file__).with_name("kill_config.py")
    argv = [sys.executable, str(program), str(tmp_path / "trials"), "7", "200"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    trials = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(trials) == 200
    assert sum(trial["killed"] for trial in trials) > 150
    whole = {"whole": True, "restored": True, "left": [], "entries": 0}
    assert [trial for trial in trials if not whole.items() <= trial.items()] == []
