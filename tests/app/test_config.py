"""`config AGENT`: what is asked, what is written where, and what `serve` then serves."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentlaunch.app.config import ConfigFlags, plan_config, restore_config, write_config
from agentlaunch.app.orders import ModelFlags, ModelOrder
from agentlaunch.app.serve import ServeFlags, ServeOrder, choose_serve
from agentlaunch.app.standing import Standing, read_standing, standing_token, token_path, write_standing
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import AgentlaunchError, Interrupted, UserError
from agentlaunch.system.config_files import Outcome, Restored

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Made, MakeWorld

    BuildModel = Callable[[Script], Path]

THEIRS = '# mine\nmodel = "theirs"\n'
YES = ConfigFlags(yes=True)
UPSTREAM = ModelFlags(model="m", context=65_536, upstream="openai=http://127.0.0.1:9")


def codex_file(made: Made) -> Path:
    file = Path(made.world.environment["HOME"]) / ".codex" / "config.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(THEIRS)
    return file


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_planning_writes_nothing_at_all(make_world: MakeWorld) -> None:
    made = make_world()
    file = codex_file(made)
    home = Path(made.world.environment["HOME"])
    before = files(home)
    planned = plan_config("codex", UPSTREAM, ConfigFlags(port=4000), made.world)
    assert (planned.path, planned.proposal.changes) == (file, True)
    assert '-model = "theirs"' in planned.diff
    assert '+base_url = "http://127.0.0.1:4000/v1"' in planned.diff
    assert files(home) == before


def test_a_write_on_a_terminal_shows_the_change_and_asks(make_world: MakeWorld) -> None:
    made = make_world(answer=False)
    file = codex_file(made)
    with pytest.raises(Interrupted):
        write_config("codex", UPSTREAM, ConfigFlags(), made.world)
    assert made.talk.questions == [f"Write `{file}`?"]
    assert '-model = "theirs"' in made.talk.lines[0]
    assert file.read_text() == THEIRS
    assert read_standing(made.world.dirs) is None


def test_without_a_terminal_a_write_needs_yes(make_world: MakeWorld) -> None:
    made = make_world()
    file = codex_file(made)
    with pytest.raises(UserError, match="nobody is there to ask") as refused:
        write_config("codex", UPSTREAM, ConfigFlags(), made.world)
    assert refused.value.hint.endswith("add --yes")
    assert file.read_text() == THEIRS


def test_what_is_written_is_what_a_bare_serve_serves(make_world: MakeWorld) -> None:
    made = make_world()
    codex_file(made)
    write_config("codex", UPSTREAM, ConfigFlags(port=4000, yes=True), made.world)
    dirs = made.world.dirs
    order = ModelOrder("m", 65_536, None, "openai=http://127.0.0.1:9")
    assert read_standing(dirs) == Standing(4000, order)
    token = token_path(dirs).read_text()
    assert stat.S_IMODE(token_path(dirs).stat().st_mode) == 0o600
    expected = ServeOrder(order, 4000, token, token_file=str(token_path(dirs)))
    assert choose_serve(ModelFlags(), ServeFlags(), made.world) == expected
    assert choose_serve(ModelFlags(), ServeFlags(port=4000), made.world) == expected
    served_elsewhere = choose_serve(UPSTREAM, ServeFlags(port=0), made.world)
    assert served_elsewhere == ServeOrder(order, 0)
    assert choose_serve(UPSTREAM, ServeFlags(token="T"), made.world) == ServeOrder(order, 0, "T")


def test_a_flag_that_leaves_the_model_as_it_is_is_laid_over_the_standing_servers(make_world: MakeWorld) -> None:
    made = make_world()
    codex_file(made)
    write_config("codex", UPSTREAM, ConfigFlags(port=4000, yes=True), made.world)
    order = ModelOrder("m", 8_192, None, "openai=http://127.0.0.1:9")
    assert choose_serve(ModelFlags(context=8_192), ServeFlags(), made.world).model == order
    other = choose_serve(ModelFlags(model="demo"), ServeFlags(), made.world)
    assert (other.model.model, other.model.upstream, other.port) == ("demo", "", 4000)


def test_a_model_file_is_known_by_its_whole_path_and_the_window_that_was_told(
    make_world: MakeWorld, scripted_model: BuildModel
) -> None:
    made = make_world()
    codex_file(made)
    model = made.world.folder / "small.gguf"
    model.write_bytes(scripted_model(Script()).read_bytes())
    flags = ModelFlags(model="./small.gguf", context=16_384)
    written = write_config("codex", flags, YES, made.world)
    standing = read_standing(made.world.dirs)
    assert standing is not None
    assert (standing.model.model, standing.model.context, standing.model.kv) == (str(model), 16_384, "f16")
    assert written.planned.model.name == "small"


def test_the_second_agent_gets_the_same_server_and_model(make_world: MakeWorld) -> None:
    made = make_world()
    codex_file(made)
    write_config("codex", UPSTREAM, ConfigFlags(port=4000, yes=True), made.world)
    written = write_config("claude", ModelFlags(), YES, made.world)
    settings = json.loads((Path(made.world.environment["HOME"]) / ".claude" / "settings.json").read_text())
    assert settings["env"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:4000"
    assert settings["env"]["ANTHROPIC_MODEL"] == "m"
    assert written.backup is None
    assert written.planned.notes == ()


def test_another_model_or_port_for_one_agent_names_the_agents_that_are_left_behind(make_world: MakeWorld) -> None:
    made = make_world()
    codex_file(made)
    write_config("codex", UPSTREAM, ConfigFlags(port=4000, yes=True), made.world)
    note = ("codex is configured for another model or port: agentlaunch config codex --write",)
    assert plan_config("claude", ModelFlags(context=32_768), ConfigFlags(), made.world).notes == note
    assert plan_config("claude", ModelFlags(), ConfigFlags(port=4001), made.world).notes == note
    assert plan_config("claude", ModelFlags(), ConfigFlags(), made.world).notes == ()


@pytest.mark.report("B255")
def test_a_restore_finds_the_files_of_every_folder_and_leaves_nothing_of_ours(make_world: MakeWorld) -> None:
    made = make_world(CODEX_HOME="")
    plain = codex_file(made)
    write_config("codex", UPSTREAM, YES, made.world)
    other = Path(made.world.environment["HOME"]) / "other"
    moved = make_world(CODEX_HOME=str(other))
    write_config("codex", ModelFlags(), YES, moved.world)
    assert set(restore_config("codex", ConfigFlags(), made.world)) == {
        Restored(plain, Outcome.RESTORED),
        Restored(other / "config.toml", Outcome.REMOVED),
    }
    assert plain.read_text() == THEIRS
    assert not other.exists()
    assert files(made.world.dirs.config) == set()
    with pytest.raises(UserError, match="no configuration of `codex` has been written"):
        restore_config("codex", ConfigFlags(), made.world)


def test_the_server_stays_while_another_agent_needs_it(make_world: MakeWorld) -> None:
    made = make_world()
    codex_file(made)
    write_config("codex", UPSTREAM, YES, made.world)
    write_config("opencode", ModelFlags(), YES, made.world)
    restore_config("codex", ConfigFlags(), made.world)
    assert read_standing(made.world.dirs) is not None
    restore_config("opencode", ConfigFlags(), made.world)
    assert read_standing(made.world.dirs) is None


@pytest.mark.report("B290")
def test_an_opencode_jsonc_is_changed_and_no_json_is_made_beside_it(make_world: MakeWorld) -> None:
    made = make_world()
    folder = Path(made.world.environment["HOME"]) / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text('{\n  "theme": "mine", // yes\n}\n')
    write_config("opencode", UPSTREAM, YES, made.world)
    assert files(folder) == {"opencode.jsonc"}
    assert "// yes" in (folder / "opencode.jsonc").read_text()


def test_a_token_that_was_deleted_is_made_anew(make_world: MakeWorld) -> None:
    dirs = make_world().world.dirs
    write_standing(Standing(4000, ModelOrder("m")), dirs)
    first = standing_token(dirs)
    assert standing_token(dirs) == first
    token_path(dirs).unlink()
    assert standing_token(dirs) not in ("", first)


def test_a_damaged_record_names_itself_and_its_cure(make_world: MakeWorld) -> None:
    dirs = make_world().world.dirs
    dirs.config.mkdir(parents=True)
    (dirs.config / "standing-server.json").write_text('{"port": "x"}')
    with pytest.raises(UserError, match="standing-server") as refused:
        read_standing(dirs)
    assert "rm " in refused.value.hint


def test_an_agent_that_cannot_be_configured_is_refused(make_world: MakeWorld) -> None:
    for attempt in (plan_config, write_config):
        with pytest.raises(AgentlaunchError, match="no configuration for `vim`"):
            attempt("vim", UPSTREAM, YES, make_world().world)
