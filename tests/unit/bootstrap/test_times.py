"""What resources took, in the lines that a real run's handler has printed."""

from __future__ import annotations

from stackcook.bootstrap.base import ResourceTime
from stackcook.bootstrap.output import MOST, Times

REAL = """\
Running handlers:
stackcook-time 12.031 1 openstack-compute::compute_packages apt_package[nova-compute, ovn-host]
stackcook-time 0.014 1 trivial::default file[/etc/trivial]
stackcook-time 0.302 0 - execute[sleep 0.3]
stackcook-time 0.100 1 - execute[sleep 0.3]
  - stackcook
Running handlers complete
"""


def test_the_handler_s_lines_are_taken_and_those_that_took_long_told() -> None:
    times = Times()
    taken = [line for line in REAL.splitlines() if times.feed(line)]
    assert len(taken) == 4
    assert times.slowest == (
        ResourceTime(
            "apt_package[nova-compute, ovn-host]",
            "openstack-compute::compute_packages",
            12.031,
            True,
        ),
        ResourceTime("execute[sleep 0.3]", "", 0.402, True),
    )


def test_only_the_slowest_are_kept() -> None:
    times = Times()
    for number in range(MOST + 50):
        times.feed(f"stackcook-time {number}.0 0 a::b file[/{number}]")
    assert len(times.slowest) == MOST
    assert times.slowest[0].seconds == MOST + 49.0
