"""The session table: who may use the shim, with which token, and the folder of each session's overlay files."""

from __future__ import annotations

import hmac
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.shim.protocol import OpenSession, SessionGrant, SessionStatus
from agentlaunch.shim.session import Session
from agentlaunch.shim.watch import SessionSeen
from agentlaunch.system.files import make_private_dir
from agentlaunch.system.process import ProcessId


@dataclass
class _Entry:
    """One session; `session` is None while its engine loads. `awaited_token`: one that was chosen for it beforehand."""

    request: OpenSession
    awaited_token: str = field(default="", repr=False)
    session: Session | None = None
    opened_at: float = 0.0
    requests: int = 0


class SessionTable:
    """Sessions being opened and open ones, in the order of their beginning. The data path's SessionLookup.

    `root` holds a folder for each session and nothing else; without it sessions have no folder (`serve`).
    """

    def __init__(self, url: str, root: Path | None, clock: Callable[[], float] = time) -> None:
        self._url = url
        self._root = root
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, token: str) -> Session | None:
        """The open session with this token; every one is compared, in constant time."""
        found: Session | None = None
        for entry in self._entries.values():
            session = entry.session
            if session is not None and hmac.compare_digest(session.token.encode(), token.encode()):
                found = session
        return found

    def session(self, session_id: str) -> Session | None:
        """The open session with this id; None when there is none."""
        entry = self._entries.get(session_id)
        return None if entry is None else entry.session

    def touch(self, session_id: str) -> None:
        """Count a request; one of a session that has just closed counts nowhere."""
        entry = self._entries.get(session_id)
        if entry is not None:
            entry.requests += 1

    def awaits(self, token: str) -> bool:
        """See SessionLookup."""
        awaited = [entry.awaited_token for entry in self._entries.values() if entry.session is None]
        return any(hmac.compare_digest(each.encode(), token.encode()) for each in awaited if each)

    def begin(self, request: OpenSession, token: str = "") -> str:
        """Note a session whose engine is still to be reached; its id. From now on it uses its engine."""
        session_id = secrets.token_hex(8)
        self._entries[session_id] = _Entry(request, token)
        return session_id

    def finish(self, session_id: str, endpoint: Endpoint, token: str = "") -> SessionGrant:
        """Open it: make its folder and its token, unless one is given. Raises MachineError `folder-not-writable`.

        The window is what the launch asked for, or the engine's own if that is smaller.
        """
        entry = self._entries[session_id]
        request = entry.request
        folder = self._folder(session_id)
        if folder is not None:
            make_private_dir(folder)
        session = Session(
            id=session_id,
            token=token or secrets.token_urlsafe(32),
            agent=request.agent,
            model=request.model,
            endpoint=endpoint,
            context_window=_window(request, endpoint),
            max_output_tokens=request.max_output_tokens,
            engine=request.target if isinstance(request.target, EngineSpec) else None,
            routing=request.routing,
            project=request.project,
            variant=request.variant,
        )
        entry.session = session
        entry.opened_at = self._clock()
        return SessionGrant(
            id=session.id,
            token=session.token,
            url=self._url,
            model=session.model,
            context_window=session.context_window,
            session_dir="" if folder is None else str(folder),
            notes=endpoint.notes,
        )

    def close(self, session_id: str) -> OpenSession | None:
        """Forget a session and remove its folder; what it had asked for, None when it is not there."""
        entry = self._entries.pop(session_id, None)
        if entry is None:
            return None
        folder = self._folder(session_id)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return entry.request

    def uses(self, spec: EngineSpec) -> bool:
        """Whether any session has this engine, open or being opened."""
        return any(entry.request.target == spec for entry in self._entries.values())

    def engines(self) -> frozenset[EngineSpec]:
        """The engines of all sessions."""
        targets = (entry.request.target for entry in self._entries.values())
        return frozenset(target for target in targets if isinstance(target, EngineSpec))

    def move(self, spec: EngineSpec, endpoint: Endpoint) -> None:
        """The engine is reached at `endpoint` from now on: it has crashed and was started again, smaller perhaps."""
        for entry in self._entries.values():
            if entry.session is not None and entry.request.target == spec:
                window = _window(entry.request, endpoint)
                entry.session = replace(entry.session, endpoint=endpoint, context_window=window)

    def seen(self, is_alive: Callable[[ProcessId], bool]) -> tuple[SessionSeen, ...]:
        """Every session as the watch judges it; one without a process lives until it is closed."""
        return tuple(
            SessionSeen(
                id=session_id,
                engine=entry.request.target if isinstance(entry.request.target, EngineSpec) else None,
                process_lives=entry.request.process is None or is_alive(entry.request.process),
            )
            for session_id, entry in self._entries.items()
        )

    def statuses(self) -> tuple[SessionStatus, ...]:
        """Every open session, for `status`."""
        return tuple(
            SessionStatus(
                id=entry.session.id,
                agent=entry.session.agent,
                model=entry.session.model,
                pid=0 if entry.request.process is None else entry.request.process.pid,
                opened_at=entry.opened_at,
                requests=entry.requests,
                context_window=entry.session.context_window,
            )
            for entry in self._entries.values()
            if entry.session is not None
        )

    def remove_strange_folders(self) -> None:
        """Remove the folders of sessions that are not ours: a shim that was killed has left them."""
        if self._root is None or not self._root.is_dir():
            return
        for folder in self._root.iterdir():
            if folder.name not in self._entries:
                shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, session_id: str) -> Path | None:
        return None if self._root is None else self._root / session_id


def _window(request: OpenSession, endpoint: Endpoint) -> int:
    """What the launch has asked for, or the engine's own window if that is smaller; in tokens."""
    return min(request.context_window, endpoint.context_window or request.context_window)
