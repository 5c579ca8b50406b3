"""What `plan --json` prints is what deploy, converge and destroy carry out: step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stackcook.cli.main import cli
from stackcook.errors import ExitCode
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read
from stackcook.operations import preview
from stackcook.operations.converge import converge
from stackcook.operations.deploy import deploy
from stackcook.operations.destroy import destroy
from stackcook.operations.runner import Settings
from stackcook.run.events import Event, PlanChanged, StepStarted
from stackcook.run.record import last_deploy
from stackcook.run.state import State
from stackcook.snapshot.store import shape_of
from tests.fakes import FakeSite, recipe_error
from tests.output import data as data_of
from tests.snapshots import saved, store_in

MANIFEST = """\
roles: [{controller: }, {compute: }]
nodes:
- compute1 compute2: {run_list: "role[compute]"}
- controller: {run_list: "role[controller]"}
stackcook:
  machines: ssh
  nodes:
    controller: {address: 127.0.0.2, key: key}
    compute1: {address: 127.0.0.3, key: key}
    compute2: {address: 127.0.0.4, key: key}
  stages: [controller, compute]
"""
ONE = Settings(parallel=1)
Steps = list[tuple[str, str]]


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    (tmp_path / "key").touch()
    for role in ("controller", "compute"):
        (tmp_path / "roles").mkdir(exist_ok=True)
        (tmp_path / "roles" / f"{role}.json").write_text(json.dumps({"name": role}))
    path = tmp_path / "infrastructure.yml"
    path.write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    found, _ = read(path)
    assert found
    return found


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    site = FakeSite()
    monkeypatch.setattr(preview, "ChefSite", lambda *_: site)
    return site


def printed(*options: str) -> Steps:
    result = CliRunner(mix_stderr=False).invoke(cli, ["plan", "--json", *options])
    assert result.exit_code == ExitCode.DONE, result.stderr
    return [(each["node"] or "", each["step"]) for each in data_of(result.stdout)["steps"]]


def carried_out(manifest: Manifest, site: FakeSite, **options: Any) -> tuple[ExitCode, Steps]:
    events: list[Event] = []
    last = last_deploy(manifest.state)
    with State(manifest.state) as state:
        listeners = (state, events.append)
        code = deploy(manifest, site, listeners, last=last, settings=ONE, **options)
    return code, begun(events)


def begun(events: list[Event]) -> Steps:
    assert not [event for event in events if isinstance(event, PlanChanged)]
    return [(e.node, e.step) for e in events if isinstance(e, StepStarted)]


def test_a_first_deploy_and_the_next_one(manifest: Manifest, site: FakeSite) -> None:
    for _ in range(2):
        wanted = printed()
        assert carried_out(manifest, site) == (ExitCode.DONE, wanted)
    assert ("compute1", "converge") in wanted and ("compute1", "install") not in wanted


def test_some_nodes(manifest: Manifest, site: FakeSite) -> None:
    wanted = printed("--limit", "compute2")
    assert ("", "gate") in wanted and ("compute1", "converge") not in wanted
    assert carried_out(manifest, site, only={"compute2"}) == (ExitCode.DONE, wanted)


def test_after_a_failure(manifest: Manifest, site: FakeSite) -> None:
    wanted = printed()
    site.chef.broken["compute1"] = recipe_error("compute1")
    code, steps = carried_out(manifest, site)
    assert code is ExitCode.NODES
    assert steps == [step for step in wanted if step not in {("", "save"), ("", "verify")}]
    site.chef.broken.clear()
    site.chef.known.add("compute1")  # it was registered before its converge failed
    resumed = printed()
    assert [step for node, step in resumed if node == "controller"] == ["reach", "preflight"]
    assert [step for node, step in resumed if node == "compute1"][-1] == "converge"
    assert carried_out(manifest, site) == (ExitCode.DONE, resumed)


def test_reset(manifest: Manifest, site: FakeSite, tmp_path: Path) -> None:
    site.snapshots = store_in(tmp_path)
    result = CliRunner(mix_stderr=False).invoke(cli, ["plan", "--reset"])
    assert result.exit_code == ExitCode.USAGE
    assert "there is no snapshot of this cloud; run `stackcook destroy`" in result.stderr
    assert carried_out(manifest, site)[0] is ExitCode.DONE
    saved(site.snapshots, shape=shape_of(manifest), digest=site.digest())
    assert ("", "restore") not in printed()
    wanted = printed("--reset")
    assert ("", "restore") in wanted
    assert carried_out(manifest, site, reset=True) == (ExitCode.DONE, wanted)
    result = CliRunner().invoke(cli, ["plan", "--reset"])
    assert "the Chef server is restored from the snapshot, so everything is" in result.output


def test_converge(manifest: Manifest, site: FakeSite) -> None:
    site.chef.known = {"controller", "compute1", "compute2"}
    for options, only in (((), ()), (("--limit", "compute1"), ("compute1",))):
        events: list[Event] = []
        wanted = printed("--converge", *options)
        assert converge(manifest, site, (events.append,), only, settings=ONE) is ExitCode.DONE
        assert begun(events) == wanted


def test_destroy(manifest: Manifest, site: FakeSite) -> None:
    events: list[Event] = []
    wanted = printed("--delete")
    assert destroy(manifest, site, (events.append,), settings=ONE) is ExitCode.DONE
    assert begun(events) == wanted


def test_nodes_that_the_manifest_has_no_more(manifest: Manifest, site: FakeSite) -> None:
    site.gone = ("compute3",)
    note = (
        "note: the Chef server still has compute3, which is not in the manifest: `stackcook node"
        " remove compute3` takes it out of the cloud\n"
    )
    for options, shown in (([], True), (["--limit", "compute1"], False), (["--rebuild"], False)):
        result = CliRunner(mix_stderr=False).invoke(cli, ["plan", *options])
        assert (note in result.stderr) is shown
