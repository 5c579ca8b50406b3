"""A verification as a page."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from stackcook.report.checks import render
from stackcook.verify.check import Check, Report


def test_checks_notes_and_screenshots_are_in_the_page(tmp_path: Path) -> None:
    picture = tmp_path / "01-log-in-as-admin.png"
    picture.write_bytes(b"\x89PNG")
    failed = Check("nova-scheduler", "controller", False, "it is <inactive>", "read its log", 0.1)
    report = Report((Check("SSH", "controller", True), failed), 2.0, ("a note",), (picture,))
    page = render(report, "ci-42")
    for text in (
        "verify of ci-42: 2 checks in 2.0 s: 1 failed",
        "<h2>controller</h2>",
        "it is &lt;inactive&gt;",
        "read its log",
        "<p>a note</p>",
        "<h2>01 log in as admin</h2>",
        f"data:image/png;base64,{b64encode(picture.read_bytes()).decode()}",
    ):
        assert text in page
    assert "http://" not in page and "https://" not in page and "<script" not in page
