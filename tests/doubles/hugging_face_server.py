"""A Hugging Face double: the hub's API and its file store on two ports, with a switch for each of its moods.

Shapes from huggingface_hub 2.4 (hf_api.model_info, utils/_http.hf_raise_for_status, file_download): the hub answers
`resolve` with a redirect to a store elsewhere, which knows ranges and gets no token; names are in `siblings`, digests
in `lfs`; an error tells its kind in X-Error-Code, and an unknown repository is a 401 for those without a token.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from tests.doubles.http_server import Cut, HttpReply, HttpRequest, HttpServer, json_reply

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIECE_BYTES = 1 << 16
Headers = tuple[tuple[str, str], ...]


@dataclass
class Moods:
    """The switches. `cuts` are bytes after which one transfer each is cut; `pause_s` is between two pieces."""

    token: str = ""
    is_gated: bool = False
    is_down: bool = False
    has_ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    pause_s: float = 0.0
    held_after: int | None = None
    wrong_content: dict[str, bytes] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    status_headers: Headers = ()
    api_status: int = 0
    api_page: bytes | None = None
    claimed_bytes: int | None = None


@dataclass
class Transfer:
    """One GET at the store: which file, from where, and how many bytes went out."""

    file: str
    start: int
    sent: int = 0


@dataclass
class HuggingFaceDouble:
    """The servers and their state; a test may change `moods` and `repositories` at any time."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    moods: Moods = field(default_factory=Moods)
    transfers: list[Transfer] = field(default_factory=list)
    asked: list[HttpRequest] = field(default_factory=list)
    stored: list[HttpRequest] = field(default_factory=list)
    url: str = ""
    store_url: str = ""

    @contextmanager
    def running(self) -> Iterator[HuggingFaceDouble]:
        with HttpServer(self._hub).running() as hub, HttpServer(self._store).running() as store:
            self.url, self.store_url = hub.url, store.url
            yield self

    # --- the hub ------------------------------------------------------------------------------------------------

    async def _hub(self, request: HttpRequest) -> HttpReply:
        self.asked.append(request)
        if self.moods.is_down:
            return HttpReply(503, b"down")
        path = unquote(urlsplit(request.path).path)
        given = request.headers.get("authorization", "")
        if given and self.moods.token and given != f"Bearer {self.moods.token}":
            return refusal(401, "", "Invalid credentials in Authorization header")
        is_known = bool(given)
        if path.startswith("/api/models/"):
            return self._model(path.removeprefix("/api/models/"), request, is_known=is_known)
        repository, separator, rest = path.removeprefix("/").partition("/resolve/")
        if request.method in ("GET", "HEAD") and separator:
            return self._resolve(repository, *rest.split("/", 1), is_known=is_known)
        return HttpReply(404, b"no such route")

    def _model(self, path: str, request: HttpRequest, *, is_known: bool) -> HttpReply:
        repository, _, revision = path.partition("/revision/")
        if self.moods.api_status:
            return HttpReply(self.moods.api_status, b"<!DOCTYPE html>", "text/html")
        if self.moods.api_page is not None:
            return HttpReply(200, self.moods.api_page, "text/html")
        refused = self._refused(repository, is_known=is_known)
        if refused is not None:
            return refused
        if revision not in ("", "main", COMMIT):
            return refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        has_blobs = "blobs=" in urlsplit(request.path).query.lower()
        siblings = [_sibling(name, data, has_blobs=has_blobs) for name, data in self.repositories[repository].items()]
        if self.moods.claimed_bytes is not None:
            siblings = [{**known, "size": self.moods.claimed_bytes} for known in siblings]
        return json_reply(
            {"_id": "6f", "id": repository, "modelId": repository, "sha": COMMIT, "private": False, "tags": ["gguf"],
             "gated": "auto" if self.moods.is_gated else False, "siblings": siblings}
        )  # fmt: skip

    def _resolve(self, repository: str, revision: str, name: str, *, is_known: bool) -> HttpReply:
        refused = self._refused(repository, is_known=is_known)
        if refused is not None:
            return refused
        if self.moods.is_gated and not is_known:
            return refusal(401, "GatedRepo", f"Access to model {repository} is restricted. Please log in.")
        if self.moods.is_gated:
            return refusal(403, "GatedRepo", f"Access to model {repository} is restricted and you are not in the list.")
        data = self.repositories[repository].get(name)
        if revision not in ("main", COMMIT) or data is None:
            return refusal(404, "EntryNotFound", "Entry not found")
        digest = hashlib.sha256(data).hexdigest()
        place = f"{self.store_url}/{digest}?name={quote(name, safe='')}&signature=s3cret"
        headers: Headers = (
            ("location", place), ("x-repo-commit", COMMIT), ("x-linked-size", str(len(data))),
            ("x-linked-etag", f'"{digest}"'), ("etag", f'"{digest}"'), ("accept-ranges", "bytes"),
        )  # fmt: skip
        return HttpReply(302, b"Found. Redirecting", "text/plain", headers)

    def _refused(self, repository: str, *, is_known: bool) -> HttpReply | None:
        if repository in self.repositories and (is_known or not self.moods.token):
            return None
        if is_known:
            return refusal(404, "RepoNotFound", "Repository not found")
        return refusal(401, "", "Invalid username or password.")

    # --- the store ----------------------------------------------------------------------------------------------

    async def _store(self, request: HttpRequest) -> HttpReply:
        self.stored.append(request)
        address = urlsplit(request.path)
        if "signature=s3cret" not in address.query or "authorization" in request.headers:
            return HttpReply(403, b"<Error>AccessDenied</Error>", "application/xml")
        if self.moods.statuses:
            return HttpReply(
                self.moods.statuses.pop(0), b"<Error>SlowDown</Error>", "application/xml", self.moods.status_headers
            )
        name, data = self._find(address.path.removeprefix("/"))
        shown = self.moods.wrong_content.get(name, data)
        start = self._start(request)
        if start >= len(data) > 0:
            return HttpReply(416, b"", headers=(("content-range", f"bytes */{len(data)}"),))
        transfer = Transfer(name, start)
        self.transfers.append(transfer)
        cut = self.moods.cuts.pop(0) if self.moods.cuts else None
        ranged: Headers = (("content-range", f"bytes {start}-{len(data) - 1}/{len(data)}"),)
        is_part = "range" in request.headers and self.moods.has_ranges
        return HttpReply(
            206 if is_part else 200,
            self._pieces(shown[start:], cut, transfer),
            "application/octet-stream",
            ranged if is_part else (),
            len(shown) - start,
        )

    def _find(self, digest: str) -> tuple[str, bytes]:
        for files in self.repositories.values():
            for name, data in files.items():
                if hashlib.sha256(data).hexdigest() == digest:
                    return name, data
        raise Cut

    def _start(self, request: HttpRequest) -> int:
        wanted = request.headers.get("range", "")
        if not wanted or not self.moods.has_ranges:
            return 0
        unit, _, span = wanted.partition("=")
        assert unit == "bytes"
        return int(span.partition("-")[0])

    async def _pieces(self, data: bytes, cut: int | None, transfer: Transfer) -> AsyncIterator[bytes]:
        for at in range(0, len(data), PIECE_BYTES):
            piece = data[at : at + PIECE_BYTES]
            if cut is not None and at + len(piece) > cut:
                yield data[at:cut]
                await asyncio.sleep(0.05)  # what was written before must be on its way
                raise Cut
            if self.moods.held_after is not None and at >= self.moods.held_after:
                while self.moods.held_after is not None:  # noqa: ASYNC110 - a test lets go from its own thread
                    await asyncio.sleep(0.01)
            await asyncio.sleep(self.moods.pause_s)
            yield piece
            transfer.sent += len(piece)


def refusal(status: int, code: str, message: str) -> HttpReply:
    """An error as the hub tells it."""
    headers = (("x-error-message", message), *((("x-error-code", code),) if code else ()))
    return HttpReply(status, json.dumps({"error": message}).encode(), headers=headers)


def _sibling(name: str, data: bytes, *, has_blobs: bool) -> dict[str, object]:
    if not has_blobs:
        return {"rfilename": name}
    known: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": hashlib.sha256(data).hexdigest()[:40]}
    if name.endswith(".gguf"):
        known["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 135}
    return known
