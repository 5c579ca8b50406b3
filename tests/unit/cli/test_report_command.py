"""report and logs as a user calls them."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from stackcook.cli.main import cli
from stackcook.run.lock import exclusive
from stackcook.errors import ExitCode
from stackcook.report import bundle
from tests.ran import FakeCloud
from tests.output import data as data_of

MANIFEST = """\
options: -P hunter22
nodes:
- controller: {run_list: "recipe[a]"}
- compute2: {run_list: "recipe[a]"}
stackcook:
  machines: ssh
  nodes:
    controller: {address: 127.0.0.2, key: key}
    compute2: {address: 127.0.0.3, key: key}
"""


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A cloud that was deployed twice, the second time with a failure; the current directory."""
    (tmp_path / "key").touch()
    (tmp_path / "infrastructure.yml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bundle, "versions", lambda: {"python": "3.11"})
    cloud = FakeCloud(tmp_path)
    cloud.chef.lines["compute2"] = ["login with hunter22"]
    cloud.deploy()
    cloud.chef.failing.add("compute2")
    cloud.deploy()
    return cloud


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments)


def test_report_tells_the_last_run(cloud: FakeCloud) -> None:
    result = run("report")
    assert result.exit_code == ExitCode.DONE
    assert "exit 8" in result.stdout.splitlines()[0]
    assert "compute2: converge failed after" in result.stdout
    assert "(trivial/recipes/broken.rb:1): it is broken" in result.stdout


def test_another_command_that_goes_on_now_is_not_the_run(cloud: FakeCloud) -> None:
    before = run("report").stdout
    with exclusive(cloud.manifest.state, "destroy"):
        assert run("report").stdout == before


def test_report_of_another_run_by_its_number_or_its_deploy(cloud: FakeCloud) -> None:
    assert run("report", "--run", "1").stdout.startswith("deploy of stackcook: done, ")
    runs = data_of(run("report", "--list", "--json").stdout)["runs"]
    assert [each["id"] for each in runs] == [2, 1]
    named = run("report", "--run", runs[1]["deploy"]).stdout
    assert named.startswith("deploy of stackcook: done, ")
    result = run("report", "--run", "7")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == "unknown run 7; run `stackcook report --list` to see all runs\n"


def test_list_has_a_line_for_each_run(cloud: FakeCloud) -> None:
    header, second, first = run("report", "--list").stdout.splitlines()
    assert header.split() == "run started user command duration result deploy".split()
    assert second.startswith("2 ") and "(exit 8)" in second
    assert first.startswith("1 ") and " done " in first
    with exclusive(cloud.manifest.state, "deploy"):
        assert "running" not in run("report", "--list").stdout  # that one is not begun yet


def test_files_are_written_and_named(cloud: FakeCloud) -> None:
    result = run("report", "--html", "a.html", "--junit", "a.xml", "--bundle", "a.tar.gz")
    assert result.exit_code == ExitCode.DONE, result.stderr
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        *(["wrote", name] for name in ("a.html", "a.xml", "a.tar.gz")),
    ]
    assert Path("a.html").read_text().startswith("<!DOCTYPE html>")
    assert "<dt>cloud</dt><dd>stackcook</dd>" in Path("a.html").read_text()
    assert Path("a.xml").read_text().startswith("<?xml")
    assert Path("a.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open("a.tar.gz") as tar:
        log = tar.extractfile("stackcook-run-2/logs/compute2.log")
        assert log and b"login with ****" in log.read()


def test_json_is_one_document_beside_files_too(cloud: FakeCloud) -> None:
    result = run("report", "--html", "a.html", "--json")
    assert data_of(result.stdout)["run"]["exit_code"] == ExitCode.WITHIN_BUDGET
    assert Path("a.html").exists()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--html", "no/a.html"], "no/a.html: its directory does not exist; create no, or choose"),
        (["--list", "--run", "1"], "--list can only be combined with --json"),
    ],
)
def test_what_can_t_be_done_is_said(cloud: FakeCloud, arguments: list[str], said: str) -> None:
    result = run("report", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert said in result.stderr


def test_a_manifest_that_is_broken_now_keeps_nobody_from_the_report(cloud: FakeCloud) -> None:
    Path("infrastructure.yml").write_text("nodes: [")
    result = run("report")
    assert (result.exit_code, result.stderr) == (ExitCode.DONE, "")
    assert "compute2: converge failed" in result.stdout
    assert data_of(run("report", "--json").stdout)["cloud"] is None


def test_before_the_first_run_there_is_nothing_to_tell_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("report").exit_code == ExitCode.INPUT  # no manifest either
    (tmp_path / "infrastructure.yml").write_text(MANIFEST)
    result = run("report")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith(f"{tmp_path}: nothing is deployed here; run `stackcook deploy`")
    assert not (tmp_path / ".stackcook").exists()


def test_logs_of_the_failure_begin_with_the_cause(cloud: FakeCloud) -> None:
    cloud.chef.failing.clear()
    cloud.deploy()
    lines = run("logs", "compute2", "--failed").stdout.splitlines()
    assert lines[0].startswith("converge failed: compute2: Error executing action `run`")
    assert lines[2].endswith("=" * 80) and "Error executing action `run`" in lines[3]
    assert any("ShellCommandFailed" in line for line in lines[4:])
    log = Path(".stackcook/logs/compute2.log").absolute()
    assert re.fullmatch(rf"\d+ more lines of this step: {log}", lines[-1])
    last = run("logs", "compute2", "--last").stdout.splitlines()
    assert last[0].startswith("=== ") and last[0].endswith(" compute2: converge")
    assert not any("ShellCommandFailed" in line for line in last)


def test_logs_of_a_node_that_never_failed(cloud: FakeCloud) -> None:
    result = run("logs", "controller", "--failed")
    assert (result.exit_code, result.stderr) == (
        *(ExitCode.USAGE, "controller: no step has failed on this node; omit --failed\n"),
    )
    assert run("logs", "controller", "--failed", "--last").exit_code == ExitCode.USAGE


def test_runs_are_completed_the_latest_first(cloud: FakeCloud) -> None:
    complete = ShellComplete(cli, {}, "stackcook", "_STACKCOOK_COMPLETE")
    found = complete.get_completions(["report", "--run"], "")
    assert [item.value for item in found] == ["2", "1"]
    assert found[0].help.startswith("deploy, ")
    assert [i.value for i in complete.get_completions(["report", "--run"], "1")] == ["1"]
    (cloud.manifest.state / "state.db").write_text("broken")
    assert complete.get_completions(["report", "--run"], "") == []
