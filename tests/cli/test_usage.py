"""`agentlaunch usage`: tables, plots, CSV and JSON, from a file or from none."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.doubles.usage_rows import NOON, row

from agentlaunch.app.usage import UsageFound, UsageOrder, find_requests, find_usage, kept_days
from agentlaunch.cli.amounts import dollars_text, seconds_text, share_text, tokens_text
from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.usage_view import usage_csv, usage_text
from agentlaunch.core.metering import Grouping, RequestRecord, UsageSum, total
from agentlaunch.errors import MachineError, UserError
from agentlaunch.system.dirs import Dirs, find_dirs, usage_path
from agentlaunch.system.usage_recorder import local_day
from agentlaunch.system.usage_store import UsageStore

TODAY = date.fromisoformat(local_day(NOON))
INTERFACE_KEYS = [
    "time",
    "session",
    "agent",
    "route",
    "upstream",
    "model",
    "attempts",
    "status",
    "tokens_in",
    "tokens_cached",
    "tokens_out",
    "first_byte_ms",
    "total_ms",
    "mended",
    "cost_usd",
    "reference_cost_usd",
]


def dirs_in(home: Path) -> Dirs:
    return find_dirs({"AGENTLAUNCH_HOME": str(home)})


def keep(dirs: Dirs, *rows: RequestRecord) -> None:
    store = UsageStore.open(usage_path(dirs))
    store.append(rows)
    store.close()


def test_the_last_thirty_days_are_summed_unless_others_are_asked_for(tmp_path: Path) -> None:
    dirs = dirs_in(tmp_path)
    keep(dirs, row(time=NOON - 40 * 86_400), row(time=NOON - 29 * 86_400), row())
    assert find_usage(UsageOrder(), Grouping.AGENT, dirs, TODAY).total.requests == 2
    assert find_usage(UsageOrder(days=1), Grouping.AGENT, dirs, TODAY).total.requests == 1
    assert find_usage(UsageOrder(since="2026-01-01"), Grouping.AGENT, dirs, TODAY).total.requests == 3
    assert find_usage(UsageOrder(days=10**9), Grouping.AGENT, dirs, TODAY).total.requests == 3
    assert len(find_requests(UsageOrder(since="2026-01-01"), 2, dirs, TODAY).requests) == 2
    assert len(find_requests(UsageOrder(days=10**9), 9, dirs, TODAY).requests) == 3


@pytest.mark.parametrize("order", [UsageOrder(since="yesterday"), UsageOrder(days=3, since="2026-11-01")])
def test_dates_that_cannot_be_read_are_the_users_error(tmp_path: Path, order: UsageOrder) -> None:
    with pytest.raises(UserError) as raised:
        find_usage(order, Grouping.DAY, dirs_in(tmp_path), TODAY)
    assert raised.value.code == "bad-date"


def test_it_is_said_since_when_anything_is_kept_where_more_is_asked_for(tmp_path: Path) -> None:
    dirs = dirs_in(tmp_path)
    assert find_usage(UsageOrder(), Grouping.AGENT, dirs, TODAY).kept_since is None
    keep(dirs, row(time=NOON - 40 * 86_400), row())
    began = date.fromisoformat(local_day(NOON - 40 * 86_400))
    beyond, within = (find_usage(UsageOrder(days=days), Grouping.AGENT, dirs, TODAY) for days in (90, 30))
    assert (beyond.kept_since, within.kept_since) == (began, began)
    assert usage_text(beyond, Canvas(200)).endswith(f"; kept since {began}")
    assert "kept since" not in usage_text(within, Canvas(200))
    nothing = find_usage(UsageOrder(since="2027-01-01"), Grouping.AGENT, dirs, TODAY)
    assert usage_text(nothing, Canvas(200)) == f"nothing was used from 2027-01-01 to {TODAY}"


def test_a_damaged_file_is_told_and_left_for_the_shim_to_set_aside(tmp_path: Path) -> None:
    dirs = dirs_in(tmp_path)
    dirs.state.mkdir(parents=True)
    usage_path(dirs).write_bytes(b"no database " * 100)
    with pytest.raises(MachineError) as raised:
        find_requests(UsageOrder(), 0, dirs, TODAY)
    assert raised.value.code == "usage-unreadable"
    assert usage_path(dirs).read_bytes() == b"no database " * 100


def found(by: Grouping, *groups: UsageSum, since: str = "2026-11-20") -> UsageFound:
    return UsageFound(
        Path("/state/usage.sqlite"), by, date.fromisoformat(since), date(2026, 11, 25), groups, total(groups)
    )


SOME = UsageSum("2026-11-23", 3, 1, 0, 2, 9000, 4500, 1000, 1000.0, 30_000.0, 0, 0.5, 2.0)
MORE = UsageSum("2026-11-25", 12, 0, 0, 12, 150_000, 120_000, 10_000, 6000.0, 60_000.0, 0, 0.0, 1.25)


def test_days_are_a_plot_with_its_gaps_a_table_and_a_sentence() -> None:
    assert usage_text(found(Grouping.DAY, SOME, MORE), Canvas(100, blocks=True)) == (
        "tokens a day\n"
        " 160.0k |    ██\n"
        "        |    ██\n"
        "        |    ██\n"
        "        |    ██\n"
        "        |    ██\n"
        "      0 |▃▃  ██\n"
        "         11-25\n"
        "\n"
        "DAY         REQ  FAILED  IN      CACHED  OUT    SECONDS  FIRST S  SPENT  SAVED\n"
        "2026-11-23  3    1       9.0k    50 %    1.0k   30       0.50     $0.50  $2.00\n"
        "2026-11-25  12   0       150.0k  80 %    10.0k  60       0.50     $0.00  $1.25\n"
        "\n"
        "2026-11-20 to 2026-11-25: 15 requests, 159.0k tokens in (78 % from a cache), 11.0k out, $0.50 spent,\n"
        "$3.25 saved against a managed model's list price"
    )


def test_other_groups_are_bars_and_without_block_characters_plain_ones() -> None:
    groups = (
        UsageSum("qwen3-coder", 12, tokens_in=150_000, tokens_out=10_000),
        UsageSum("", 3, tokens_in=40_000, tokens_out=0),
    )
    text = usage_text(found(Grouping.MODEL, *groups), Canvas(80))
    assert text.splitlines()[:2] == [
        "qwen3-coder [########################] 160.0k",
        "(unknown)   [######..................] 40.0k",
    ]
    assert text.isascii()
    assert "saved" not in text.splitlines()[-1]


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
@pytest.mark.parametrize("by", list(Grouping))
def test_no_line_is_wider_than_the_terminal(columns: int, by: Grouping) -> None:
    names = ["2026-06-01", "2026-11-25"] if by is Grouping.DAY else ["/home/me/" + "deep/" * 20, "b"]
    groups = [UsageSum(name, 12345, 3, 4, 5, 10**9, 10**8, 10**7, 1e6, 1e7, 9, 123.45, 678.9) for name in names]
    text = usage_text(found(by, *groups, since="2026-01-01"), Canvas(columns, blocks=True))
    assert max(map(len, text.splitlines())) <= columns


def test_a_day_with_a_single_token_among_millions_shows() -> None:
    few = UsageSum("2026-11-24", 1, tokens_in=1)
    many = UsageSum("2026-11-25", 1, tokens_in=10**7)
    for canvas, shown in ((Canvas(80, blocks=True), "▁▁██"), (Canvas(80), "####")):
        assert usage_text(found(Grouping.DAY, few, many), canvas).splitlines()[6].endswith(shown)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (tokens_text(999), "999"),
        (tokens_text(12_345), "12.3k"),
        (tokens_text(4_500_000), "4.5M"),
        (dollars_text(0.0), "$0.00"),
        (dollars_text(0.0012), "$0.0012"),
        (dollars_text(0.00000012), "<$0.0001"),
        (dollars_text(-1.5), "-$1.50"),
        (dollars_text(12.3), "$12.30"),
        (share_text(None), "-"),
        (share_text(0.834), "83 %"),
        (seconds_text(None), "-"),
        (seconds_text(421.0), "0.42"),
        (seconds_text(12_345.0), "12.3"),
    ],
)
def test_amounts_are_written_as_people_read_them(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_folder_whose_name_holds_control_characters_does_nothing_to_the_terminal() -> None:
    text = usage_text(found(Grouping.PROJECT, UsageSum("/home/\x1b[2Jme\r\n", 1, tokens_in=5)), Canvas(80))
    assert "\x1b" not in text
    assert "/home/?[2Jme??" in text


@pytest.mark.parametrize(
    ("key", "cell"),
    [
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        ("+1", "'+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("  =1", "'  =1"),
        ("\uff1d1", "'\uff1d1"),
        ("qwen3-coder=1", "qwen3-coder=1"),
        ("", ""),
    ],
)
def test_a_name_that_a_spreadsheet_would_compute_is_text_in_csv(key: str, cell: str) -> None:
    sums = UsageSum(key, 1, tokens_in=5, cost_usd=-1.5)
    (line,) = csv.DictReader(io.StringIO(usage_csv(found(Grouping.MODEL, sums))))
    assert (line["model"], line["cost_usd"]) == (cell, "-1.5")


def test_where_nothing_was_used_the_command_says_so_and_succeeds(run_command: Run, home: Path) -> None:
    for words in (("usage",), ("usage", "--requests")):
        ended = run_command(*words)
        assert (ended.returncode, ended.stdout) == (
            0,
            "nothing has been used yet: requests are counted from the first launch on\n",
        )
    assert json.loads(run_command("usage", "--requests", "--json").stdout)["data"] == {"requests": []}
    assert not (home / "ours").exists()


@pytest.mark.report("B182")
def test_requests_have_exactly_the_keys_that_scripts_rely_on(run_command: Run, home: Path) -> None:
    keep(dirs_in(home / "ours"), row(time=NOON), row(time=NOON + 1, agent="codex", cost_usd=None))
    whole = json.loads(run_command("usage", "--requests", "--json", "--since", "2026-01-01").stdout)
    requests = whole["data"]["requests"]
    assert [list(request) for request in requests] == [INTERFACE_KEYS, INTERFACE_KEYS]
    assert [(request["agent"], request["cost_usd"]) for request in requests] == [("claude", 0.25), ("codex", None)]
    listed = run_command("usage", "--requests", "--csv", "--since", "2026-01-01").stdout
    assert [line["agent"] for line in csv.DictReader(io.StringIO(listed))] == ["claude", "codex"]


def test_sums_come_as_json_and_csv_too(run_command: Run, home: Path) -> None:
    keep(dirs_in(home / "ours"), row(time=NOON))
    sums = {
        "requests": 1,
        "failed": 0,
        "cancelled": 0,
        "tokens_in": 1000,
        "tokens_cached": 800,
        "tokens_out": 50,
        "cached_share": 0.8,
        "seconds": 2.12025,
        "mean_first_byte_ms": 120.5,
        "mended": 1,
        "cost_usd": 0.25,
        "saved_usd": 0.75,
    }
    data = json.loads(run_command("usage", "--by", "model", "--json", "--since", "2026-01-01").stdout)["data"]
    assert (data["by"], data["groups"], data["total"]) == ("model", [{"model": "qwen3-coder", **sums}], sums)
    listed = run_command("usage", "--by", "model", "--csv", "--since", "2026-01-01").stdout
    assert list(csv.DictReader(io.StringIO(listed))) == [
        {"model": "qwen3-coder", **{key: str(value) for key, value in sums.items()}}
    ]


@pytest.mark.parametrize(
    "words", [("--csv", "--json"), ("--by", "colour"), ("--days", "0"), ("--since", "x"), ("--limit", "-1")]
)
def test_words_that_make_no_sense_end_with_2_and_a_next_command(run_command: Run, words: tuple[str, ...]) -> None:
    ended = run_command("usage", *words)
    assert ended.returncode == 2
    assert ("hint" in ended.stderr) or json.loads(ended.stdout)["errors"][0]["hint"]


def test_the_shim_keeps_requests_as_the_user_says_and_reads_no_other_setting(tmp_path: Path) -> None:
    dirs = dirs_in(tmp_path)
    assert kept_days(dirs, {"AGENTLAUNCH_IDLE_SECONDS": "0.5"}) == 400
    dirs.config.mkdir(parents=True)
    (dirs.config / "config.toml").write_text("usage_days = 90\n")
    assert (kept_days(dirs, {}), kept_days(dirs, {"AGENTLAUNCH_USAGE_DAYS": "7"})) == (90, 7)
