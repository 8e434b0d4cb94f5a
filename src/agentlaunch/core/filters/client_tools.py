"""Anthropic's tools that the client runs itself, which only its own models know by their type: as plain functions.

Source: the vendor's reference of the bash, text editor and memory tools. Their calls and results look like any other
tool's, so nothing has to be restored. `computer_*` wants a model that was trained on screens and stays left out.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from agentlaunch.core.ir import FunctionTool, HostedTool

_Field: TypeAlias = dict[str, object]

_TYPE = re.compile(r"(?P<kind>bash|text_editor|memory)_\d{8}")

_TEXT: _Field = {"type": "string"}
_LINE: _Field = {"type": "integer", "minimum": 0}
_PATH: _Field = {"type": "string", "description": "Absolute path of the file or folder."}
_EDITS: dict[str, _Field] = {
    "path": _PATH,
    "file_text": {**_TEXT, "description": "For `create`: the whole new file."},
    "old_str": {**_TEXT, "description": "For `str_replace`: the text to replace, which must occur exactly once."},
    "insert_line": {
        **_LINE,
        "description": "For `insert`: the number of the line behind which it goes; 0 for the top.",
    },
}
_RANGE: _Field = {
    "type": "array",
    "items": {"type": "integer"},
    "description": "For `view`: first and last line; -1 is the end.",
}

_BASH: dict[str, _Field] = {
    "command": {**_TEXT, "description": "What to run."},
    "restart": {"type": "boolean", "description": "True to begin a new session, without a command."},
}
_EDITOR: dict[str, _Field] = {
    "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert"]},
    **_EDITS,
    "new_str": {**_TEXT, "description": "For `str_replace`: what takes its place."},
    "insert_text": {**_TEXT, "description": "For `insert`: the text."},
    "view_range": _RANGE,
}
_OLD_EDITOR: dict[str, _Field] = {
    "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert", "undo_edit"]},
    **_EDITS,
    "new_str": {**_TEXT, "description": "For `str_replace` and `insert`: the new text."},
    "view_range": _RANGE,
}
_MEMORY: dict[str, _Field] = {
    "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert", "delete", "rename"]},
    **_EDITS,
    "new_str": {**_TEXT, "description": "For `str_replace`: what takes its place."},
    "insert_text": {**_TEXT, "description": "For `insert`: the text."},
    "old_path": {**_TEXT, "description": "For `rename`."},
    "new_path": {**_TEXT, "description": "For `rename`."},
    "view_range": _RANGE,
}
_OLD_EDITORS = ("text_editor_20241022", "text_editor_20250124")


class _Named(msgspec.Struct):
    name: object = ""


_NAMED = msgspec.json.Decoder(_Named)


def client_tool(tool: HostedTool) -> FunctionTool | None:
    """The function that stands for it; None for a tool that only the vendor's server can run."""
    found = _TYPE.fullmatch(tool.type)
    if found is None:
        return None
    said = _NAMED.decode(tool.definition).name
    name = said if isinstance(said, str) and said else found["kind"]
    match found["kind"]:
        case "bash":
            return _function(name, "Run a command in a shell that stays open between calls.", _BASH, ())
        case "memory":
            told = "View and change the files in /memories, which last from one conversation to the next."
            return _function(name, told, _MEMORY, ("command",))
        case _:
            fields = _OLD_EDITOR if tool.type in _OLD_EDITORS else _EDITOR
            return _function(name, "View, create and edit files.", fields, ("command", "path"))


def _function(name: str, description: str, properties: dict[str, _Field], required: tuple[str, ...]) -> FunctionTool:
    schema = {"type": "object", "properties": properties, "required": required}
    return FunctionTool(name, description, msgspec.Raw(msgspec.json.encode(schema)))
