"""`agentlaunch models` as real processes against a Hugging Face double: kills, Ctrl-C, a full disk, two at once."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import scan_cache_dir
from tests.doubles.hugging_face_server import COMMIT, HuggingFaceDouble

from agentlaunch.core.scripted_gguf import Script

if TYPE_CHECKING:
    from conftest import Run

CONTENT = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(62_500))
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = "hf:me/Tiny-GGUF:Q4_K_M"
PULL = ("models", "pull", NAME)
MIB = 1 << 20

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def double() -> Iterator[HuggingFaceDouble]:
    with HuggingFaceDouble({"me/Tiny-GGUF": {"Tiny-Q4_K_M.gguf": CONTENT}}).running() as running:
        yield running


@pytest.fixture
def hub(home: Path) -> Path:
    return home / "hub"


@pytest.fixture
def environment(double: HuggingFaceDouble, hub: Path) -> dict[str, str]:
    return {"HF_ENDPOINT": double.url, "HF_HUB_CACHE": str(hub)}


@pytest.fixture
def start(home: Path, environment: Mapping[str, str]) -> Iterator[Start]:
    """Start `agentlaunch WORDS` and go on; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str, stderr: int = subprocess.PIPE, limit: Callable[[], None] | None = None, **more: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
        clean = {"HOME": str(home), "PATH": "/usr/bin:/bin", "AGENTLAUNCH_HOME": str(home / "ours")}
        process = subprocess.Popen(
            [sys.executable, "-m", "agentlaunch", *words],
            env={**clean, **environment, **more},
            cwd=home / "project",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            preexec_fn=limit,  # noqa: PLW1509 - one thread here
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def blobs(hub: Path) -> Path:
    return hub / "models--me--Tiny-GGUF" / "blobs"


def partial(hub: Path) -> Path:
    return blobs(hub) / f"{DIGEST}.incomplete"


def whole(hub: Path) -> Path:
    return hub / "models--me--Tiny-GGUF" / "snapshots" / COMMIT / "Tiny-Q4_K_M.gguf"


def news(said: str) -> list[str]:
    """The lines without the one that a slow machine adds."""
    return [line for line in said.splitlines() if not line.startswith("asking for the files of ")]


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fetched(hub: Path) -> int:
    return partial(hub).stat().st_size if partial(hub).exists() else 0


def test_a_pull_ends_with_the_path_and_the_next_command(
    run_command: Run, environment: dict[str, str], hub: Path
) -> None:
    done = run_command(*PULL, **environment)
    assert (done.returncode, done.stdout) == (
        0,
        f"`{NAME}` is here: {whole(hub)}\nrun it: agentlaunch claude --model {NAME}\n",
    )
    assert news(done.stderr)[0] == "fetching me/Tiny-GGUF Q4_K_M, 1.9 MiB"
    assert whole(hub).read_bytes() == CONTENT
    again = run_command(*PULL, "--json", **environment)
    assert json.loads(again.stdout)["data"] == {
        "name": NAME,
        "path": str(whole(hub)),
        "quant": "Q4_K_M",
        "size_bytes": len(CONTENT),
        "was_here": True,
    }


def test_kill_9_in_the_middle_leaves_what_was_fetched_and_the_next_pull_goes_on_there(
    start: Start, double: HuggingFaceDouble, hub: Path
) -> None:
    double.moods.held_after = MIB
    first = start(*PULL)
    until(lambda: fetched(hub) == MIB)
    first.kill()
    first.wait()
    assert partial(hub).read_bytes() == CONTENT[:MIB]
    double.moods.held_after = None
    second = start(*PULL)
    _, said = second.communicate(timeout=60)
    assert (second.returncode, whole(hub).read_bytes() == CONTENT) == (0, True)
    assert double.transfers[-1].start == MIB
    assert news(said)[0] == "fetching me/Tiny-GGUF Q4_K_M, 929 KiB"


def test_ctrl_c_is_130_and_says_how_to_go_on(start: Start, double: HuggingFaceDouble, hub: Path) -> None:
    double.moods.held_after = MIB
    process = start(*PULL)
    until(lambda: fetched(hub) == MIB)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == (
        f"interrupted: 1.0 MiB of 1.9 MiB are kept; go on with: agentlaunch models pull {NAME}"
    )
    assert partial(hub).read_bytes() == CONTENT[:MIB]


def test_two_pulls_at_once_are_one_download_and_both_have_the_file(
    start: Start, double: HuggingFaceDouble, hub: Path
) -> None:
    double.moods.held_after = MIB
    first = start(*PULL)
    until(lambda: fetched(hub) == MIB)
    second = start(*PULL)
    until(lambda: len(double.asked) >= 3)  # the second has the listing
    time.sleep(0.5)
    assert (first.poll(), second.poll()) == (None, None)
    double.moods.held_after = None
    for process in (first, second):
        process.communicate(timeout=60)
    assert (first.returncode, second.returncode, len(double.transfers)) == (0, 0, 1)
    assert whole(hub).read_bytes() == CONTENT


def test_the_second_pull_takes_over_when_the_first_is_killed(
    start: Start, double: HuggingFaceDouble, hub: Path
) -> None:
    double.moods.held_after = MIB
    first = start(*PULL)
    until(lambda: fetched(hub) == MIB)
    second = start(*PULL)
    until(lambda: len(double.asked) >= 3)
    first.kill()
    until(lambda: len(double.transfers) == 2)
    double.moods.held_after = None
    second.communicate(timeout=60)
    assert (second.returncode, double.transfers[-1].start) == (0, MIB)
    assert whole(hub).read_bytes() == CONTENT


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None] | None, Callable[[], None]]]:
    """A folder where no more than 1.5 MiB of the file go in, a limit for the process where no disk can be mounted, and
    what makes room. CI runs as root and mounts; elsewhere the process gets a limit for its files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        yield disk / "hub", limit_files, lambda: None
        return
    filler = disk / "filler"

    def make_room() -> None:
        filler.unlink()

    try:
        yield disk / "hub", None, make_room
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB + MIB // 2, MIB + MIB // 2))


def fill(folder: Path, leaving: int) -> None:
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "filler").write_bytes(b"\0" * max(free - leaving, 0))


def assert_ended_for_want_of_room(hub: Path, first: subprocess.Popen[str], *, by_limit: bool) -> None:
    """The file's beginning is kept, and a full disk is told apart from one that takes no larger file (FAT32)."""
    _, said = first.communicate(timeout=60)
    assert first.returncode == 3, said
    lines = said.splitlines()
    if by_limit:
        assert "takes no file of more than 1.5 MiB: the disk's format (FAT32) or `ulimit -f` forbids it" in lines[-2]
        assert lines[-1].endswith("export HF_HUB_CACHE=/PATH/TO/FOLDER")
    else:
        assert lines[-2].startswith("error: the disk is full: `")
        assert lines[-1] == f"hint: make room, then go on where it stopped: agentlaunch models pull {NAME}"
    kept = partial(hub).read_bytes()
    assert MIB <= len(kept) < len(CONTENT)
    assert kept == CONTENT[: len(kept)]


