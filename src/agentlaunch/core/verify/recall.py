"""Cases of long context: three facts at several depths of a long text, each asked for by itself."""

from __future__ import annotations

from agentlaunch.core.verify.case import Case, system, user
from agentlaunch.core.verify.general import TOOLS
from agentlaunch.core.verify.judges import says

DEPTHS = (("early", 0.1, "4417"), ("middle", 0.5, "2093"), ("late", 0.9, "8852"))
"""Where in the text a fact stands, as a share of it, and its number."""

SHORT_CHARACTERS = 12_000
"""About 4,000 tokens: what a processor without a GPU still reads within a minute."""
LONG_SHARE = 0.75
"""Of the window, with `--long`; the rest is for tools, question and answer."""
CHARACTERS_PER_TOKEN = 2.5
"""A careful figure for plain sentences with numbers: vocabularies of today's models give 2.8 to 4."""

_WEIGHT = 4
_GOODS = ("tin", "wool", "salt", "copper", "glass", "timber", "paper", "lamp oil", "slate")
_PLACES = ("harbour", "mill", "quarry", "market", "station", "tower", "bridge")


def recall_cases(context_window: int, *, is_long: bool = False) -> tuple[Case, ...]:
    """One case a depth, over one text, so that an engine with a prompt cache reads it once.

    `context_window` in tokens; the text takes half of a small window, and three quarters of any with `is_long`.
    """
    text = _text(_characters(context_window, is_long=is_long))
    head = system("You answer questions about a text. Answer in one short sentence, from the text, without a tool.")
    return tuple(
        Case(
            f"recall-{name}",
            f"finds what stands {name} in a long text",
            _WEIGHT,
            (head, user(f"{text}\n\nQuestion {number}: what is the code of the {name} gate? Answer with the code.")),
            TOOLS,
            says(rf"\b{code}\b"),
        )
        for number, (name, _, code) in enumerate(DEPTHS, 1)
    )


def _characters(context_window: int, *, is_long: bool) -> int:
    if is_long:
        return int(context_window * LONG_SHARE * CHARACTERS_PER_TOKEN)
    return min(SHORT_CHARACTERS, int(context_window * CHARACTERS_PER_TOKEN / 2))


def _text(characters: int) -> str:
    lines: list[str] = []
    size = 0
    while size < characters:
        number = len(lines)
        line = (
            f"{number}. At the {_PLACES[number % 7]} they counted {number * 37 % 500} crates of {_GOODS[number % 9]}."
        )
        lines.append(line)
        size += len(line) + 1
    for name, depth, code in DEPTHS:
        lines.insert(int(len(lines) * depth), f"The code of the {name} gate is {code}.")
    return "\n".join(lines)
