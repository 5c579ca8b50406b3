"""What a verification's report looks like."""

from __future__ import annotations

from stackcook.report.text import verification
from stackcook.verify.check import Check, Report


def test_failures_stand_out_with_node_cause_and_remedy() -> None:
    checks = (
        Check("what Nova and Neutron know", "", False, "no word within 8 s"),
        Check("nova-scheduler", "controller", False, "it is inactive", "look further: x"),
        Check("keystone", "controller", True),
    )
    assert verification(Report(checks, 4.25)).plain.splitlines() == [
        "cloud",
        "  ✗ what Nova and Neutron know: no word within 8 s",
        "controller",
        "  ✗ nova-scheduler on controller: it is inactive",
        "    look further: x",
        "  ✓ keystone",
        "3 checks in 4.2 s: 2 failed",
    ]


def test_all_well_is_said_so() -> None:
    report = Report((Check("SSH", "compute1", True),), 0.5)
    assert verification(report).plain.endswith("1 check in 0.5 s: all passed")


def test_a_report_of_nothing_is_not_well() -> None:
    assert not Report(()).ok
