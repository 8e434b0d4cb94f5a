"""app/policy.py and policy_explain.py: the policy that holds in a folder, and what it would do with a request."""

from __future__ import annotations

import pytest
from tests.app.conftest import MakeWorld

from agentlaunch.app.policy import policy_in_force
from agentlaunch.app.policy_explain import Explained, ExplainOrder, Target, explain, routed_upstreams
from agentlaunch.app.upstream_store import StoredUpstream
from agentlaunch.app.world import World
from agentlaunch.core.endpoint import Prices
from agentlaunch.core.policy import Policy
from agentlaunch.core.policy_settings import PolicyInForce
from agentlaunch.core.policy_table import POLICY_KEYS
from agentlaunch.core.routing import Candidate, Decision, RequestFacts, Skipped, UpstreamFacts
from agentlaunch.errors import UserError

CONFIG = """
[policy]
privacy = "prefer-local"
fallback = ["hpc"]
long_context_tokens = 30000
[[policy.route]]
role = "background"
use = ["local"]
[[policy.route]]
role = "long_context"
use = ["hpc/big", "paid"]
[policies.open]
privacy = "any"
"""
UPSTREAMS = """
[hpc]
kind = "vllm"
url = "https://hpc.example.org"
model = "qwen3"
context = 131072
may_leave = true
[paid]
kind = "openrouter"
url = "https://openrouter.ai/api"
"""


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world().world
    world.dirs.config.mkdir(parents=True)
    (world.dirs.config / "config.toml").write_text(CONFIG)
    (world.dirs.config / "upstreams.toml").write_text(UPSTREAMS)
    return world


def test_without_files_everything_stays_here(make_world: MakeWorld) -> None:
    world = make_world().world
    assert policy_in_force(None, world) == PolicyInForce(Policy(), dict.fromkeys(POLICY_KEYS, "default"))
    found = explain(ExplainOrder(), world)
    assert found.targets == (Target("local", "what this launch runs"),)


def test_the_policy_is_the_flags_then_the_variables_then_the_files(make_world: MakeWorld, world: World) -> None:
    assert policy_in_force("open", world).policy == Policy(name="open", privacy="any")
    assert policy_in_force(None, world).policy.name == "default"
    named = make_world(AGENTLAUNCH_POLICY="open").world
    assert policy_in_force(None, named).policy.name == "open"
    assert policy_in_force("default", named).policy.name == "default"


def test_the_folders_file_makes_it_stricter(world: World) -> None:
    (world.folder / ".agentlaunch.toml").write_text('[policy]\nprivacy = "local-only"\n')
    for name in ("default", "open"):
        held = policy_in_force(name, world)
        assert (held.policy.privacy, held.sources["privacy"]) == ("local-only", "[policy] of .agentlaunch.toml")


def test_a_request_is_explained_with_where_its_bytes_would_go(world: World) -> None:
    assert explain(ExplainOrder(prompt_tokens=200_000), world) == Explained(
        in_force=policy_in_force(None, world),
        facts=RequestFacts("long_context", 200_000, "", why="30,000 prompt tokens or more"),
        decision=Decision(
            route="long_context",
            candidates=(
                Candidate("hpc", "route `long_context`", "big"),
                Candidate("paid", "route `long_context`"),
                Candidate("local", "what this launch runs"),
            ),
            skipped=(Skipped("hpc", "the prompt has 200,000 tokens, and its window is 131,072"),),
            preferred="hpc/big",
        ),
        targets=(
            Target("hpc", "route `long_context`", "big", "https://hpc.example.org", is_local=False),
            Target("paid", "route `long_context`", "", "https://openrouter.ai/api", is_local=False, needs_consent=True),
            Target("local", "what this launch runs"),
        ),
    )


@pytest.mark.parametrize(
    ("order", "facts"),
    [
        (ExplainOrder(prompt_tokens=10), RequestFacts("main", 10, "", why="nothing says otherwise")),
        (
            ExplainOrder(prompt_tokens=10, role="thinking", model="m@subagent", has_images=True),
            RequestFacts("thinking", 10, "m", has_images=True, why="as --role says"),
        ),
        (
            ExplainOrder(prompt_tokens=10, model="m@subagent", has_images=True),
            RequestFacts("subagent", 10, "m", has_images=True, why="as the model's name says"),
        ),
        (
            ExplainOrder(prompt_tokens=90_000, has_images=True),
            RequestFacts("image", 90_000, "", has_images=True, why="as --image says"),
        ),
    ],
)
def test_the_role_is_what_is_said_first(world: World, order: ExplainOrder, facts: RequestFacts) -> None:
    assert explain(order, world).facts == facts


def test_the_prompt_is_the_agents_first_one_unless_it_is_said(world: World) -> None:
    sizes = [explain(ExplainOrder(agent=agent), world).facts.prompt_tokens for agent in (None, "claude", "opencode")]
    assert sizes[0] == sizes[1] > sizes[2] > 0


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (ExplainOrder(role="chat"), "unknown-role"),
        (ExplainOrder(policy="opne"), "unknown-policy"),
        (ExplainOrder(agent="clod"), "unknown-agent"),
    ],
)
def test_what_is_unknown_is_refused(world: World, order: ExplainOrder, code: str) -> None:
    with pytest.raises(UserError) as caught:
        explain(order, world)
    assert caught.value.code == code


def test_a_decision_knows_address_window_and_price_of_each_upstream(world: World) -> None:
    stored = (
        StoredUpstream("near", "llamacpp", "http://127.0.0.1:8080", "m", context_window=4096, takes_images=False),
        StoredUpstream("free", "openai", "https://free.example.org", "m", prices=Prices(0.0, 0.0)),
        StoredUpstream("paid", "openai", "https://paid.example.org", "m", prices=Prices(0.0, 1.0)),
    )
    assert routed_upstreams(stored, world.dirs) == {
        "local": UpstreamFacts("local", is_local=True),
        "near": UpstreamFacts("near", is_local=True, context_window=4096, takes_images=False),
        "free": UpstreamFacts("free", is_local=False),
        "paid": UpstreamFacts("paid", is_local=False, is_priced=True),
    }
