"""deploy, converge, status, logs and destroy as a user calls them, over a fake site."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.cli.main import cli
from stackcook.run.events import RunStarted, StepRetried, StepStarted
from stackcook.run.lock import exclusive
from stackcook.run.state import State
from stackcook.errors import ChefServerError, ExitCode, UsageError
from tests.fakes import FakeSite, recipe_error
from tests.output import data as data_of

LAB = """\
nodes: [controller: {run_list: "recipe[a]"}]
stackcook: {network: 10.0.112.0/24, nodes: {controller: {address: 10.0.112.10}}}
"""


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments)


def test_deploy_ends_with_what_the_user_needs(root: Path, site: FakeSite) -> None:
    result = run("deploy")
    assert result.exit_code == ExitCode.DONE
    assert "Horizon     http://10.0.115.10/" in result.stdout
    assert result.stderr.splitlines()[0].startswith("check ")


def test_deploy_leaves_nothing_behind_when_the_chef_server_is_not_there(
    root: Path, site: FakeSite
) -> None:
    site.errors["reach"] = ChefServerError("can't be reached", where="http://chef")
    result = run("deploy")
    assert result.exit_code == ExitCode.CHEF_SERVER
    assert result.stderr == "http://chef: can't be reached\n"
    assert not (root / ".stackcook").exists()


@pytest.mark.parametrize("command", ["deploy", "converge"])
def test_controllers_are_not_touched_if_they_cannot_change_tls(
    root: Path, site: FakeSite, command: str
) -> None:
    assert run("deploy").exit_code == ExitCode.DONE
    site.asked.clear()
    site.errors["tls"] = UsageError("controllers cannot change that", where="stackcook: tls")
    result = run(command)
    assert result.exit_code == ExitCode.USAGE
    assert "stackcook: tls: controllers cannot change that" in result.stderr
    assert "upload" not in site.asked and not [each for each in site.asked if "converge" in each]


def test_status_and_logs_say_what_failed_and_why(root: Path, site: FakeSite) -> None:
    site.chef.broken["compute1"] = recipe_error("compute1")
    assert run("deploy").exit_code == ExitCode.NODES
    header, controller, compute, why, hint = run("status").stdout.splitlines()
    assert header.split() == "node address machine step result when check-in".split()
    assert controller.split()[:5] == ["controller", "127.0.0.2", "running", "converge", "done"]
    assert "failed" in compute and why == "    execute[boom] (x.rb:1): no; see more"
    assert hint.startswith("run `stackcook logs NODE --failed`")
    site.reported = {"controller": 1.0}
    nodes = {node["node"]: node for node in data_of(run("status", "--json").stdout)["nodes"]}
    assert nodes["compute1"]["result"] == "failed"
    assert nodes["controller"]["check_in"] == "1970-01-01T00:00:01Z"
    assert nodes["compute1"]["check_in"] is None
    assert "execute[boom]" in run("logs", "compute1").stdout


def test_status_and_logs_before_the_first_deploy(root: Path, site: FakeSite) -> None:
    (root / "other.yml").write_text(LAB)
    own = (["status"], ["logs", "controller"], ["report"], ["report", "--list"], ["verify"])
    lab = (["ssh", "controller"], ["converge"], ["status"], ["verify"])
    for words in (*own, *(["-f", "other.yml", *words] for words in lab)):
        result = run(*words)
        assert (result.exit_code, result.stdout) == (ExitCode.USAGE, ""), words
        named = " -f other.yml" if "-f" in words else ""
        remedy = f"run `stackcook{named} deploy`, or use the directory of the deployment"
        assert result.stderr == f"{root}: nothing is deployed here; {remedy}\n"
    assert not (root / ".stackcook").exists()


def test_status_of_a_manifest_without_nodes(root: Path, site: FakeSite) -> None:
    run("deploy")
    (root / "infrastructure.yml").write_text("stackcook: {machines: ssh}\n")
    assert run("status").stdout == "the manifest has no nodes\n"


def test_status_of_a_run_that_was_killed(root: Path, site: FakeSite) -> None:
    with State(root / ".stackcook") as killed:
        killed(RunStarted("deploy", 1.0, ("controller", "compute1")))
        for node in ("controller", "compute1"):
            killed(StepStarted("converge", 2.0, node))
        killed(StepRetried("converge", 3.0, "compute1", "the mirror hiccups", 30.0))
    _, controller, compute, why = run("status").stdout.splitlines()
    assert controller.split()[3:5] == compute.split()[3:5] == ["converge", "interrupted"]
    assert why == "    the mirror hiccups"
    with exclusive(root / ".stackcook", "deploy"):
        _, controller, compute, why = run("status").stdout.splitlines()
    assert controller.split()[3:5] == ["converge", "running"]
    assert compute.split()[3:5] == ["converge", "retried"]


def test_two_deploys_at_once(root: Path, site: FakeSite) -> None:
    with exclusive(root / ".stackcook", "deploy"):
        result = run("deploy")
    assert result.exit_code == ExitCode.USAGE
    assert "`stackcook deploy` (pid" in result.stderr
    assert not site.asked


def test_converge_twice(root: Path, site: FakeSite) -> None:
    site.chef.known = {"controller", "compute1"}
    assert run("converge", "--twice", "compute1").exit_code == ExitCode.DONE
    assert site.asked.count("converge compute1") == 2
    assert "converge controller" not in site.asked


def test_converge_ends_at_the_first_bad_batch(root: Path, site: FakeSite) -> None:
    site.chef.known = {"controller", "compute1"}
    site.chef.broken["controller"] = recipe_error("controller")
    result = run("converge", "--batch", "50%")
    assert result.exit_code == ExitCode.NODES
    assert "converge controller" in site.asked
    assert "converge compute1" not in site.asked
    result = run("converge", "--batch", "none")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr.startswith('--batch: "none" is not the size of a batch; write a number')


@pytest.mark.parametrize(
    "arguments, code, destroyed",
    [(["destroy"], ExitCode.USAGE, False), (["destroy", "--yes"], ExitCode.DONE, True)],
)
def test_destroy_asks_first(
    root: Path, site: FakeSite, arguments: list[str], code: ExitCode, destroyed: bool
) -> None:
    assert run(*arguments).exit_code == code
    assert ("remove" in site.asked) is destroyed


def test_destroy_says_which_host_it_leaves(root: Path, site: FakeSite) -> None:
    run("deploy")
    site.gone = ("compute9",)
    result = run("destroy")
    assert "compute9 is not in the manifest any more, and its host is not given" in result.stderr
    assert "`stackcook node remove compute9` does that" in result.stderr


def test_destroy_shows_what_is_lost(root: Path, site: FakeSite) -> None:
    (root / ".stackcook").mkdir()
    result = run("destroy", "--yes", "--keep-data")
    assert result.exit_code == ExitCode.DONE
    assert "running instances: web on compute1\nvolumes: disk\nimages: test" in result.stderr
    assert "give back compute1 and keep" in site.asked


def test_data_can_only_be_kept_on_hosts(root: Path) -> None:
    (root / "infrastructure.yml").write_text("stackcook: {machines: vagrant}\n")
    result = run("destroy", "--yes", "--keep-data")
    assert result.exit_code == ExitCode.USAGE
    assert "--keep-data: is only for your own hosts (`machines: ssh`); omit it" in result.stderr


def test_deploy_of_some_nodes(root: Path, site: FakeSite) -> None:
    assert run("deploy", "--limit", "compute1").exit_code == ExitCode.DONE
    assert site.chef.known == {"compute1"}
    result = run("deploy", "--limit", "compute11")
    assert result.exit_code == ExitCode.USAGE
    assert 'unknown node compute11; did you mean "compute1"?' in result.stderr


def test_a_wrong_manifest_is_reported_before_a_password_is_asked(root: Path) -> None:
    (root / "infrastructure.yml").write_text("nodes: 1\n")
    result = run("deploy", "--ask-pass")
    assert result.exit_code == ExitCode.INPUT
    assert "infrastructure.yml:1:8: error:" in result.stderr


def test_preflight_of_what_failed(root: Path, site: FakeSite) -> None:
    site.chef.broken["compute1"] = recipe_error("compute1")
    run("deploy")
    result = run("deploy", "--retry-failed", "--preflight-only")
    assert "compute1" in result.stderr
    assert "controller" not in result.stderr


def test_deploy_again_takes_up_what_failed(root: Path, site: FakeSite) -> None:
    result = run("deploy", "--retry-failed")
    assert (result.exit_code, site.asked[-1]) == (ExitCode.USAGE, "reach")
    assert "nothing has been deployed yet" in result.stderr
    site.chef.broken["compute1"] = recipe_error("compute1")
    assert run("deploy").exit_code == ExitCode.NODES
    site.chef.broken.clear()
    site.asked.clear()
    assert run("deploy", "--retry-failed").exit_code == ExitCode.DONE
    assert [step for step in site.asked if "converge" in step] == ["converge compute1"]
    assert run("deploy", "--retry-failed").exit_code == ExitCode.USAGE
    site.asked.clear()
    assert run("deploy", "--anew").exit_code == ExitCode.DONE
    assert "converge controller" in site.asked


def test_a_node_that_failed_and_was_removed_from_the_manifest_is_not_tried_again(
    root: Path, site: FakeSite
) -> None:
    site.chef.broken["compute1"] = recipe_error("compute1")
    run("deploy")
    manifest = root / "infrastructure.yml"
    manifest.write_text(manifest.read_text().replace("compute1", "compute2"))
    site.asked.clear()
    result = run("deploy", "--retry-failed")
    assert result.exit_code == ExitCode.USAGE
    assert "none of the selected nodes failed in the last deploy" in result.stderr
    assert "upload" not in site.asked


@pytest.mark.parametrize("command", (["converge"], ["deploy", "--limit"]))
def test_logins_are_prepared_for_the_nodes_of_a_range(
    root: Path, site: FakeSite, command: list[str]
) -> None:
    run(*command, "compute[1-1]")
    assert site.made_ready == {"compute1"}


ZONED = """\
cookbooks: []
roles: [{controller: }, {compute: }]
environments: [{alpha: }, {beta: }]
clusters:
- alpha:
  - a1: {run_list: 'role[controller]'}
  - a2: {run_list: 'role[compute]'}
