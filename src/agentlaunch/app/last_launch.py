"""The record of the last launch, which `again` repeats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict, get_args

from agentlaunch.app.orders import LaunchOrder, ModelOrder
from agentlaunch.core.engine import KVType
from agentlaunch.errors import UserError
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.files import write_private

RECORD_VERSION = 1


def record_path(dirs: Dirs) -> Path:
    """Where the last launch stands."""
    return dirs.state / "plans" / "last.json"


class _RecordedFields(TypedDict):
    runtime: str
    quant: str
    policy: str
    fallbacks: tuple[str, ...]


def write_record(order: LaunchOrder, dirs: Dirs) -> None:
    """Remember the launch for `again`: no key and no token stands in an order. Raises MachineError.

    A yes is not remembered: it was given to one launch.
    """
    known = {key: value for key, value in asdict(order).items() if key != "yes"}
    content = json.dumps({"version": RECORD_VERSION, **known}, indent=1, ensure_ascii=True)
    write_private(record_path(dirs), content.encode())


def read_record(dirs: Dirs) -> LaunchOrder | None:
    """The last launch; None when there was none, or the record is not one of ours."""
    match _recorded_launch(dirs):
        case {
            "version": 1,
            "agent": str(agent),
            "model": {
                "model": str(name),
                "context": int() | None as context,
                "kv": str() | None as kv,
                "upstream": str(upstream),
                "key_variable": str(key_variable),
                **rest,
            },
            "lean": bool() | None as lean,
            "arguments": list(arguments),
            "idle_seconds": int() | None as idle_seconds,
            "force": bool(force),
            **handed,
        } if all(isinstance(word, str) for word in arguments):
            model = ModelOrder(name, context, _kv_type(kv), upstream, key_variable, **_recorded(rest))
            mcp, skills = str(handed.get("mcp", "")), str(handed.get("skills", ""))
            return LaunchOrder(agent, model, lean, tuple(arguments), idle_seconds, force=force, mcp=mcp, skills=skills)
        case _:
            return None


def _recorded_launch(dirs: Dirs) -> object:
    """The record's JSON; None where there is none that can be read."""
    try:
        return json.loads(record_path(dirs).read_bytes())
    except (OSError, ValueError):
        return None


def _recorded(fields: Mapping[object, object]) -> _RecordedFields:
    """The fields that older records do not have."""
    words = fields.get("fallbacks")
    return {
        "runtime": str(fields.get("runtime", "")),
        "quant": str(fields.get("quant", "")),
        "policy": str(fields.get("policy", "")),
        "fallbacks": tuple(str(word) for word in words) if isinstance(words, list) else (),
    }


def _kv_type(text: str | None) -> KVType | None:
    for known in get_args(KVType):
        if text == known:
            found: KVType = known
            return found
    return None


def last_launch(dirs: Dirs) -> LaunchOrder:
    """The last launch. Raises UserError `nothing-launched`."""
    found = read_record(dirs)
    if found is not None:
        return found
    what = "there is no last launch to repeat"
    match _recorded_launch(dirs):
        case {"version": int(version)} if version != RECORD_VERSION:
            what = "the last launch was recorded by another version of agentlaunch, and this one cannot read it"
    raise UserError("nothing-launched", what, "agentlaunch claude --model demo")
