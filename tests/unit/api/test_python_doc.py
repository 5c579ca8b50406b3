"""The examples of docs/python.md run, and have the types that they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackcook import Cloud
from stackcook.command import Completed
from tests.fakes import FakeSite
from tests.runner import BaseRemote
from tests.snapshots import store_in

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "python.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
MANIFEST = """\
nodes: [controller, compute1]
stackcook:
  machines: ssh
  nodes: {controller: {address: 127.0.0.2, key: key}, compute1: {address: 127.0.0.3, key: key}}
"""

pytest_plugins = ["pytester"]


class Remote(BaseRemote):
    """Runs nothing, and answers everything with its name, which is valid base64, too."""

    def __init__(self, name: str) -> None:
        self._name = name

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        name = f"{self._name}\n"
        return Completed(0, "aG9zdA==\n" if "base64" in command else name)


@pytest.fixture
def deployed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory has a deployed cloud, which is all that the examples reach."""
    site = FakeSite()
    site.connect = lambda node: Remote(node.name)  # type: ignore
    site.snapshots = store_in(Path())
    site.on_restore = lambda: site.machines.state.update(controller="stopped", compute1="stopped")
    given = {"make_site": lambda *_: site}
    deploy, opened = Cloud.deploy, Cloud.open
    monkeypatch.setattr(Cloud, "deploy", lambda *args, **kw: deploy(*args, **{**kw, **given}))
    monkeypatch.setattr(Cloud, "open", lambda *args, **kw: opened(*args, **{**kw, **given}))
    compute = SimpleNamespace(
        servers=lambda: [SimpleNamespace(name="web", status="ACTIVE")],
        services=lambda: [SimpleNamespace(binary="nova-scheduler", state="up")],
    )
    monkeypatch.setattr(Cloud, "connection", lambda *_: SimpleNamespace(compute=compute))
    for name in ("key", "motd.txt"):
        Path(name).touch()
    Path("infrastructure.yml").write_text(MANIFEST)
    Cloud.deploy(keep=True)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_run(text: str, deployed: None, pytester: pytest.Pytester) -> None:
    if "def test_" not in text:
        exec(compile(text, "docs/python.md", "exec"), {})
        return
    pytester.makepyfile(text)
    pytester.runpytest_inprocess().assert_outcomes(passed=text.count("def test_"))


def test_examples_have_the_types_that_they_use(tmp_path: Path) -> None:
    for number, text in enumerate(each for each in EXAMPLES if "def test_" not in each):
        (tmp_path / f"example{number}.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", ROOT / ".mypy_cache/docs", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_every_argument_of_deploy_is_listed() -> None:
    table = TEXT.partition("| `Cloud.deploy(...)`")[2].partition("\n\n")[0]
    names = Cloud.deploy.__func__.__code__  # type: ignore[attr-defined]
    wanted = {*names.co_varnames[1 : names.co_argcount + names.co_kwonlyargcount]} - {"make_site"}
    listed = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.*?) \|", table, re.M))))
    assert listed == wanted
