"""The standing server: the port, token and model that agents' own configurations name and a bare `serve` serves."""

from __future__ import annotations

import secrets
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.orders import ModelFlags, ModelOrder
from agentlaunch.errors import UserError
from agentlaunch.system.files import write_private

if TYPE_CHECKING:
    from agentlaunch.core.settings import Settings
    from agentlaunch.system.dirs import Dirs

FIRST_PORT = 14_277
"""Below every system's range for outgoing connections, and assigned to nobody (IANA's registry)."""
_PORTS_TRIED = 50


@dataclass(frozen=True)
class Standing:
    """What agents' configurations rely on."""

    port: int
    model: ModelOrder
    version: int = 1

    @property
    def url(self) -> str:
        """The server's address, without /v1."""
        return f"http://127.0.0.1:{self.port}"


def token_path(dirs: Dirs) -> Path:
    """The file, readable by its owner, that agents read the token from."""
    return dirs.config / "serve-token"


def files_dir(dirs: Dirs) -> Path:
    """Where files lie that configurations point to."""
    return dirs.config / "agents"


def read_standing(dirs: Dirs) -> Standing | None:
    """The standing server, None when no agent is configured for one. Raises UserError `bad-standing-server`."""
    path = _record_path(dirs)
    try:
        content = path.read_bytes()
    except OSError:
        return None
    import msgspec

    try:
        return msgspec.json.decode(content, type=Standing)
    except msgspec.DecodeError as error:
        hint = f"remove it, then write the agent's configuration again: rm {path}"
        raise UserError("bad-standing-server", f"cannot use `{path}`: {error}", hint) from error


def write_standing(standing: Standing, dirs: Dirs) -> None:
    """Remember it, and make its token if there is none. Raises MachineError `folder-not-writable`."""
    import msgspec

    standing_token(dirs)
    write_private(_record_path(dirs), msgspec.json.format(msgspec.json.encode(standing), indent=1))


def remove_standing(dirs: Dirs) -> None:
    """Forget server and token: no configuration names them any more."""
    for path in (_record_path(dirs), token_path(dirs)):
        with suppress(FileNotFoundError):
            path.unlink()


def standing_token(dirs: Dirs) -> str:
    """The token, a new one where there is none. Raises MachineError `folder-not-writable`."""
    path = token_path(dirs)
    with suppress(OSError, UnicodeDecodeError):
        found = path.read_text("ascii").strip()
        if found:
            return found
    token = secrets.token_urlsafe(32)
    write_private(path, token.encode())
    return token


def standing_order(known: Standing | None, flags: ModelFlags, settings: Settings) -> ModelOrder | None:
    """The standing server's model under the flags that leave the model as it is; None when they name another one."""
    if known is None or any((flags.model, flags.upstream, flags.runtime, flags.quant, flags.key_variable)):
        return None
    return replace(
        known.model,
        context=flags.context or known.model.context,
        kv=settings.kv.value if flags.kv else known.model.kv,
        policy=flags.policy or known.model.policy,
        fallbacks=flags.fallbacks or known.model.fallbacks,
    )


def choose_port(wanted: int | None, known: Standing | None) -> int:
    """The port that is asked for, else the one that configurations name already, else the first free one."""
    if wanted is not None:
        return wanted
    if known is not None:
        return known.port
    ports = range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED)
    return next((port for port in ports if _is_free(port)), FIRST_PORT)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":  # as the server binds: an ended one's last connections do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _record_path(dirs: Dirs) -> Path:
    return dirs.config / "standing-server.json"
