"""`agentlaunch` alone, on a terminal: choose an agent and a model, and learn the command line that does the same."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from agentlaunch.cli import render
from agentlaunch.cli.canvas import stdout_canvas
from agentlaunch.cli.picker_keys import keys_of
from agentlaunch.cli.picker_state import Choosing, Chosen, Left, Row, WentBack, press
from agentlaunch.cli.picker_view import choosing_lines, numbered_lines
from agentlaunch.errors import Interrupted

if TYPE_CHECKING:
    from agentlaunch.app.picker import AgentChoice, ModelChoice
    from agentlaunch.system.terminal import Screen

LOOK_S = 0.25
"""How often the terminal's size is looked at while no key comes."""


def can_pick(environment: Mapping[str, str]) -> bool:
    """Whether somebody sees the lists and can answer: all three streams are a terminal, and no CI says it is one."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return not environment.get("CI") and all(stream is not None and stream.isatty() for stream in streams)


def pick_words() -> list[str]:
    """The words of the launch that was chosen, an agent's name first. Raises Interrupted when none was."""
    from agentlaunch.app.picker import agent_choices, model_choices
    from agentlaunch.app.world import real_world

    world = real_world(render.Terminal())
    agents = agent_choices(world)
    while True:
        chosen = _ask(_agents_list(agents))
        if chosen is None:
            continue
        agent = agents[chosen]
        with world.talk.waiting("looking at this machine"):
            models = model_choices(world, agent.name)
        chosen = _ask(_models_list(agent, models))
        if chosen is not None:
            words = [agent.name, *models[chosen].words]
            render.talk(f"$ {command_line(words)}")
            return words


def command_line(words: Sequence[str]) -> str:
    """What to type for these words, in this system's shell."""
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return list2cmdline(["agentlaunch", *words])
    else:  # noqa: RET505 - what follows a `return` is unreachable to mypy on that system
        return shlex.join(["agentlaunch", *words])


def _agents_list(agents: Sequence[AgentChoice]) -> Choosing:
    rows = tuple(Row(agent.title, agent.state, f"agentlaunch {agent.name}") for agent in agents)
    return Choosing("Launch which agent?", rows)


def _models_list(agent: AgentChoice, models: Sequence[ModelChoice]) -> Choosing:
    return Choosing(
        f"{agent.title} on which model?", tuple(Row(model.title, model.state, model.why) for model in models)
    )


def _ask(state: Choosing) -> int | None:
    """The number of the row that was taken; None for the way back. Raises Interrupted for a no."""
    if os.environ.get("TERM") == "dumb":
        return _ask_number(state)
    from agentlaunch.system.terminal import full_screen

    with full_screen() as screen:
        return _ask_screen(state, screen)


def _ask_screen(state: Choosing, screen: Screen) -> int | None:
    drawn: object = None
    while True:
        size = get_terminal_size()
        if drawn != (state, size):
            screen.draw(_picture(state, size.lines))
            drawn = (state, size)
        for key in keys_of(screen.key(LOOK_S)):
            match press(state, key):
                case Choosing() as state:
                    pass
                case Chosen(number):
                    return number
                case WentBack():
                    return None
                case Left():
                    raise _nothing_chosen()


def _picture(state: Choosing, rows: int) -> list[str]:
    """For the width of now, which may be below what other screens are made for."""
    canvas = stdout_canvas()
    narrow = replace(canvas, columns=min(canvas.columns, get_terminal_size().columns))
    return choosing_lines(state, narrow, max(1, rows - 1))


def _ask_number(state: Choosing) -> int:
    """For a terminal that can only go forward. Enter alone takes the first row."""
    for line in numbered_lines(state):
        render.talk(line)
    while True:
        render.ask("number [1], q leaves:")
        answer = sys.stdin.readline()
        word = answer.strip()
        if not answer or word == "q":
            raise _nothing_chosen()
        if not word:
            return 0
        if word.isdecimal() and 1 <= int(word) <= len(state.rows):
            return int(word) - 1
        render.talk(f"`{word}` is no number from 1 to {len(state.rows)}")


def _nothing_chosen() -> Interrupted:
    return Interrupted("interrupted", "nothing was started; as a command: agentlaunch claude --model demo")
