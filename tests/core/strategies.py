"""Hypothesis strategies over the internal representation: answers in the grammar of `core.ir`, and requests.

`event_sequences()` and `chat_requests()` give everything the representation can hold. A wire that cannot carry all of
it narrows them with the keywords (`custom_tools=False`, ...) and says so in its test.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TypeVar

import msgspec
from hypothesis import strategies as st

from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    CustomTool,
    DocumentPart,
    ErrorKind,
    Failed,
    Finished,
    FunctionTool,
    HostedTool,
    ImagePart,
    JsonFormat,
    Message,
    Part,
    Ping,
    Reasoning,
    RefusalDelta,
    RefusalPart,
    ResultContent,
    Role,
    Sampling,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ThinkingSignature,
    Tool,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    ToolChoice,
    ToolReferencePart,
    ToolResultPart,
    Usage,
    UsageReport,
)

T = TypeVar("T")

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
"""Non-empty text with no lone surrogate: line breaks, quotes, emoji and control characters included."""

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,12}", fullmatch=True)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,16}", fullmatch=True)
COUNTS = st.integers(0, 1_000_000)
BASE64 = st.sampled_from(["iVBORw0KGgo=", "AAAA", "JVBERi0xLjQK"])

json_objects: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    TEXT,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)
json_object_texts = json_objects.map(lambda value: json.dumps(value, ensure_ascii=False))
"""JSON objects as text, as a model writes arguments."""

usages = st.builds(
    lambda new, cached, visible, hidden: Usage(new + cached, cached, visible + hidden, hidden),
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
)
faults = st.builds(ChatFault, kind=st.sampled_from(ErrorKind), message=TEXT)


def _optional(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | strategy


@st.composite
def _pieces(draw: st.DrawFn, text: str) -> list[str]:
    """`text` cut at random places into non-empty pieces."""
    cuts = sorted(draw(st.sets(st.integers(1, max(len(text) - 1, 1)), max_size=4)))
    bounds = [0, *(cut for cut in cuts if cut < len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(bounds) if a < b]


@st.composite
def tool_call_events(
    draw: st.DrawFn, *, custom_tools: bool = True, namespaces: bool = True, call_id: str | None = None
) -> list[ChatEvent]:
    """One whole call: a function's arguments are a JSON object (or empty), a custom tool's are any text."""
    kind = draw(st.sampled_from(["function", "custom"])) if custom_tools else "function"
    arguments = draw(st.just("") | (json_object_texts if kind == "function" else TEXT))
    start = ToolCallStart(
        id=call_id or draw(IDS),
        name=draw(NAMES),
        kind=kind,  # type: ignore[arg-type]
        namespace=draw(st.just("") | NAMES) if namespaces else "",
    )
    return [start, *(ToolCallDelta(piece) for piece in draw(_pieces(arguments))), ToolCallEnd()]


def _plain_events(*, signatures: bool, refusals: bool, pings: bool) -> st.SearchStrategy[ChatEvent]:
    choices: list[st.SearchStrategy[ChatEvent]] = [TEXT.map(TextDelta), TEXT.map(ThinkingDelta)]
    if signatures:
        choices.append(st.builds(ThinkingSignature, st.just("") | TEXT, st.just("") | TEXT))
    if refusals:
        choices.append(TEXT.map(RefusalDelta))
    if pings:
        choices.append(st.just(Ping()))
    return st.one_of(choices)


@st.composite
def endings(draw: st.DrawFn) -> ChatEvent:
    """The last event. A stop sequence is named only with `STOP_SEQUENCE`."""
    if draw(st.integers(0, 5)) == 0:
        return Failed(draw(faults))
    reason = draw(st.sampled_from(StopReason))
    return Finished(reason, draw(st.just("") | TEXT) if reason is StopReason.STOP_SEQUENCE else "")


@st.composite
def event_sequences(
    draw: st.DrawFn,
    *,
    custom_tools: bool = True,
    namespaces: bool = True,
    signatures: bool = True,
    refusals: bool = True,
    pings: bool = True,
) -> list[ChatEvent]:
    """A whole answer in the grammar of `core.ir`: calls have ids of their own, and there is an end."""
    events: list[ChatEvent] = [Started(draw(st.just("") | IDS), draw(st.just("") | NAMES))]
    plain = _plain_events(signatures=signatures, refusals=refusals, pings=pings)
    calls = 0
    for _ in range(draw(st.integers(0, 6))):
        if draw(st.integers(0, 2)):
            events.append(draw(plain))
            continue
        call_id = f"{draw(IDS)}_{calls}"
        events += draw(tool_call_events(custom_tools=custom_tools, namespaces=namespaces, call_id=call_id))
        calls += 1
    events += [UsageReport(usage) for usage in draw(st.lists(usages, max_size=2))]
    return [*events, draw(endings())]


# --- requests ----------------------------------------------------------------------------------------------------

text_parts = st.builds(TextPart, TEXT, cache_hint=st.booleans())
image_parts = st.builds(
    ImagePart, media_type=st.sampled_from(["image/png", "image/jpeg"]), data=BASE64, cache_hint=st.booleans()
) | st.builds(ImagePart, url=st.just("https://images.example/a.png"))
document_parts = st.builds(
    DocumentPart, media_type=st.just("application/pdf"), data=BASE64, title=st.just("") | TEXT
) | st.builds(DocumentPart, media_type=st.just("text/plain"), text=TEXT, title=st.just("") | TEXT)
thinking_parts = st.builds(ThinkingPart, TEXT, signature=st.just("") | TEXT)

user_parts: st.SearchStrategy[Part] = text_parts | image_parts | document_parts
result_parts: st.SearchStrategy[ResultContent] = (
    text_parts | image_parts | document_parts | st.builds(ToolReferencePart, NAMES)
)


@st.composite
def turns(draw: st.DrawFn, *, number: int, custom_tools: bool, media: bool) -> list[Message]:
    """What the user says, what the model answers, and the results of the calls that it made, all of them in order."""
    said = draw(st.lists(user_parts if media else text_parts, min_size=1, max_size=3))
    answered: list[Part] = list(draw(st.lists(thinking_parts, max_size=1)))
    answered += draw(st.lists(st.builds(TextPart, TEXT), max_size=1))
    answered += draw(st.lists(st.builds(RefusalPart, TEXT), max_size=1)) if draw(st.integers(0, 9)) == 0 else []
    calls = [
        ToolCallPart(
            id=f"call_{number}_{n}",
            name=draw(NAMES),
            arguments=draw(TEXT if custom else json_object_texts),
            kind="custom" if custom else "function",
        )
        for n, custom in enumerate(draw(st.lists(st.booleans() if custom_tools else st.just(False), max_size=2)))
    ]
    results = tuple(
        ToolResultPart(
            call_id=call.id,
            content=tuple(draw(st.lists(result_parts if media else text_parts, max_size=2))),
            is_error=draw(st.booleans()),
            kind=call.kind,
        )
        for call in calls
    )
    messages = [Message(Role.USER, tuple(said))]
    if answered or calls:
        messages.append(Message(Role.ASSISTANT, (*answered, *calls)))
    if results:
        messages.append(Message(Role.TOOL, results))
    return messages


@st.composite
def _tools(draw: st.DrawFn, *, custom_tools: bool, hosted_tools: bool) -> tuple[Tool, ...]:
    schema = json_objects.map(lambda value: msgspec.Raw(msgspec.json.encode({"type": "object", "properties": value})))
    kinds: list[st.SearchStrategy[Tool]] = [
        st.builds(
            FunctionTool,
            NAMES,
            st.just("") | TEXT,
            schema,
            strict=_optional(st.booleans()),
            cache_hint=st.booleans(),
        )
    ]
    if custom_tools:
        kinds.append(st.builds(CustomTool, NAMES, st.just("") | TEXT))
    if hosted_tools:
        kinds.append(st.just(HostedTool("web_search", msgspec.Raw(b'{"type":"web_search"}'))))
    return tuple(draw(st.lists(st.one_of(kinds), max_size=3)))


sampling = st.builds(
    Sampling,
    temperature=_optional(st.sampled_from([0.0, 0.5, 1.0])),
    top_p=_optional(st.sampled_from([0.5, 1.0])),
    top_k=_optional(st.integers(1, 100)),
    seed=_optional(st.integers(0, 2**31)),
    presence_penalty=_optional(st.sampled_from([-1.0, 0.0, 1.0])),
    frequency_penalty=_optional(st.sampled_from([-1.0, 0.0, 1.0])),
)
json_formats = st.builds(
    JsonFormat,
    schema=st.just(msgspec.Raw(b"")) | st.just(msgspec.Raw(b'{"type":"object"}')),
    name=st.just("") | NAMES,
    strict=_optional(st.booleans()),
)


@st.composite
def _messages(draw: st.DrawFn, *, custom_tools: bool, media: bool, system_midway: bool) -> tuple[Message, ...]:
    notices = st.lists(st.builds(lambda part: Message(Role.SYSTEM, (part,)), text_parts), max_size=2)
    messages: list[Message] = draw(notices)
    for number in range(draw(st.integers(1, 3))):
        messages += draw(turns(number=number, custom_tools=custom_tools, media=media))
        messages += draw(notices) if system_midway else []
    return tuple(messages)


@st.composite
def chat_requests(
    draw: st.DrawFn,
    *,
    custom_tools: bool = True,
    hosted_tools: bool = True,
    media: bool = True,
    system_midway: bool = True,
) -> ChatRequest:
    """A request whose conversation is one that could have happened: every call has its result, in order."""
    tools = draw(_tools(custom_tools=custom_tools, hosted_tools=hosted_tools))
    named = [tool.name for tool in tools if isinstance(tool, FunctionTool)]
    choices = st.sampled_from([ToolChoice(), ToolChoice("none"), ToolChoice("required")])
    if named:
        choices |= st.sampled_from(named).map(lambda name: ToolChoice("named", name))
    return ChatRequest(
        model=draw(NAMES),
        messages=draw(_messages(custom_tools=custom_tools, media=media, system_midway=system_midway)),
        tools=tools,
        tool_choice=draw(_optional(choices)) if tools else None,
        parallel_tool_calls=draw(_optional(st.booleans())) if tools else None,
        max_output_tokens=draw(_optional(st.integers(1, 1_000_000))),
        stop=tuple(draw(st.lists(TEXT, max_size=2))),
        sampling=draw(sampling),
        reasoning=draw(_optional(st.builds(Reasoning, _optional(st.booleans()), st.sampled_from(["", "low", "high"])))),
        json_format=draw(_optional(json_formats)),
        stream=draw(st.booleans()),
        user=draw(st.just("") | TEXT),
        cache_key=draw(st.just("") | IDS),
    )
