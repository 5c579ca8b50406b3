"""`preflight`, `deploy --preflight-only`, `--ignore` and `--take-over`, as they are typed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.bootstrap.base import Look
from stackcook.bootstrap.preflight import HostFacts
from stackcook.cli.main import cli
from stackcook.errors import ChefServerError
from stackcook.manifest.model import Node
from stackcook.remote.base import Host
from tests.fakes import FakeBootstrap, FakeSite
from tests.output import data as data_of
from tests.junit import validate

MANIFEST = """\
roles: [{web: }]
nodes:
- one: {run_list: "role[web]"}
stackcook:
  machines: ssh
  nodes: {one: {address: 127.0.0.2, key: key}}
"""


class Foreign(FakeBootstrap):
    """A node whose host is a client of another Chef server."""

    def look(self, node: Node, host: Host) -> Look:
        said = {"host": "one", "client": "yes", "chef server": "http://old", "chef node": "db7"}
        return replace(super().look(node, host), facts=HostFacts(said, "http://chef", 0.0))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    site = FakeSite()
    site.chef = Foreign(site.asked)
    (tmp_path / "key").touch()
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles/web.json").write_text('{"name": "web"}')
    (tmp_path / "infrastructure.yml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stackcook.cli.deploy.Site", lambda *_: site)
    return site


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments)


def test_a_host_of_another_chef_server_is_refused_unless_it_is_taken_over(site: FakeSite) -> None:
    refused = run("deploy")
    assert refused.exit_code == 4 and "upload" not in site.asked
    (line,) = [line for line in refused.stderr.splitlines() if "leftover" in line]
    assert line.startswith("one   error     leftover  it is db7 on the Chef server http://old")
    assert "`--take-over`" in line
    assert run("deploy", "--take-over").exit_code == 0
    assert "install one" in site.asked


def test_preflight_only_prints_the_findings_as_json_too(site: FakeSite) -> None:
    alone = run("deploy", "--preflight-only", "--json")
    assert alone.exit_code == 4 and "upload" not in site.asked
    (found,) = data_of(alone.stdout)["findings"]
    assert (found["id"], found["node"], found["severity"]) == ("leftover", "one", "error")
    ignored = run("deploy", "--preflight-only", "--ignore", "leftover", "--json")
    assert ignored.exit_code == 0 and "upload" not in site.asked
    assert data_of(ignored.stdout)["findings"][0]["severity"] == "ignored"


def test_preflight_writes_a_page_and_junit(site: FakeSite, tmp_path: Path) -> None:
    done = run("preflight", "--html", "page.html", "--junit", "found.xml")
    assert done.exit_code == 4 and "upload" not in site.asked
    assert "wrote page.html" in done.stderr and "wrote found.xml" in done.stderr
    what = "it is db7 on the Chef server http://old"
    assert what in (tmp_path / "page.html").read_text()
    (failure,) = validate((tmp_path / "found.xml").read_text()).iter("failure")
    assert failure.get("message") == what and "`--take-over`" in (failure.text or "")
    taken = run("preflight", "--take-over", "--junit", "found.xml")
    assert taken.exit_code == 0
    assert not [*validate((tmp_path / "found.xml").read_text()).iter("failure")]


def test_what_ends_before_the_inspection_writes_no_page(site: FakeSite, tmp_path: Path) -> None:
    site.errors["chef server"] = ChefServerError("it does not start", where="http://chef")
    assert run("preflight", "--html", "page.html").exit_code == 6
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("command", [("preflight",), ("deploy", "--preflight-only")])
def test_a_preflight_is_a_run_of_its_own(
    site: FakeSite, tmp_path: Path, command: tuple[str, ...]
) -> None:
    run(*command)
    report = run("report", "--junit", str(tmp_path / "report.xml"))
    assert report.exit_code == 0
    assert "it is db7 on the Chef server" in (tmp_path / "report.xml").read_text()
    runs = json.loads(run("report", "--list", "--json").stdout)["data"]["runs"]
    assert [each["command"] for each in runs] == ["preflight"]


def test_only_known_ids_that_may_be_ignored_are_taken(site: FakeSite) -> None:
    for wrong in ("nonsense", "sudo"):
        result = run("deploy", "--ignore", wrong)
        assert result.exit_code == 2 and "disk-space" in result.stderr
