"""`agentlaunch models [list|search|show|pull|rm]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentlaunch.cli.launch import JsonFlag, OfflineFlag

if TYPE_CHECKING:
    from agentlaunch.app.world import World

ActionArgument = Annotated[
    str, typer.Argument(metavar="[list|search|show|pull|rm]", help="What to do; without a word: list.")
]
WordsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]",
        help="A known model, `hf:OWNER/REPO[:QUANT]`, a tag of Ollama's, a name out of the list; or a text to search.",
    ),
]
QuantOption = Annotated[
    str | None, typer.Option("--quant", metavar="Q", help="pull: this quantisation. Default: the one that fits best.")
]
ThroughOption = Annotated[
    str | None, typer.Option("--runtime", metavar="R", help="pull: `ollama` fetches it through Ollama.")
]
ModelsYes = Annotated[bool, typer.Option("--yes", "-y", help="rm: delete; pull: fetch what does not fit, too.")]
ModelsQuiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


def models(
    action: ActionArgument = "list",
    name: WordsArgument = None,
    *,
    quant: QuantOption = None,
    runtime: ThroughOption = None,
    yes: ModelsYes = False,
    quiet: ModelsQuiet = False,
    offline: OfflineFlag = False,
    json: JsonFlag = False,
) -> None:
    """List the models on this machine, find others, fetch them, delete them."""
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render

    words = tuple(name or ())
    world = real_world(render.Terminal(quiet=quiet, may_ask=not json), offline=offline)
    match action:
        case "list":
            _named(action, words, count=0)
            value, text = _list(world, json=json)
        case "search":
            value, text = _search(" ".join(words), world, json=json)
        case "show":
            value, text = _show(_named(action, words), world, json=json)
        case "pull":
            value, text = _pull(_named(action, words), (quant, runtime, yes), world)
        case "rm":
            value, text = _remove(_named(action, words), world, yes=yes)
        case _:
            raise _unknown(action)
    if json:
        render.json_result("models", value)
    else:
        render.data(text)


def _named(action: str, words: tuple[str, ...], count: int = 1) -> str:
    from agentlaunch.errors import UserError

    if len(words) != count:
        usage = f"agentlaunch models {action}{' NAME' if count else ''}"
        raise UserError("usage", f"`models {action}` takes {'one name' if count else 'no name'}", usage)
    return words[0] if words else ""


def _unknown(action: str) -> Exception:
    from difflib import get_close_matches

    from agentlaunch.errors import UserError

    actions = ("list", "search", "show", "pull", "rm")
    near = get_close_matches(action, (*actions, "remove", "ls"), 1)
    meant = {"remove": "rm", "ls": "list"}.get(near[0], near[0]) if near else ""
    hint = f"did you mean `agentlaunch models {meant}`?" if meant else f"known: {', '.join(actions)}"
    return UserError("unknown-action", f"unknown action `{action}`", hint)


def _list(world: World, *, json: bool) -> tuple[object, str]:
    from time import time

    from agentlaunch.app.weights_list import list_models
    from agentlaunch.cli.canvas import stdout_canvas, stdout_columns
    from agentlaunch.cli.models_view import list_data, list_text

    with world.talk.waiting("looking for models"):
        listed = list_models(world)
    return (list_data(listed), "") if json else (None, list_text(listed, time(), stdout_canvas(), stdout_columns()))


def _search(text: str, world: World, *, json: bool) -> tuple[object, str]:
    from agentlaunch.app.knowledge import load_catalog
    from agentlaunch.app.weights_show import nearest_models, search_models
    from agentlaunch.cli.canvas import stdout_columns
    from agentlaunch.cli.models_view import search_data, search_text

    with world.talk.waiting("looking at this machine and its models"):
        hits = search_models(text, world)
    near = () if hits else nearest_models(text, load_catalog())
    return (search_data(hits), "") if json else (None, search_text(text, hits, near, stdout_columns()))


def _show(name: str, world: World, *, json: bool) -> tuple[object, str]:
    from agentlaunch.app.weights_show import show_model
    from agentlaunch.cli.canvas import stdout_canvas, stdout_columns
    from agentlaunch.cli.models_view import show_data, show_text

    shown = show_model(name, world)
    return (show_data(shown), "") if json else (None, show_text(shown, stdout_canvas(), stdout_columns()))


def _pull(name: str, options: tuple[str | None, str | None, bool], world: World) -> tuple[object, str]:
    from agentlaunch.app.weights import PullOrder, pull
    from agentlaunch.cli.models_view import pulled_data, pulled_text
    from agentlaunch.errors import UserError

    quant, runtime, yes = options
    if runtime not in (None, "ollama", "llamacpp"):
        raise UserError("runtime-unknown", f"unknown runtime `{runtime}`", "known: llamacpp, ollama")
    through = "ollama" if runtime == "ollama" else ""
    with world.talk.transferring() as on_progress:
        done = pull(PullOrder(name, quant or "", through, yes), world, on_progress)
    return pulled_data(done), pulled_text(done)


def _remove(name: str, world: World, *, yes: bool) -> tuple[object, str]:
    from agentlaunch.app.weights_remove import remove_model
    from agentlaunch.cli.models_view import removed_data, removed_text

    done = remove_model(name, world, yes=yes)
    return removed_data(done), removed_text(done)
