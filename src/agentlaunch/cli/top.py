"""`agentlaunch top`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentlaunch.cli.launch import JsonFlag

if TYPE_CHECKING:
    from agentlaunch.system.dirs import Dirs

OnceFlag = Annotated[bool, typer.Option("--once", help="Show one picture and end, as without a terminal.")]
WebFlag = Annotated[bool, typer.Option("--web", help="Show it in a browser; its address is printed too.")]

REDRAW_S = 1.0


def top(once: OnceFlag = False, web: WebFlag = False, json: JsonFlag = False) -> None:
    """Show what the local server is doing, again each second; q or Ctrl-C ends it."""
    from os import environ

    from agentlaunch.app.top import read_live
    from agentlaunch.cli import render
    from agentlaunch.cli.top_view import live_data, live_lines
    from agentlaunch.system.dirs import find_dirs

    dirs = find_dirs(environ)
    if web:
        _show_page(dirs, json=json)
    elif json:
        render.json_result("top", live_data(read_live(dirs)))
    elif once or not _is_terminal():
        from agentlaunch.cli.canvas import stdout_canvas

        render.data("\n".join(live_lines(read_live(dirs), stdout_canvas())))
    else:
        _watch(dirs)


def _is_terminal() -> bool:
    from os import environ

    return environ.get("TERM") != "dumb" and sys.stdin.isatty() and sys.stdout.isatty()


def _watch(dirs: Dirs) -> None:
    from agentlaunch.app.top import read_live
    from agentlaunch.cli.canvas import stdout_canvas
    from agentlaunch.cli.top_view import live_lines
    from agentlaunch.shim.control_client import ShimUnreachable
    from agentlaunch.system.terminal import full_screen

    with full_screen() as screen:
        while True:
            try:
                lines = live_lines(read_live(dirs), stdout_canvas())
            except ShimUnreachable as error:  # it may be busy for a moment; its last picture would be a lie
                lines = [error.message, error.hint]
            screen.draw(lines)
            if screen.key(REDRAW_S) in ("q", "Q", "\x03", "\x1b"):
                return


def _show_page(dirs: Dirs, *, json: bool) -> None:
    from agentlaunch.app.top import page_file, page_url
    from agentlaunch.cli import render

    url = page_url(dirs)
    if json:
        render.json_result("top", {"url": url})
        return
    if url is None:
        render.data("nothing is running")
        return
    render.data(url)
    if _is_terminal():
        import webbrowser

        webbrowser.open(page_file(dirs, url).as_uri())
