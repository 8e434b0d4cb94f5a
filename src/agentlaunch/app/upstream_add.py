"""`upstream add`, `list` and `rm`: what the user stores of a server, its key and its consent."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.offline import refuse_far_offline
from agentlaunch.app.talk import agrees
from agentlaunch.app.upstream_facts import forget_facts, write_facts
from agentlaunch.app.upstream_keys import check_variable, find_key, forget_key, keep_key, read_key_file
from agentlaunch.app.upstream_store import (
    KeyFile,
    KeyPlace,
    KeyRing,
    KeyVariable,
    NoKey,
    StoredUpstream,
    check_name,
    read_store,
    remove_upstream,
    store_path,
    write_upstream,
)
from agentlaunch.app.upstreams import consent, facts_of, find_upstream
from agentlaunch.core.addresses import is_loopback
from agentlaunch.core.endpoint import Prices
from agentlaunch.errors import AgentlaunchError, UserError

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.system.dirs import Dirs
    from agentlaunch.upstreams.kind import UpstreamKind
    from agentlaunch.upstreams.listing import ModelFacts
    from agentlaunch.upstreams.survey import Survey


@dataclass(frozen=True)
class KeyOrder:
    """Where the key is: at most one of a variable, a file and the keyring; `typed` is the key itself, to be kept."""

    variable: str = ""
    file: str = ""
    keyring: bool = False
    typed: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AddOrder:
    """What is to be stored. An empty `url` is the kind's usual place; the window in tokens; `body` a JSON object."""

    name: str
    kind: str
    url: str = ""
    model: str = ""
    key: KeyOrder = field(default_factory=KeyOrder)
    context_window: int | None = None
    prices: Prices | None = None
    takes_images: bool | None = None
    body: str = ""
    yes: bool = False


@dataclass(frozen=True)
class Added:
    """What is stored now, the models that the server lists, and sentences that the user should read."""

    upstream: StoredUpstream
    path: Path
    models: tuple[ModelFacts, ...]
    notes: tuple[str, ...]


def add_upstream(order: AddOrder, world: World) -> Added:
    """Store an upstream, and what it says of itself when it can be asked.

    Raises UserError for names, addresses, keys and bodies that cannot be, `upstream-exists` and `consent-needed`;
    MachineError where something cannot be written.
    """
    from agentlaunch.upstreams.kind import load_kind, normalize_url

    kind = load_kind(order.kind)
    url = normalize_url(order.url or kind.default_url)
    old = _replaced(order, world)
    draft = StoredUpstream(
        name=check_name(order.name),
        kind=kind.name,
        url=url,
        model=order.model,
        key=_key_place(order, kind, url),
        context_window=order.context_window,
        prices=order.prices,
        takes_images=order.takes_images,
        may_leave=consent(order.name, url, world, yes=order.yes),
        body=_checked_body(order.body),
    )
    if order.key.typed is not None:
        draft = replace(draft, key=keep_key(_checked_key(order.key.typed), draft.name, draft.key, world.dirs))
    models, notes = _asked(draft, kind, world)
    if not draft.model and len(models) == 1:
        draft = replace(draft, model=models[0].name)
    write_upstream(draft, world.dirs)
    write_facts(draft.name, models, world.dirs)
    if old is not None and old.key != draft.key:
        forget_key(old, world.dirs)
    return Added(draft, store_path(world.dirs), models, (*_warnings(draft, world.dirs), *notes))


def remove(name: str, world: World, *, yes: bool) -> StoredUpstream:
    """Forget an upstream, and its key where we keep it. Raises UserError `unknown-upstream` and `not-confirmed`."""
    upstream = find_upstream(name, world.dirs)
    if not agrees(f"Remove `{name}` ({upstream.url}) and the key that is kept for it?", world.talk, yes=yes):
        raise UserError("not-confirmed", f"`{name}` stays", f"agentlaunch upstream rm {name} --yes")
    forget_key(upstream, world.dirs)
    remove_upstream(name, world.dirs)
    forget_facts(name, world.dirs)
    return upstream


def _replaced(order: AddOrder, world: World) -> StoredUpstream | None:
    """The upstream of this name that is there already, if the user wants it replaced."""
    old = next((upstream for upstream in read_store(world.dirs) if upstream.name == order.name), None)
    if old is None or agrees(f"`{old.name}` is there already ({old.url}). Replace it?", world.talk, yes=order.yes):
        return old
    raise UserError("upstream-exists", f"`{old.name}` is there already ({old.url})", "replace it with --yes")


