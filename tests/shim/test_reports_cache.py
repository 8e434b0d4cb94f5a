"""Public reports of prompts that are read again: what a user finds in the log of each turn."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from tests.shim.slot_engine import SlotEngine
from tests.shim.test_engine_turns import PREFIX, SYSTEM, Client, run, shim_of


@pytest.mark.report("B182")
def test_each_turn_at_an_engine_of_ours_logs_its_prompt_tokens_and_those_that_were_cached(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "agentlaunch")

    async def work() -> None:
        async with shim_of(SlotEngine(tmp_path)) as http:
            client = Client(http, SYSTEM)
            await client.ask("Mend it")
            await client.ask("Once more")

    run(work())
    turns = [record.args for record in caplog.records if record.msg.startswith("slot %d: %d prompt tokens, %d cached")]
    assert len(turns) == 2
    (_, first, cached_first, _), (_, second, cached_second, _) = (each for each in turns if isinstance(each, tuple))
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert isinstance(cached_second, int)
    assert PREFIX == cached_first < first <= cached_second < second
