"""The head of a SKILL.md."""

from __future__ import annotations

import pytest

from agentlaunch.core.skills import Skill, parse_skill, skills_text


@pytest.mark.parametrize(
    "text",
    [
        "---\nname: review\ndescription: Looks at code.\n---\nDo it.\n",
        "\ufeff---\r\nname: 'review'\r\ndescription: \"Looks at code.\"\r\nlicense: MIT\r\n---\r\n",
        "---\n# ours\n\n  of no key\nname: review\ndescription: Looks at code.\n---\n",
        "---\nname: review\ndescription: >-\n  Looks\n  at code.\nmetadata:\n  name: other\n---\n---\n",
    ],
)
def test_name_and_description_are_found(text: str) -> None:
    assert parse_skill(text, "/s/SKILL.md") == Skill("review", "Looks at code.", "/s/SKILL.md")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it does not begin with a head"),
        ("# Review\n", "it does not begin with a head"),
        ("---\nname: review\n", "it does not begin with a head"),
        ("---\nname: review\n---\n", "its head has no name, or no description"),
    ],
)
def test_a_file_without_a_head_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_skill(text, "/s/SKILL.md")


def test_an_agent_is_told_name_description_and_file() -> None:
    assert skills_text(()) == ""
    assert skills_text((Skill("review", "Looks at code.", "/s/SKILL.md"),)) == (
        "Skills, each a file of instructions. When a task is what one describes, read its file first:\n"
        "- review: Looks at code. (/s/SKILL.md)\n"
    )
