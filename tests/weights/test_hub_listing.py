"""What a repository holds, asked with the real huggingface_hub; and every answer that is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.doubles.hugging_face_server import COMMIT, HuggingFaceDouble
from tests.weights.conftest import CONTENT, REPOSITORY

from agentlaunch.core.weight_names import RepositoryFile
from agentlaunch.errors import AgentlaunchError, MachineError, RemoteError, UserError
from agentlaunch.weights.hub_settings import HubSettings, read_hub_settings
from agentlaunch.weights.hugging_face import RepositoryListing, list_repository


def failure(repository: str, settings: HubSettings) -> AgentlaunchError:
    with pytest.raises(AgentlaunchError) as raised:
        list_repository(repository, settings)
    return raised.value


def test_a_listing_has_the_files_with_digests_at_one_commit(double: HuggingFaceDouble, settings: HubSettings) -> None:
    import hashlib

    assert list_repository(REPOSITORY, settings) == RepositoryListing(
        REPOSITORY,
        COMMIT,
        (
            RepositoryFile("Tiny-Q4_K_M.gguf", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()),
            RepositoryFile("mmproj-F16.gguf", 6, hashlib.sha256(b"an eye").hexdigest()),
        ),
    )


@pytest.mark.parametrize("token", ["", "hf_reader"])
def test_an_unknown_repository_is_the_users_mistake(
    double: HuggingFaceDouble, settings: HubSettings, token: str
) -> None:
    error = failure("maker/Tiny", HubSettings(settings.endpoint, settings.cache, token))
    assert (type(error), error.code) == (UserError, "unknown-repository")
    assert "`maker/Tiny`" in error.message
    assert "HF_TOKEN" in error.hint


def test_a_token_that_is_refused_is_said_without_the_token(double: HuggingFaceDouble, settings: HubSettings) -> None:
    double.moods.token = "hf_right"
    error = failure(REPOSITORY, HubSettings(settings.endpoint, settings.cache, "hf_wrong"))
    assert (type(error), error.code) == (RemoteError, "hub-key")
    assert "hf_" not in error.message + error.hint


def test_a_private_repository_opens_with_its_token(double: HuggingFaceDouble, settings: HubSettings) -> None:
    double.moods.token = "hf_right"
    assert failure(REPOSITORY, settings).code == "unknown-repository"
    assert list_repository(REPOSITORY, HubSettings(settings.endpoint, settings.cache, "hf_right")).commit == COMMIT


def test_a_hub_that_takes_no_more_requests_says_when_it_will(double: HuggingFaceDouble, settings: HubSettings) -> None:
    double.moods.api_status = 429
    with pytest.raises(RemoteError) as raised:
        list_repository(REPOSITORY, settings)
    assert (raised.value.code, raised.value.hint) == (
        "hub-busy",
        "in five minutes, again; it allows more to who is known: export HF_TOKEN=...",
    )


def test_a_hub_that_is_down_is_its_own_fault(double: HuggingFaceDouble, settings: HubSettings) -> None:
    double.moods.is_down = True
    error = failure(REPOSITORY, settings)
    assert (type(error), error.code, error.exit_code) == (RemoteError, "hub-refused", 4)
    assert "503" in error.message


def test_nobody_there_is_said_with_the_address(tmp_path: Path) -> None:
    error = failure(REPOSITORY, HubSettings("http://127.0.0.1:9", tmp_path))
    assert (type(error), error.code) == (RemoteError, "hub-unreachable")
    assert "http://127.0.0.1:9" in error.message


def test_offline_asks_nobody(double: HuggingFaceDouble, settings: HubSettings) -> None:
    error = failure(REPOSITORY, HubSettings(settings.endpoint, settings.cache, is_offline=True))
    hint = "unset it, leave --offline away, and again"
    assert (type(error), error.code, error.hint) == (RemoteError, "offline", hint)
    assert double.asked == []


@pytest.mark.parametrize(
    "page",
    [
        b"<html>Please log in</html>",
        b"",
        b"[]",
        b"{}",
        json.dumps({"id": "a/b", "sha": "../../evil", "siblings": []}).encode(),
        *(
            json.dumps(
                {
                    "id": "a/b",
                    "sha": COMMIT,
                    "siblings": [
                        {
                            "rfilename": name,
                            "size": 1,
                            "blobId": "b",
                            "lfs": {"sha256": digest, "size": 1, "pointerSize": 1},
                        }
                    ],
                }
            ).encode()
            for name, digest in [
                ("../../../.bashrc.gguf", "ab" * 32),
                ("/etc/x.gguf", "ab" * 32),
                ("a\\..\\x.gguf", "ab" * 32),
                ("c:x.gguf", "ab" * 32),
                ("x.gguf", "../" * 20),
            ]
        ),
    ],
)
def test_an_answer_that_is_not_hugging_faces_is_refused(
    double: HuggingFaceDouble, settings: HubSettings, page: bytes
) -> None:
    double.moods.api_page = page
    error = failure(REPOSITORY, settings)
    assert (type(error), error.code) == (RemoteError, "hub-answer")


@pytest.mark.parametrize("name", ["nothing", "a/b/c", "a//b", "-/-", "a b/c"])
def test_a_name_that_is_no_repository_is_the_users(settings: HubSettings, name: str) -> None:
    assert isinstance(failure(name, settings), UserError)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOME": "/h"}, HubSettings("https://huggingface.co", Path("/h/.cache/huggingface/hub"))),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, HubSettings("https://huggingface.co", Path("/c/huggingface/hub"))),
        (
            {"HF_HOME": "/d", "HF_ENDPOINT": "http://mirror/", "HF_TOKEN": " t\n"},
            HubSettings("http://mirror", Path("/d/hub"), "t"),
        ),
        (
            {"HF_HOME": "/d", "HF_HUB_CACHE": "/big", "HF_HUB_OFFLINE": "1"},
            HubSettings("https://huggingface.co", Path("/big"), is_offline=True),
        ),
        ({"HOME": "/h", "TRANSFORMERS_OFFLINE": "yes", "HF_HUB_OFFLINE": "0"},
         HubSettings("https://huggingface.co", Path("/h/.cache/huggingface/hub"), is_offline=True)),
    ],
)  # fmt: skip
def test_settings_are_read_as_hugging_faces_tools_read_them(environment: dict[str, str], expected: HubSettings) -> None:
    assert read_hub_settings(environment) == expected


def test_the_saved_token_is_used_unless_that_is_switched_off(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_saved\n")
    environment = {"HF_HOME": str(tmp_path)}
    assert read_hub_settings(environment).token == "hf_saved"
    assert read_hub_settings(environment | {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}).token == ""
    assert "hf_saved" not in repr(read_hub_settings(environment))


@pytest.mark.parametrize("said", ['"hf_right"', "Bearer hf_right", "\ufeffhf_right\n"])
def test_a_token_is_read_as_people_set_it(tmp_path: Path, said: str) -> None:
    (tmp_path / "token").write_text(said, "utf-8")
    found = (read_hub_settings({"HF_TOKEN": said}), read_hub_settings({"HF_HOME": str(tmp_path)}))
    assert [each.token for each in found] == ["hf_right", "hf_right"]


@pytest.mark.parametrize("token", ["hf_\u201cright\u201d", "hf_ri\x01ght"])
def test_a_token_that_no_header_can_carry_is_said_without_it(settings: HubSettings, token: str) -> None:
    error = failure(REPOSITORY, HubSettings(settings.endpoint, settings.cache, token))
    assert (type(error), error.code) == (UserError, "bad-hub-token")
    assert "hf_" not in error.message + error.hint


@pytest.mark.parametrize(
    "endpoint", ["nonsense", "ftp://127.0.0.1", "http://", "http://[::1", "http://127.0.0.1:99999"]
)
def test_an_address_that_is_none_is_said(tmp_path: Path, endpoint: str) -> None:
    error = failure(REPOSITORY, HubSettings(endpoint, tmp_path))
    assert (type(error), error.code) == (UserError, "bad-endpoint")
    assert f"`{endpoint}`" in error.message


def test_without_the_package_the_command_that_installs_it_is_named(
    settings: HubSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    error = failure(REPOSITORY, settings)
    assert (type(error), error.code) == (MachineError, "hub-missing")
    assert error.hint.startswith("pip install 'agentlaunch[hf]'")


def test_files_that_are_no_weights_may_have_any_name(double: HuggingFaceDouble, settings: HubSettings) -> None:
    double.repositories[REPOSITORY]["assets/what?: a *.png"] = b"a picture"
    assert [file.name for file in list_repository(REPOSITORY, settings).files] == [
        "Tiny-Q4_K_M.gguf",
        "mmproj-F16.gguf",
    ]
