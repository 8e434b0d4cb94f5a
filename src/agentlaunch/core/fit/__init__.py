"""What a machine can run: memory, speed, placement and choice. `report -> fit` is pure; the data is passed in."""

from agentlaunch.core.fit.calibration import Calibration, parse_calibration
from agentlaunch.core.fit.choice import Knowledge, Wanted, fit_model, fit_table, recommend, recommendable
from agentlaunch.core.fit.estimate import Demand, Usable
from agentlaunch.core.fit.machine import Machine, apple_working_set_bytes, machine_of
from agentlaunch.core.fit.memory import CacheType, RunSettings, cache_bytes, compute_bytes
from agentlaunch.core.fit.result import ModelFit, Recommendation, Speed, to_json

__all__ = [
    "CacheType",
    "Calibration",
    "Demand",
    "Knowledge",
    "Machine",
    "ModelFit",
    "Recommendation",
    "RunSettings",
    "Speed",
    "Usable",
    "Wanted",
    "apple_working_set_bytes",
    "cache_bytes",
    "compute_bytes",
    "fit_model",
    "fit_table",
    "machine_of",
    "parse_calibration",
    "recommend",
    "recommendable",
    "to_json",
]
