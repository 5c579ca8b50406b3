"""`up`, `down` and `ps`, as they are typed."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import time
from configparser import ConfigParser
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stackcook.cli import deploy as deploying
from stackcook.cli import ps, up
from stackcook.cli.main import cli
from stackcook.errors import ChefServerError, ExitCode, MachineError
from stackcook.machines.lxc import Containers
from stackcook.machines.network import LabNetwork
from stackcook.manifest.model import Node
from stackcook.api.clouds import CloudHere, clouds_here
from stackcook.api.ephemeral import POOL, default_directory, every
from stackcook.run.lock import exclusive
from tests.fakes import FakeSite, recipe_error
from tests.output import data
from tests.unit.machines.fakes import FakeHost

MANIFEST = """\
nodes:
- controller: {run_list: "recipe[a]"}
- compute1: {run_list: "recipe[a]"}
stackcook:
  name: lab
  machines: vagrant
  provider: lxc
  network: 10.0.112.0/24
  nodes:
    controller: {address: 10.0.112.10}
    compute1: {address: 10.0.112.11}
"""


@pytest.fixture(autouse=True)
def here(root: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest for machines of Vagrant, no clouds, and a machine without networks."""
    monkeypatch.setenv("XDG_DATA_HOME", str(root / "data"))
    monkeypatch.setattr(LabNetwork, "others", lambda _: frozenset())
    (root / "infrastructure.yml").write_text(MANIFEST)


def run(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, arguments, prog_name="stackcook")


def expire(name: str) -> None:
    """Let half an hour have passed since a cloud expired."""
    path = default_directory() / name / "ephemeral.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "created": time.time() - found["ttl"] - 1810}))


def test_a_cloud_is_deployed_beside_the_first_one(root: Path) -> None:
    result = run("up", "--ephemeral", "--ttl", "2h", "--name", "ci-42", "--json")
    assert result.exit_code == 0, result.stderr
    facts = data(result.stdout)["facts"]
    assert facts["cloud"] == "ci-42" and facts["destroy it"] == "stackcook down ci-42"
    (cloud,) = every(default_directory())
    assert (cloud.name, cloud.ttl, str(cloud.manifest)) == ("ci-42", 7200.0, facts["manifest"])
    assert cloud.source == root / "infrastructure.yml"
    assert not (root / ".stackcook").exists()


def last_lines(result: Result) -> dict[str, str]:
    """What the end of a run names: word → value."""
    return dict(re.findall(r"^  (\S.*?)  +(\S.*)$", result.stdout, re.MULTILINE))


def test_the_commands_that_help_are_for_the_new_cloud(site: FakeSite) -> None:
    site.chef.broken["compute1"] = recipe_error("compute1")
    found = last_lines(run("up", "--ephemeral", "--name", "ci-42"))
    assert found["see why"] == "stackcook --cloud ci-42 logs compute1 --failed"
    assert found["then"] == "stackcook --cloud ci-42 deploy (resumes where it stopped)"
    assert found["destroy it"] == "stackcook down ci-42"


