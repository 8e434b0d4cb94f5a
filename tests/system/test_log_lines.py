"""Nobody can write a line of their own into our logs."""

from __future__ import annotations

import logging
import sys

import pytest

from agentlaunch.system.log_lines import LosingFileHandler, OneLineFormatter


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("shim", logging.INFO, "", 0, message, arguments, None)


def test_what_an_upstream_says_stays_on_the_line_that_tells_of_it() -> None:
    said = "no\n2026-11-25 00:00:00 ERROR shim: forged\r\x1b[2J"
    line = OneLineFormatter("%(levelname)s %(name)s: %(message)s").format(record("it has failed: %s", said))
    assert line == "INFO shim: it has failed: no 2026-11-25 00:00:00 ERROR shim: forged??[2J"


def test_a_traceback_keeps_its_lines() -> None:
    failed = record("a request has failed")
    try:
        int("one\ntwo")
    except ValueError as error:
        failed.exc_info = (ValueError, error, error.__traceback__)
    lines = OneLineFormatter("%(message)s").format(failed).split("\n")
    assert lines[:2] == ["a request has failed", "Traceback (most recent call last):"]
    assert lines[-1].startswith("ValueError: ")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_record_that_the_disk_has_no_room_for_is_lost_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    handler = LosingFileHandler("/dev/full", delay=True)
    handler.handle(record("lost"))
    with pytest.raises(OSError, match="No space"):
        handler.close()
    assert capfd.readouterr() == ("", "")
