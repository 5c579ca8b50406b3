"""The website of the documentation, built by Sphinx as `make docs-html` does."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [ROOT / "setup/docs-html", target], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return target


class Loaded(HTMLParser):
    """What a browser loads with a page: scripts, styles, fonts, pictures, but no links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") not in ("index", "search", "next", "prev"):
            self.found.append(given.get("href") or "")
        elif tag != "a":
            self.found.append(given.get("src") or "")


def test_every_page_is_there_and_the_first_one_leads_to_all(site: Path) -> None:
    assert "docs/README.html" in (site / "index.html").read_text()
    first = (site / "docs/README.html").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix(".html")
        assert (site / "docs" / name).is_file()
        assert page.name == "README.md" or f'href="{name}"' in first


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert [url for url in loaded.found if re.match("(https?:)?//", url)] == [], page
    for style in site.rglob("*.css"):
        text = style.read_text()
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", text) == [], style


def test_the_search_knows_messages_and_options(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    for word in ("sshd", "retri", "wipef", "cpu_allocation_ratio"):
        assert word in index


def test_lists_and_code_inside_of_them_look_as_on_github(site: Path) -> None:
    page = (site / "docs/deploy.html").read_text()
    within = page.partition("<strong>With a failure budget</strong>")[2].partition("</li>")[0]
    assert "failure_budget:" in within and "<pre>" in within