@pytest.mark.parametrize(
    "words, chosen",
    [(("-f", "infrastructure.yml"), "-f infrastructure.yml"), (("--cloud", "ci-42"), None)],
)
def test_the_commands_that_help_are_for_the_cloud_that_was_chosen(
    words: tuple[str, ...], chosen: str | None, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("up", "--ephemeral", "--name", "ci-42")
    site.chef.broken["compute1"] = recipe_error("compute1")
    prefix = f"stackcook {chosen or '--cloud ci-42'}"
    assert last_lines(run(*words, "deploy"))["then"].startswith(f"{prefix} deploy (")
    if chosen is None:
        monkeypatch.setenv("STACKCOOK_CLOUD", "ci-42")
        assert last_lines(run("deploy"))["then"].startswith(f"{prefix} deploy (")


def test_a_remedy_is_for_the_cloud_that_was_chosen(root: Path) -> None:
    (root / "other.yml").write_text(MANIFEST)
    assert "run `stackcook deploy`" in run("status").stderr
    assert "run `stackcook -f other.yml deploy`" in run("-f", "other.yml", "status").stderr


def interrupt(node: Node) -> None:
    if node.name == "controller":
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_says_how_to_go_on_with_the_new_cloud(site: FakeSite) -> None:
    site.chef.during = interrupt
    result = run("up", "--ephemeral", "--name", "ci-42")
    assert result.exit_code == ExitCode.INTERRUPTED
    assert result.stderr.splitlines()[-1] == (
        "interrupted; run `stackcook --cloud ci-42 deploy`, which resumes where it stopped, or"
        " `stackcook down ci-42`"
    )


def test_ctrl_c_says_how_to_go_on_with_the_cloud_of_the_environment(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("up", "--ephemeral", "--name", "ci-42")
    site.chef.during = interrupt
    again = "interrupted; run `stackcook {}` again: it resumes where it stopped"
    assert run("up").stderr.splitlines()[-1] == again.format("up")
    typed = run("--cloud", "ci-42", "deploy").stderr.splitlines()[-1]
    assert typed == again.format("--cloud ci-42 deploy")
    monkeypatch.setenv("STACKCOOK_CLOUD", "ci-42")
    lines = run("deploy", "--anew").stderr.splitlines()
    assert lines[-1] == again.format("--cloud ci-42 deploy")
    typed = run("-f", "infrastructure.yml", "deploy", "--anew").stderr.splitlines()[-1]
    assert typed == again.format("-f infrastructure.yml deploy")


def test_without_the_option_it_is_deploy(site: FakeSite, root: Path) -> None:
    assert run("up").exit_code == 0
    assert (root / ".stackcook").exists() and every(default_directory()) == ()


@pytest.mark.parametrize("ephemeral", [(), ("--ephemeral",)])
def test_options_of_deploy(ephemeral: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def note(ready: object, listener: object, **options: object) -> ExitCode:
        given.update(options)
        return ExitCode.DONE

    monkeypatch.setattr(up if ephemeral else deploying, "deploy", note)
    words = ("--anew", "--ignore", "clock", "--parallel", "2")
    assert run("up", *ephemeral, *words).exit_code == 0
    assert (given["anew"], given["ignore"], given["parallel"]) == (True, ("clock",), 2)


@pytest.mark.parametrize("ephemeral", [(), ("--ephemeral",)])
def test_what_cannot_be_deployed_leaves_no_cloud(ephemeral: tuple[str, ...]) -> None:
    result = run("up", *ephemeral, "--bundle", "missing.tar")
    assert result.exit_code == ExitCode.USAGE and "missing.tar: " in result.stderr
    assert every(default_directory()) == ()


@pytest.mark.parametrize("words", [("--ttl", "2h"), ("--name", "ci"), ("--pool", "10.64.0.0/13")])
def test_options_of_ephemeral_clouds_alone(words: tuple[str, ...]) -> None:
    result = run("up", *words)
    assert result.exit_code == ExitCode.USAGE
    assert f"{words[0]} needs --ephemeral" in result.stderr


@pytest.mark.parametrize("environment", [False, True])
def test_a_command_works_on_the_cloud_that_is_named(
    environment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("up", "--ephemeral", "--name", "ci-42")
    if environment:
        monkeypatch.setenv("STACKCOOK_CLOUD", "ci-42")
    words = () if environment else ("--cloud", "ci-42")
    found = data(run(*words, "machines", "--json").stdout)
    assert IPv4Address(found["machines"][0]["address"]) in POOL
    typed = data(run("-f", "infrastructure.yml", "machines", "--json").stdout)
    assert environment is False or typed["machines"][0]["address"] == "10.0.112.10"


def test_a_cloud_that_is_not_there() -> None:
    run("up", "--ephemeral", "--name", "ci-42")
    result = run("--cloud", "ci-24", "status")
    assert result.exit_code == ExitCode.USAGE
    assert "there is no ephemeral cloud ci-24; did you mean ci-42?" in result.stderr
    result = run("--cloud", "ci-42", "-f", "infrastructure.yml", "status")
    assert "--cloud and --file cannot be combined" in result.stderr
    document = json.loads(run("--cloud", "ci-24", "--json", "status").stdout)
    assert document["exit_code"] == ExitCode.USAGE


def test_an_empty_name_is_not_the_cloud_of_this_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("--cloud", "", "destroy", "--yes")
    assert result.exit_code == ExitCode.USAGE
    assert "--cloud has no value" in result.stderr
    monkeypatch.setenv("STACKCOOK_CLOUD", "")  # as if it were not set
    assert run("machines").exit_code == 0


def test_it_is_destroyed_and_its_directory_deleted(site: FakeSite) -> None:
    run("up", "--ephemeral", "--name", "ci-42")
    result = run("down", "ci-42")
    assert result.exit_code == 0, result.stderr
    assert not (default_directory() / "ci-42").exists()
    assert run("down", "ci-42").exit_code == ExitCode.USAGE


def test_the_json_of_down_has_each_cloud(site: FakeSite) -> None:
    for name in ("ci-1", "ci-2", "ci-3"):
        run("up", "--ephemeral", "--name", name)
    assert data(run("down", "ci-1", "--json").stdout)["cloud"] == "ci-1"
    site.errors["stop"] = MachineError("it does not stop")
    result = run("down", "ci-2", "ci-3", "--json")
    runs = data(result.stdout)["runs"]
    assert [each["cloud"] for each in runs] == ["ci-2", "ci-3"]
    assert [len(each["errors"]) for each in runs] == [1, 1] and result.exit_code != ExitCode.DONE


def test_destroy_leaves_as_little_as_down(site: FakeSite) -> None:
    for name in ("ci-42", "other"):
        run("up", "--ephemeral", "--name", name)
    result = run("--cloud", "ci-42", "destroy", "--yes")
    assert result.exit_code == 0, result.stderr
    assert [cloud.name for cloud in every(default_directory())] == ["other"]
    assert not (default_directory() / "ci-42").exists()


@pytest.mark.parametrize("words", [("down", "ci-42"), ("--cloud", "ci-42", "destroy", "--yes")])
def test_it_is_destroyed_although_the_checkout_was_deleted(
    words: tuple[str, ...], root: Path
) -> None:
    (root / "Berksfile").write_text("")
    (root / "infrastructure.yml").write_text(f"berksfile:\n{MANIFEST}")
    run("up", "--ephemeral", "--name", "ci-42")
    (root / "Berksfile").unlink()
    result = run("--cloud", "ci-42", "deploy")
    assert result.exit_code == ExitCode.INPUT and "file not found: Berksfile" in result.stderr
    # Vagrant asks this to destroy a machine.
    assert run("--cloud", "ci-42", "machines", "--json").exit_code == 0
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    assert not (default_directory() / "ci-42").exists()


def test_any_cloud_is_destroyed_although_files_of_its_repository_are_missing(root: Path) -> None:
    (root / "Berksfile").write_text("")
    (root / "infrastructure.yml").write_text(f"berksfile:\n{MANIFEST}")
    assert run("deploy").exit_code == 0
    (root / "Berksfile").unlink()
    assert run("deploy").exit_code == ExitCode.INPUT
    result = run("destroy", "--yes")
    assert result.exit_code == 0, result.stderr


def test_a_failed_destroy_keeps_it(site: FakeSite) -> None:
    run("up", "--ephemeral", "--name", "ci-42")
    site.errors["stop"] = ChefServerError("no luck")
    result = run("down", "ci-42")
    assert result.exit_code != 0
    assert last_lines(result)["then"] == "stackcook down ci-42, as before"
    assert [cloud.name for cloud in every(default_directory())] == ["ci-42"]
    site.errors.clear()
    assert run("down", "ci-42").exit_code == 0


def test_one_that_was_killed_before_it_had_a_manifest(site: FakeSite) -> None:
    run("up", "--ephemeral", "--name", "ci-42")
    (default_directory() / "ci-42" / "infrastructure.yml").unlink()
    assert run("down", "ci-42").exit_code == 0
    assert every(default_directory()) == ()


def test_a_damaged_one_does_not_keep_others_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    none = Containers(FakeHost().run)
    monkeypatch.setattr(ps, "clouds_here", lambda directory: clouds_here(directory, none))
    for name in ("damaged", "other"):
        run("up", "--ephemeral", "--name", name)
    (default_directory() / "damaged" / "ephemeral.json").write_text("{")
    assert run("deploy").exit_code == 0
    assert run("--cloud", "other", "status").exit_code == 0
    result = run("ps")
    assert "ephemeral.json cannot be read" in result.stdout, result.stderr
    assert "run `stackcook down damaged`" in result.stdout
    assert run("down", "damaged").exit_code == 0
    assert [cloud.name for cloud in every(default_directory())] == ["other"]


@pytest.mark.parametrize("words", [("deploy",), ("up", "--ephemeral"), ("down", "--expired")])
def test_an_expired_cloud_is_destroyed_by_the_next_command(words: tuple[str, ...]) -> None:
    for name in ("old", "young"):
        run("up", "--ephemeral", "--name", name, "--ttl", "2h")
    expire("old")
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    assert "destroying the ephemeral cloud old, which expired 30 min ago" in result.stderr
    names = {cloud.name for cloud in every(default_directory())}
    assert "young" in names and "old" not in names


def test_the_timer_of_the_debian_package_destroys_expired_clouds() -> None:
    run("up", "--ephemeral", "--name", "old")
    expire("old")
    service = ConfigParser(interpolation=None)
    service.read(Path(__file__).parents[3] / "debian" / "stackcook-expired.service")
    program, *words = shlex.split(service["Service"]["ExecStart"])
    assert program == "/usr/bin/stackcook"
    assert run(*words).exit_code == 0
    assert every(default_directory()) == ()


def test_a_cloud_in_use_is_left_although_it_has_expired() -> None:
    run("up", "--ephemeral", "--name", "old")
    expire("old")
    state = default_directory() / "old" / ".stackcook"
    with exclusive(state, "deploy"):
        assert run("down", "--expired").exit_code == 0
        result = run("down", "old")
        assert result.exit_code == ExitCode.USAGE and "is running" in result.stderr
    assert [cloud.name for cloud in every(default_directory())] == ["old"]


def test_what_cannot_be_destroyed_does_not_keep_a_deploy(site: FakeSite) -> None:
    run("up", "--ephemeral", "--name", "old")
    expire("old")
    site.errors["stop"] = ChefServerError("no luck")
    result = run("deploy")
    assert result.exit_code == 0, result.stderr
    assert "it was not destroyed" in result.stderr and "`stackcook down old`" in result.stderr


@pytest.mark.parametrize(
    "words, why",
    [
        (("--ttl", "soon"), "write a number of seconds, or use a unit: 90m, 2h"),
        (("--ttl", "0"), "write a number of seconds"),
        (("--pool", "10.64.0.1/13"), "write an IPv4 network"),
        (("--pool", "8.8.8.0/24"), "use a private network"),
        (("--name", "Too_long_a_name"), "cannot be the name of a cloud"),
    ],
)
def test_wrong_options(words: tuple[str, ...], why: str) -> None:
    result = run("up", "--ephemeral", *words)
    assert result.exit_code == ExitCode.USAGE and why in result.stderr
    assert every(default_directory()) == ()


def test_down_without_a_name() -> None:
    result = run("down")
    assert result.exit_code == ExitCode.USAGE and "name the clouds" in result.stderr


def test_the_list_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no clouds" in run("ps").stdout or run("ps").exit_code == 0
    now = time.time()
    machines = {"ci-42-controller": True, "ci-42-compute1": False}
    found = (
        CloudHere("ci-42", Path("/x/ci-42"), "me", machines, 3_400_000_000, now - 90, now + 7300),
        CloudHere("lab", Path("/home/me/cloud"), "me", {"lab-c": True}, 10**9, now - 90000),
    )
    monkeypatch.setattr(ps, "clouds_here", lambda _: found)
    lines = run("ps").stdout.splitlines()
    assert lines[1].split() == "ci-42 1 of 2 running 3.4 GB me 1 min 2 h".split()
    assert lines[2].split() == "lab running 1.0 GB me 1 d /home/me/cloud".split()
    assert max(map(len, lines)) <= 80
    assert "Only clouds of LXC containers" in " ".join(run("ps", "--help").stdout.split())
    first, second = data(run("ps", "--json").stdout)["clouds"]
    assert (first["memory"], first["nodes"]) == (3_400_000_000, machines)
    assert first["expires"] and second["expires"] is None
    late = CloudHere("ci-42", Path("/x"), "me", machines, 0, now - 90, now - 10)
    monkeypatch.setattr(ps, "clouds_here", lambda _: (late,))
    assert run("ps").stdout.splitlines()[1].endswith("  expired")
