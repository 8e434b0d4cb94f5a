"""`upstream export litellm`: the stored upstreams and a policy as the configuration of a LiteLLM proxy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from agentlaunch.app.upstream_store import KeyFile, KeyRing, KeyVariable, NoKey, StoredUpstream
from agentlaunch.app.upstreams import body_of, facts_of, find_upstream, known_upstreams
from agentlaunch.core.addresses import is_loopback
from agentlaunch.core.policy import LOCAL, Policy, RouteMatch
from agentlaunch.errors import UserError
from agentlaunch.upstreams.listing import TOKENS_PER_PRICE

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.system.dirs import Dirs

_PREFIXES = {
    "anthropic": "anthropic",
    "litellm": "litellm_proxy",
    "llamacpp": "openai",
    "lmstudio": "lm_studio",
    "ollama": "ollama_chat",
    "openai": "openai",
    "openrouter": "openrouter",
    "vllm": "hosted_vllm",
}
"""What LiteLLM calls the provider of each kind (LiteLLM docs, "Providers")."""

_BARE_ADDRESS = ("anthropic", "litellm", "ollama")
"""Kinds whose `api_base` LiteLLM wants without `/v1`."""

MASTER_KEY = "LITELLM_MASTER_KEY"


@dataclass(frozen=True)
class Deployment:
    """One entry of `model_list`. `name` is what clients ask for, and what fallbacks name."""

    name: str
    upstream: StoredUpstream
    model: str
    context_window: int | None


def export_litellm(world: World, policy: Policy | None = None) -> str:
    """The text of a `config.yaml`. Keys stand in it as the names of variables.

    Raises UserError `nothing-to-export`, and `unknown-upstream` for a policy that names one that was not added.
    """
    deployments, notes = _deployments(world, policy)
    if not deployments:
        why = notes[0] if notes else "no upstream with a model is stored"
        raise UserError("nothing-to-export", why, "agentlaunch upstream add NAME --kind KIND --model MODEL ...")
    entries = [_entry(one, one.name, world.dirs) for one in deployments]
    if policy is not None:
        by_name, more = _entries_by_name(deployments, policy, world.dirs)
        entries += by_name
        notes += more
    settings: dict[str, object] = {"model_list": entries, "router_settings": _router(deployments, policy)}
    if policy is not None:
        litellm, more = _litellm_settings(deployments, policy)
        notes += more
        if litellm:
            settings["litellm_settings"] = litellm
    settings["general_settings"] = {"master_key": f"os.environ/{MASTER_KEY}"}
    return "\n".join([*_head(deployments, notes), *yaml_lines(settings)]) + "\n"


def _deployments(world: World, policy: Policy | None) -> tuple[list[Deployment], list[str]]:
    """What the policy uses, else every upstream that has a model; and what was left out, and why."""
    if policy is None:
        names = [upstream.name for upstream in known_upstreams(world) if upstream.model]
    else:
        names = [name for use in (*(route.use for route in policy.routes), policy.fallbacks) for name in use]
    found: list[Deployment] = []
    notes: list[str] = []
    for name in dict.fromkeys(names):
        if name == LOCAL:
            notes.append("`local` is the model of each launch on its own machine: and no gateway has it")
            continue
        head, _, rest = name.partition("/")
        upstream = find_upstream(head, world.dirs)
        model = rest or upstream.model
        if policy is not None and policy.privacy == "local-only" and not is_loopback(upstream.url):
            notes.append(f"`{name}` is left out: the policy `{policy.name}` is local-only, and {upstream.url} is not")
        elif not model:
            notes.append(f"`{name}` is left out: no model is stored for it")
        else:
            found.append(Deployment(name, upstream, model, facts_of(upstream, model, world.dirs).context_window))
    return found, notes


def _entry(one: Deployment, name: str, dirs: Dirs) -> dict[str, object]:
    """One of `model_list`, asked for as `name`."""
    upstream = one.upstream
    parameters: dict[str, object] = {"model": f"{_PREFIXES[upstream.kind]}/{one.model}"}
    if upstream.kind in _BARE_ADDRESS:
        parameters["api_base"] = upstream.url
    else:
        parameters["api_base"] = f"{upstream.url}/v1"
    variable = key_variable(upstream)
    # LiteLLM's OpenAI client wants a key even where the server asks for none.
    parameters["api_key"] = f"os.environ/{variable}" if variable else "none"
    body = body_of(upstream)
    if body:
        parameters["extra_body"] = json.loads(body)
    info = _info(one, dirs)
    return {"model_name": name, "litellm_params": parameters, **({"model_info": info} if info else {})}


def _info(one: Deployment, dirs: Dirs) -> dict[str, object]:
    """Windows in tokens, prices in US dollars per token, as LiteLLM's cost map has them."""
    facts = facts_of(one.upstream, one.model, dirs)
    info: dict[str, object | None] = {
        "max_input_tokens": facts.context_window,
        "supports_vision": facts.takes_images,
    }
    prices = facts.prices
    if prices is not None:
        cached = prices.cached_input_usd
        info["input_cost_per_token"] = _per_token(prices.input_usd)
        info["output_cost_per_token"] = _per_token(prices.output_usd)
        info["cache_read_input_token_cost"] = None if cached is None else _per_token(cached)
    return {key: value for key, value in info.items() if value is not None}


