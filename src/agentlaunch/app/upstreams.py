"""From an upstream's name to its endpoint: what is stored of it, its key, and whether bytes may leave this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from agentlaunch.app.offline import refuse_far_offline
from agentlaunch.app.talk import agrees
from agentlaunch.app.upstream_facts import read_facts
from agentlaunch.app.upstream_keys import find_key, variable_key
from agentlaunch.app.upstream_store import KeyVariable, StoredUpstream, read_store
from agentlaunch.core.addresses import is_loopback
from agentlaunch.errors import UserError
from agentlaunch.system.settings_files import PROJECT_FILE

if TYPE_CHECKING:
    from agentlaunch.app.orders import ModelOrder
    from agentlaunch.app.world import World
    from agentlaunch.core.endpoint import Endpoint, Prices
    from agentlaunch.core.policy import Privacy
    from agentlaunch.system.dirs import Dirs
    from agentlaunch.upstreams.listing import ModelFacts

_VENDORS_WITH_A_LIST = ("anthropic", "openai")
"""Whose own lists of models tell no prices."""


def known_upstreams(world: World) -> tuple[StoredUpstream, ...]:
    """What the user has added, in the file's order. Raises UserError `bad-upstreams-file`."""
    return read_store(world.dirs)


def endpoint_named(name: str, world: World, model: str = "") -> Endpoint:
    """The endpoint that `NAME` or `NAME/MODEL` means; `model` goes before both the name's and the stored one.

    Raises UserError `unknown-upstream` with the nearest names, `model-needed`, `key-missing` and `key-readable`;
    MachineError for a keyring that does not answer.
    """
    head, _, rest = name.partition("/")
    return stored_endpoint(find_upstream(head, world.dirs), model or rest, world)


def find_upstream(name: str, dirs: Dirs) -> StoredUpstream:
    """The upstream that was added as `name`. Raises UserError `unknown-upstream`."""
    stored = read_store(dirs)
    for upstream in stored:
        if upstream.name == name:
            return upstream
    raise _unknown(name, [upstream.name for upstream in stored])


def stored_endpoint(upstream: StoredUpstream, model: str, world: World) -> Endpoint:
    """The endpoint of `upstream` for `model`, empty for its own. Raises as `endpoint_named` does."""
    from agentlaunch.upstreams.kind import endpoint

    wanted = model or upstream.model
    if not wanted:
        raise model_needed(upstream.name)
    facts = facts_of(upstream, wanted, world.dirs)
    made = endpoint(
        upstream.kind, upstream.url, wanted, find_key(upstream, world), facts.context_window, name=upstream.name
    )
    return replace(
        made,
        may_leave=upstream.may_leave,
        prices=facts.prices,
        takes_images=facts.takes_images,
        body_fields=body_of(upstream),
    )


def body_of(upstream: StoredUpstream) -> str:
    """The fields of every request to it, as a JSON object: its kind's, then the user's; empty for none."""
    from agentlaunch.upstreams.kind import load_kind

    first, second = load_kind(upstream.kind).body_fields, upstream.body
    if not (first and second):
        return first or second
    return json.dumps({**json.loads(first), **json.loads(second)}, separators=(",", ":"))


def facts_of(upstream: StoredUpstream, model: str, dirs: Dirs) -> ModelFacts:
    """What is known of `model`: what the user stated goes before what the server has listed last, and that before the
    vendor's price list as we have it."""
    from agentlaunch.upstreams.listing import ModelFacts

    listed = next((facts for facts in read_facts(upstream.name, dirs) if facts.name == model), ModelFacts(model))
    if listed.prices is None:
        listed = replace(listed, prices=_list_prices(upstream, model))
    if upstream.model not in ("", model):
        return listed
    images = listed.takes_images if upstream.takes_images is None else upstream.takes_images
    return ModelFacts(model, upstream.context_window or listed.context_window, upstream.prices or listed.prices, images)


def _list_prices(upstream: StoredUpstream, model: str) -> Prices | None:
    """What the vendor's price list says of `model`, at the vendor's own address alone."""
    from agentlaunch.upstreams.kind import load_kind

    if upstream.kind not in _VENDORS_WITH_A_LIST or upstream.url != load_kind(upstream.kind).default_url:
        return None
    from agentlaunch.app.knowledge import load_prices

    known = load_prices().models.get(model)
    return None if known is None else known.prices


def names_upstream(order: ModelOrder, world: World) -> bool:
    """Whether `--model NAME/MODEL` means an upstream: one that was added, or else a kind that could be.

    Before a kind goes a file or folder of that name, and a runtime that was asked for before both. `openai/` alone
    begins names of open models, too (gpt-oss in LM Studio).
    """
    head, sign, rest = order.model.partition("/")
    if order.runtime or not (sign and head and rest) or order.model.lower().endswith(".gguf"):
        return False
    if any(upstream.name == head for upstream in read_store(world.dirs)):
        return True
    from agentlaunch.upstreams import UPSTREAMS

    return head in UPSTREAMS and head != "openai" and not os.path.exists(world.folder / order.model)  # noqa: PTH110 - Path.exists raises where it may not look


