"""JSON documents that configure agents: read, merged, looked into."""

from __future__ import annotations

import pytest

from agentlaunch.agents.documents import Document, dump_document, merge, object_at, parse_document

DOCUMENT: Document = {"a": {"b": {"c": 1}}, "list": [{}]}


def test_an_object_is_found_at_its_path_and_is_a_copy() -> None:
    found = object_at(DOCUMENT, "a", "b")
    assert found == {"c": 1}
    found["c"] = 2
    assert object_at(DOCUMENT, "a", "b") == {"c": 1}
    assert object_at(DOCUMENT) == DOCUMENT


@pytest.mark.parametrize("path", [("x",), ("a", "x"), ("a", "b", "c"), ("a", "b", "c", "d"), ("list",), ("list", "0")])
def test_where_no_object_is_an_empty_one_is_found(path: tuple[str, ...]) -> None:
    assert object_at(DOCUMENT, *path) == {}


def test_where_both_speak_the_one_above_wins_object_by_object() -> None:
    below: Document = {"a": {"x": 1, "y": [1]}, "b": 1}
    above: Document = {"a": {"y": [2]}, "b": {"z": 2}}
    assert merge(below, above) == {"a": {"x": 1, "y": [2]}, "b": {"z": 2}}


def test_a_document_is_a_json_object_with_or_without_a_byte_order_mark() -> None:
    assert parse_document("\ufeff" + dump_document(DOCUMENT)) == DOCUMENT
    with pytest.raises(ValueError, match="it is not a JSON object"):
        parse_document("[]")
