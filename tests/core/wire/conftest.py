"""Properties are judged by their claim, not by the speed of the machine that runs them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("at any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("at any speed")
