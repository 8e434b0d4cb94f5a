"""`agentlaunch upstream [list|add|test|rm|export]`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentlaunch.cli.launch import JsonFlag

if TYPE_CHECKING:
    from agentlaunch.app.upstream_add import AddOrder
    from agentlaunch.app.world import World
    from agentlaunch.core.endpoint import Prices
    from agentlaunch.core.policy import Policy

ACTIONS = ("list", "add", "test", "rm", "export")

ActionArgument = Annotated[
    str, typer.Argument(metavar="[list|add|test|rm|export]", help="What to do; without a word: list.")
]
WordsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]", help="The upstream; for export: litellm.", show_default=False)
]
KindOption = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="anthropic, litellm, llamacpp, lmstudio, ollama, openai (and whatever speaks its API), openrouter, vllm.",
    ),
]
UrlOption = Annotated[str, typer.Option("--url", metavar="URL", help="Its address. Default: the kind's usual one.")]
ModelOption = Annotated[str, typer.Option("--model", metavar="M", help="The model that the bare name means.")]
KeyVariableOption = Annotated[str, typer.Option("--key-env", metavar="VAR", help="The variable that holds the key.")]
KeyFileOption = Annotated[
    str, typer.Option("--key-file", metavar="PATH", help="The file that holds the key; nobody else may read it.")
]
KeyringFlag = Annotated[bool, typer.Option("--keyring", help="The key is in the system's keyring (extra `keyring`).")]
KeyInputFlag = Annotated[
    bool,
    typer.Option("--key-stdin", help="Read the key from stdin and keep it, in the keyring or a file of mode 0600."),
]
WindowOption = Annotated[
    int | None, typer.Option("--context", min=1, metavar="TOKENS", help="The model's window. Default: what it tells.")
]
PriceInOption = Annotated[
    float | None, typer.Option("--price-input", min=0, metavar="USD", help="Price of a million tokens in.")
]
PriceOutOption = Annotated[
    float | None, typer.Option("--price-output", min=0, metavar="USD", help="Price of a million tokens out.")
]
PriceCachedOption = Annotated[
    float | None, typer.Option("--price-cached", min=0, metavar="USD", help="Price of a million tokens from its cache.")
]
ImagesOption = Annotated[
    bool | None, typer.Option("--images/--no-images", help="Whether the model takes images. Default: what it tells.")
]
BodyOption = Annotated[
    str, typer.Option("--body", metavar="JSON", help="Fields for every request, such as OpenRouter's `provider`.")
]
PolicyOption = Annotated[str, typer.Option("--policy", metavar="NAME", help="export: this policy's routes.")]
YesFlag = Annotated[
    bool, typer.Option("--yes", "-y", help="add: bytes may leave this machine, a name may be replaced; rm: remove.")
]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but results, errors and questions.")]


def upstream(
    action: ActionArgument = "list",
    name: WordsArgument = None,
    *,
    kind: KindOption = None,
    url: UrlOption = "",
    model: ModelOption = "",
    key_env: KeyVariableOption = "",
    key_file: KeyFileOption = "",
    keyring: KeyringFlag = False,
    key_stdin: KeyInputFlag = False,
    context: WindowOption = None,
    price_input: PriceInOption = None,
    price_output: PriceOutOption = None,
    price_cached: PriceCachedOption = None,
    images: ImagesOption = None,
    body: BodyOption = "",
    policy: PolicyOption = "",
    yes: YesFlag = False,
    quiet: QuietFlag = False,
    json: JsonFlag = False,
) -> None:
    """Servers that answer beside the models of this machine: add, list, try and remove them."""
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render

    words = tuple(name or ())
    world = real_world(render.Terminal(quiet=quiet, may_ask=not json))
    match action:
        case "list":
            _named(action, words, count=0)
            value, text = _list(world)
        case "add":
            from agentlaunch.app.upstream_add import AddOrder, KeyOrder

            prices = _prices(price_input, price_output, price_cached)
            named = _named(action, words)
            places = KeyOrder(key_env, key_file, keyring, _read_key() if key_stdin else None)
            value, text = _add(
                AddOrder(named, _kind(kind, named), url, model, places, context, prices, images, body, yes), world
            )
        case "test":
            _test(_named(action, words), world, json=json)
            return
        case "rm":
            value, text = _remove(_named(action, words), world, yes=yes)
        case "export":
            value, text = _export(_named(action, words), world, policy)
        case _:
            raise _unknown(action)
    if json:
        render.json_result("upstream", value)
    else:
        render.data(text)


def _named(action: str, words: tuple[str, ...], count: int = 1) -> str:
    from agentlaunch.errors import UserError

    if len(words) != count:
        what = "litellm" if action == "export" else "NAME"
        usage = f"agentlaunch upstream {action}{f' {what}' if count else ''}"
        raise UserError("usage", f"`upstream {action}` takes {'one name' if count else 'no name'}", usage)
    return words[0] if words else ""


def _unknown(action: str) -> Exception:
    from difflib import get_close_matches

    from agentlaunch.errors import UserError

    near = get_close_matches(action, (*ACTIONS, "remove", "ls"), 1)
    meant = {"remove": "rm", "ls": "list"}.get(near[0], near[0]) if near else ""
    hint = f"did you mean `agentlaunch upstream {meant}`?" if meant else f"known: {', '.join(ACTIONS)}"
    return UserError("unknown-action", f"unknown action `{action}`", hint)


def _kind(kind: str | None, name: str) -> str:
    """A name that is a kind's needs no `--kind`."""
    from agentlaunch.errors import UserError
    from agentlaunch.upstreams import UPSTREAMS

    chosen = kind or (name if name in UPSTREAMS else "")
    if not chosen:
        raise UserError("usage", f"which kind of server is `{name}`?", f"add --kind; known: {', '.join(UPSTREAMS)}")
    return chosen


