"""The documentation: generated pages are up to date, links and anchors lead somewhere."""

from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
import sys
import xml.etree.ElementTree as xml
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stackcook import Cloud
from stackcook.errors import ExitCode
from stackcook.run.events import Event, RunDone
from tests.fakes import FakeSite
from tests.unit.cli.conftest import MANIFEST

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "cookbooks/*/*.md", "examples/*.md")
    for path in ROOT.glob(pattern)
)
OWN = {"AttributeError", "TypeError", "RuntimeError"}
"""Exceptions that are bugs of stackcook: no message of their own."""


def without_code(text: str) -> str:
    """A page without its code, whose brackets are no links and whose hashes are no headings."""
    text = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub and Sphinx make of a page's headings."""
    seen: Counter[str] = Counter()
    found = set()
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        name = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def links() -> Iterator[object]:
    for path in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text())):
            if not re.match(r"https?:", link):
                yield pytest.param(path, link, id=f"{path.relative_to(ROOT)}: {link}")


@pytest.mark.parametrize("path, link", links())
def test_a_link_leads_to_a_file_and_a_heading(path: Path, link: str) -> None:
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    assert target.is_file() and target.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(target)


def test_every_page_is_in_the_index() -> None:
    listed = re.findall(r"^- \[.+\]\((.+?)\)", (DOCS / "README.md").read_text(), re.MULTILINE)
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"README.md"}
    assert sorted(listed) == sorted(pages | {"../CHANGELOG.md", "../CONTRIBUTING.md"})


