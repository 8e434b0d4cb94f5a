"""Tables on terminals that are too narrow for them."""

from __future__ import annotations

import pytest

from agentlaunch.cli.canvas import Canvas, stdout_canvas, stdout_columns
from agentlaunch.cli.fitted_table import narrow_table

HEADER = ("NAME", "SIZE", "KEPT BY")
ROWS = [("one", "1 GiB", "Ollama"), ("two-models", "20 GiB", "us")]

WHOLE = """\
NAME        SIZE    KEPT BY
one         1 GiB   Ollama
two-models  20 GiB  us"""
DROPPED = """\
NAME        KEPT BY
one         Ollama
two-models  us"""
BLOCKS = """\
one
  size     1 GiB
  kept by  Ollama
two-models
  size     20 GiB
  kept by  us"""


@pytest.mark.parametrize(
    ("columns", "shown"), [(None, WHOLE), (27, WHOLE), (26, DROPPED), (19, DROPPED), (18, BLOCKS), (1, BLOCKS)]
)
def test_a_table_loses_columns_and_then_becomes_blocks_with_all_of_them(columns: int | None, shown: str) -> None:
    assert narrow_table(HEADER, ROWS, columns, ("SIZE",)) == shown


@pytest.mark.parametrize(
    ("said", "columns", "canvas"),
    [("", None, 80), ("40", 40, 40), ("30", 30, 40), ("200", 200, 100), ("0", None, 80), ("wide", None, 80)],
)
def test_off_a_terminal_columns_says_how_wide_a_text_may_be(
    said: str, columns: int | None, canvas: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", said)
    assert (stdout_columns(), stdout_canvas()) == (columns, Canvas(canvas))
