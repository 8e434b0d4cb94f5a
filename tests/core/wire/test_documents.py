"""Documents that clients send as base64: whatever is text is read, on every wire that has documents."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from agentlaunch.core.ir import DocumentPart, Part
from agentlaunch.core.wire.base import load_wire

Json = dict[str, object]

TEXT = "a,b\n1,2 \u00e4"


def document(wire: str, media_type: str, data: str) -> Part:
    url = f"data:{media_type};base64,{data}"
    parts: dict[str, Json] = {
        "anthropic_messages": {
            "type": "document",
            "title": "t",
            "source": {"type": "base64", "media_type": media_type, "data": data},
        },
        "openai_chat": {"type": "file", "file": {"filename": "t", "file_data": url}},
        "openai_responses": {"type": "input_file", "filename": "t", "file_data": url},
    }
    said = {"role": "user", "content": [parts[wire]]}
    body = {"model": "m", "max_tokens": 9, "messages": [said], "input": [said]}
    ((part,),) = (message.parts for message in load_wire(wire).decode_request(json.dumps(body).encode()).messages)
    return part


@pytest.mark.report("B093")
@pytest.mark.parametrize("wire", ["anthropic_messages", "openai_chat", "openai_responses"])
def test_a_document_of_text_is_its_text_and_any_other_stays_what_it_is(wire: str) -> None:
    assert document(wire, "text/csv", b64encode(TEXT.encode()).decode()) == DocumentPart(
        "text/csv", text=TEXT, title="t"
    )
    assert document(wire, "application/pdf", "JVBE") == DocumentPart("application/pdf", "JVBE", title="t")
    assert document(wire, "text/csv", "//79") == DocumentPart("text/csv", "//79", title="t")


def test_a_document_whose_data_is_a_whole_data_url_is_read() -> None:
    url = "data:text/plain;base64,aGk="
    assert document("anthropic_messages", "application/pdf", url) == DocumentPart("text/plain", text="hi", title="t")
