"""Items of types that have no struct of their own: the calls of a vendor's tools, and their results."""

from __future__ import annotations

from msgspec import Raw, Struct

NOT_THERE = Raw(b"")


class OtherCallItem(Struct, frozen=True):
    """A call that the client ran (`shell_call`, `apply_patch_call`): what it is called with has a name in each type."""

    type: str
    name: str = ""
    call_id: str | None = None
    id: str | None = None
    arguments: Raw = NOT_THERE
    input: Raw = NOT_THERE
    action: Raw = NOT_THERE
    operation: Raw = NOT_THERE
    code: Raw = NOT_THERE


class OtherOutputItem(Struct, frozen=True):
    """The result of one."""

    call_id: str | None = None
    id: str | None = None
    output: Raw = NOT_THERE
    result: Raw = NOT_THERE
    status: str | None = None
