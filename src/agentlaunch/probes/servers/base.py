"""What a kind of model server is, and what its answers come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from agentlaunch.core.endpoint import Counting
from agentlaunch.probes.servers import SERVERS


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: its status, its `Server` header, and its body's JSON, None where the body is something else."""

    status: int
    content: object = None
    server: str = ""


@dataclass(frozen=True)
class ServedModel:
    """A model of a server. `name` is what requests call it; windows in tokens, None for what the server does not say.

    `is_loaded` None: the server does not tell, and loads what it is asked for.
    """

    name: str
    context_window: int | None = None
    is_loaded: bool | None = True
    context_trained: int | None = None
    takes_images: bool | None = None


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


def count(value: object) -> int | None:
    """A number of tokens above 0; servers write 0, null and worse for what they do not know."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def text(value: object) -> str:
    """A string, empty for anything else."""
    return value if isinstance(value, str) else ""
