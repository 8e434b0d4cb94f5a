"""The agents' files and ours, as they lie on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.app.conftest import MakeWorld

from agentlaunch.app.doctor import agent_files, own_files
from agentlaunch.app.doctor.finding import Finding, broken
from agentlaunch.app.world import World

AGENTS = ("claude", "codex", "opencode")


def _codes(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.code) for finding in findings]


def _look(world: World, managed: str = "/nowhere/managed.json") -> list[tuple[str, str]]:
    return _codes(tuple(agent_files.judge(agent_files.gather(world, AGENTS, managed))))


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_no_files_no_findings(make_world: MakeWorld) -> None:
    assert _look(make_world().world) == []


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (".claude/settings.json", '{"env": {"ANTHROPIC_BASE_URL": "http://x"}}', [("will bite", "hostile-settings")]),
        (".claude/settings.json", '{"env": {"CLAUDE_CODE_USE_BEDROCK": "0"}}', []),
        (".claude/settings.json", '{"env": ', [("will bite", "agent-file")]),
        (
            "project/.claude/settings.local.json",
            '{"env": {"CLAUDE_CODE_USE_VERTEX": "1"}}',
            [("will bite", "hostile-settings")],
        ),
        (".codex/config.toml", 'model = "a', [("broken", "agent-file")]),
        (".codex/config.toml", '[model_providers.l]\nwire_api = "chat"\n', [("broken", "codex-wire")]),
        (".codex/config.toml", '[model_providers.l]\nwire_api = "responses"\n', []),
        (".codex/config.toml", '[profiles.fast]\nmodel = "x"\n', [("will bite", "codex-profiles")]),
        (".codex/config.toml", 'profile = "x"\n', [("broken", "codex-profile")]),
        (".codex/config.toml", "profile = 3\n", [("broken", "codex-profile")]),
        (
            ".codex/config.toml",
            'profile = "x"\n[profiles.x]\nmodel = "y"\n',
            [("broken", "codex-profile"), ("will bite", "codex-profiles")],
        ),
        (".config/opencode/opencode.json", '{"a": ', [("broken", "agent-file")]),
        (".config/opencode/opencode.json", '{"a": 1, /* mine */}', []),
        (
            "project/opencode.json",
            '{"provider": {"l": {"models": {"m": {"limit": {"context": 8192}}}}}}',
            [("broken", "opencode-limit")],
        ),
    ],
)  # fmt: skip
@pytest.mark.report("B258")
def test_each_file_is_judged_by_what_its_agent_does_with_it(
    make_world: MakeWorld, name: str, text: str, expected: list[tuple[str, str]]
) -> None:
    world = make_world().world
    _write(world.folder.parent / name, text)
    assert _look(world) == expected


@pytest.mark.report("B261")
@pytest.mark.parametrize(
    ("rest", "moved"),
    [("", ""), ("[profiles.x]\n", ", move [profiles.x] into {folder}/x.config.toml, then: agentlaunch codex -- -p x")],
)
def test_a_profile_of_old_codex_versions_is_told_with_what_becomes_of_it(
    make_world: MakeWorld, rest: str, moved: str
) -> None:
    world = make_world().world
    path = world.folder.parent / ".codex" / "config.toml"
    _write(path, f'profile = "x"\n{rest}')
    finding = next(iter(agent_files.judge(agent_files.gather(world, AGENTS, "/nowhere/managed.json"))))
    told = f"`{path}` has the line `profile = ...` of old Codex versions, with which Codex no longer starts"
    mend = f"take that line out of {path}{moved.format(folder=path.parent)}"
    assert finding == broken("codex-profile", told, mend)


def test_what_an_administrator_sets_beats_a_launch(make_world: MakeWorld, tmp_path: Path) -> None:
    managed = tmp_path / "managed.json"
    _write(managed, '{"env": {"ANTHROPIC_BASE_URL": "http://gateway"}}', 0o644)
    assert _look(make_world().world, str(managed)) == [("broken", "managed-settings")]


def test_a_folder_of_codex_that_is_not_there_stops_codex_alone(make_world: MakeWorld) -> None:
    world = make_world(CODEX_HOME="/nowhere/codex").world
    assert _look(world) == [("broken", "agent-folder")]
    assert agent_files.gather(world, ("claude",), "/nowhere").missing_folders == ()


@pytest.mark.report("B324")
def test_a_key_that_others_may_read_is_told_and_not_repeated(make_world: MakeWorld) -> None:
    world = make_world().world
    path = world.folder.parent / ".claude" / "settings.json"
    _write(path, '{"env": {"ANTHROPIC_AUTH_TOKEN": "sk-ant-abcdefgh1234"}}', 0o644)
    found = tuple(agent_files.judge(agent_files.gather(world, AGENTS, "/nowhere")))
    assert _codes(found) == [("will bite", "key-readable")]
    assert found[0].mend == f"chmod 600 '{path}'"
    assert "abcdefgh" not in found[0].told
    path.chmod(0o600)
    assert _look(world) == []


def test_our_own_settings_are_read_as_a_launch_reads_them(make_world: MakeWorld) -> None:
    made = make_world(AGENTLAUNCH_CONTEXT="lots").world
    _write(made.dirs.config / "upstreams.toml", "x = [")
    found = tuple(own_files.judge(own_files.gather(made)))
    assert ("broken", "bad-upstreams-file") in _codes(found)
    assert any("AGENTLAUNCH_CONTEXT" in finding.told for finding in found)
    assert all(finding.mend for finding in found)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o600, []),
        (0o644, [("will bite", "others-read")]),
        (0o666, [("will bite", "others-write")]),
    ],
)
@pytest.mark.report("B324")
def test_a_token_file_is_its_owners_alone(make_world: MakeWorld, mode: int, expected: list[tuple[str, str]]) -> None:
    world = make_world().world
    world.dirs.config.mkdir(mode=0o700, parents=True)
    _write(world.dirs.config / "serve-token", "t", mode)
    world.dirs.config.chmod(0o700)
    assert _codes(tuple(own_files.judge(own_files.gather(world)))) == expected


@pytest.mark.report("B324")
def test_a_key_file_that_others_may_read_is_told(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world().world
    key = tmp_path / "key"
    _write(key, "k", 0o644)
    _write(
        world.dirs.config / "upstreams.toml",
        f'[gpu]\nkind = "vllm"\nurl = "http://127.0.0.1:8000"\nkey = {{ file = "{key}" }}\n',
    )
    world.dirs.config.chmod(0o700)
    assert _codes(tuple(own_files.judge(own_files.gather(world)))) == [("broken", "key-readable")]


def test_files_of_another_user_and_those_that_may_not_be_written_are_told() -> None:
    facts = own_files.OwnFiles(
        (
            own_files.FileFact("/a/shim.json", False, 0o600, False, True),
            own_files.FileFact("/a/state", True, 0o500, True, False),
            own_files.FileFact("/a/config", True, 0o700, False, False),
        )
    )
    found = tuple(own_files.judge(facts))
    assert _codes(found) == [("will bite", "other-owner"), ("broken", "not-writable"), ("broken", "not-writable")]
    assert [finding.mend.split()[0] for finding in found] == ["sudo", "chmod", "sudo"]


def test_folders_that_a_launch_could_not_make_are_told_with_what_is_in_the_way(make_world: MakeWorld) -> None:
    world = make_world().world
    above = world.dirs.state.parent
    above.parent.mkdir(parents=True, exist_ok=True)
    above.write_bytes(b"")
    found = tuple(own_files.judge(own_files.gather(world)))
    assert [(finding.code, finding.told) for finding in found if "cannot be made" in finding.told] == [
        ("not-writable", f"`{folder}` cannot be made: `{above}` is no folder that you may write")
        for folder in dict.fromkeys((world.dirs.state, world.dirs.logs))
    ]


def test_looking_at_our_files_makes_none(make_world: MakeWorld) -> None:
    world = make_world().world
    own_files.gather(world)
    assert not os.path.lexists(world.dirs.config.parent)
