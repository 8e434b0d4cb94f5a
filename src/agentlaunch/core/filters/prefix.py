"""The start of a prompt, kept the same from turn to turn, from session to session and from day to day.

An engine computes again everything behind the first token that differs from what it has. So what varies stands behind
what does not. Each rule looks only at the messages of a conversation's opening, which stay as they are in every later
request of it, or at one message alone: a longer conversation therefore begins with the shorter one's messages.
`docs/prefix.md` shows the layouts before and after.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from agentlaunch.core.filters.plain_text import texts
from agentlaunch.core.filters.prefix_json import spaced_json
from agentlaunch.core.ir import ChatRequest, Message, Part, Role, TextPart, ToolCallPart

_REMINDER = "<system-reminder>"
"""How Claude Code marks what is said in the user's place and not by them (facts/agents.md 2.1)."""

_DATE_WORDS = "Today's date"
_DATE = re.compile(rf"^[ \t]*{_DATE_WORDS}(?: is|:)[^\n]{{1,40}}\n?", re.MULTILINE)
"""The line of Claude Code 2.1.331 (`Today's date is 2026-11-25.`) and OpenCode 1.18.33 (`  Today's date: ...`)."""

_GIT_STATUS = "# gitStatus\n"
"""The heading of the reminder that changes with every commit and every changed file (facts/agents.md 3.2)."""


def stable(request: ChatRequest) -> ChatRequest:
    """The same request with what varies moved behind what does not; nothing is lost.

    - Claude Code's environment, a system message behind the first question, goes before that question.
    - The state of git and today's date go to the end of the reminders before the user's own words.
    - The arguments of replayed calls get the spacing that models are trained to write.
    """
    messages = tuple(map(_with_spaced_calls, request.messages))
    return msgspec.structs.replace(request, messages=_ordered(messages))


def _ordered(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation's opening in a stable order."""
    at = 0
    while at < len(messages) and messages[at].role is Role.SYSTEM:
        at += 1
    if at == len(messages) or messages[at].role is not Role.USER:
        return messages
    opening = _Opening()
    leading = tuple(opening.without_dates(message) for message in messages[:at])
    behind = at + 1
    # Only the one right behind: a notice further on comes later, and must not change what stands before it.
    if behind < len(messages) and messages[behind].role is Role.SYSTEM:
        opening.add_environment(messages[behind])
        behind += 1
    opening.add_question(messages[at].parts)
    return (*leading, Message(Role.USER, opening.parts()), *messages[behind:])


@dataclass
class _Opening:
    """The first question and what is said around it, in the order of how seldom it changes."""

    constant: list[Part] = field(default_factory=list)
    git: list[Part] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    own: tuple[Part, ...] = ()

    def without_dates(self, message: Message) -> Message:
        """A system message without its lines that tell the date, which are kept for later."""
        return Message(message.role, tuple(self._without_date(part) for part in message.parts))

    def add_environment(self, message: Message) -> None:
        """A system message from behind the question, as a reminder (`plain_turns` would do the same where it stood)."""
        text = "\n\n".join(texts(self.without_dates(message).parts)).strip()
        if text:
            self.constant.append(TextPart(text if text.startswith(_REMINDER) else _reminder(text)))

    def add_question(self, parts: Sequence[Part]) -> None:
        """The user's message: reminders first, then their own words."""
        first_own = next((index for index, part in enumerate(parts) if not _is_reminder(part)), len(parts))
        for part in map(self._without_date, parts[:first_own]):
            if not _is_empty(part):
                (self.git if _tells_git(part) else self.constant).append(part)
        self.own = tuple(parts[first_own:])

    def parts(self) -> tuple[Part, ...]:
        """The message that they make."""
        date = [TextPart(_reminder("\n".join(self.dates)))] if self.dates else []
        return (*self.constant, *self.git, *date, *self.own)

    def _without_date(self, part: Part) -> Part:
        # The plain search first: on 40 KB of text it takes a hundredth of what the expression takes.
        if not isinstance(part, TextPart) or _DATE_WORDS not in part.text:
            return part
        self.dates += [line.strip() for line in _DATE.findall(part.text)]
        kept = _DATE.sub("", part.text)
        return part if kept == part.text else msgspec.structs.replace(part, text=kept)


def _reminder(text: str) -> str:
    return f"{_REMINDER}\n{text}\n</system-reminder>"


def _is_reminder(part: Part) -> bool:
    return isinstance(part, TextPart) and part.text.lstrip().startswith(_REMINDER)


def _is_empty(part: Part) -> bool:
    """Whether it is a reminder that told the date alone, which has been taken out."""
    return isinstance(part, TextPart) and "".join(part.text.split()) == "<system-reminder></system-reminder>"


def _tells_git(part: Part) -> bool:
    return isinstance(part, TextPart) and _GIT_STATUS in part.text


def _with_spaced_calls(message: Message) -> Message:
    if not any(isinstance(part, ToolCallPart) for part in message.parts):
        return message
    return Message(message.role, tuple(_spaced(message.parts)))


def _spaced(parts: Iterable[Part]) -> Iterable[Part]:
    for part in parts:
        if isinstance(part, ToolCallPart) and part.kind == "function":
            yield msgspec.structs.replace(part, arguments=spaced_json(part.arguments))
        else:
            yield part
