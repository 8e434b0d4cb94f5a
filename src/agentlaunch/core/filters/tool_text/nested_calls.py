"""Calls whose name is a tag, or stands in one: `<bash><command>ls</command></bash>`, `<name>bash</name>`."""

from __future__ import annotations

import re

from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.markup import FoundCall, NoCall
from agentlaunch.core.filters.tool_text.tag_calls import json_body, parameters

_NAME = re.compile(r"<(?:name|tool_name|function_name)>\s*([\w.:/-]+)\s*</\w+>\s*(?:<(\w+)>\s*)?")
_BARRED = r"(?:[|\uff5c\u2016]{1,2}DSML[|\uff5c\u2016]{1,2})?"
_TOOL = re.compile(rf"<{_BARRED}([\w.:/-]+)>\s*")


def read_nested(text: str, start: int, offered: OfferedTools) -> tuple[list[FoundCall], int]:
    """The call whose first tag stands at `start` and the index behind it. Raises NoCall."""
    head = _NAME.match(text, start) or _TOOL.match(text, start)
    name = offered.find(head[1]) if head is not None else None
    if head is None or name is None:
        raise NoCall
    around = head[2] if head.re is _NAME else head[1]
    if around in offered.schema(name).properties():  # the first parameter, without a tag around them all
        return parameters(text, head.start(2) - 1, name, offered.schema(name))
    if text.startswith("{", head.end()):
        calls, end = json_body(text, head.end(), name)
    else:
        calls, end = parameters(text, head.end(), name, offered.schema(name))
    closing = re.compile(rf"\s*</{_BARRED}{re.escape(around or '')}>").match(text, end)
    return calls, closing.end() if closing else end