def _key_place(add: AddOrder, kind: UpstreamKind, url: str) -> KeyPlace:
    """Where the key is. At the vendor's own address it is in the vendor's own variable, unless the user says more.

    A key file is read, so that one that is not there, or that others may read, is not stored.
    """
    order = add.key
    given = [flag for flag, value in _key_flags(order) if value]
    if len(given) > 1:
        raise UserError("usage", f"{' and '.join(given)} exclude each other", "say one place for the key")
    if order.variable:
        return KeyVariable(check_variable(order.variable))
    if order.keyring:
        return KeyRing()
    if order.file:
        path = Path(order.file).expanduser().absolute()
        read_key_file(path, add.name)
        return KeyFile(str(path))
    is_vendor = url == kind.default_url and not is_loopback(url)
    return KeyVariable(kind.key_variable) if order.typed is None and is_vendor and kind.key_variable else NoKey()


def _key_flags(order: KeyOrder) -> tuple[tuple[str, bool], ...]:
    """A typed key goes into the keyring or into a file of ours."""
    return (
        ("--key-env", bool(order.variable)),
        ("--key-file", bool(order.file)),
        ("--keyring" if order.keyring else "--key-stdin", order.keyring or order.typed is not None),
    )


def _checked_key(key: str) -> str:
    key = key.strip()
    if not key or not (key.isascii() and key.isprintable()):
        raise UserError("bad-upstream-key", "what came on stdin is no key", "pass one line: ... --key-stdin < FILE")
    return key


def _checked_body(body: str) -> str:
    try:
        if not body or isinstance(json.loads(body), dict):
            return body
    except ValueError:
        pass
    raise UserError(
        "bad-body", "--body is no JSON object", """as in: --body '{"provider": {"order": ["deepinfra"]}}'"""
    )


def _asked(draft: StoredUpstream, kind: UpstreamKind, world: World) -> tuple[tuple[ModelFacts, ...], tuple[str, ...]]:
    """The models that the server lists; a server that is down, or a key that is not there yet, is only a note."""
    from agentlaunch.upstreams.survey import Listed

    try:
        refuse_far_offline(draft.name, draft.url, world)
        key = find_key(draft, world)
    except AgentlaunchError as missing:
        return (), (f"not asked for its models: {missing.message}",)
    with world.talk.waiting(f"asking `{draft.name}`"):
        survey = survey_of(draft, kind, key)
    if not isinstance(survey, Listed):
        return (), (f"`{draft.name}` {survey.reason}; try again: agentlaunch upstream test {draft.name}",)
    names = {model.name for model in survey.models}
    if draft.model and draft.model not in names:
        from difflib import get_close_matches

        near = get_close_matches(draft.model, sorted(names), 1)
        meant = f"; did you mean `{near[0]}`?" if near else ""
        return survey.models, (f"`{draft.name}` does not list `{draft.model}`{meant}",)
    return survey.models, ()


def survey_of(upstream: StoredUpstream, kind: UpstreamKind, key: str) -> Survey:
    """Ask the server for its models; the key goes as on every other request to it. Raises UserError for a bad key."""
    from agentlaunch.shim.upstream import request_headers
    from agentlaunch.upstreams.kind import endpoint
    from agentlaunch.upstreams.survey import ask_models

    asked = endpoint(upstream.kind, upstream.url, upstream.model, key, name=upstream.name)
    return ask_models(kind, upstream.url, request_headers(asked, "application/json"))


def _warnings(upstream: StoredUpstream, dirs: Dirs) -> tuple[str, ...]:
    from agentlaunch.upstreams.kind import load_kind

    if is_loopback(upstream.url):
        return ()
    warnings: list[str] = []
    if not upstream.url.startswith("https:"):
        what = "prompts" if isinstance(upstream.key, NoKey) else "the key and the prompts"
        warnings.append(
            f"{upstream.url} is not encrypted: {what} can be read on the way; use https where the server has it"
        )
    is_vendor = upstream.url == load_kind(upstream.kind).default_url
    if is_vendor and upstream.model and facts_of(upstream, upstream.model, dirs).prices is None:
        unknown = f"the price of `{upstream.model}` is not known, so budgets do not see it"
        warnings.append(f"{unknown}: add --price-input and --price-output")
    return tuple(warnings)