def _prices(paid_in: float | None, paid_out: float | None, cached: float | None) -> Prices | None:
    from agentlaunch.core.endpoint import Prices
    from agentlaunch.errors import UserError

    if paid_in is not None and paid_out is not None:
        return Prices(paid_in, paid_out, cached)
    if (paid_in, paid_out, cached) == (None, None, None):
        return None
    raise UserError(
        "usage", "prices need both --price-input and --price-output", "--price-input 0.22 --price-output 0.95"
    )


def _read_key() -> str:
    """One line of stdin, without an echo where somebody types it."""
    if sys.stdin is not None and sys.stdin.isatty():
        from getpass import getpass

        try:
            return getpass("key (not shown): ", stream=sys.stderr)
        except EOFError:
            return ""
    return "" if sys.stdin is None else sys.stdin.buffer.readline().decode("utf-8", "replace")


def _list(world: World) -> tuple[object, str]:
    from agentlaunch.app.upstream_store import store_path
    from agentlaunch.app.upstreams import known_upstreams
    from agentlaunch.cli.canvas import stdout_columns
    from agentlaunch.cli.upstream_view import list_data, list_text

    stored = known_upstreams(world)
    return list_data(stored), list_text(stored, store_path(world.dirs), stdout_columns())


def _add(order: AddOrder, world: World) -> tuple[object, str]:
    from agentlaunch.app.upstream_add import add_upstream
    from agentlaunch.cli.upstream_view import added_data, added_text

    added = add_upstream(order, world)
    for note in added.notes:
        world.talk.say(note)
    return added_data(added), added_text(added)


def _test(name: str, world: World, *, json: bool) -> None:
    """The lines come also when one of them tells a failure; then the exit code is an upstream's."""
    from agentlaunch.app.upstream_trial import try_upstream
    from agentlaunch.cli import render
    from agentlaunch.cli.canvas import stdout_canvas
    from agentlaunch.cli.upstream_view import trial_data, trial_failure, trial_text

    trial = try_upstream(name, world)
    failure = trial_failure(trial)
    if json and failure is None:
        render.json_result("upstream", trial_data(trial))
    elif not json:
        render.data(trial_text(trial, stdout_canvas()))
    if failure is not None:
        raise failure


def _remove(name: str, world: World, *, yes: bool) -> tuple[object, str]:
    from agentlaunch.app.upstream_add import remove

    gone = remove(name, world, yes=yes)
    return {"name": gone.name}, f"`{gone.name}` is removed"


def _export(what: str, world: World, policy: str) -> tuple[object, str]:
    from agentlaunch.app.upstream_export import export_litellm
    from agentlaunch.errors import UserError

    if what != "litellm":
        raise UserError("usage", f"cannot export to `{what[:80]}`", "agentlaunch upstream export litellm")
    text = export_litellm(world, _policy(policy, world))
    return {"config": text}, text.rstrip("\n")


def _policy(name: str, world: World) -> Policy | None:
    if not name:
        return None
    from agentlaunch.app.policy import policy_in_force

    return policy_in_force(name, world).policy