def check_source(model: str, source: str, world: World) -> None:
    """A folder's settings come with other people's repositories: they may not send what is in it to an upstream.

    Raises UserError `foreign-upstream` for a `NAME/MODEL` out of such a file.
    """
    head = model.partition("/")[0]
    if source.endswith(PROJECT_FILE) and any(upstream.name == head for upstream in read_store(world.dirs)):
        message = f"`{PROJECT_FILE}` of this folder names the upstream `{head}`, and a folder's file may not"
        raise UserError("foreign-upstream", message, f"if you want it: --model {model}")


def check_upstream(word: str, dirs: Dirs) -> None:
    """That `--upstream WORD` names something: a stored name, a kind, or KIND=URL.

    Raises UserError `unknown-upstream`, `unknown-upstream-kind`.
    """
    from agentlaunch.upstreams import UPSTREAMS
    from agentlaunch.upstreams.kind import load_kind

    kind, sign, _ = word.partition("=")
    if sign:
        load_kind(kind)
    elif word not in UPSTREAMS:
        find_upstream(word, dirs)


def upstream_model(word: str, world: World) -> str:
    """The model of the upstream that `--upstream WORD` names; empty for KIND=URL, and where none is stored."""
    if not word or "=" in word:
        return ""
    return next((upstream.model for upstream in read_store(world.dirs) if upstream.name == word), "")


def ordered_endpoint(order: ModelOrder, world: World, *, yes: bool) -> Endpoint:
    """The endpoint of `--upstream NAME|KIND|KIND=URL`, or of `--model NAME/MODEL`. A stored name goes before a kind.

    Raises what `endpoint_named` does, UserError `bad-upstream-url`, `unknown-upstream-kind` and `consent-needed`.
    """
    if not order.upstream:
        return _consented(endpoint_named(order.model, world), world, yes=yes)
    word, sign, url = order.upstream.partition("=")
    if sign:
        return _typed_endpoint(word, url, order, world, yes=yes)
    for upstream in read_store(world.dirs):
        if upstream.name == word:
            own = replace(upstream, key=KeyVariable(order.key_variable)) if order.key_variable else upstream
            return _consented(stored_endpoint(own, order.model, world), world, yes=yes)
    from agentlaunch.upstreams import UPSTREAMS

    if word not in UPSTREAMS:
        raise _unknown(word, [upstream.name for upstream in read_store(world.dirs)])
    return _typed_endpoint(word, None, order, world, yes=yes)


def _typed_endpoint(kind: str, url: str | None, order: ModelOrder, world: World, *, yes: bool) -> Endpoint:
    """An upstream that is not stored; `url` None is the kind's usual place."""
    from agentlaunch.upstreams.kind import endpoint

    if url is not None and not url.strip():  # an unset variable in a script must not send a prompt to the vendor
        raise UserError(
            "bad-upstream-url",
            f"`{order.upstream}` has no address behind `=`",
            f"write --upstream {kind}=http://127.0.0.1:8080, or --upstream {kind} for its usual address",
        )
    key = variable_key(order.key_variable, world) if order.key_variable else ""
    return _consented(endpoint(kind, url or "", order.model, key, order.context), world, yes=yes)


def _consented(endpoint: Endpoint, world: World, *, yes: bool) -> Endpoint:
    """The endpoint of a launch: it is of no use where nothing may be sent to it. Raises UserError `consent-needed`."""
    refuse_far_offline(endpoint.name, endpoint.base_url, world)
    may_leave = endpoint.may_leave or consent(endpoint.name, endpoint.base_url, world, yes=yes)
    return replace(endpoint, may_leave=may_leave)


def consent(name: str, url: str, world: World, *, yes: bool, privacy: Privacy = "local-only") -> bool:
    """Whether bytes may leave this machine for `url`: said beforehand, by the policy, or asked now.

    False for an address on this machine, where nothing leaves. Raises UserError `consent-needed` for a no, and where
    nobody can be asked.
    """
    if is_loopback(url):
        return False
    question = f"`{name}` is not on this machine: what agents send goes to {url}. Allow it?"
    if privacy != "local-only" or agrees(question, world.talk, yes=yes):
        return True
    raise UserError(
        "consent-needed",
        f"`{name}` is not on this machine: prompts and files would go to `{url}`",
        "allow it with --yes; agentlaunch upstream add keeps that answer",
    )


def model_needed(name: str) -> UserError:
    """For an upstream that has several models and none named."""
    return UserError(
        "model-needed",
        f"which model at `{name}`?",
        f"add --model NAME, as that server calls it; it lists them: agentlaunch upstream test {name}",
    )


def _unknown(name: str, stored: Iterable[str]) -> UserError:
    from agentlaunch.upstreams import UPSTREAMS

    names = list(stored)
    shown = name[:80]
    if name in UPSTREAMS:
        return UserError(
            "unknown-upstream",
            f"no upstream is called `{shown}` yet",
            f"agentlaunch upstream add {shown} --kind {shown}",
        )
    near = get_close_matches(name, [*names, *UPSTREAMS], 1)
    known = f"known: {', '.join(names)}" if names else "none was added yet: agentlaunch upstream add NAME --kind KIND"
    hint = f"did you mean `{near[0]}`? {known}" if near else known
    return UserError("unknown-upstream", f"unknown upstream `{shown}`", hint)
