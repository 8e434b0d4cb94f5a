"""What a kind of model server is, and what its answers come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from agentlaunch.core.endpoint import Counting
from agentlaunch.core.served_model import ServedModel
from agentlaunch.probes.servers import SERVERS


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: its status, its `Server` header, and its body's JSON, None where the body is something else."""

    status: int
    content: object = None
    server: str = ""


@dataclass(frozen=True)
class ServerFacts:
    """A server of this kind listens. `wants_key`: it tells its models only to those who have its key."""

    models: tuple[ServedModel, ...] = ()
    version: str = ""
    wants_key: bool = False


Answers = Mapping[str, Answer]
"""By path; one that was not answered at all is missing."""


@dataclass(frozen=True)
class ServerKind:
    """One make of server. `port` is where it listens unless it is told otherwise.

    `paths` are asked, and `read` makes of the answers what is there: None for a stranger. `enlarge` is what to type for
    a window of {tokens} with {model}, and `load` what loads {model}. Chats go to `base_path` + /v1/chat/completions.
    """

    name: str
    title: str
    port: int
    paths: tuple[str, ...]
    read: Callable[[Answers], ServerFacts | None]
    enlarge: str
    load: str
    key_variable: str
    base_path: str = ""
    counting: Counting = "estimate"


def load_kind(name: str) -> ServerKind:
    """The kind called `name`. Raises KeyError for a name that is not in `SERVERS`."""
    module, _, attribute = SERVERS[name].partition(":")
    kind: ServerKind = getattr(import_module(module), attribute)
    return kind


def content(answers: Answers, path: str) -> object:
    """The JSON that a path was answered with, None for any status but 200."""
    answer = answers.get(path)
    return answer.content if answer is not None and answer.status == 200 else None


def is_refused(answers: Answers, path: str) -> bool:
    """Whether a path wants a key."""
    answer = answers.get(path)
    return answer is not None and answer.status in (401, 403)


def listed(answers: Answers, path: str) -> tuple[Mapping[str, object], ...]:
    """The models in an answer of the OpenAI form (`{"object": "list", "data": [{"id": ...}]}`); empty for others."""
    match content(answers, path):
        case {"data": list(entries)}:
            return tuple(entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str))
        case _:
            return ()