def targets() -> set[str]:
    """The targets of the Makefile."""
    lines = re.findall(r"^([\w -]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name for line in lines for name in line.split()}


def test_every_target_of_make_that_a_page_names_is_there() -> None:
    named = {
        name
        for path in PAGES
        for name in re.findall(r"(?:^    |`)make ([a-z][\w-]*)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 20
    assert sorted(named - targets()) == []


def data_blocks() -> Iterator[object]:
    for path in PAGES:
        found = re.findall(
            r"^```(json|yaml)\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE
        )
        for number, (kind, text) in enumerate(found):
            yield pytest.param(kind, text, id=f"{path.relative_to(ROOT)}: {number}")


@pytest.mark.parametrize("kind, text", data_blocks())
def test_data_in_a_page_is_valid(kind: str, text: str) -> None:
    if kind == "json" and not text.startswith("{"):
        text = f"{{{text}}}"  # a part of an object
    assert json.loads(text) if kind == "json" else yaml.safe_load(text)


def run(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, ROOT / "setup" / script, *arguments], cwd=ROOT, check=True)


def test_the_reference_is_up_to_date(tmp_path: Path) -> None:
    run("reference-pages", str(tmp_path))
    run("messages", str(tmp_path))
    for path in sorted((DOCS / "reference").iterdir()):
        assert path.read_text() == (tmp_path / path.name).read_text(), "write it with `make docs`"
    assert len([*tmp_path.iterdir()]) == len([*(DOCS / "reference").iterdir()])


def raised() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where an error is raised whose text is written there, and the fixed parts of the text."""
    for path in sorted((ROOT / "stackcook").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                continue
            name = ast.unparse(node.exc.func)
            what = node.exc.args[0] if node.exc.args else None
            parts = what.values if isinstance(what, ast.JoinedStr) else [what]
            fixed = [str(part.value) for part in parts if isinstance(part, ast.Constant)]
            words = " ".join(fixed).replace(";", "").split()  # where the page may split it
            if name.endswith("Error") and name not in OWN and fixed:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", tuple(words)


def test_every_error_that_is_raised_has_an_entry() -> None:
    page = (DOCS / "reference/messages.md").read_text().replace("\\|", "|")
    entries = [" ".join(line.split()) for line in page.splitlines() if line.startswith("| ")]
    found = [*raised()]
    assert len(found) > 150
    missing = [
        f"{where}: {' '.join(words)}"
        for where, words in found
        if not any(all(word in entry for word in words) for entry in entries)
    ]
    assert missing == []


SOURCE = """
class StackcookError(Exception):
    def __init__(self, what, *, where="", remedy=""):
        super().__init__(what)

class UsageError(StackcookError):
    exit_code = ExitCode.USAGE

class NodeError(StackcookError):
    exit_code = ExitCode.NODES

_AGAIN = "run it again"

def failed(what):
    return NodeError(what, where="web1", remedy=_AGAIN)

def run(name, hot):
    if not name:
        what = "there is no name"
        raise UsageError(what, remedy="add one")
    what = f"{name} is {'hot' if hot else 'cold'}"
    if hot:
        what += ", too"
    try:
        raise failed(what) from relayed(UsageError(str(hot)))
    except ValueError:
        raise StackcookError("there is a bug", remedy="report it")
    if cold:
        raise _frozen("warm it")
    raise _frozen(remedy="wait")

def _frozen(remedy):
    what = "it is frozen"
    return NodeError(what, remedy=remedy)

def walk(error):
    if error:
        raise NodeError("it is lost", remedy=error.remedy)
    raise click.UsageError("--a and --b cannot be combined; omit one")
"""


def test_messages_are_found_by_way_of_variables_and_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "setup/messages")
    made = runpy.run_path(str(ROOT / "setup/messages/__main__.py"))
    package = tmp_path / "stackcook"
    package.mkdir()
    (package / "run.py").write_text(SOURCE)
    found = made["Collector"](made["Source"](package)).messages()
    assert {(each.group, each.what, each.remedies) for each in found} == {
        (ExitCode.USAGE, "there is no name", ("add one",)),
        (ExitCode.NODES, "… is hot", ("run it again",)),
        (ExitCode.NODES, "… is hot, too", ("run it again",)),
        (ExitCode.NODES, "… is cold", ("run it again",)),
        (ExitCode.NODES, "… is cold, too", ("run it again",)),
        (ExitCode.BUG, "there is a bug", ("report it",)),
        (ExitCode.NODES, "it is frozen", ("wait", "warm it")),
        (ExitCode.NODES, "it is lost", ("differs from case to case: the message ends with it",)),
        (ExitCode.USAGE, "--a and --b cannot be combined", ("omit one",)),
    }


def texts(picture: Path) -> list[str]:
    """What an SVG shows, line by line."""
    root = xml.fromstring(picture.read_text())
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_picture_shows_the_recorded_deploy(tmp_path: Path) -> None:
    run("picture", str(tmp_path / "deploy.svg"))
    shown = texts(DOCS / "deploy.svg")
    assert shown == texts(tmp_path / "deploy.svg"), "draw it with `make picture`"
    assert any("stackcook deploy" in line.replace("\xa0", " ") for line in shown)
    assert any("deploy done in" in line.replace("\xa0", " ") for line in shown)
    # The time of a step that has not ended would be counted from the clock's zero.
    assert [line for line in shown if re.match(r"\s*-\d", line.replace("\xa0", " "))] == []


def test_a_deploy_can_be_recorded_for_the_picture(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "setup" / "picture"))
    (tmp_path / "key").touch()
    manifest = tmp_path / "infrastructure.yml"
    manifest.write_text(MANIFEST)
    site, seen = FakeSite(), list[Event]()
    Cloud.deploy(manifest, make_site=lambda *_: site, on_event=seen.append)  # type: ignore
    end = seen[-1].at
    seen[-1] = RunDone(
        "deploy", end, 60.0, ExitCode.DONE, {"password": f"in {tmp_path}/clouds.yaml"}
    )
    recorded = script["recording"](seen, tmp_path)
    assert str(tmp_path) not in recorded and '"at": 0.0' in recorded
    (tmp_path / "deploy.svg").write_text(script["picture"](json.loads(recorded)))
    shown = [line.replace("\xa0", " ") for line in texts(tmp_path / "deploy.svg")]
    assert "deploy done in 1 min 00 s" in " ".join(shown)
    assert any("in clouds.yaml" in line for line in shown)
    assert {"controller", "compute1"} <= {line.strip() for line in shown}


def test_the_picture_is_small_and_loads_nothing() -> None:
    text = (DOCS / "deploy.svg").read_text()
    assert len(text) < 30_000
    assert "<script" not in text and "@font-face" not in text and "@import" not in text
    assert re.findall(r"url\((?!#)[^)]*\)|href=", text) == []
