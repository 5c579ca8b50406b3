"""A verification as a self-contained HTML page: its checks, notes, and screenshots of Horizon."""

from __future__ import annotations

import base64

from stackcook.report import template
from stackcook.report.format import duration
from stackcook.report.text import summary
from stackcook.verify.check import Report


def render(report: Report, cloud: str) -> str:
    """The page of the cloud of that name; reads the screenshots.

    Texts are escaped, and its own policy forbids scripts.
    """
    return template.render(
        "checks.html",
        {"duration": duration},
        report=report,
        title=f"verify of {cloud}: {summary(report)}",
        pictures=[
            (path.stem.replace("-", " "), base64.b64encode(path.read_bytes()).decode())
            for path in report.screenshots
        ],
    )
