"""Pulls through Ollama: how far they have come, and why they end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.errors import AgentlaunchError, MachineError, RemoteError, UserError
from agentlaunch.runtimes.ollama_control import OllamaControl, Refused

if TYPE_CHECKING:
    from ollama import ProgressResponse

SILENCE_S = 600.0
"""A pull may say nothing for this long: the digest of 60 GB is computed without a word in between."""


@dataclass(frozen=True)
class PullProgress:
    """How far a pull has come, in Ollama's words and in bytes. `total_bytes` grows as layers become known."""

    status: str
    completed_bytes: int
    total_bytes: int


OnProgress = Callable[[PullProgress], None]

PAUSE_S = 2.0
"""Before a pull that moved on is asked for again; Ollama has waited and asked six times by then."""

_OF_THE_LINE = re.compile(
    r"max retries exceeded|\bEOF\b|connection reset|i/o timeout|stream error|TLS handshake timeout"
)


class PullLedger:
    """The layers of one pull added up. The sum never falls, though Ollama's own counts do (report B306)."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[int, int]] = {}

    def note(self, status: str, digest: str, total: int, completed: int) -> PullProgress:
        """Take one line of a pull; its figures in bytes, 0 where it has none."""
        if digest:
            known_total, known_completed = self._layers.get(digest, (0, 0))
            total = max(total, known_total)
            self._layers[digest] = (total, min(max(completed, known_completed), total))
        return PullProgress(status, self.completed_bytes, sum(total for total, _ in self._layers.values()))

    def take(self, line: ProgressResponse) -> PullProgress:
        """`note` what Ollama's package has read."""
        return self.note(line.status or "", line.digest or "", line.total or 0, line.completed or 0)

    @property
    def completed_bytes(self) -> int:
        """Over all layers."""
        return sum(completed for _, completed in self._layers.values())


async def pull(
    control: OllamaControl,
    name: str,
    on_progress: OnProgress,
    silence_s: float = SILENCE_S,
    pause_s: float = PAUSE_S,
) -> None:
    """Have the server fetch `name`; only its word `success` counts. What was fetched stays, and a second try goes on:
    ours, as long as each brings something and only the line was to blame (ollama/ollama 1002, 8167), then the user's.

    Raises UserError `unknown-model`, MachineError `disk-full`, `ollama-too-old`, RemoteError `pull-failed`,
    `pull-incomplete`, and what the control side raises.
    """
    ledger, reached = PullLedger(), 0
    while True:
        try:
            return await _pull_once(control, name, lambda line: on_progress(ledger.take(line)), silence_s)
        except Refused as refused:
            if not _OF_THE_LINE.search(refused.sentence) or ledger.completed_bytes <= reached:
                raise _failed(name, refused, control) from refused
            reached = ledger.completed_bytes
        await asyncio.sleep(pause_s)


async def _pull_once(
    control: OllamaControl, name: str, on_line: Callable[[ProgressResponse], None], silence_s: float
) -> None:
    async with aclosing(control.pull(name, silence_s)) as lines:
        async for line in lines:
            if line.status == "success":
                return
            on_line(line)
    raise RemoteError("pull-incomplete", f"the download of `{name}` ended before it was whole", _again(name))


_REASONS: tuple[tuple[re.Pattern[str], Callable[[str, str], AgentlaunchError]], ...] = (
    (
        re.compile(r"no space left|not enough space|disk quota", re.IGNORECASE),
        lambda name, said: MachineError(
            "disk-full",
            f"the disk is full where Ollama keeps `{name}`: {said}",
            "make room (ollama rm MODEL), restart Ollama, then pull again: what was fetched is kept",
        ),
    ),
    (
        re.compile(r"x509|certificate", re.IGNORECASE),
        lambda name, said: RemoteError(
            "pull-failed",
            f"the server that gives `{name}` shows a certificate that Ollama does not know: {said}",
            "a company's proxy does so: add its certificate to the system's, then restart Ollama",
        ),
    ),
    (
        re.compile(
            r"no such host|server misbehaving|dial tcp|proxyconnect|proxy authentication|i/o timeout|unreachable",
            re.IGNORECASE,
        ),
        lambda name, said: RemoteError(
            "pull-failed",
            f"Ollama cannot reach the server that gives `{name}`: {said}",
            "is this machine online? HTTPS_PROXY counts where `ollama serve` was started; then: ollama pull " + name,
        ),
    ),
    (
        re.compile(r"permission denied|access is denied|read-only file system", re.IGNORECASE),
        lambda name, said: MachineError(
            "ollama-not-writable",
            f"Ollama may not write `{name}` where it keeps its models: {said}",
            "give that folder to the user that runs Ollama, or set OLLAMA_MODELS for `ollama serve`",
        ),
    ),
    (
        re.compile(r"file does not exist|not found|invalid model name|manifest unknown", re.IGNORECASE),
        lambda name, said: UserError(
            "unknown-model", f"Ollama's library has no `{name}`: {said}", "look for it: https://ollama.com/search"
        ),
    ),
    (
        re.compile(r"newer version of ollama|requires? (?:a )?newer|\b412\b", re.IGNORECASE),
        lambda name, said: MachineError(
            "ollama-too-old",
            f"`{name}` needs a newer Ollama: {said}",
            "update Ollama and restart its server: https://ollama.com/download",
        ),
    ),
    (
        re.compile(r"e3b0c44298fc", re.IGNORECASE),  # the digest of nothing (report B311)
        lambda name, said: RemoteError(
            "pull-failed",
            f"the network gave an empty file for `{name}`: {said}",
            "does a proxy filter downloads? HTTPS_PROXY counts where `ollama serve` was started",
        ),
    ),
)


def _failed(name: str, refused: Refused, control: OllamaControl) -> AgentlaunchError:
    if refused.status in (401, 403, 503):
        return control.error(refused)
    for pattern, make in _REASONS:
        if pattern.search(refused.sentence):
            return make(name, refused.sentence)
    return RemoteError("pull-failed", f"the download of `{name}` failed: {refused.sentence}", _again(name))


def _again(name: str) -> str:
    return f"go on where it stopped: ollama pull {name}"
