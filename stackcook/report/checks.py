"""A verification's report for people: the checks by node, failures with cause and remedy."""

from __future__ import annotations

from rich.text import Text

from stackcook.verify.check import Check, Report


def render(report: Report) -> Text:
    """One line a check, grouped by node, and a summary; ends without a newline."""
    text = Text()
    for node, checks in report.by_node().items():
        text.append(f"{node or 'cloud'}\n", "bold")
        for check in checks:
            _line(text, check)
    text.append(summary(report))
    return text


def summary(report: Report) -> str:
    """The report in one line."""
    failed = len(report.failures)
    count = f"{len(report.checks)} checks in {report.seconds:.1f} s"
    return f"{count}: {failed} failed" if failed else f"{count}: all is well"


def _line(text: Text, check: Check) -> None:
    text.append("  ✓ " if check.ok else "  ✗ ", "green" if check.ok else "bold red")
    where = f" on {check.node}" if check.node and not check.ok else ""
    text.append(f"{check.name}{where}{': ' if check.cause else ''}{check.cause}\n")
    if check.remedy:
        text.append(f"    {check.remedy}\n", "yellow")
