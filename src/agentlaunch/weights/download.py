"""Fetches files of a repository into the Hugging Face cache: once for all who want them, resumed, and checked.

The bytes come over plain HTTP with ranges. huggingface_hub's own download (2.x) begins again after every interruption
and checks no digest, which for 20 GB on a home line is the difference between an evening and a week.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING

import httpx

from agentlaunch.core.weight_names import RepositoryFile
from agentlaunch.errors import MachineError, RemoteError
from agentlaunch.system.locks import FileLock, NoLocks
from agentlaunch.system.outbound import OutboundProxyError, OutboundTransport
from agentlaunch.weights import hub_cache
from agentlaunch.weights.hub_cache import CachePlace, cache_place
from agentlaunch.weights.hugging_face import (
    REVISION,
    RepositoryListing,
    busy,
    file_url,
    refusal,
    request_headers,
    unreachable,
)
from agentlaunch.weights.patience import PATIENT, Patience, told_wait_s
from agentlaunch.weights.progress import OnProgress, Progress, Stage, size_text
from agentlaunch.weights.sink import Sink, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agentlaunch.weights.hub_settings import HubSettings

_BUSY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class FetchOrder:
    """Files of one listing. `again` is the command that goes on after an interruption."""

    listing: RepositoryListing
    files: tuple[RepositoryFile, ...]
    settings: HubSettings
    again: str
    patience: Patience = PATIENT

    @property
    def places(self) -> tuple[CachePlace, ...]:
        """In the order of the files."""
        cache, listing = self.settings.cache, self.listing
        return tuple(cache_place(cache, listing.repository, listing.commit, file) for file in self.files)


def fetch(order: FetchOrder, on_progress: OnProgress) -> tuple[Path, ...]:
    """Bring every file here and give their paths; those that are here are left as they are.

    Whatever ends it, Ctrl-C too, leaves what was fetched, and the next call goes on there. Raises MachineError
    `no-room` before anything is fetched, `disk-full`, `cache-not-writable`, RemoteError `download-cut`, `wrong-digest`,
    `wrong-length`, `hub-key`, `hub-busy`, `hub-refused`, UserError `unknown-repository`.
    """
    check_room(order)
    tally = _Tally(order.places, on_progress)
    timeout = httpx.Timeout(order.patience.silence_s, connect=order.patience.connect_s)
    with httpx.Client(timeout=timeout, follow_redirects=True, transport=OutboundTransport()) as client:
        for file, place in zip(order.files, order.places, strict=True):
            _ensure(file, place, order, _Line(client, tally))
            tally.end(place)
    return tuple(place.pointer for place in order.places)


def missing_bytes(order: FetchOrder) -> int:
    """What is still to be fetched."""
    return sum(place.size_bytes - place.fetched_bytes for place in order.places)


class _Tally:
    """Adds the files up for the one who looks on."""

    def __init__(self, places: tuple[CachePlace, ...], on_progress: OnProgress) -> None:
        self._total = sum(place.size_bytes for place in places)
        self._ended = 0
        self._on_progress = on_progress

    def tell(self, stage: Stage, file_bytes: int) -> None:
        self._on_progress(Progress(stage, self._ended + file_bytes, self._total))

    def end(self, place: CachePlace) -> None:
        self._ended += place.size_bytes
        self.tell("fetching", 0)


@dataclass(frozen=True)
class _Line:
    client: httpx.Client
    tally: _Tally


def check_room(order: FetchOrder) -> None:
    """Raises MachineError `no-room` when the disk cannot hold what is still to be fetched."""
    cache = order.settings.cache
    missing, free = missing_bytes(order), hub_cache.free_bytes(cache)
    if missing <= free:
        return
    here = sum(place.fetched_bytes for place in order.places)
    begun = f", with {size_text(here)} of it here" if here else ""
    raise MachineError(
        "no-room",
        f"`{order.listing.repository}` needs {size_text(missing)} more{begun}; `{cache}` has {size_text(free)} free",
        "make room, see: agentlaunch models list; or another disk: export HF_HUB_CACHE=/PATH/TO/FOLDER",
    )


def _ensure(file: RepositoryFile, place: CachePlace, order: FetchOrder, line: _Line) -> None:
    """One file, by us or by the other process that has begun; the lock is the one that huggingface_hub takes, too."""
    if place.is_entered:  # also in a cache that may only be read
        with suppress(MachineError):
            hub_cache.enter(place, REVISION, order.listing.commit)
        return
    hub_cache.prepare(place)
    lock = FileLock(place.lock)
    with suppress(NoLocks):  # two at once then spoil each other's bytes, which the digest finds out
        while not lock.acquire():
            line.tally.tell("waiting", place.fetched_bytes)
            sleep(order.patience.look_s)
    try:
        if not place.is_whole:
            _bring(file, place, order, line)
        hub_cache.enter(place, REVISION, order.listing.commit)
    finally:
        lock.release()


def _bring(file: RepositoryFile, place: CachePlace, order: FetchOrder, line: _Line) -> None:
    with opened(place.partial, order.again) as sink:
        sink.take_up(lambda done: line.tally.tell("checking", min(done, file.size_bytes)))
        if sink.size_bytes > file.size_bytes:
            sink.restart()
        _stream(file, sink, order, line)
        sink.sync()
        found = sink.sha256
    if found != file.sha256:
        with suppress(OSError):
            place.partial.unlink()
        raise RemoteError(
            "wrong-digest",
            f"`{file.name}` came damaged (SHA-256 {found[:12]}..., expected {file.sha256[:12]}...) and was deleted",
            f"fetch it again: {order.again}; the same again means a proxy or a mirror that alters files",
        )
    try:
        place.partial.replace(place.blob)
    except OSError as error:
        raise hub_cache.not_writable(place.blob.parent, error) from error


def _stream(file: RepositoryFile, sink: Sink, order: FetchOrder, line: _Line) -> None:
    """Ask until all bytes are here; only tries that bring nothing are counted."""
    patience, failures, has_begun = order.patience, 0, False
    while sink.size_bytes < file.size_bytes:
        before = sink.size_bytes
        ended = _stream_once(file, sink, order, line)
        has_begun = has_begun or sink.size_bytes > before
        failures = 0 if sink.size_bytes > before else failures + 1
        if patience.is_over(failures, has_begun=has_begun):
            kept = f"{size_text(sink.size_bytes)} of {size_text(file.size_bytes)} are kept"
            message = f"the download of `{file.name}` ended early ({ended.reason}); {kept}"
            raise RemoteError("download-cut", message, f"go on where it stopped: {order.again}")
        if sink.size_bytes < file.size_bytes:
            wait_s = max(patience.pause_after(failures), ended.wait_s or 0.0)
            _pause(wait_s, lambda: line.tally.tell("pausing", sink.size_bytes), patience.look_s)


def _pause(seconds: float, tell: Callable[[], None], look_s: float) -> None:
    """Sleep, and say that it is one: whoever looks on sees that nothing hangs."""
    for _ in range(int(seconds / look_s)):
        tell()
        sleep(look_s)
    sleep(seconds % look_s)


@dataclass(frozen=True)
class _Ended:
    """Why a request brought no more than it did, and the wait that the server has asked for, in seconds."""

    reason: str
    wait_s: float | None = None


def _stream_once(file: RepositoryFile, sink: Sink, order: FetchOrder, line: _Line) -> _Ended:
    """One request. Raises for an answer that no repetition mends."""
    headers = {**request_headers(order.settings), "Accept-Encoding": "identity"}
    if sink.size_bytes:
        headers["Range"] = f"bytes={sink.size_bytes}-"
    url = file_url(order.listing, file, order.settings)
    try:
        with line.client.stream("GET", url, headers=headers) as response:
            if response.status_code in _BUSY:
                return _busy(response, order)
            if not _begins_at(response, sink, file, order):
                return _Ended("the server has no such range")
            for chunk in response.iter_raw():
                if sink.size_bytes + len(chunk) > file.size_bytes:
                    raise _wrong_length(file, order)
                sink.write(chunk)
                line.tally.tell("fetching", sink.size_bytes)
    except OutboundProxyError as error:
        raise unreachable(order.settings.endpoint, error) from error
    except (httpx.TransportError, httpx.TooManyRedirects) as error:
        return _Ended(" ".join(str(error).split())[:120] or type(error).__name__)
    return _Ended("the connection was closed")


def _busy(response: httpx.Response, order: FetchOrder) -> _Ended:
    """Whoever asks again before the wait is over is kept out for longer (huggingface_hub 3377)."""
    wait_s = told_wait_s(response.headers)
    if wait_s is not None and wait_s > order.patience.told_s:
        raise busy(order.listing.repository, f"in {wait_s:.0f} seconds, go on where it stopped: {order.again}")
    return _Ended(f"status {response.status_code}", wait_s)


def _begins_at(response: httpx.Response, sink: Sink, file: RepositoryFile, order: FetchOrder) -> bool:
    """Bring sink and answer to one place; False when the file was emptied and must be asked for anew."""
    match response.status_code:
        case 206 if response.headers.get("content-range") == (
            f"bytes {sink.size_bytes}-{file.size_bytes - 1}/{file.size_bytes}"
        ):
            return True
        case 200:
            if response.headers.get("content-length", str(file.size_bytes)) != str(file.size_bytes):
                raise _wrong_length(file, order)
            if sink.size_bytes:  # the server knows no ranges
                sink.restart()
            return True
        case 206 | 416:
            sink.restart()
            return False
        case status:
            code, said = (response.headers.get(name, "") for name in ("x-error-code", "x-error-message"))
            raise refusal(status, code, order.listing.repository, said[:160])


def _wrong_length(file: RepositoryFile, order: FetchOrder) -> RemoteError:
    """Something between us and the hub answers in its place (report B311)."""
    return RemoteError(
        "wrong-length",
        f"the answer for `{file.name}` is not the file of {size_text(file.size_bytes)} that it should be",
        f"does a proxy or a login page answer in its place? Look at HTTPS_PROXY, then: {order.again}",
    )