def test_a_disk_that_fills_up_in_the_middle_keeps_a_good_beginning_and_a_second_try_ends_it(
    start: Start,
    double: HuggingFaceDouble,
    small_disk: tuple[Path, Callable[[], None] | None, Callable[[], None]],
) -> None:
    hub, limit, make_room = small_disk
    double.moods.held_after = MIB
    first = start(*PULL, limit=limit, HF_HUB_CACHE=str(hub))
    until(lambda: fetched(hub) == MIB)
    if limit is None:
        fill(hub.parent, leaving=MIB // 4)
    double.moods.held_after = None
    assert_ended_for_want_of_room(hub, first, by_limit=limit is not None)
    kept = fetched(hub)
    make_room()
    second = start(*PULL, HF_HUB_CACHE=str(hub))
    second.communicate(timeout=60)
    assert (second.returncode, double.transfers[-1].start) == (0, kept)
    assert whole(hub).read_bytes() == CONTENT


def test_a_limit_for_files_is_not_called_a_full_disk(start: Start, double: HuggingFaceDouble, hub: Path) -> None:
    first = start(*PULL, limit=limit_files)
    assert_ended_for_want_of_room(hub, first, by_limit=True)
    assert fetched(hub) == MIB + MIB // 2
    second = start(*PULL)
    second.communicate(timeout=60)
    assert (second.returncode, whole(hub).read_bytes() == CONTENT) == (0, True)


@pytest.mark.report("B295")
def test_a_disk_that_is_too_small_is_said_with_both_sizes_before_anything_is_fetched(
    start: Start,
    double: HuggingFaceDouble,
    small_disk: tuple[Path, Callable[[], None] | None, Callable[[], None]],
) -> None:
    hub, limit, _ = small_disk
    if limit is None:
        fill(hub.parent, leaving=MIB)
    else:  # no disk of ours: then a file that is too large for any
        double.moods.claimed_bytes = 1 << 60
    process = start(*PULL, "--yes", HF_HUB_CACHE=str(hub))
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    needs, has = ("1.9 MiB", "1.0 MiB") if limit is None else (f"{1 << 30}.0 GiB", r"[\d.]+ [MG]iB")
    message = f"error: `me/Tiny-GGUF` needs {re.escape(needs)} more; `{re.escape(str(hub))}` has {has} free"
    assert re.fullmatch(message, news(said)[0])
    assert double.transfers == []


@pytest.mark.report("B308")
def test_progress_into_a_file_is_plain_lines(start: Start, double: HuggingFaceDouble, hub: Path) -> None:
    double.moods.pause_s = 0.25  # 31 pieces
    began = time.monotonic()
    process = start(*PULL, TERM="xterm", NO_COLOR="")
    _, said = process.communicate(timeout=100)
    assert process.returncode == 0
    first, *lines = news(said)
    assert first == "fetching me/Tiny-GGUF Q4_K_M, 1.9 MiB"
    assert 1 <= len(lines) <= (time.monotonic() - began) / 5
    assert all("% " in line and "MiB" in line and line.endswith("left") for line in lines)
    assert "\x1b" not in said
    assert "\r" not in said


@pytest.mark.parametrize(("more", "painted"), [({}, True), ({"TERM": "dumb"}, False)])
def test_progress_on_a_terminal_is_one_line_with_a_bar(
    start: Start, double: HuggingFaceDouble, more: dict[str, str], painted: bool
) -> None:
    double.moods.pause_s = 0.03
    controller, terminal = pty.openpty()
    process = start(*PULL, stderr=terminal, **{"TERM": "xterm", **more})
    os.close(terminal)
    said = b""
    with suppress(OSError):  # a terminal whose other side is closed
        while block := os.read(controller, 4096):
            said += block
    os.close(controller)
    process.communicate(timeout=60)
    text = said.decode()
    assert process.returncode == 0
    assert ("\r[" in text) is painted
    assert "fetching me/Tiny-GGUF Q4_K_M, 1.9 MiB\r\n" in text
    if painted:
        lines = [line for line in text.split("\r") if line.startswith("[")]
        assert all("of 1.9 MiB" in line for line in lines)
        assert any("/s  " in line and " left" in line for line in lines)
        assert max(map(len, lines)) < 80
        assert text.endswith("\r")  # the line is wiped


def test_quiet_says_nothing_but_the_result(run_command: Run, environment: dict[str, str], hub: Path) -> None:
    done = run_command(*PULL, "--quiet", **environment)
    assert whole(hub).exists()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("pull", "hf:me/Tiny-GGUF:Q9"), 2, "error: `me/Tiny-GGUF` has no quantisation `Q9`"),
        (("pull", "hf:me/Nothing"), 2, "error: Hugging Face has no repository `me/Nothing` that you may see"),
        (("pull", "nonsense-model"), 2, "error: unknown model `nonsense-model`"),
        (("pull",), 2, "error: `models pull` takes one name"),
        (("pull", "a", "b"), 2, "error: `models pull` takes one name"),
        (("pull", "a", "--runtime", "x"), 2, "error: unknown runtime `x`"),
        (("list", "x"), 2, "error: `models list` takes no name"),
        (("rm", "nothing-here"), 2, "error: no model `nothing-here` is on this machine"),
        (("show", "nonsense-model"), 2, "error: unknown model `nonsense-model`"),
        (("remove", "x"), 2, "error: unknown action `remove`"),
    ],
)
def test_bad_input_is_2_with_the_value_and_a_hint(
    run_command: Run, environment: dict[str, str], words: tuple[str, ...], code: int, error: str
) -> None:
    done = run_command("models", *words, **environment)
    assert (done.returncode, done.stdout) == (code, "")
    *_, first, hint = done.stderr.splitlines()  # a slow machine tells first what takes so long
    assert first == error
    assert hint.startswith("hint: ")


