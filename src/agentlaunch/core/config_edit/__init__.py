"""Changes another program's configuration as text: what we want goes in and comes out again, the rest stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from agentlaunch.core.config_edit.jsonc_edit import edit_jsonc, read_jsonc
from agentlaunch.core.config_edit.steps import Document, KeyPath, Step, applied, same, steps_back, steps_to

Format: TypeAlias = Literal["json", "toml"]
"""`json` is JSON with comments and trailing commas, which plain JSON is too."""

_BYTE_ORDER_MARK = "\ufeff"


class NotEditable(ValueError):
    """The file cannot be changed without a risk for what is in it; the message says why, with the place."""


@dataclass(frozen=True)
class TakenOut:
    """A file without our keys. `kept` are keys of ours that somebody has changed since; they are still in it."""

    content: bytes
    kept: tuple[KeyPath, ...]


def read_config(content: bytes, form: Format) -> Document:
    """What a file says. Raises NotEditable for one that is not UTF-8, not of this form, or has a key twice."""
    return _read(_text(content), form)


def put_in(content: bytes, form: Format, wanted: Document) -> bytes:
    """The file that says `wanted` too: tables are merged, all else is replaced. Raises NotEditable."""
    text = _text(content)
    current = _read(text, form)
    return _edited(text, form, current, tuple(steps_to(wanted, current)))


def take_out(content: bytes, form: Format, wanted: Document, original: bytes) -> TakenOut:
    """The file without `wanted`, which was put into `original`; what others have changed since stays.

    Raises NotEditable.
    """
    text = _text(content)
    current = _read(text, form)
    undone = steps_back(wanted, current, read_config(original, form))
    return TakenOut(_edited(text, form, current, undone.steps), undone.kept)


def _edited(text: str, form: Format, current: Document, steps: tuple[Step, ...]) -> bytes:
    """The text after the steps, read again: whatever an editor gets wrong ends here and not in the user's file."""
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    bare = text.removeprefix(mark)
    try:
        edited = _edit(bare, form, steps)
    except ValueError as error:
        raise NotEditable(str(error)) from error
    if not same(_read(edited, form), applied(current, steps)):
        raise NotEditable("it is written in a way that cannot be changed safely")
    return (mark + edited).encode()


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NotEditable(f"it is not UTF-8 (byte {error.start})") from error


def _read(text: str, form: Format) -> Document:
    from agentlaunch.core.config_edit.toml_edit import read_toml

    bare = text.removeprefix(_BYTE_ORDER_MARK)
    try:
        match form:
            case "json":
                return read_jsonc(bare)
            case "toml":
                return read_toml(bare)
    except ValueError as error:
        raise NotEditable(str(error)) from error
    assert_never(form)


def _edit(text: str, form: Format, steps: tuple[Step, ...]) -> str:
    from agentlaunch.core.config_edit.toml_edit import edit_toml

    match form:
        case "json":
            return edit_jsonc(text, steps)
        case "toml":
            return edit_toml(text, steps)
    assert_never(form)
