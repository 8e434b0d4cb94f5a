"""`check` and `fit` as scripts use them: JSON, exit codes, bad input, no network, no heavy module."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentlaunch.cli.main import run
from agentlaunch.core.scripted_gguf import Script

if TYPE_CHECKING:
    from conftest import Run

MACHINES = Path(__file__).parent / "machines"
RTX_4090 = ("--gpu", "RTX 4090", "--ram", "64", "--cores", "16", "--os", "linux")

MODEL_FIT = {
    "model": str,
    "quant": str,
    "context": int,
    "kv_type": str,
    "placement": str,
    "memory": dict,
    "speed": dict,
    "max_context": int,
    "fits": bool,
    "quality": dict,
    "why": list,
}
MEMORY = ("weights", "kv", "compute", "total", "budget", "headroom", "gpu", "host")
SPEED = ("decode_tok_s", "decode_range", "prefill_tok_s", "prefill_range", "first_prompt_s", "basis")
HEAVY = ("httpx", "starlette", "uvicorn", "ollama", "rich", "asyncio", "pydantic")

LOADED = f"""
import sys
from agentlaunch.cli.main import run
code = run(sys.argv[1:])
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLAUNCH_HOME", str(tmp_path / "ours"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    monkeypatch.setenv("AGENTLAUNCH_SERVERS", "none")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, object]]:
    """`agentlaunch WORDS --json`, which must end well: its data."""

    def read(*words: str) -> dict[str, object]:
        assert run([*words, "--json"]) == 0
        out, err = capsys.readouterr()
        whole = json.loads(out)
        assert (whole["version"], whole["command"], whole["status"], whole["errors"], err) == (
            1,
            words[0],
            "ok",
            [],
            "",
        )
        found: dict[str, object] = whole["data"]
        return found

    return read


def check_model_fit(fit: object) -> None:
    assert isinstance(fit, dict)
    assert {key: type(fit[key]) for key in MODEL_FIT} == MODEL_FIT
    assert set(fit["memory"]) == {f"{name}_bytes" for name in MEMORY}
    assert tuple(fit["speed"]) == SPEED
    assert set(fit["quality"]) == {"score", "source"}
    assert fit["placement"] in ("gpu", "split", "cpu", "none")


def test_check_as_json_has_every_key_of_the_interface(data: Callable[..., dict[str, object]]) -> None:
    found = data("check", *RTX_4090)
    machine = found["machine"]
    assert isinstance(machine, dict)
    assert {key: machine[key] for key in ("os", "arch", "cpu", "memory", "gpus")} == {
        "os": "linux",
        "arch": machine["arch"],
        "cpu": {"name": "unknown", "cores": 16},
        "memory": {"total_bytes": 64 << 30, "available_bytes": 56 << 30},
        "gpus": [
            {
                "name": "GeForce RTX 4090",
                "vendor": "nvidia",
                "memory_bytes": 24 << 30,
                "memory_free_bytes": None,
                "bandwidth_gb_s": 1008.4,
                "unified": False,
            }
        ],
    }
    assert (type(machine["budget_bytes"]), len(machine["notes"])) == (int, 1)
    assert (found["agents"], found["runtimes"], type(found["reason"])) == ([], [], str)
    alternatives = found["alternatives"]
    assert isinstance(alternatives, list)
    for fit in (found["recommendation"], *alternatives):
        check_model_fit(fit)


def test_check_of_this_machine_tells_what_is_installed(data: Callable[..., dict[str, object]]) -> None:
    found = data("check")
    runtimes = found["runtimes"]
    assert isinstance(runtimes, list)
    assert [runtime["name"] for runtime in runtimes] == ["llamacpp", "llama-server", "ollama", "lmstudio"]
    assert {frozenset(runtime) for runtime in runtimes} == {frozenset({"name", "state", "version", "url", "models"})}
    assert found["agents"] == []


def test_fit_as_json_is_a_model_fit_with_a_table(data: Callable[..., dict[str, object]]) -> None:
    found = data("fit", "qwen3-coder", "--quant", "q4_k_m", *RTX_4090)
    check_model_fit(found)
    table = found["table"]
    assert isinstance(table, list)
    for fit in table:
        check_model_fit(fit)
    assert [(fit["quant"], fit["context"]) for fit in table] == [
        ("Q4_K_M", context) for context in (16_384, 32_768, 65_536, 131_072, 262_144)
    ]
    assert (found["model"], found["quant"], found["fits"]) == ("qwen3-coder-30b-a3b", "Q4_K_M", True)


