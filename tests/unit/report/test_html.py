"""The page: whole in itself, with nothing in it that a node smuggled in, and its picture."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stackcook.run.events import RunDone, RunStarted, StepDone, StepFailed, StepStarted
from stackcook.run.state import State
from stackcook.errors import NodeError
from stackcook.report import html
from stackcook.report.topology import draw
from stackcook.report.run import RunReport
from tests.ran import FakeCloud, took

EVIL = "</title></svg><script>alert(1)</script><img src=x onerror=alert(2)> \" ' & \x1b[31m"


class Page(HTMLParser):
    """The elements of a page with their attributes, and the texts of some."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "meta", "rect", "line"):
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        for tag in self._open:
            self.texts[tag][-1] += data

    def drawn(self, word: str) -> list[dict[str, str | None]]:
        """The bars of a class; those of the legend have no place."""
        rects = (attributes for tag, attributes in self.elements if tag == "rect")
        return [
            r for r in rects if word in (r["class"] or "").split() and "." in (r.get("x") or "")
        ]


@pytest.fixture
def report(tmp_path: Path) -> RunReport:
    """A run with evil in every text that comes from a node, a failure, retries, and times."""
    cloud = FakeCloud(tmp_path)
    cloud.chef.broken["compute1"] = NodeError(EVIL, where="compute1")
    cloud.chef.lines["compute1"] = [EVIL, "=" * 80, EVIL]
    cloud.chef.transient["compute2"] = 1
    cloud.chef.times["compute3"] = (took(f"execute[{EVIL}]", 12, f"nova::{EVIL}"),)
    cloud.deploy()
    return cloud.report()


def test_what_nodes_say_stays_text(report: RunReport) -> None:
    page = Page(html.render(report))
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "img", "iframe", "object"})
    attributes = {name for _, attributes in page.elements for name in attributes}
    assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert any("<script>alert(1)</script>" in text for text in page.texts["p"])
    assert any("<script>alert(1)</script>" in text for text in page.texts["pre"])
    assert any("execute[</title>" in text for text in page.texts["td"])
    assert "\x1b" not in html.render(report)


def test_nothing_is_fetched_and_the_page_forbids_it_itself(report: RunReport) -> None:
    text = html.render(report)
    page = Page(text)
    names = {name for _, attributes in page.elements for name in attributes}
    assert names.isdisjoint({"src", "href", "xlink:href", "srcset", "action"})
    assert "url(" not in text and "@import" not in text
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = [a["content"] for tag, a in page.elements if a.get("http-equiv")]
    assert policy == [
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    ]


def test_the_topology_is_a_picture_without_rights(report: RunReport, tmp_path: Path) -> None:
    manifest = FakeCloud(tmp_path / "other").manifest
    page = Page(html.render(report, manifest))
    (image,) = [attributes for tag, attributes in page.elements if tag == "img"]
    kind, _, content = (image["src"] or "").partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content).decode() == draw(manifest)
    (policy,) = [a["content"] or "" for tag, a in page.elements if a.get("http-equiv")]
    assert "default-src 'none'" in policy and "img-src data:;" in policy


def test_on_a_phone_wide_parts_scroll_by_themselves(report: RunReport, tmp_path: Path) -> None:
    manifest = FakeCloud(tmp_path / "other").manifest
    page = Page(html.render(report, manifest))
    viewport = [a["content"] for tag, a in page.elements if a.get("name") == "viewport"]
    assert viewport == ["width=device-width, initial-scale=1"]
    for at, (tag, attributes) in enumerate(page.elements):
        if tag in ("table", "img") or attributes.get("class") == "chart":
            assert page.elements[at - 1] == ("div", {"class": "wide"}), attributes


def test_times_have_their_zone(report: RunReport, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "XYZ-3")
        time.tzset()
        page = Page(html.render(report))
    time.tzset()
    times = [text for text in page.texts["dd"] if re.match(r"\d{4}-", text)]
    assert len(times) == 2 and all(text.endswith(" XYZ") for text in times)


def test_the_picture_shows_steps_failures_retries_and_gates(report: RunReport) -> None:
    page = Page(html.render(report))
    assert len(page.drawn("install")) == 4
    assert len(page.drawn("failed")) == len(page.drawn("retried")) == 1
    assert [a["class"] for tag, a in page.elements if a.get("class") == "gate"] == ["gate"]
    titles = page.texts["title"]
    assert any(re.match(r"compute2: converge, attempt 2, done, ", title) for title in titles)
    assert any(re.match(r"compute1: converge, failed, .*</svg>", title) for title in titles)
    for bar in (bar for row in html.timeline(report).rows for bar in row.bars):
        assert html.LEFT <= bar.x and bar.width > 0
        assert bar.x + bar.width <= html.WIDTH


def test_a_page_of_a_run_that_did_nothing(tmp_path: Path) -> None:
    cloud = FakeCloud(tmp_path)
    with State(cloud.manifest.state) as state:
        state(RunStarted("deploy", 100.0, ()))
        state(RunDone("deploy", 100.0, 0.0, 3))
    page = Page(html.render(cloud.report()))
    assert page.texts["h1"] == [
        "deploy of fake: invalid manifest or Chef repository (exit 3), 0.0 s"
    ]
    assert "svg" not in page.texts


@pytest.fixture
def big(tmp_path: Path) -> RunReport:
    """3,000 nodes, each slower than the one before; of the fast ones, one has failed."""
    cloud = FakeCloud(tmp_path)
    names = [f"n{number}" for number in range(3000)]
    with State(cloud.manifest.state) as state:
        state(RunStarted("deploy", 0.0, tuple(names)))
        for number, name in enumerate(names):
            state(StepStarted("converge", 1.0, name, "all"))
            took, at = float(number), 1.0 + number
            if number == 7:
                state(StepFailed("converge", at, took, f"{name}: no", name))
            else:
                state(StepDone("converge", at, took, name))
        state(RunDone("deploy", 3001.0, 3001.0, 8))
    return cloud.report()


def test_of_thousands_of_nodes_those_are_drawn_that_failed_or_were_slow(big: RunReport) -> None:
    chart = html.timeline(big)
    names = [row.name for row in chart.rows]
    assert len(names) == html.MOST_ROWS
    assert names == ["n7", *(f"n{number}" for number in range(1001, 3000))]
    assert chart.note == "not shown: 1,000 nodes of 3,000, which succeeded and were the fastest"
    assert chart.note in html.render(big)
    assert chart.headings[0].text == "all · 3,000 nodes"


@pytest.mark.parametrize(
    "span, ticks",
    [
        (0.0, ["0:00"]),
        (12.0, [f"0:{second:02d}" for second in range(13)]),
        (400.0, ["0:00", "1:00", "2:00", "3:00", "4:00", "5:00", "6:00"]),
        (7300.0, ["0:00", "15:00", "30:00", "45:00", "1:00:00", "1:15:00", "1:30:00"]),
    ],
)
def test_ticks_are_round_times(big: RunReport, span: float, ticks: list[str]) -> None:
    chart = html.timeline(replace(big, ended=span, stages=()))
    assert [tick.text for tick in chart.ticks][:7] == ticks[:7]
    assert len(chart.ticks) <= 13
