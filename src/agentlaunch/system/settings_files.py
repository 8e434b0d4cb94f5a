"""Reads the settings files: the folder's `.agentlaunch.toml`, then the user's `config.toml`."""

from __future__ import annotations

import codecs
from pathlib import Path

from agentlaunch.core.settings import SettingsFile
from agentlaunch.errors import MachineError, UserError

PROJECT_FILE = ".agentlaunch.toml"
USER_FILE = "config.toml"


def read_settings_files(folder: Path, config: Path) -> tuple[SettingsFile, ...]:
    """The files that exist, the stronger one first. Raises UserError `bad-settings-file` for one that is not TOML.

    Raises MachineError `folder-not-usable` when the system will not say whether there is one.
    """
    path = folder / PROJECT_FILE
    project = (SettingsFile(PROJECT_FILE, _read(path, PROJECT_FILE), is_folders=True),) if _exists(path) else ()
    return (*project, *read_user_settings(config))


def read_user_settings(config: Path) -> tuple[SettingsFile, ...]:
    """The user's own file alone, if it exists, for what belongs to no folder. Raises as `read_settings_files`."""
    path = config / USER_FILE
    return (SettingsFile(str(path), _read(path, str(path))),) if _exists(path) else ()


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a folder that may not be searched
        message = f"cannot look into `{path.parent}`: {error.strerror or error}"
        raise MachineError("folder-not-usable", message, f"see who may: ls -ld {path.parent}") from error


def _decoded(content: bytes) -> str:
    """UTF-8, or UTF-16 with its mark, as Windows PowerShell's `>` writes it. Raises UnicodeDecodeError."""
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf_16 else "utf-8-sig")


def _read(path: Path, name: str) -> dict[str, object]:
    import tomllib  # 10 ms that most launches need not pay

    text = ""
    try:
        text = _decoded(path.read_bytes())
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = f"mend it or remove it: {path}"
        if "\\" in text:
            hint = rf"a path with `\` stands in single quotes, as in: model = 'C:\models\m.gguf'; {hint}"
        raise UserError("bad-settings-file", f"`{name}` is not TOML: {error}", hint) from error
    except OSError as error:
        raise UserError(
            "bad-settings-file", f"cannot read `{path}`: {error.strerror or error}", f"see who may: ls -l {path}"
        ) from error