def test_a_model_that_does_not_fit_is_data_and_no_error(data: Callable[..., dict[str, object]]) -> None:
    found = data("fit", "qwen3-coder", "--gpu", "none", "--ram", "4")
    assert (found["fits"], found["placement"]) == (False, "none")


def test_a_gguf_file_is_sized_from_its_header(
    data: Callable[..., dict[str, object]], scripted_model: Callable[[Script], Path]
) -> None:
    found = data("fit", str(scripted_model(Script())), "--context", "8192", *RTX_4090)
    assert (found["context"], found["fits"], found["placement"]) == (8192, True, "gpu")


@pytest.mark.report("B201")
def test_the_cache_is_counted_for_the_window_that_is_launched(data: Callable[..., dict[str, object]]) -> None:
    """Not for the 262,144 tokens that the model was trained for: 27.6 GB of cache at 2 x 48 layers x 4 heads x 128."""
    found = data("fit", "qwen3-coder", "--quant", "Q4_K_M", "--context", "32768", "--kv", "f16", *RTX_4090)
    memory = found["memory"]
    assert isinstance(memory, dict)
    assert memory["kv_bytes"] == 2 * 48 * 4 * 128 * 2 * 32_768


@pytest.mark.report("B190")
def test_a_mixture_is_sized_by_all_its_parameters(data: Callable[..., dict[str, object]]) -> None:
    """30 B of parameters at more than four bits, not the 3 B that are active."""
    found = data("fit", "qwen3-coder", "--quant", "Q4_K_M", "--gpu", "none", "--ram", "64")
    memory = found["memory"]
    assert isinstance(memory, dict)
    assert memory["weights_bytes"] > 30e9 * 4 / 8


@pytest.mark.report("B194")
def test_free_memory_counts_and_not_only_what_is_built_in(data: Callable[..., dict[str, object]]) -> None:
    budgets = [data("check", *RTX_4090, "--vram", size)["machine"]["budget_bytes"] for size in ("24", "8")]  # type: ignore[index]
    assert 15 << 30 < budgets[0] - budgets[1] < 16 << 30


def test_offline_no_repository_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "hf:nobody/Nothing", "--offline", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["errors"][0]["code"] == "offline"


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        (["check", "--gpu", "RTX 4900"], "unknown-gpu", "unknown GPU `RTX 4900`", "nearest: "),
        (["check", "--gpu", "RTX 3090*zwei"], "bad-machine", "--gpu cannot be `RTX 3090*zwei`", "write how many"),
        (["check", "--ram", "-1"], "bad-machine", "--ram cannot be `-1`", "write a number above 0"),
        (["check", "--ram", "1e30"], "bad-machine", "--ram cannot be `1e+30`", "write a number above 0 and up to"),
        (["check", "--cores", "9999999"], "bad-machine", "--cores cannot be `9999999`", "write a number above 0 and"),
        (["check", "--gpu", ""], "bad-machine", "--gpu cannot be ``", 'write a name, as in: --gpu "RTX 4090", or'),
        (["check", "--os", "beos"], "bad-machine", "--os cannot be `beos`", "known: linux, darwin, windows"),
        (["check", "--agent", "clod"], "unknown-agent", "unknown agent `clod`", "known: claude"),
        (["check", "--simulate", "gone.toml"], "bad-machine-file", "cannot read `", ""),
        (["fit", "qwen4-coder"], "unknown-model", "unknown model `qwen4-coder`", "nearest: qwen3-coder"),
        (["fit", "zzzz"], "unknown-model", "unknown model `zzzz`", "all known ones: agentlaunch models search"),
        (["fit", "zz/zz"], "unknown-model", "unknown model `zz/zz`", "a repository of Hugging Face: hf:zz/zz"),
        (["fit", "openrouter/a/b"], "runs-elsewhere", "`openrouter/a/b` runs at the upstream `openrouter`", "what it"),
        (["fit", "gone.gguf"], "model-not-found", "there is no model file `", "see which there are"),
        (["fit", "qwen3-coder", "--quant", "Q9"], "unknown-quant", "`qwen3-coder-30b-a3b` has no", "known: "),
        (["fit", "qwen3-coder", "--kv", "q9"], "bad-setting", "--kv cannot be `q9`", "known: f16"),
        (["fit", "qwen3-coder", "--context", "999999"], "context-too-large", "a context of `999,999`", "use at most"),
    ],
)
def test_what_cannot_be_is_said_with_the_next_step(
    words: list[str], code: str, message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--json"]) == 2
    [error] = json.loads(capsys.readouterr().out)["errors"]
    assert (error["code"], error["message"].startswith(message), error["hint"].startswith(hint)) == (code, True, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ram = 8", "unknown key `ram` in"),
        ("ram_gb = 'big'", "`ram_gb` in `.*` cannot be `big`"),
        ("ram_gb = 8\ncores = 1.5", "`cores` in `.*` cannot be `1.5`"),
        ("ram_gb = true", "`ram_gb` in `.*` cannot be `True`"),
        ("ram_gb = 8\nos = 'beos'", "`os` in `.*` cannot be `beos`"),
        ("ram_gb = 8\ngpu = 'RTX 4090'", "`gpu` in `.*` cannot be `RTX 4090`"),
        ("ram_gb = 8\n[[gpu]]\nmemory_gb = 8", r"`gpu\[0\].name` in `.*` cannot be `None`"),
        ("ram_gb = 8\n[[gpu]]\nname = 'RTX 4090'\nmemory_gb = 0", r"`gpu\[0\].memory_gb` in `.*` cannot be `0`"),
        ("ram_gb = 8\n[[gpu]]\nname = 'RTX 4090'\nvram_gb = 8", r"unknown key `gpu\[0\].vram_gb` in"),
        ("ram_gb = 8\n[[gpu]]\nname = 'Nobody 9000'", "unknown GPU `Nobody 9000`"),
        ("cores = 8", "how much memory has that machine"),
        ("ram_gb = ", "is not TOML"),
    ],
)
def test_a_wrong_machine_file_is_refused_with_its_key(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "machine.toml").write_text(text)
    assert run(["check", "--simulate", "machine.toml"]) == 2
    assert re.search(message, capsys.readouterr().err.splitlines()[0])


