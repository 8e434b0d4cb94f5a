"""Traffic on a clock that tests turn, and a recorder that only remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.doubles.usage_rows import NOON

from agentlaunch.core.endpoint import Endpoint, Prices
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.metering import RequestRecord
from agentlaunch.shim.session import Session
from agentlaunch.shim.traffic import Traffic

REFERENCE = Prices(input_usd=3.0, output_usd=15.0, cached_input_usd=0.3)
LOCAL = Endpoint("llamacpp", "openai_chat", "http://127.0.0.1:9", "qwen", context_window=32768)
SPEC = EngineSpec("/models/qwen.gguf", "qwen", 32768)


@dataclass
class TurnedClock:
    """Both clocks of Traffic, in seconds."""

    passed: float = 0.0

    def monotonic(self) -> float:
        return self.passed

    def wall(self) -> float:
        return NOON + self.passed


@dataclass
class RememberingRecorder:
    """What was put, and what others are said to have spent."""

    rows: list[RequestRecord] = field(default_factory=list)
    others: float = 0.0
    lost: int = 0
    refreshed: int = 0

    def put(self, record: RequestRecord) -> None:
        self.rows.append(record)

    def refresh(self) -> None:
        self.refreshed += 1

    def others_usd(self, day: str) -> float:
        return self.others


@dataclass
class TestedTraffic:
    """Traffic with its two ends."""

    __test__ = False

    clock: TurnedClock = field(default_factory=TurnedClock)
    recorder: RememberingRecorder = field(default_factory=RememberingRecorder)

    def __post_init__(self) -> None:
        self.traffic = Traffic(self.recorder, self.clock.monotonic, self.clock.wall, REFERENCE)


def local_session(session_id: str = "s1", agent: str = "claude") -> Session:
    """A session with an engine of ours."""
    return Session(session_id, "token", agent, "qwen3-coder", LOCAL, 32768, 4096, engine=SPEC)