def test_a_gated_model_is_4_and_names_the_token(
    run_command: Run, environment: dict[str, str], double: HuggingFaceDouble
) -> None:
    double.moods.is_gated = True
    done = run_command(*PULL, "--json", **environment)
    (error,) = json.loads(done.stdout)["errors"]
    assert (done.returncode, error["code"], "HF_TOKEN" in error["hint"]) == (4, "hub-key", True)


def test_the_list_as_table_and_as_json(
    run_command: Run, environment: dict[str, str], home: Path, scripted_model: Callable[[Script], Path]
) -> None:
    model = home / "project" / "mine-Q8_0.gguf"
    model.write_bytes(scripted_model(Script()).read_bytes())
    done = run_command("models", **environment)
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["NAME", "QUANT", "SIZE", "WINDOW", "FIT", "USED", "KEPT", "BY"]
    (mine,) = [row.split() for row in rows if row.startswith("mine")]
    assert (mine[:2], mine[-2:]) == (["mine-Q8_0", "Q8_0"], ["this", "folder"])
    found = json.loads(run_command("models", "list", "--json", **environment).stdout)["data"]["models"]
    (mine_data,) = [model for model in found if model["name"] == "mine-Q8_0"]
    assert (mine_data["path"], mine_data["kept_by"], mine_data["fit"]["fits"]) == (str(model), "folder", True)


