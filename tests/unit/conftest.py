"""How examples are made for the tests that have them made."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The same examples everywhere, however slow or busy the machine: no test fails by chance.
settings.register_profile(
    "same everywhere",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("same everywhere")
