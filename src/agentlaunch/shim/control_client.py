"""The commands' side of the control API: blocking calls to the running shim, on the standard library alone."""

from __future__ import annotations

import http.client
import json
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentlaunch import errors
from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import AgentlaunchError, MachineError
from agentlaunch.shim.protocol import CONTROL_PREFIX, OpenSession, Ping, SessionGrant, ShimStatus
from agentlaunch.shim.state import ShimState

if TYPE_CHECKING:
    from agentlaunch.shim.live_status import LiveStatus

OPEN_TIMEOUT_S = 900.0
"""A large model from a slow disk takes minutes to load; a user who is tired of waiting presses Ctrl-C."""
CALL_TIMEOUT_S = 5.0

_ERROR_CLASSES = MappingProxyType(
    {
        kind.exit_code: kind
        for kind in (
            errors.UserError,
            errors.MachineError,
            errors.RemoteError,
            errors.Bug,
            errors.Interrupted,
        )
    }
)


class ShimUnreachable(MachineError):
    """Nobody answers at the shim's address: it has just ended, or it hangs."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            "shim-unreachable",
            f"the shim at `{url}` does not answer: {reason}",
            "end it and try again: agentlaunch stop",
        )


class ShimGone(ShimUnreachable):
    """The connection was refused or broken: that shim has ended, and another one may be started."""


class ShimStopping(MachineError):
    """The shim was found while it was ending; the next one will answer."""

    def __init__(self) -> None:
        super().__init__("shim-stopping", "the shim is stopping", "try again in a moment")


class ControlClient:
    """Calls to one running shim. Each call is a connection of its own, which the shim watches for our end.

    Every call raises ShimUnreachable when nobody answers, and whatever AgentlaunchError the shim answered with.
    """

    def __init__(self, state: ShimState) -> None:
        self._url = state.url
        self._token = state.control_token

    def ping(self, timeout_s: float = CALL_TIMEOUT_S) -> Ping:
        """Who answers, within `timeout_s` seconds."""
        match self._call("GET", "/ping", timeout_s=timeout_s):
            case {
                "pid": int(pid),
                "version": str(version),
                "control_version": int(control_version),
                "sessions": int(sessions),
            }:
                return Ping(pid, version, control_version, sessions)
            case _:
                raise self._misread("ping")

    def open_session(self, request: OpenSession, timeout_s: float = OPEN_TIMEOUT_S) -> SessionGrant:
        """Open a session, after its engine has loaded. Closing the connection before the answer takes the wish back."""
        match self._call("POST", "/sessions", encode_open(request), timeout_s):
            case {
                "id": str(id_),
                "token": str(token),
                "url": str(url),
                "model": str(model),
                "context_window": int(context_window),
                "session_dir": str(session_dir),
                "notes": list(notes),
            }:
                return SessionGrant(
                    id=id_,
                    token=token,
                    url=url,
                    model=model,
                    context_window=context_window,
                    session_dir=session_dir,
                    notes=tuple(str(note) for note in notes),
                )
            case _:
                raise self._misread("sessions")

    def close_session(self, session_id: str) -> None:
        """Close a session; harmless when it is closed already."""
        self._call("DELETE", f"/sessions/{session_id}", timeout_s=CALL_TIMEOUT_S)

    def status(self) -> ShimStatus:
        """Sessions and engines, for `status`; this call alone imports msgspec."""
        import msgspec

        return msgspec.convert(self._call("GET", "/status", timeout_s=CALL_TIMEOUT_S), type=ShimStatus)

    def live(self) -> LiveStatus:
        """The traffic of this moment, for `top`; this call imports msgspec too."""
        import msgspec

        from agentlaunch.shim.live_status import LiveStatus

        return msgspec.convert(self._call("GET", "/live", timeout_s=CALL_TIMEOUT_S), type=LiveStatus)

    def stop(self, *, only_when_idle: bool = False) -> None:
        """Ask the shim to end, which it does after answering. Raises MachineError `shim-busy` if it has sessions."""
        self._call("POST", "/stop?when=idle" if only_when_idle else "/stop", timeout_s=CALL_TIMEOUT_S)

    def _call(self, method: str, path: str, body: bytes | None = None, timeout_s: float = CALL_TIMEOUT_S) -> object:
        address = urlsplit(self._url)
        connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=timeout_s)
        headers = {"Authorization": f"Bearer {self._token}", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, CONTROL_PREFIX + path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except TimeoutError as error:
            raise ShimUnreachable(self._url, f"no answer within {timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise ShimGone(self._url, str(error) or type(error).__name__) from error
        finally:
            connection.close()
        return self._read(answer.status, content)

    def _read(self, status: int, content: bytes) -> object:
        if status == 204:
            return None
        try:
            data: object = json.loads(content)
        except ValueError as error:
            raise ShimUnreachable(self._url, f"status {status} without JSON, so it is another program") from error
        if status < 400:
            return data
        raise decode_error(data) or ShimUnreachable(self._url, f"status {status}")

    def _misread(self, call: str) -> ShimUnreachable:
        return ShimUnreachable(self._url, f"its answer to `{call}` is none of ours, so it is another program")


def encode_open(request: OpenSession) -> bytes:
    """The body of POST sessions: the target stands under `engine` or under `endpoint`."""
    data = asdict(request)
    target = data.pop("target")
    data["engine" if isinstance(request.target, EngineSpec) else "endpoint"] = target
    return json.dumps(data).encode()


def decode_error(data: object) -> AgentlaunchError | None:
    """The error that the shim answered with, in its own class; None when `data` is no error of ours."""
    match data:
        case {"errors": [{"code": "shim-stopping"}, *_]}:
            return ShimStopping()
        case {"errors": [{"code": str(code), "message": str(text), "hint": str(hint), "exit_code": int(number)}, *_]}:
            return _ERROR_CLASSES.get(number, errors.Bug)(code, text, hint)
        case _:
            return None
