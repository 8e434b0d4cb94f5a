"""A skill that a user hands to an agent: what the head of its SKILL.md says, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

_FENCE = "---"
_LONGEST_DESCRIPTION = 1024
"""Characters, as the Agent Skills format allows."""


@dataclass(frozen=True)
class Skill:
    """`path` is the absolute path of the SKILL.md."""

    name: str
    description: str
    path: str


def parse_skill(text: str, path: str) -> Skill:
    """The skill with the `name` and `description` between the first two lines of dashes.

    Raises ValueError for a text without them. A description over several lines is joined.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != _FENCE or _FENCE not in (line.rstrip() for line in lines[1:]):
        raise ValueError("it does not begin with a head between two lines of `---`")
    said: dict[str, str] = {}
    key = ""
    for line in lines[1 : [line.rstrip() for line in lines].index(_FENCE, 1)]:
        if line[:1].isspace() and key:
            said[key] = f"{said[key]} {line.strip()}".strip()
            continue
        name, colon, value = line.partition(":")
        key = name.strip() if colon else ""
        if key:
            said[key] = _unquoted(value.strip())
    if not said.get("name") or not said.get("description"):
        raise ValueError("its head has no name, or no description")
    return Skill(said["name"], said["description"][:_LONGEST_DESCRIPTION], path)


def _unquoted(value: str) -> str:
    """Without YAML's quotes, and without the signs that begin a text of several lines."""
    if value in ("|", ">", "|-", ">-"):
        return ""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def skills_text(skills: tuple[Skill, ...]) -> str:
    """What an agent without a way to load skills is told of them; empty without skills."""
    if not skills:
        return ""
    lines = [f"- {skill.name}: {skill.description} ({skill.path})" for skill in skills]
    return "\n".join(
        ["Skills, each a file of instructions. When a task is what one describes, read its file first:", *lines, ""]
    )
