"""The header of a GGUF file that is still in its repository, read with ranges: some megabytes instead of all of it."""

from __future__ import annotations

import httpx

from agentlaunch.core.gguf import GgufError, GgufHeader, parse_gguf
from agentlaunch.core.weight_names import RepositoryFile
from agentlaunch.errors import RemoteError
from agentlaunch.system.outbound import OutboundTransport
from agentlaunch.weights.hub_settings import HubSettings
from agentlaunch.weights.hugging_face import RepositoryListing, file_url, refusal, request_headers, unreachable

STEP_BYTES = 4 << 20
"""Fetched at once: the header of a model with 49,152 tokens is 1.5 MB, with 262,144 up to 20 MB."""
SILENCE_S = 30.0


def read_remote_header(listing: RepositoryListing, file: RepositoryFile, settings: HubSettings) -> GgufHeader:
    """The header. Raises what `weights.hugging_face.refusal` tells, RemoteError `hub-unreachable`, and `bad-header` for
    bytes that are none."""
    with httpx.Client(timeout=SILENCE_S, follow_redirects=True, transport=OutboundTransport()) as client:
        source = _Source(client, listing, file, settings)
        try:
            return parse_gguf(source.read)
        except GgufError as error:
            what = f"`{file.name}` of `{listing.repository}`: {error}"
            raise RemoteError("bad-header", what, "take another quantisation: --quant Q") from error
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            raise unreachable(settings.endpoint, error) from error


class _Source:
    """A file's beginning, as far as it was fetched."""

    def __init__(
        self, client: httpx.Client, listing: RepositoryListing, file: RepositoryFile, settings: HubSettings
    ) -> None:
        self._client = client
        self._listing = listing
        self._file = file
        self._url = file_url(listing, file, settings)
        self._headers = request_headers(settings)
        self._here = bytearray()

    def read(self, offset: int, length: int) -> bytes:
        """See core.gguf.Reader."""
        while len(self._here) < min(offset + length, self._file.size_bytes):
            if not self._fetch():
                break
        return bytes(self._here[offset : offset + length])

    def _fetch(self) -> int:
        """Bring the next step; how many bytes came."""
        start = len(self._here)
        wanted = {**self._headers, "Range": f"bytes={start}-{start + STEP_BYTES - 1}"}
        with self._client.stream("GET", self._url, headers=wanted) as response:
            if response.status_code not in (200, 206):
                code = response.headers.get("X-Error-Code", "")
                raise refusal(response.status_code, code, self._listing.repository)
            skipped = start if response.status_code == 200 else 0  # a server without ranges begins anew
            for piece in response.iter_bytes():
                self._here += piece[skipped:]
                skipped = max(0, skipped - len(piece))
                if len(self._here) >= start + STEP_BYTES:
                    break
        return len(self._here) - start