def _per_token(price_usd: float) -> float:
    """Ten digits: 0.95 by a million is not 9.5e-07 in binary."""
    return float(f"{price_usd / TOKENS_PER_PRICE:.10g}")


def key_variable(upstream: StoredUpstream) -> str:
    """The variable that the proxy is to find the key in; one that we make up for keys that are in none."""
    match upstream.key:
        case NoKey():
            return ""
        case KeyVariable(name):
            return name
        case KeyFile() | KeyRing():
            return f"{upstream.name.upper().replace('-', '_')}_API_KEY"
        case never:
            assert_never(never)


def _router(deployments: Sequence[Deployment], policy: Policy | None) -> dict[str, object]:
    """Fallbacks in the policy's order; those after an overflow are the ones with a longer window."""
    chains = {} if policy is None else _chains(deployments, policy)
    windows = {one.name: one.context_window or 0 for one in deployments}
    longer = {
        name: [other for other in chain if windows[other] > windows[name] > 0]
        for name, chain in ((one.name, chains.get(one.name, [])) for one in deployments)
    }
    settings: dict[str, object] = {"num_retries": 0}  # the agents ask again by themselves
    if chains:
        settings["fallbacks"] = [{name: chain} for name, chain in chains.items()]
    if any(longer.values()):
        settings["context_window_fallbacks"] = [{name: chain} for name, chain in longer.items() if chain]
    return settings


def _chains(deployments: Sequence[Deployment], policy: Policy) -> dict[str, list[str]]:
    """For each name the ones to ask after it: what follows it in its routes, then the policy's fallbacks."""
    there = {one.name for one in deployments}
    chains: dict[str, list[str]] = {}
    for use in (*(route.use for route in policy.routes), policy.fallbacks):
        for position, name in enumerate(use):
            after = [*use[position + 1 :], *policy.fallbacks]
            chain = chains.setdefault(name, [])
            chain += [other for other in after if other in there and other != name and other not in chain]
    return {name: chain for name, chain in chains.items() if name in there and chain}


def _entries_by_name(
    deployments: Sequence[Deployment], policy: Policy, dirs: Dirs
) -> tuple[list[dict[str, object]], list[str]]:
    """Routes by the name of a model, as LiteLLM's wildcard names; it knows no others, and those are told."""
    by_name = {one.name: one for one in deployments}
    entries: list[dict[str, object]] = []
    notes: list[str] = []
    for route in policy.routes:
        first = next((by_name[name] for name in route.use if name in by_name), None)
        if first is None:
            continue
        if route.match.model and route.match == RouteMatch(model=route.match.model):
            entries.append(_entry(first, route.match.model, dirs))
        else:
            notes.append(
                f"the route `{route.name}` goes by more than a name: this proxy cannot know that; agents name a model"
            )
    return entries, notes


def _litellm_settings(deployments: Sequence[Deployment], policy: Policy) -> tuple[dict[str, object], list[str]]:
    """The day's budget, and what is asked when a name by pattern fails."""
    settings: dict[str, object] = {}
    notes: list[str] = []
    there = {one.name for one in deployments}
    fallbacks = [name for name in policy.fallbacks if name in there]
    if fallbacks:
        settings["default_fallbacks"] = fallbacks
    if policy.budget_day_usd is not None:
        settings["max_budget"] = policy.budget_day_usd
        settings["budget_duration"] = "1d"
        notes.append("max_budget counts only where the proxy has a database; then all requests stop once it is spent")
    if policy.budget_session_usd is not None:
        notes.append("a session's budget: give each user a virtual key with a max_budget of its own")
    return settings, notes


def _head(deployments: Sequence[Deployment], notes: Iterable[str]) -> list[str]:
    """Comments: what to set before the start, and what LiteLLM cannot say."""
    variables = sorted({variable for one in deployments if (variable := key_variable(one.upstream))})
    lines = ["# Written by `agentlaunch upstream export litellm`. Start it: litellm --config config.yaml"]
    lines.append(f"# Set before: {', '.join([MASTER_KEY, *variables])}")
    return [*lines, *(f"# {note}" for note in dict.fromkeys(notes)), ""]


def yaml_lines(value: Mapping[str, object], indent: str = "") -> list[str]:
    """A mapping as YAML in block style; texts in double quotes, which YAML reads as JSON does (YAML 1.2, 7.3.1)."""
    lines: list[str] = []
    for key, part in value.items():
        match part:
            case dict() if part:
                lines += [f"{indent}{_scalar(key)}:", *yaml_lines(part, f"{indent}  ")]
            case list() if part:
                lines.append(f"{indent}{_scalar(key)}:")
                for item in part:
                    lines += _item(item, indent)
            case _:
                lines.append(f"{indent}{_scalar(key)}: {json.dumps(part)}")
    return lines


def _item(item: object, indent: str) -> list[str]:
    if not isinstance(item, dict):
        return [f"{indent}  - {json.dumps(item)}"]
    first, *rest = yaml_lines(item, f"{indent}    ")
    return [f"{indent}  - {first.lstrip()}", *rest]


def _scalar(key: str) -> str:
    """A key as YAML takes it: bare for a plain word."""
    return key if key.replace("_", "").isalnum() and not key[0].isdigit() else json.dumps(key)
