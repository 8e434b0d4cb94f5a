"""Downloads from a Hugging Face double over real sockets: whole, resumed, checked, and every way in which they fail."""

from __future__ import annotations

import errno
import hashlib
import shutil
import sys
import threading
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download, scan_cache_dir, try_to_load_from_cache
from tests.doubles.hugging_face_server import COMMIT, HuggingFaceDouble
from tests.weights.conftest import CONTENT, REPOSITORY, Fetch, Fetched

from agentlaunch.errors import AgentlaunchError, MachineError, RemoteError, UserError
from agentlaunch.system.locks import FileLock
from agentlaunch.weights import hub_cache
from agentlaunch.weights.hub_settings import HubSettings
from agentlaunch.weights.progress import Progress

NAME = "Tiny-Q4_K_M.gguf"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def blobs(settings: HubSettings) -> Path:
    return settings.cache / "models--maker--Tiny-GGUF" / "blobs"


def partial(settings: HubSettings) -> Path:
    return blobs(settings) / f"{DIGEST}.incomplete"


def failure(fetch_files: Fetch) -> AgentlaunchError:
    with pytest.raises(AgentlaunchError) as raised:
        fetch_files()
    return raised.value


def test_a_file_arrives_whole_and_hugging_faces_own_library_finds_it(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    (path,), seen = fetch_files()
    assert path.read_bytes() == CONTENT
    assert seen[-1] == Progress("fetching", len(CONTENT), len(CONTENT))
    cache = settings.cache
    assert try_to_load_from_cache(REPOSITORY, NAME, cache_dir=cache, revision="main") == str(path)
    assert hf_hub_download(REPOSITORY, NAME, cache_dir=cache, local_files_only=True) == str(path)
    (repository,) = scan_cache_dir(cache).repos
    assert (repository.repo_id, repository.size_on_disk, scan_cache_dir(cache).warnings) == (
        REPOSITORY,
        len(CONTENT),
        [],
    )
    assert list(blobs(settings).iterdir()) == [blobs(settings) / DIGEST]


def test_a_file_that_huggingface_hub_has_fetched_is_not_fetched_again(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    theirs = hf_hub_download(REPOSITORY, NAME, cache_dir=settings.cache, endpoint=double.url, token=False)
    before = len(double.transfers)
    (path,), _ = fetch_files()
    assert (str(path), len(double.transfers)) == (theirs, before)


def test_a_second_fetch_asks_for_no_bytes(double: HuggingFaceDouble, fetch_files: Fetch) -> None:
    first, _ = fetch_files()
    second, seen = fetch_files()
    assert (second, len(double.transfers), seen) == (
        first,
        1,
        [Progress("fetching", len(CONTENT), len(CONTENT))],
    )


def test_cuts_are_resumed_within_one_fetch(double: HuggingFaceDouble, fetch_files: Fetch) -> None:
    double.moods.cuts = [400_000, 900_000]
    (path,), seen = fetch_files()
    assert path.read_bytes() == CONTENT
    assert [transfer.start for transfer in double.transfers] == [0, 400_000, 1_300_000]
    done = [progress.done_bytes for progress in seen]
    assert done == sorted(done)


def test_a_line_that_stays_dead_keeps_95_percent_and_the_next_fetch_goes_on_there(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    at = len(CONTENT) * 95 // 100
    double.moods.cuts = [at, 0, 0, 0, 0]
    error = failure(fetch_files)
    assert isinstance(error, RemoteError)
    assert (error.code, error.hint) == ("download-cut", "go on where it stopped: go-on")
    assert error.message.endswith("; 1.4 MiB of 1.4 MiB are kept")
    assert partial(settings).read_bytes() == CONTENT[:at]
    double.moods.cuts = []
    (path,), seen = fetch_files()
    assert path.read_bytes() == CONTENT
    assert double.transfers[-1].start == at
    assert seen[0] == Progress("checking", at, len(CONTENT))
    assert not partial(settings).exists()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_store_is_asked_again(double: HuggingFaceDouble, fetch_files: Fetch, status: int) -> None:
    double.moods.statuses = [status, status]
    (path,), _ = fetch_files()
    assert path.read_bytes() == CONTENT


def test_a_wait_that_the_server_asks_for_is_kept_and_told(double: HuggingFaceDouble, fetch_files: Fetch) -> None:
    double.moods.statuses = [429]
    double.moods.status_headers = (
        ("ratelimit", '"resolvers";r=0;t=1'),
        ("ratelimit-policy", '"fixed window";q=1;w=300'),
    )
    (path,), seen = fetch_files()
    assert path.read_bytes() == CONTENT
    assert [progress.stage for progress in seen].count("pausing") == 100


def test_a_longer_wait_is_told_instead_and_the_server_is_left_alone(
    double: HuggingFaceDouble, fetch_files: Fetch
) -> None:
    double.moods.statuses = [429] * 9
    double.moods.status_headers = (("retry-after", "3600"),)
    error = failure(fetch_files)
    assert (type(error), error.code, error.message, error.hint) == (
        RemoteError,
        "hub-busy",
        f"Hugging Face takes no more requests for `{REPOSITORY}` from this address for a while (429)",
        "in 3600 seconds, go on where it stopped: go-on; it allows more to who is known: export HF_TOKEN=...",
    )
    assert len(double.moods.statuses) == 8


def test_a_server_without_ranges_sends_the_file_anew(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    double.moods.has_ranges = False
    double.moods.cuts = [500_000]
    (path,), _ = fetch_files()
    assert path.read_bytes() == CONTENT
    assert [transfer.start for transfer in double.transfers] == [0, 0]


def test_a_wrong_digest_deletes_the_bad_file_says_so_and_the_next_fetch_is_good(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    double.moods.wrong_content[NAME] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    error = failure(fetch_files)
    assert (type(error), error.code) == (RemoteError, "wrong-digest")
    assert "was deleted" in error.message
    assert list(blobs(settings).iterdir()) == []
    double.moods.wrong_content = {}
    (path,), _ = fetch_files()
    assert path.read_bytes() == CONTENT


def test_a_spoiled_beginning_is_found_out_by_the_digest_and_not_kept(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    partial(settings).parent.mkdir(parents=True)
    partial(settings).write_bytes(b"\0" * 300_000)  # what a power cut leaves
    assert failure(fetch_files).code == "wrong-digest"
    assert list(blobs(settings).iterdir()) == []


def test_a_beginning_that_is_too_long_is_begun_anew(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    partial(settings).parent.mkdir(parents=True)
    partial(settings).write_bytes(CONTENT + b"more")
    (path,), _ = fetch_files()
    assert path.read_bytes() == CONTENT


def test_a_beginning_that_is_all_of_it_costs_no_request(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    partial(settings).parent.mkdir(parents=True)
    partial(settings).write_bytes(CONTENT)
    (path,), _ = fetch_files()
    assert (path.read_bytes(), double.transfers) == (CONTENT, [])


@pytest.mark.report("B311")
@pytest.mark.parametrize("answer", [b"", b"<html>Please log in</html>"])
def test_a_page_in_place_of_the_file_is_not_kept(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch, answer: bytes
) -> None:
    double.moods.wrong_content[NAME] = answer
    error = failure(fetch_files)
    assert (type(error), error.code) == (RemoteError, "wrong-length")
    assert "HTTPS_PROXY" in error.hint
    assert partial(settings).read_bytes() == b""


def test_a_longer_answer_without_a_length_is_stopped(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    partial(settings).parent.mkdir(parents=True)
    partial(settings).write_bytes(CONTENT[:1000])
    double.moods.wrong_content[NAME] = CONTENT + b"more"
    assert failure(fetch_files).code == "wrong-length"


@pytest.mark.parametrize("token", ["", "hf_reader"])
def test_a_gated_file_asks_for_the_terms_and_a_token(double: HuggingFaceDouble, fetch_files: Fetch, token: str) -> None:
    double.moods.is_gated = True
    with pytest.raises(RemoteError) as raised:
        fetch_files(token=token)
    assert (raised.value.code, raised.value.exit_code) == ("hub-key", 4)
    assert "HF_TOKEN" in raised.value.hint
    assert "hf_reader" not in str(raised.value) + raised.value.hint


def test_a_refusal_of_the_store_is_said_with_what_may_help(double: HuggingFaceDouble, fetch_files: Fetch) -> None:
    double.moods.statuses = [403]
    error = failure(fetch_files)
    assert (type(error), error.code, "hf download" in error.hint) == (RemoteError, "hub-key", True)


def test_the_token_goes_to_the_hub_and_not_to_the_store(double: HuggingFaceDouble, fetch_files: Fetch) -> None:
    double.moods.token = "hf_reader"
    (path,), _ = fetch_files(token="hf_reader")
    assert path.read_bytes() == CONTENT
    assert {request.headers.get("authorization") for request in double.asked} == {"Bearer hf_reader"}
    assert [request.headers.get("authorization") for request in double.stored] == [None]


def test_a_file_that_is_gone_meanwhile_is_said(double: HuggingFaceDouble, settings: HubSettings) -> None:
    from agentlaunch.weights.download import FetchOrder, fetch
    from agentlaunch.weights.hugging_face import list_repository

    listing = list_repository(REPOSITORY, settings)
    order = FetchOrder(listing, listing.files[:1], settings, "go-on")
    del double.repositories[REPOSITORY][NAME]
    with pytest.raises(RemoteError, match="not in `maker/Tiny-GGUF` any more"):
        fetch(order, lambda _progress: None)
    double.repositories.clear()
    with pytest.raises(UserError, match="no repository `maker/Tiny-GGUF`"):
        fetch(order, lambda _progress: None)


def test_too_little_room_is_said_before_anything_is_fetched(
    double: HuggingFaceDouble, settings: HubSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentlaunch.core.weight_names import RepositoryFile
    from agentlaunch.weights.download import FetchOrder, fetch
    from agentlaunch.weights.hugging_face import RepositoryListing

    huge = RepositoryFile("huge.gguf", 1 << 60, "ab" * 32)
    listing = RepositoryListing(REPOSITORY, COMMIT, (huge,))
    with pytest.raises(MachineError) as raised:
        fetch(FetchOrder(listing, (huge,), settings, "go-on"), lambda _progress: None)
    assert raised.value.code == "no-room"
    assert f"{(1 << 60) / 2**30:.1f} GiB" in raised.value.message
    assert "free" in raised.value.message
    assert double.transfers == []
    assert not settings.cache.exists()


def test_a_second_fetch_waits_for_the_first_and_takes_its_file(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    place_lock = settings.cache / ".locks" / "models--maker--Tiny-GGUF" / f"{DIGEST}.lock"
    other = FileLock(place_lock)
    assert other.acquire()
    partial(settings).parent.mkdir(parents=True)
    partial(settings).write_bytes(CONTENT[:1000])
    results: list[Fetched] = []
    told: list[Progress] = []
    waiting = threading.Thread(target=lambda: results.append(fetch_files(told=told)))
    waiting.start()
    while not told:
        waiting.join(0.01)
    assert waiting.is_alive()
    partial(settings).rename(blobs(settings) / DIGEST)
    (blobs(settings) / DIGEST).write_bytes(CONTENT)
    other.release()
    waiting.join(30)
    ((paths, seen),) = results
    assert paths[0].read_bytes() == CONTENT
    assert seen[0] == Progress("waiting", 1000, len(CONTENT))
    assert double.transfers == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows' file systems have locks")
def test_a_cache_without_locks_gets_its_file_all_the_same(fetch_files: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def flock(_handle: int, _kind: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    (path,), seen = fetch_files()
    assert (path.read_bytes(), "waiting" in {progress.stage for progress in seen}) == (CONTENT, False)


def test_split_files_come_all_and_lie_side_by_side(double: HuggingFaceDouble, fetch_files: Fetch) -> None:
    names = [f"Q8_0/Big-Q8_0-0000{part}-of-00003.gguf" for part in (1, 2, 3)]
    parts = {name: name.encode() * 1000 for name in names}
    double.repositories[REPOSITORY] |= parts
    double.moods.cuts = [10]
    paths, seen = fetch_files(*names)
    assert [path.read_bytes() for path in paths] == list(parts.values())
    assert len({path.parent for path in paths}) == 1
    total = sum(map(len, parts.values()))
    assert seen[-1] == Progress("fetching", total, total)


def test_a_folder_that_cannot_be_written_is_named(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    settings.cache.write_bytes(b"a file where the folder should be")
    error = failure(fetch_files)
    assert (type(error), error.code) == (MachineError, "cache-not-writable")
    assert str(settings.cache) in error.message


def test_a_file_that_two_commits_share_stays_for_the_other(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    (path,), _ = fetch_files()
    other = path.parent.with_name("f" * 40) / NAME
    other.parent.mkdir()
    other.symlink_to(path.readlink())
    assert hub_cache.files_behind((path,), settings.cache) == (path,)
    assert hub_cache.files_behind((path, other), settings.cache) == (
        path,
        blobs(settings) / DIGEST,
        other,
        blobs(settings) / DIGEST,
    )


def test_tidying_leaves_what_is_in_use(double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch) -> None:
    (path,), _ = fetch_files()
    gone = path.parent.with_name("f" * 40)
    (gone / "sub").mkdir(parents=True)
    stale = settings.cache / "models--maker--Tiny-GGUF" / "refs" / "pr" / "1"
    stale.parent.mkdir()
    stale.write_text("e" * 40)
    begun = blobs(settings) / "ab.incomplete"
    begun.write_bytes(b"half")
    hub_cache.tidy(settings.cache, REPOSITORY)
    assert (path.read_bytes() == CONTENT, gone.exists(), stale.parent.exists(), begun.read_bytes()) == (
        True,
        False,
        False,
        b"half",
    )
    assert scan_cache_dir(settings.cache).warnings == []
    assert hf_hub_download(REPOSITORY, NAME, cache_dir=settings.cache, local_files_only=True) == str(path)


def test_a_model_that_is_whole_in_a_cache_that_may_only_be_read_is_taken_from_it(
    double: HuggingFaceDouble, settings: HubSettings, fetch_files: Fetch
) -> None:
    (path,), _ = fetch_files()
    shutil.rmtree(settings.cache / ".locks")
    (settings.cache / ".locks").write_bytes(b"no folder can be made here, as on a disk that may only be read")
    reference = settings.cache / "models--maker--Tiny-GGUF" / "refs" / "main"
    reference.unlink()
    reference.mkdir()
    assert fetch_files() == ((path,), [Progress("fetching", len(CONTENT), len(CONTENT))])
    assert len(double.transfers) == 1
