"""The blocks by which a client changes its tools in mid-conversation.

Source: the vendor's beta `mid-conversation-tool-changes-2026-07-01`, and `inline-tools-2026-09-15` for definitions;
Claude Code 2.1.331 writes both into messages of role `system`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

NO_DEFINITION = msgspec.Raw(b"")


class ChangedTool(msgspec.Struct, frozen=True):
    """The tool that is meant: by its name, or as a whole."""

    name: str = ""
    tool_name: str = ""
    definition: msgspec.Raw = NO_DEFINITION


class ToolAdditionBlock(msgspec.Struct, frozen=True, tag="tool_addition", tag_field="type"):
    """From here on the model may call the tool."""

    tool: ChangedTool


class ToolRemovalBlock(msgspec.Struct, frozen=True, tag="tool_removal", tag_field="type"):
    """From here on it may not."""

    tool: ChangedTool


ToolChangeBlock: TypeAlias = ToolAdditionBlock | ToolRemovalBlock