def test_a_card_that_nobody_knows_is_taken_from_a_file_with_its_memory(
    data: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    (tmp_path / "machine.toml").write_text(
        "ram_gb = 32\n[[gpu]]\nname = 'NVIDIA Nobody 9000'\nmemory_gb = 16\ncount = 2"
    )
    machine = data("check", "--simulate", "machine.toml")["machine"]
    assert isinstance(machine, dict)
    assert [(gpu["name"], gpu["vendor"], gpu["memory_bytes"]) for gpu in machine["gpus"]] == [
        ("NVIDIA Nobody 9000", "nvidia", 16 << 30)
    ] * 2


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--gpu", "3090*2"), ["GeForce RTX 3090", "GeForce RTX 3090"]),
        (("--gpu", "rtx 3060", "--vram", "12"), ["GeForce RTX 3060 12 GB"]),
        (("--gpu", "M4 Max"), ["Apple M4 Max (32-core GPU)"]),
        (("--gpu", "7900 XTX"), ["Radeon RX 7900 XTX"]),
        (("--gpu", "none"), []),
    ],
)
def test_gpus_are_found_as_people_name_them(
    data: Callable[..., dict[str, object]], words: tuple[str, ...], names: list[str]
) -> None:
    machine = data("check", "--ram", "64", *words)["machine"]
    assert isinstance(machine, dict)
    assert [gpu["name"] for gpu in machine["gpus"]] == names


@pytest.mark.parametrize("words", [("check",), ("check", "--gpu", "RTX 4090"), ("fit", "qwen3-coder")])
def test_nothing_is_asked_of_another_machine(
    data: Callable[..., dict[str, object]], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    connect = socket.socket.connect

    def only_loopback(own: socket.socket, address: object) -> None:
        asked.append(address)
        assert isinstance(address, tuple)
        assert address[0] == "127.0.0.1"
        connect(own, address)

    monkeypatch.setattr(socket.socket, "connect", only_loopback)
    data(*words)
    assert asked == ([("127.0.0.1", 11434)] if words == ("check",) else [])


def test_an_ollama_on_another_machine_is_not_asked(
    data: Callable[..., dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setenv("OLLAMA_HOST", "http://10.0.0.7:11434")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    runtimes = data("check")["runtimes"]
    assert isinstance(runtimes, list)
    assert runtimes[2] == {"name": "ollama", "state": "missing", "version": None, "url": None, "models": []}


@pytest.mark.parametrize("words", [("check",), ("check", "--json"), ("check", *RTX_4090), ("fit", "qwen3-coder")])
def test_no_heavy_module_is_loaded(run_command: Run, words: tuple[str, ...]) -> None:
    done = run_command(*words, code=LOADED)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_check_leaves_no_trace(run_command: Run, home: Path) -> None:
    assert run_command("check").returncode == 0
    assert not (home / "ours").exists()
