"""app/handed.py: servers and skills from the user's files, and links in the session's folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentlaunch.agents.base import PromptTokens
from agentlaunch.agents.locate import LocatedAgent
from agentlaunch.app.choose_order import choose_launch
from agentlaunch.app.handed import Handed, link_folders, read_handed
from agentlaunch.app.last_launch import read_record, write_record
from agentlaunch.app.launch import Prepared, notes, rehearse, run
from agentlaunch.app.models import ModelTarget
from agentlaunch.app.orders import LaunchFlags, LaunchOrder, ModelFlags, ModelOrder
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayLink
from agentlaunch.core.mcp import StdioServer
from agentlaunch.core.skills import Skill
from agentlaunch.errors import MachineError, UserError

if TYPE_CHECKING:
    from conftest import Became, MakeWorld

SKILL = "---\nname: review\ndescription: Looks at code.\n---\n"


def order(mcp: Path | str = "", skills: Path | str = "") -> LaunchOrder:
    return LaunchOrder("claude", ModelOrder("demo"), mcp=str(mcp), skills=str(skills))


def test_servers_and_skills_are_read_and_folders_without_a_skill_are_none(tmp_path: Path) -> None:
    file, folder = tmp_path / "mcp.json", tmp_path / "skills"
    file.write_text(json.dumps({"mcpServers": {"x": {"command": "x", "env": {"KEY": "sk"}}}}))
    for name in ("b", "a", "none"):
        (folder / name).mkdir(parents=True)
    (folder / "b" / "SKILL.md").write_text(SKILL)
    (folder / "a" / "SKILL.md").write_text(SKILL.replace("review", "first"))
    skills = (
        Skill("first", "Looks at code.", str(folder / "a" / "SKILL.md")),
        Skill("review", "Looks at code.", str(folder / "b" / "SKILL.md")),
    )
    assert read_handed(order(file, folder)) == Handed((StdioServer("x", "x", (), {"KEY": "sk"}),), skills)
    assert read_handed(order()) == Handed()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read `{file}`, given to --mcp"),
        ("{}", '`{file}`, given to --mcp, cannot be used: it has no object "mcpServers"'),
        ('{"mcpServers": {}}', "`{file}`, given to --mcp, has no server in it"),
    ],
)
def test_a_file_that_is_none_of_servers_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "mcp.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError) as refused:
        read_handed(order(mcp=file))
    assert (refused.value.code, refused.value.message) == ("bad-mcp-file", message.format(file=file))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "has no */SKILL.md in it"), ("# no head", "cannot be used: it does not begin with a head")],
)
def test_a_folder_without_usable_skills_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "SKILL.md").write_text(content)
    with pytest.raises(UserError) as refused:
        read_handed(order(skills=tmp_path))
    assert (refused.value.code, message in refused.value.message) == ("bad-skills", True)


def test_a_link_shows_the_users_folder_and_goes_without_it(tmp_path: Path) -> None:
    target, path = tmp_path / "skills", tmp_path / "session" / "plugin" / "skills"
    target.mkdir()
    (target / "SKILL.md").write_text(SKILL)
    link_folders((OverlayLink(str(path), str(target)),))
    assert (path / "SKILL.md").read_text() == SKILL
    path.unlink()
    assert (target / "SKILL.md").read_text() == SKILL


def test_a_link_that_cannot_be_made_tells_where(tmp_path: Path) -> None:
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "skills").mkdir()
    with pytest.raises(MachineError) as refused:
        link_folders((OverlayLink(str(tmp_path / "plugin" / "skills"), str(tmp_path / "gone")),))
    assert refused.value.code == "folder-not-writable"


def test_the_order_names_both_absolutely_and_again_finds_them(make_world: MakeWorld) -> None:
    world = make_world().world
    flags = LaunchFlags(mcp="servers.json", skills="my skills")
    ordered = choose_launch("claude", (), ModelFlags(model="demo"), flags, world)
    assert (ordered.mcp, ordered.skills) == (str(world.folder / "servers.json"), str(world.folder / "my skills"))
    write_record(ordered, world.dirs)
    assert read_record(world.dirs) == ordered


@dataclass
class Taker:
    """An agent that takes servers by its environment and skills by a link, and warns of what it was handed."""

    name: str = "taker"
    title: str = "Taker"
    executable: str = "taker"
    one_answer: str = "-p"
    user_configs: tuple[str, ...] = ()
    prompt_tokens: PromptTokens = field(default_factory=lambda: PromptTokens(3, 2, 1))

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return arguments[:0]

    def plan(self, context: AgentContext) -> LaunchPlan:
        values = {name: server.env[name] for server in context.mcp_servers for name in server.env}  # type: ignore[union-attr]
        link = OverlayLink(f"{context.session_dir}/skills", context.skills_dir)
        return LaunchPlan(("/bin/taker",), env=values, links=(link,), warnings=("no dancing",))


def taken(order_: LaunchOrder) -> Prepared:
    handed = Handed((StdioServer("x", "x", (), {"KEY": "sk-secret"}),))
    model = ModelTarget("tiny", EngineSpec("/m/tiny.gguf", "tiny", 8192), "llamacpp", 8192)
    return Prepared(order_, Taker(), LocatedAgent("/bin/taker", (1, 2, 3)), model, 8192, handed=handed)  # type: ignore[arg-type]


def test_a_launch_makes_the_links_and_tells_the_warnings(
    make_world: MakeWorld, became: type[Became], tmp_path: Path
) -> None:
    made, skills = make_world(), tmp_path / "skills"
    skills.mkdir()
    with pytest.raises(became) as end:
        run(taken(order(skills=skills)), made.world)
    (link,) = made.world.dirs.sessions.glob("*/skills")
    assert (link.resolve(), end.value.environment["KEY"], "  no dancing" in made.talk.lines) == (
        skills.resolve(),
        "sk-secret",
        True,
    )


def test_a_rehearsal_masks_the_servers_secrets_and_makes_no_link(make_world: MakeWorld) -> None:
    made = make_world()
    found = rehearse(taken(order(skills="/k")), made.world)
    assert (found.plan.env, made.world.dirs.state.exists()) == ({"KEY": "********"}, False)
    assert "no dancing" in notes(found, made.world)
