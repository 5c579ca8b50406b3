"""A verification as a self-contained HTML page: its checks, notes, and screenshots of Horizon."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from stackcook.report.format import duration
from stackcook.report.text import summary
from stackcook.verify.check import Report


def render(report: Report) -> str:
    """The page. Texts are escaped, and its own policy forbids scripts; reads the screenshots."""
    here = files("stackcook.report")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["duration"] = duration
    style = (here / "page.css").read_text(encoding="utf-8")
    return environment.from_string((here / "checks.html").read_text(encoding="utf-8")).render(
        report=report,
        summary=f"verify: {summary(report)}",
        pictures=[
            (path.stem.replace("-", " "), base64.b64encode(path.read_bytes()).decode())
            for path in report.screenshots
        ],
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