- beta:
  - b1: {run_list: 'role[controller]'}
  - b2: {run_list: 'role[compute]'}
stackcook:
  network: 10.0.112.0/24
  stages: [controller, compute]
  nodes:
    a1: {address: 10.0.112.10}
    a2: {address: 10.0.112.11}
    b1: {address: 10.0.112.12}
    b2: {address: 10.0.112.13}
"""


@pytest.fixture
def zoned(root: Path) -> None:
    (root / "infrastructure.yml").write_text(ZONED)


@pytest.mark.usefixtures("zoned")
def test_a_zone_that_fails_does_not_stop_the_other(site: FakeSite) -> None:
    site.chef.broken["a1"] = recipe_error("a1")
    result = run("deploy")
    assert result.exit_code == ExitCode.WITHIN_BUDGET
    assert result.stdout.startswith("deploy done in beta, but not in alpha, in ")
    assert "then     stackcook deploy (resumes where it stopped)" in result.stdout
    assert "a2             skipped: a1 failed and has no failure budget" in result.stderr
    assert "beta           verify: 1 check passed" in result.stderr
    header, *lines = (line.split() for line in run("status").stdout.splitlines())
    assert header[:2] == ["zone", "node"]
    assert [(line[0], line[1], line[5]) for line in lines if line[0] in ("alpha", "beta")] == [
        ("alpha", "a1", "failed"),
        ("alpha", "a2", "skipped"),
        ("beta", "b1", "done"),
        ("beta", "b2", "done"),
    ]
    assert "\n  zones: alpha failed, beta done\n" in run("report").stdout
    data = data_of(run("report", "--json").stdout)
    assert data["zones"] == [
        {"name": "alpha", "result": "failed"},
        {"name": "beta", "result": "done"},
    ]
    del site.chef.broken["a1"]
    data = data_of(run("deploy", "--json").stdout)
    assert data["zones"] == {"alpha": {"failed": None}, "beta": {"failed": None}}
    assert data["nodes"]["b1"]["step"] == "preflight", "only what had failed is done again"


@pytest.mark.usefixtures("zoned")
def test_if_no_zone_is_left_the_deploy_has_failed(site: FakeSite) -> None:
    for node in ("a1", "b1"):
        site.chef.broken[node] = recipe_error(node)
    result = run("deploy")
    assert result.exit_code == ExitCode.NODES
    assert result.stdout.startswith("deploy failed (exit 4) in ")


@pytest.mark.usefixtures("zoned")
def test_one_zone_is_deployed(site: FakeSite) -> None:
    assert run("deploy", "--zone", "beta").exit_code == ExitCode.DONE
    result = run("status", "--json")
    steps = {node["node"]: node["step"] for node in data_of(result.stdout)["nodes"]}
    assert (steps["a1"], steps["b1"]) == (None, "converge")
    assert run("deploy", "--zone", "gamma").stderr == (
        "--zone: unknown zone gamma; use one of alpha, beta\n"
    )
