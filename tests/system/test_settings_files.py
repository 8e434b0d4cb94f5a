"""Settings files as people's editors and shells write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentlaunch.core.settings import SettingsFile
from agentlaunch.errors import UserError
from agentlaunch.system.settings_files import read_user_settings


@pytest.mark.parametrize(
    "content",
    [
        b'model = "m"\r\n',
        b'\xef\xbb\xbfmodel = "m"\n',
        'model = "m"\r\n'.encode("utf-16"),
        b"\xfe\xff" + 'model = "m"\n'.encode("utf-16-be"),
    ],
)
def test_a_file_of_any_editor_or_shell_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    assert read_user_settings(tmp_path) == (SettingsFile(str(path), {"model": "m"}),)


@pytest.mark.parametrize(
    ("content", "has_path"),
    [(b'model = "C:\\Users\\me\\m.gguf"\n', True), (b"model = m\n", False), (b"model = '\xff'\n", False)],
)
def test_a_path_of_windows_in_double_quotes_is_told_how_it_is_written(
    tmp_path: Path, content: bytes, has_path: bool
) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_user_settings(tmp_path)
    mend = f"mend it or remove it: {tmp_path / 'config.toml'}"
    path = r"a path with `\` stands in single quotes, as in: model = 'C:\models\m.gguf'; "
    assert (caught.value.code, caught.value.hint) == ("bad-settings-file", f"{path if has_path else ''}{mend}")
