"""A command's own help: its options in groups where there are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperOption

from agentlaunch.cli.canvas import NARROWEST

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter  # for the signatures alone: it has no public name

FEWEST_TO_GROUP = 10
"""Options up to which one list is read at a glance."""

_WIDEST = 28
"""Columns that the options' names take at most, for the groups to stand in line: the parser's own bound less a gap."""

_NARROW = 50
"""Columns below which a text stands under its option and not beside it; the parser itself knows no narrower page."""
_INDENT = 6

_OWN, _GENERAL = "Options", "General"
_GROUPS: Mapping[str, Sequence[str]] = {
    _OWN: (),
    "Server": ("--kind", "--url", "--body", "--images"),
    "Key": ("--key-env", "--key-file", "--keyring", "--key-stdin"),
    "Prices": ("--price-input", "--price-output", "--price-cached"),
    "Model": ("--model", "--quant", "--context", "--kv", "--runtime"),
    "Other servers": ("--upstream", "--upstream-key-env", "--fallback", "--policy"),
    "Agent": ("--agent", "--lean", "--mcp", "--skills"),
    "Another machine": ("--gpu", "--vram", "--ram", "--cores", "--os", "--simulate"),
    _GENERAL: ("--yes", "--force", "--dry-run", "--offline", "--json", "--quiet", "--help"),
}
"""A title and its options, in the order of the page; an option that stands nowhere here is the command's own."""


class GroupedCommand(TyperCommand):
    """The option parser's command with such a page."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the arguments, then the options in their groups."""
        arguments: list[tuple[str, str]] = []
        groups: dict[str, list[tuple[str, str]]] = {title: [] for title in _GROUPS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if isinstance(parameter, TyperOption):
                groups[group_of(parameter.opts)].append(record)
            else:
                arguments.append(record)
        if sum(map(len, groups.values())) < FEWEST_TO_GROUP:
            groups = {_OWN: [record for records in groups.values() for record in records]}
        names = [names for records in groups.values() for names, _ in records]
        width = 0 if formatter.width < _NARROW else min(max(map(len, names), default=0), _WIDEST)
        for title, records in {"Arguments": arguments, **groups}.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl([(names.ljust(width), text) for names, text in records], width or _INDENT)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """The words of the usage line; the parser puts a word that must be there in braces."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


def narrow_page() -> int | None:
    """The width of a page on a terminal that is narrower than the parser thinks possible; None for its own choice."""
    from shutil import get_terminal_size

    columns = get_terminal_size().columns
    return max(columns - 1, NARROWEST) if columns < _NARROW + 2 else None


def group_of(names: Sequence[str]) -> str:
    """The title of the group in which an option of these names stands."""
    return next((title for title, known in _GROUPS.items() if set(known) & set(names)), _OWN)
