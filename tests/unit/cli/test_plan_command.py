"""``stackcook plan``: what deploy would do, from what is there now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from stackcook.bundle import archive
from stackcook.cli.main import cli
from tests.output import data as data_of

MANIFEST = """\
roles: [{controller: }, {compute: }]
nodes:
- controller: {run_list: "role[controller]"}
- compute1 compute2: {run_list: "role[compute],recipe[ntp]"}
- other:
stackcook:
  machines: ssh
  nodes:  # nothing listens at port 1
    controller: {address: 127.0.0.2, key: key, port: 1}
    compute1: {address: 127.0.0.3, key: key, port: 1}
    compute2: {address: 127.0.0.4, key: key, port: 1}
    other: {address: 127.0.0.5, key: key, port: 1}
  stages: [controller, compute]
  passwords: {db_passwords: [nova, keystone]}
"""


NEW = "record the host's state, install the Chef client, register it with the Chef server"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "repository"
    for name in ("controller", "compute"):
        path = directory / "roles" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"name": name}))
    recipe = directory / "cookbooks" / "ntp" / "recipes" / "default.rb"
    recipe.parent.mkdir(parents=True)
    recipe.touch()
    (recipe.parents[1] / "metadata.json").write_text('{"name": "ntp", "version": "1.0.0"}')
    (directory / "key").touch()
    (directory / "infrastructure.yml").write_text(f"cookbooks: [ntp]\n{MANIFEST}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(directory)
    return directory


def plan(*arguments: str) -> Result:
    return CliRunner(mix_stderr=False).invoke(cli, ["plan", *arguments])


def test_stages_in_order(repository: Path) -> None:
    result = plan()
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "no Chef server is running, so everything is shown as new\n"
        "  new        2 passwords, generated\n"
        "  new        cookbook ntp 1.0.0\n"
        "  new        role controller\n"
        "  new        role compute\n"
        "first\n"
        "  check        read and check the Chef repository\n"
        "  secrets      generate the passwords and keys that are missing\n"
        "  network      set up the network of the machines\n"
        "  chef server  start the Chef server, or check that it responds\n"
        "  machines     check that the machines are up\n"
        "  findings     show what preflight has found, and stop if a node is not ready\n"
        "  upload       upload what differs from the Chef repository\n"
        "  run lists    set the run lists, environments and addresses that differ from "
        "the manifest\n"
        "stage controller\n"
        f"  controller  127.0.0.2  {NEW}, converge role[controller]\n"
        "stage compute: before the converge, wait until the services on controller respond\n"
        f"  compute1    127.0.0.3  {NEW}, converge role[compute], recipe[ntp]\n"
        f"  compute2    127.0.0.4  {NEW}, converge role[compute], recipe[ntp]\n"
        "stage rest: before the converge,"
        " wait until the services on controller, compute1, compute2 respond\n"
        f"  other       127.0.0.5  {NEW}, converge an empty run list\n"
        "finally\n"
        "  save         wait until the Chef server has saved its data\n"
        "  verify       check that the cloud works, also with instances if it has an external"
        " network and an image `test`\n"
    )


NOTE = (
    "note: no external network: instances cannot be reached from outside;"
    " set `external_network` in `stackcook:`\n"
)


def test_a_cloud_without_an_external_network(repository: Path) -> None:
    path, ntp = repository / "infrastructure.yml", repository / "cookbooks" / "ntp"
    assert plan().stderr == "", "this manifest deploys no OpenStack"
    shutil.copytree(ntp, ntp.with_name("openstack-network"))
    metadata = ntp.with_name("openstack-network") / "metadata.json"
    metadata.write_text('{"name": "openstack-network", "version": "1.0.0"}')
    path.write_text(f"cookbooks: [ntp, openstack-network]\n{MANIFEST}")
    assert plan().stderr == NOTE
    attributes = {"openstack": {"network": {"external": {"cidr": "192.0.2.0/24"}}}}
    role = repository / "roles" / "controller.json"
    role.write_text(json.dumps({"name": "controller", "default_attributes": attributes}))
    assert plan().stderr == ""


def test_a_plan_needs_no_vagrant(repository: Path) -> None:
    path = repository / "infrastructure.yml"
    address = "10.0.115.9"
    path.write_text(
        f"nodes: [one]\nstackcook: {{network: 10.0.115.0/24, provider: virtualbox,"
        f" nodes: {{one: {{address: {address}}}}}}}\n"
    )
    result = plan()
    assert result.exit_code == 0
    warning = "warning: cannot inspect the machines: Vagrant cannot use virtualbox on this machine;"
    assert result.stderr.startswith(warning)
    assert f"one  {address}  create the machine" in result.stdout


def test_json(repository: Path) -> None:
    data = data_of(plan("--json").stdout)
    assert data["chef_server"] == {
        "url": None,
        "new": ["cookbook ntp 1.0.0", "role controller", "role compute"],
        "changed": [],
        "gone": [],
        "unchanged": [],
    }
    assert data["passwords"] == ["db_passwords/nova", "db_passwords/keystone"]
    assert (data["delete"], data["knife"]) == (None, [])
    for stages in (data_of(plan("--json", "--converge").stdout)["stages"], data["stages"]):
        assert [(stage["name"], stage["after"]) for stage in stages] == [
            ("controller", []),
            ("compute", ["controller"]),
            ("rest", ["controller", "compute1", "compute2"]),
        ]
    assert stages[0]["nodes"] == [
        {
            "name": "controller",
            "address": "127.0.0.2",
            "provider": None,
            "environment": "_default",
            "run_list": ["role[controller]"],
            "policy": None,
            "machine": None,
            "done": False,
            "steps": ["reach", "preflight", "record", "install", "register", "converge"],
        }
    ]


def test_changes_nothing(repository: Path) -> None:
    before = sorted(repository.rglob("*"))
    plan()
    assert sorted(repository.rglob("*")) == before


def test_only_some_sections(repository: Path) -> None:
    assert plan("--only", "roles").stdout == (
        "no Chef server is running, so everything is shown as new\n"
        "  new        role controller\n"
        "  new        role compute\n"
    )
    assert plan("--only", "knife").stdout == "nothing to do\n"


def test_only_some_nodes(repository: Path) -> None:
    found = plan("--limit", "compute2,role[controller]").stdout.splitlines()
    assert found[found.index("stage controller") : found.index("finally")] == [
        "stage controller",
        f"  controller  127.0.0.2  {NEW}, converge role[controller]",
        "stage compute: before the converge, wait until the services on controller respond",
        f"  compute2    127.0.0.4  {NEW}, converge role[compute], recipe[ntp]",
    ]


def test_nothing_to_delete(repository: Path) -> None:
    assert plan("--delete").stdout == "nothing to delete\n"
    assert plan("--rebuild").stdout == f"nothing to delete\n{plan().stdout}"


def test_what_deploys_leave_here_is_deleted(repository: Path) -> None:
    kept = repository / ".stackcook" / "data_bags" / "db_passwords" / "nova.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"id": "nova"}')
    assert "  new        1 password, generated\n" in plan().stdout
    assert "  new        2 passwords, generated\n" in plan("--rebuild").stdout
    assert f"  delete     {repository}/.stackcook with passwords" in plan("--delete").stdout
    assert plan("--delete", "--limit", "other").stdout == "nothing to delete\n"


@pytest.mark.parametrize("option", ["--parallel", "--node-only", "--chef-client"])
def test_what_only_knife_can(option: str, repository: Path) -> None:
    result = plan(option)
    assert result.exit_code == 2
    assert f"{option} needs --format knife" in result.stderr


def test_a_server_that_cannot_be_reached(repository: Path) -> None:
    server = "chef_server: {url: 'http://127.0.0.9:1', user: me, key: key}"
    manifest = repository / "infrastructure.yml"
    manifest.write_text(f"{manifest.read_text()}  {server}\n")
    key = rsa.generate_private_key(65537, 2048)
    (repository / "key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    result = plan()
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr.startswith("http://127.0.0.9:1: ")
    assert plan("--format", "knife", "--only", "roles").exit_code == 0


def test_a_host_to_which_no_way_leads_is_planned_all_the_same(repository: Path) -> None:
    manifest = MANIFEST.replace("127.0.0.2", "fe80::1")  # refused here, nothing is sent
    (repository / "infrastructure.yml").write_text(f"cookbooks: [ntp]\n{manifest}")
    result = plan("--limit", "controller")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "controller  fe80::1  record the host's state" in result.stdout


@pytest.mark.parametrize("command", ["plan", "upload"])
def test_sections_are_completed(command: str) -> None:
    complete = ShellComplete(cli, {}, "stackcook", "_STACKCOOK_COMPLETE")
    found = complete.get_completions([command, "--only"], "d")
    assert [item.value for item in found] == ["data-bags"]


def test_a_bundle_shows_in_the_plan(repository: Path) -> None:
    nodes = {name: {"trixie-amd64": []} for name in ("controller", "compute1", "compute2")}
    archive.write(repository / "cloud.tar", {"nodes": nodes, "box": ""}, [])
    result = plan("--bundle", "cloud.tar")
    assert result.exit_code == 0, result.stderr
    send = "send the packages of the bundle, and let apt use only these"
    steps = NEW.replace(", install", f", {send}, install")
    assert f"  controller  127.0.0.2  {steps}, converge role[controller]\n" in result.stdout
    assert "warning: the bundle has no packages of other: write it again" in result.stderr
    assert "send the packages of the bundle" not in plan().stdout


@pytest.mark.parametrize("other", [("--converge",), ("--delete",), ("--format", "knife")])
def test_a_bundle_is_only_for_the_plan_of_a_deploy(
    repository: Path, other: tuple[str, ...]
) -> None:
    result = plan("--bundle", "none.tar", *other)
    assert result.exit_code == 2 and "--bundle" in result.stderr
    assert "cannot be combined" in result.stderr
