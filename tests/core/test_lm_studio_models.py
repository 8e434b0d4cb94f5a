from __future__ import annotations

import pytest
from tests.doubles.model_servers import LM_STUDIO_V0, LM_STUDIO_V1

from agentlaunch.core.lm_studio_models import V0, V1, read_v0, read_v1
from agentlaunch.core.served_model import ServedModel


def test_the_newer_list_tells_loaded_instances_by_their_ids_and_the_rest_by_their_keys() -> None:
    vision = {"capabilities": {"vision": True}, "max_context_length": 32_768}
    loaded = [
        {"id": "one", "config": {"context_length": 4096}},
        {"id": "two", "config": {"context_length": 8192}},
        {"id": "odd", "config": {}},
    ]
    models = [
        {"key": "both", "loaded_instances": loaded, **vision},
        {"key": "idle", "loaded_instances": []},
        {"key": "broken", "loaded_instances": None, "capabilities": {"vision": "yes"}, "max_context_length": 0},
        {"key": "", "loaded_instances": []},
        {"key": "embed", "type": "embedding", "loaded_instances": loaded},
        "no entry",
    ]
    assert read_v1({"models": models}) == (
        ServedModel("one", 4096, True, 32_768, True),
        ServedModel("two", 8192, True, 32_768, True),
        ServedModel("idle", None, False),
        ServedModel("broken", None, False),
    )


def test_the_older_list_tells_a_window_beside_loaded_alone() -> None:
    models = [
        {"id": "on", "type": "llm", "state": "loaded", "max_context_length": 131_072, "loaded_context_length": 4096},
        {"id": "off", "type": "vlm", "state": "not-loaded", "max_context_length": 0, "loaded_context_length": 4096},
        {"id": "embed", "type": "embeddings", "state": "loaded", "max_context_length": 2048},
        {"id": 3, "state": "loaded", "max_context_length": 2048},
        "no entry",
    ]
    assert read_v0({"data": models}) == (
        ServedModel("on", 4096, True, 131_072, False),
        ServedModel("off", None, False, None, True),
    )


@pytest.mark.parametrize(
    "content", [None, [], {}, {"models": 1}, {"data": 1}, {"models": [{"key": "x"}]}, {"data": [{"id": "x"}]}]
)
def test_what_is_no_such_list_is_none(content: object) -> None:
    assert (read_v1(content), read_v0(content)) == (None, None)


def test_neither_list_is_taken_for_the_other() -> None:
    assert (read_v0(LM_STUDIO_V1[V1]), read_v1(LM_STUDIO_V0[V0]), read_v1(LM_STUDIO_V0[V1])) == (None, None, None)
