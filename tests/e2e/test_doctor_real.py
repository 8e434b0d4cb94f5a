"""`doctor AGENT --end-to-end` with the real agents, in homes that are well and in one that is not."""

from __future__ import annotations

import json
import shutil

import pytest
from tests.e2e.conftest import Home

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

STEPS = ["agent", "model", "shim and engine", "agent's run", "file", "answer"]


@pytest.mark.parametrize("agent", ["claude", "codex", "opencode"])
def test_the_wiring_of_each_agent_is_proved_also_in_a_hostile_home(home: Home, agent: str) -> None:
    before = home.configuration()
    ended = home.run("doctor", agent, "--end-to-end", "--json")
    proof = json.loads(ended.stdout)["data"]["proof"]
    assert [step["name"] for step in proof["steps"]] == STEPS
    assert [step["failed"] for step in proof["steps"]] == [""] * len(STEPS)
    assert ended.returncode == 0, ended.stdout
    assert home.configuration() == before


def test_a_configuration_that_stops_codex_is_found_before_the_proof_fails_over_it(home: Home) -> None:
    config = home.path / ".codex" / "config.toml"
    config.write_text(config.read_text().replace('"responses"', '"chat"'))
    ended = home.run("doctor", "codex", "--end-to-end", "--json")
    data = json.loads(ended.stdout)["data"]
    codes = [finding["code"] for family in data["families"] for finding in family["findings"]]
    shutil.rmtree(data["proof"]["folder"])
    assert ended.returncode == 3
    assert "codex-wire" in codes
    assert data["proof"]["steps"][-1]["name"] == "agent's run"
    assert "wire_api" in data["proof"]["steps"][-1]["failed"]


@pytest.mark.report("B261")
def test_a_profile_of_old_versions_stops_codex_until_it_is_mended_as_told(home: Home) -> None:
    config = home.path / ".codex" / "config.toml"
    kept = config.read_text()
    profile = 'model_provider = "elsewhere"\n'
    config.write_text(f'profile = "x"\n{kept}\n[profiles.x]\n{profile}')
    ended = home.run("doctor", "codex", "--end-to-end", "--json")
    data = json.loads(ended.stdout)["data"]
    found = [finding for family in data["families"] for finding in family["findings"]]
    shutil.rmtree(data["proof"]["folder"])
    assert (ended.returncode, data["proof"]["steps"][-1]["name"]) == (3, "agent's run")
    assert "codex-profile" in [finding["code"] for finding in found if finding["severity"] == "broken"]
    config.write_text(kept)
    (config.parent / "x.config.toml").write_text(profile)
    assert home.run("doctor", "codex", "--end-to-end", "--json").returncode == 0
