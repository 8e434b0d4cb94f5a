"""The file of upstreams: what is written comes back, what the user wrote stays, what is wrong is told."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.app.conftest import MakeWorld

from agentlaunch.app.upstream_store import (
    KeyFile,
    KeyRing,
    KeyVariable,
    NoKey,
    StoredUpstream,
    check_name,
    read_store,
    remove_upstream,
    store_path,
    write_upstream,
)
from agentlaunch.core.endpoint import Prices
from agentlaunch.errors import UserError
from agentlaunch.system.dirs import Dirs, find_dirs

FULL = StoredUpstream(
    name="work-gpu_1",
    kind="vllm",
    url="https://gpu.example.com",
    model="qwen/qwen3-coder",
    key=KeyVariable("WORK_KEY"),
    context_window=65536,
    prices=Prices(0.22, 0.95, 0.11),
    takes_images=False,
    may_leave=True,
    body='{"provider": {"order": ["a", "b"], "allow_fallbacks": false}, "n": 1}',
)
PLAIN = StoredUpstream("plain", "openai", "http://127.0.0.1:9")


@pytest.fixture
def dirs(make_world: MakeWorld) -> Dirs:
    return make_world().world.dirs


def test_no_file_is_no_upstreams(dirs: Dirs) -> None:
    assert read_store(dirs) == ()


def test_what_is_written_comes_back_in_order(dirs: Dirs) -> None:
    ring = StoredUpstream("ring", "openrouter", "https://openrouter.ai/api", key=KeyRing(), prices=Prices(1, 2))
    file = StoredUpstream("file", "openai", "http://127.0.0.1:1", key=KeyFile("/home/jörg/k"))
    for upstream in (FULL, PLAIN, ring, file):
        write_upstream(upstream, dirs)
    assert read_store(dirs) == (FULL, PLAIN, ring, file)


def test_only_its_owner_may_read_the_file(dirs: Dirs) -> None:
    write_upstream(FULL, dirs)
    assert stat.S_IMODE(store_path(dirs).stat().st_mode) == 0o600


def test_what_the_user_wrote_around_it_stays(dirs: Dirs) -> None:
    text = '# mine\n\n[other]  # keep me\nkind = "vllm"\nurl = "http://127.0.0.1:9"\n# the end\n'
    store_path(dirs).parent.mkdir(parents=True)
    store_path(dirs).write_text(text)
    write_upstream(PLAIN, dirs)
    written = store_path(dirs).read_text()
    assert written.startswith(text)
    remove_upstream("plain", dirs)
    assert store_path(dirs).read_text().strip() == text.strip()


def test_an_upstream_is_replaced_in_its_place(dirs: Dirs) -> None:
    write_upstream(FULL, dirs)
    write_upstream(PLAIN, dirs)
    changed = StoredUpstream("work-gpu_1", "litellm", "http://127.0.0.1:4000")
    write_upstream(changed, dirs)
    assert read_store(dirs) == (changed, PLAIN)


def test_an_upstream_that_was_removed_is_gone(dirs: Dirs) -> None:
    write_upstream(FULL, dirs)
    write_upstream(PLAIN, dirs)
    remove_upstream(FULL.name, dirs)
    assert read_store(dirs) == (PLAIN,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("not toml [", "is not TOML"),
        ("a = 1", "`a` is no table"),
        ('[a]\nkind = "vllm"\nurl = "http://h"\ncolour = 1', "unknown key `colour` in `a`"),
        ('[local]\nkind = "vllm"\nurl = "http://h"', "`local` cannot be the name"),
        ('["a b"]\nkind = "vllm"\nurl = "http://h"', "`a b` cannot be the name"),
        ("[a]\nkind = 3", "`a` needs `kind` as a text"),
        ('[a]\nkind = "vllm"', "`a` needs `url` as a text"),
        ('[a]\nkind = "vlm"\nurl = "http://h"', "there is no upstream kind `vlm`, which `a` has; did you mean `vllm`"),
        ('[a]\nkind = "vllm"\nurl = "http://h"\ncontext = true', "`context` of `a` must be tokens"),
        ('[a]\nkind = "vllm"\nurl = "http://h"\ntakes_images = 1', "`takes_images` of `a` must be true or false"),
        ('[a]\nkind = "vllm"\nurl = "http://h"\nmay_leave = "yes"', "`may_leave` of `a` must be true or false"),
        ('[a]\nkind = "vllm"\nurl = "http://h"\nprices = { input_usd = 1 }', "`prices` of `a` needs"),
        ('[a]\nkind = "vllm"\nurl = "http://h"\nprices = { input_usd = nan, output_usd = 1 }', "`prices` of `a` needs"),
        ('[a]\nkind = "vllm"\nurl = "http://h"\nprices = { input_usd = -1, output_usd = 1 }', "`prices` of `a` needs"),
        (
            '[a]\nkind = "vllm"\nurl = "http://h"\nprices = { input_usd = 1, output_usd = true }',
            "`prices` of `a` needs",
        ),
        ('[a]\nkind = "vllm"\nurl = "http://h"\nbody = 1', "`body` of `a` must be a table"),
        ('[a]\nkind = "vllm"\nurl = "http://h"\nbody = { d = 2026-01-01 }', "`body` of `a` must be a table"),
    ],
)
def test_what_is_wrong_in_the_file_is_told(dirs: Dirs, text: str, why: str) -> None:
    store_path(dirs).parent.mkdir(parents=True)
    store_path(dirs).write_text(text)
    with pytest.raises(UserError) as error:
        read_store(dirs)
    assert error.value.code == "bad-upstreams-file"
    assert why in error.value.message


def test_a_folder_below_a_file_holds_no_upstreams(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_store(find_dirs({"AGENTLAUNCH_HOME": str(tmp_path / "file" / "ours")})) == ()


@pytest.mark.parametrize(
    "key", ['"sk-secret-123"', '{ key = "sk-secret-123" }', '{ variable = "A", file = "B" }', "{}"]
)
def test_a_key_in_the_file_is_refused_and_not_repeated(dirs: Dirs, key: str) -> None:
    store_path(dirs).parent.mkdir(parents=True)
    store_path(dirs).write_text(f'[a]\nkind = "vllm"\nurl = "http://h"\nkey = {key}')
    with pytest.raises(UserError) as error:
        read_store(dirs)
    assert "`key` of `a` says where the key is" in error.value.message
    assert "secret" not in error.value.message + error.value.hint


@pytest.mark.parametrize("name", ["", "a b", "local", "demo", "hf", "a/b", "-a", "ä", "a" * 65, "../x"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(UserError) as error:
        check_name(name)
    assert error.value.code == "bad-upstream-name"


@pytest.mark.parametrize("name", ["openrouter", "gpu-1", "my_GPU", "9"])
def test_names_that_can_be(name: str) -> None:
    assert check_name(name) == name


_texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)


@given(
    model=_texts,
    key=st.one_of(st.just(NoKey()), st.just(KeyRing()), _texts.map(KeyFile), st.just(KeyVariable("A_1"))),
    prices=st.none() | st.builds(Prices, st.floats(0, 1e3), st.floats(0, 1e3), st.none() | st.floats(0, 1e3)),
    images=st.none() | st.booleans(),
)
@settings(max_examples=60)
def test_every_upstream_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    model: str,
    key: NoKey | KeyRing | KeyFile | KeyVariable,
    prices: Prices | None,
    images: bool | None,
) -> None:
    dirs = find_dirs({"AGENTLAUNCH_HOME": str(tmp_path_factory.mktemp("store"))})
    upstream = StoredUpstream("x", "openai", "http://h", model, key, 1, prices, images)
    write_upstream(upstream, dirs)
    assert read_store(dirs) == (upstream,)
