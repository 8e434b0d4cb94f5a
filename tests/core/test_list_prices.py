"""core/list_prices.py, and the prices that ship."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path

import pytest

import agentlaunch
from agentlaunch.app.knowledge import load_prices
from agentlaunch.core.endpoint import Prices
from agentlaunch.core.list_prices import DEFAULT_REFERENCE
from agentlaunch.errors import UserError

DATA = Path(agentlaunch.__file__).parent / "data"


def test_the_json_that_is_read_is_the_toml_that_is_reviewed() -> None:
    assert json.loads((DATA / "prices.json").read_text()) == tomllib.loads((DATA / "prices.toml").read_text())


def test_each_price_is_in_order_and_has_a_source_and_a_date() -> None:
    for name, model in load_prices().models.items():
        assert 0 < model.cached_input_usd < model.input_usd < model.output_usd, name
        assert model.source.startswith("https://"), name
        assert date(2026, 1, 1) <= date.fromisoformat(model.date), name


def test_the_reference_of_nothing_said_is_known() -> None:
    assert load_prices().find(DEFAULT_REFERENCE).prices == Prices(4.0, 20.0, 0.2)


def test_an_unknown_reference_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        load_prices().find("claude-opus-5-6")
    assert (caught.value.code, caught.value.message) == (
        "unknown-reference",
        "no list price is known for `claude-opus-5-6`",
    )
    assert caught.value.hint.startswith("did you mean `claude-opus-5-5`? known: ")
