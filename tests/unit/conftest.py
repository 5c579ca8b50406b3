"""Conditions that are the same for all unit tests: generated examples, no logins, and Ctrl-C."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# The same examples everywhere, however slow or busy the machine: no test fails by chance.
settings.register_profile(
    "same everywhere",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("same everywhere")

# What the developer's shell has to log in with is not for the tests.
for name in ("SSH_AUTH_SOCK", "STACKCOOK_SSH_PASSWORD", "STACKCOOK_BECOME_PASSWORD"):
    os.environ.pop(name, None)

# A shell's background jobs ignore Ctrl-C, and so would the programs that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