def test_rm_asks_nobody_without_a_terminal_and_deletes_with_a_yes(
    run_command: Run, environment: dict[str, str], hub: Path
) -> None:
    run_command(*PULL, **environment)
    refused = run_command("models", "rm", NAME, **environment)
    assert (refused.returncode, whole(hub).exists()) == (2, True)
    assert refused.stderr.splitlines()[-1] == f"hint: delete it: agentlaunch models rm {NAME} --yes"
    done = run_command("models", "rm", NAME, "--yes", **environment)
    assert (done.returncode, done.stdout) == (0, f"`{NAME}` is deleted, 1.9 MiB are free again\n")
    left = scan_cache_dir(hub)
    assert (left.repos, left.warnings, blobs(hub).parent.exists()) == (frozenset(), [], False)


def test_show_of_a_repository_lists_what_it_has(run_command: Run, environment: dict[str, str]) -> None:
    done = run_command("models", "show", "hf:me/Tiny-GGUF", **environment)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["NAME", "SIZE", "FILES"],
        [NAME, "1.9", "MiB", "1"],
    ]


def test_a_search_needs_no_network(run_command: Run) -> None:
    done = run_command("models", "search", "qwen3", "coder", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 0
    assert any(line.startswith("qwen3-coder-30b-a3b ") for line in done.stdout.splitlines())


def test_the_list_loads_no_network_library(run_command: Run) -> None:
    code = """
import sys
from agentlaunch.cli.main import run
code = run(sys.argv[1:])
print([name for name in ("httpx", "huggingface_hub", "rich", "ollama") if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""
    done = run_command("models", code=code)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "[]")
