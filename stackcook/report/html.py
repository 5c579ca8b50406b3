"""A run as one HTML page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from stackcook.errors import counted
from stackcook.report import timeline, text as told, words
from stackcook.report.causes import NAMED, causes
from stackcook.report.run import RunReport, seconds

MOST_CAUSES = 200
"""So many causes of failures are in the page."""


def render(report: RunReport) -> str:
    """The page. Whatever came from a node is text in it, never markup; styles are allowed by hash.

    Of texts that are the same on many nodes there is one copy only, so that it stays readable.
    """
    here = files("stackcook.report")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for name in ("duration", "difference", "when"):
        environment.filters[name] = getattr(words, name)
    environment.filters["count"] = counted
    environment.filters["seconds"] = seconds
    style = (here / "page.css").read_text(encoding="utf-8")
    found = causes(report.failures)
    return environment.from_string((here / "page.html").read_text(encoding="utf-8")).render(
        report=report,
        run=report.run,
        title=told.title(report),
        stage_line=told.stage_line,
        causes=found[:MOST_CAUSES],
        named=NAMED,
        more_causes=len(found) - MOST_CAUSES,
        chart=timeline.lay_out(report),
        timeline=timeline,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
