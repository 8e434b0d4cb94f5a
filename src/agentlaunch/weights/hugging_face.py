"""What a repository on Hugging Face holds, asked through huggingface_hub; and why the answer may be no."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from agentlaunch import __version__
from agentlaunch.core.weight_names import RepositoryFile
from agentlaunch.errors import AgentlaunchError, MachineError, RemoteError, UserError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.hf_api import ModelInfo

    from agentlaunch.weights.hub_settings import HubSettings

ANSWER_LIMIT_S = 30.0
REVISION = "main"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INSTALL = "pip install 'agentlaunch[hf]' (or: pipx inject agentlaunch huggingface_hub)"


@dataclass(frozen=True)
class RepositoryListing:
    """The files of `repository` at one commit, which does not change any more."""

    repository: str
    commit: str
    files: tuple[RepositoryFile, ...]


def list_repository(repository: str, settings: HubSettings) -> RepositoryListing:
    """The files of the branch `main`, with sizes and digests; one request.

    Raises MachineError `hub-missing` without the package, UserError `unknown-repository`, `bad-endpoint`,
    `bad-hub-token`, RemoteError `offline`, `hub-key`, `hub-busy`, `hub-unreachable`, `hub-refused`, `hub-answer`.
    """
    if settings.is_offline:
        raise offline(f"`{repository}` cannot be looked up")
    check_endpoint(settings.endpoint)
    _check_token(settings.token)
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as missing:
        raise MachineError("hub-missing", "downloads need the package `huggingface_hub`", _INSTALL) from missing
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    # The error's own bases are those of the HTTP library that this version of huggingface_hub is built on: requests,
    # httpx or another; connection failures derive from them.
    failures = cast("tuple[type[Exception], ...]", (*HfHubHTTPError.__bases__, OSError))
    _go_our_way(settings.endpoint, failures[0].__module__.partition(".")[0])
    api = HfApi(endpoint=settings.endpoint, token=settings.token or False)
    try:
        info = api.model_info(repository, revision=REVISION, files_metadata=True, timeout=ANSWER_LIMIT_S)
    except HFValidationError as bad:
        raise unknown_repository(repository) from bad
    except HfHubHTTPError as refused:
        raise _refused(repository, refused) from refused
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _strange(settings.endpoint) from error
    except failures as error:
        raise unreachable(settings.endpoint, error) from error
    return RepositoryListing(repository, _commit(info, settings), tuple(_files(info, settings)))


def _go_our_way(endpoint: str, http_library: str) -> None:
    """Have huggingface_hub take the proxy and the certificates that every request of ours takes.

    By itself it fails over a SOCKS proxy that no request of it needs, over an IPv6 network in NO_PROXY, and over an
    SSL_CERT_FILE that is gone. Versions before 1.0 are built on requests, which does not. Raises RemoteError
    `hub-unreachable` for a proxy that cannot be used.
    """
    import huggingface_hub

    from agentlaunch.system.proxies import UnusableProxyError, certificates, machine_proxies, usable_proxy

    try:
        proxy = usable_proxy(endpoint, machine_proxies()) or None
    except UnusableProxyError as error:
        raise unreachable(endpoint, error) from error
    set_factory = getattr(huggingface_hub, "set_client_factory", None)
    if set_factory is None:
        return
    library = import_module(http_library)
    set_factory(
        lambda: library.Client(
            proxy=proxy,
            verify=certificates(library.create_ssl_context),
            trust_env=False,
            follow_redirects=True,
            timeout=ANSWER_LIMIT_S,
        )
    )


def check_endpoint(endpoint: str) -> None:
    """Raises UserError `bad-endpoint` for what is no address of a server."""
    try:
        parts = urlsplit(endpoint)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        what = f"HF_ENDPOINT `{endpoint}` is no address of a server"
        raise UserError("bad-endpoint", what, "unset HF_ENDPOINT, or write it as in: export HF_ENDPOINT=https://HOST")


def _check_token(token: str) -> None:
    """Raises UserError `bad-hub-token` for what no HTTP header can carry; the token itself is never shown."""
    if not (token.isascii() and (token.isprintable() or not token)):
        what = "the token for Hugging Face (HF_TOKEN, or the saved one) holds characters that no HTTP header can carry"
        hint = "copy it again, it is letters, digits and `_`: export HF_TOKEN=..."
        raise UserError("bad-hub-token", what, hint)


def request_headers(settings: HubSettings) -> dict[str, str]:
    """The headers of a download, with the token where there is one."""
    agent = {"User-Agent": f"agentlaunch/{__version__}"}
    return {**agent, "Authorization": f"Bearer {settings.token}"} if settings.token else agent


def file_url(listing: RepositoryListing, file: RepositoryFile, settings: HubSettings) -> str:
    """Where the file is fetched; the commit is in it, so the content cannot change below a download."""
    from huggingface_hub import hf_hub_url

    return hf_hub_url(listing.repository, file.name, revision=listing.commit, endpoint=settings.endpoint)


def refusal(status: int, code: str, repository: str, said: str = "") -> AgentlaunchError:
    """The error behind an HTTP status; `code` is the header X-Error-Code, `said` X-Error-Message."""
    if code == "GatedRepo":
        return RemoteError(
            "hub-key",
            f"`{repository}` is gated: Hugging Face gives it only to users who accepted its terms",
            "accept them on the model's page, then: export HF_TOKEN=... (a token that may read), and again",
        )
    detail = f": {said}" if said else ""
    if status == 403:
        hint = (
            "a token that may read: export HF_TOKEN=...; a file above 50 GB comes only by: hf download REPOSITORY FILE"
        )
        return RemoteError("hub-key", f"Hugging Face forbids `{repository}`{detail}", hint)
    if status == 401 and said.startswith("Invalid credentials"):
        what = f"Hugging Face does not take the token for `{repository}`"
        hint = "export HF_TOKEN=... with a token that may read, or unset it for an open model"
        return RemoteError("hub-key", what, hint)
    # Those without a token get 401 for what does not exist, too (huggingface_hub, utils/_http.hf_raise_for_status).
    if code == "RepoNotFound" or status == 401 or (status == 404 and code != "EntryNotFound"):
        return unknown_repository(repository)
    if status == 404:
        return RemoteError("hub-refused", f"the file is not in `{repository}` any more", "pull it again")
    if status == 429:
        return busy(repository, "in five minutes, again")
    return RemoteError("hub-refused", f"Hugging Face answered {status} for `{repository}`{detail}", "try again later")


def busy(repository: str, when: str) -> RemoteError:
    """So many requests came from this address that the next ones are refused for a while; `when` tells what to do."""
    what = f"Hugging Face takes no more requests for `{repository}` from this address for a while (429)"
    return RemoteError("hub-busy", what, f"{when}; it allows more to who is known: export HF_TOKEN=...")


def unknown_repository(repository: str) -> UserError:
    """There is none of this name, or it is private, which Hugging Face does not tell apart."""
    hint = "see its spelling; for a private one: export HF_TOKEN=...; known models: agentlaunch models search TEXT"
    return UserError("unknown-repository", f"Hugging Face has no repository `{repository}` that you may see", hint)


def offline(what: str) -> RemoteError:
    """The user wants no traffic."""
    switches = "AGENTLAUNCH_OFFLINE, HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE"
    return RemoteError("offline", f"{what}: {switches} is set", "unset it, leave --offline away, and again")


def unreachable(endpoint: str, error: Exception) -> RemoteError:
    """Nobody answers."""
    from agentlaunch.system.proxies import PROXY_HINT, UnusableProxyError

    words = " ".join(str(error).split())[:160]
    hint = "is this machine online? A proxy is told by HTTPS_PROXY, a mirror by HF_ENDPOINT"
    if isinstance(error, UnusableProxyError) or isinstance(error.__cause__, UnusableProxyError):
        hint = PROXY_HINT
    return RemoteError("hub-unreachable", f"cannot reach `{endpoint}`: {words or type(error).__name__}", hint)


def _refused(repository: str, refused: HfHubHTTPError) -> AgentlaunchError:
    response = refused.response
    code = response.headers.get("X-Error-Code", "")
    said = " ".join(response.headers.get("X-Error-Message", "").split())[:160]
    return refusal(response.status_code, code, repository, said)


def _strange(endpoint: str) -> RemoteError:
    hint = "does a proxy or a login page answer in its place? Look at HTTPS_PROXY and HF_ENDPOINT"
    return RemoteError("hub-answer", f"`{endpoint}` answers, and not as Hugging Face does", hint)


def _commit(info: ModelInfo, settings: HubSettings) -> str:
    """It becomes part of a path, so it must be what it says."""
    if not isinstance(info.sha, str) or _COMMIT.fullmatch(info.sha) is None:
        raise _strange(settings.endpoint)
    return info.sha


def _files(info: ModelInfo, settings: HubSettings) -> Iterator[RepositoryFile]:
    """The GGUF files that are kept with a digest; a name of one that leads out of its folder is an attack.

    What else lies there may have any name, such as `assets/what?.png`.
    """
    for sibling in info.siblings or ():
        lfs = sibling.lfs
        if lfs is None or not isinstance(sibling.size, int) or not sibling.rfilename.lower().endswith(".gguf"):
            continue
        parts = sibling.rfilename.split("/")
        safe = all(part.strip(". ") for part in parts) and not re.search(r'[\\:*?"<>|\x00-\x1f]', sibling.rfilename)
        if not safe or _SHA256.fullmatch(lfs.sha256) is None:
            raise _strange(settings.endpoint)
        yield RepositoryFile(sibling.rfilename, sibling.size, lfs.sha256)
