"""LM Studio: its own API tells which models are loaded, and with which window."""

from __future__ import annotations

from agentlaunch.core.lm_studio_models import V0, V1, read_v0, read_v1
from agentlaunch.probes.servers.base import Answers, ServerFacts, ServerKind, content


def read(answers: Answers) -> ServerFacts | None:
    """The newer list, else the older one.

    One that wants a key cannot be told from any other program that wants one: it must be asked for by name.
    """
    models = read_v1(content(answers, V1))
    if models is None:
        models = read_v0(content(answers, V0))
    return None if models is None else ServerFacts(models)


KIND = ServerKind(
    name="lmstudio",
    title="LM Studio",
    port=1234,
    paths=(V1, V0),
    read=read,
    enlarge="lms unload {model} && lms load {model} --context-length {tokens}",
    load="lms load {model} --context-length {tokens}",
    key_variable="LM_API_TOKEN",
)
