"""Nodes that a command of knife makes: what is asked of knife, and what of all others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.bootstrap import providers
from stackcook.bootstrap.base import Registration
from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.command import CommandError, Completed
from stackcook.errors import MachineError, NodeError
from stackcook.machines.provided import ProvidedMachines
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import ChefServer, Manifest, Node
from stackcook.remote.base import Host
from tests.fakes import AT, FakeMachines, node
from tests.unit.bootstrap.fakes import DONE, URL, Knife, Setting, again, take

SERVER = ChefServer("https://chef.example.com/organizations/lab", "me", Path("/me.pem"))
WEB = Node(
    "web01",
    AT,
    ("role[web]", "recipe[app]"),
    "prod",
    provider="ec2",
    options=parse("-f m1.small -N web{{n}} -E prod --tags 'a b' -P s3cret"),
)
HOST = Host("web01", "", "root", (Path("/key"),))


def provided(setting: Setting, knife: Knife, *, known: bool = False) -> Bootstrap:
    setting.knife = knife
    if known:
        for kind in ("nodes", "clients"):
            setting.chef.objects[f"/{kind}/web01"] = {"name": "web01"}
    return Bootstrap(setting.context)


def with_server(setting: Setting) -> tuple[str, ...]:
    return ("--server-url", URL, "-u", "me", "-k", str(setting.state / "me.pem"))


@pytest.mark.parametrize(
    "change, words",
    [
        ({}, "ec2 server create"),
        ({"provider": "vsphere"}, "vsphere vm clone"),
        ({"provider": "kvm"}, "kvm vm create"),
        ({"provider": "digital_ocean"}, "digital_ocean droplet create"),
        ({"provider": "google"}, "google server create web01"),
        ({"provider": "windows_winrm", "host": "win1"}, "bootstrap win1 -o winrm"),
    ],
)
def test_a_provider_s_command(change: dict[str, str], words: str) -> None:
    assert providers.create_arguments(replace(WEB, **change)) == (
        *words.split(),
        *("-f", "m1.small", "--tags", "a b", "-P", "s3cret"),
        *("-N", "web01", "-E", "prod", "-r", "role[web],recipe[app]"),
    )


def test_it_is_made_where_the_server_does_not_know_it(setting: Setting) -> None:
    knife = Knife(Completed(0, f" [192.0.2.7] {DONE}"))
    chef = provided(setting, knife)
    assert chef.look(WEB, HOST).registration is Registration.NEW
    result = take(chef, WEB, HOST)
    assert (result.updated, result.total) == (1, 2)
    assert knife.command and knife.command.cwd == setting.root
    assert knife.command.argv[1:4] == ("ec2", "server", "create")
    assert knife.command.argv[-6:] == with_server(setting)


def test_what_the_server_knows_is_converged_over_ssh(setting: Setting) -> None:
    knife = Knife()
    chef = provided(setting, knife, known=True)
    assert chef.look(WEB, HOST).registration is Registration.REGISTERED
    again(chef, WEB, HOST)
    assert knife.command is None and "run-lock" in setting.shell.sent[-1]


def test_nobody_logs_in_to_windows_to_look(setting: Setting) -> None:
    chef = provided(setting, Knife(), known=True)
    setting.shell.fails["look"] = NodeError("no SSH answer")
    windows = replace(WEB, provider="windows_winrm", host="win1")
    assert chef.look(windows, HOST).registration is Registration.REGISTERED
    with pytest.raises(NodeError, match="no SSH answer"):
        chef.look(WEB, HOST)


def test_windows_is_converged_by_knife(setting: Setting) -> None:
    knife = Knife(Completed(0, f"win1 {DONE}"))
    windows = replace(
        WEB,
        provider="windows_winrm",
        host="win1",
        options=parse("-x Admin -P pw -E prod").over(parse("-x other")),
    )
    again(provided(setting, knife, known=True), windows, HOST)
    assert knife.command
    wanted = (
        "winrm",
        "name:web01",
        "chef-client",
        "-x",
        "Admin",
        "-P",
        "pw",
        *with_server(setting),
    )
    assert knife.command.argv[1:] == wanted


def test_a_failure_says_what_to_look_for(setting: Setting) -> None:
    knife = Knife(Completed(100, "ERROR: AuthFailure: no such key\n"))
    with pytest.raises(NodeError, match="AuthFailure: no such key.*knife ec2 server list"):
        take(provided(setting, knife), WEB, HOST)


def test_a_command_that_never_ends_shows_no_password(setting: Setting) -> None:
    class Endless(Knife):
        def __call__(self, command, **_):  # type: ignore
            raise CommandError(f"`{command}` did not finish within 3600 s")

    with pytest.raises(NodeError, match="`knife ec2 server create` did not finish") as caught:
        take(provided(setting, Endless()), WEB, HOST)
    assert "s3cret" not in str(caught.value)


def test_a_missing_plugin_is_named_once(tmp_path: Path) -> None:
    windows = replace(WEB, provider="windows_ssh")
    manifest = Manifest(tmp_path / "i.yml", "lab", nodes=(windows, WEB, replace(WEB, name="w2")))
    knife = Knife(Completed(10, "FATAL: Cannot find subcommand\n"))
    (found,) = providers.missing_plugins(manifest, knife)
    assert "knife has no command `ec2 server create`; install" in str(found)
    assert "gem install knife-ec2" in str(found)
    knife = Knife(Completed(1, "knife ec2 server create (options)\n"))
    assert providers.missing_plugins(manifest, knife) == ()


def test_machines_are_where_the_chef_server_says(tmp_path: Path) -> None:
    others, own = FakeMachines([]), node("db", "db", 5)
    known = {"web01": {"automatic": {"cloud": {"public_ipv4": "192.0.2.7"}}}}
    knife = Knife(Completed(0, ""))
    machines = ProvidedMachines(others, known.get, lambda: SERVER, tmp_path, runner=knife)
    machines.up([WEB, own], print)
    assert others.state == {"db": "running"}
    absent = replace(WEB, name="web02")
    states = machines.states([WEB, own, absent])
    assert states == {"web01": "running", "db": "running", "web02": "absent"}
    hosts = machines.hosts([WEB, own])
    assert [hosts["web01"].address, hosts["db"].address] == ["192.0.2.7", "10.0.115.5"]
    machines.destroy([WEB, own], print)
    assert knife.command and knife.command.argv[1:6] == ("ec2", "server", "delete", "web01", "-y")
    assert others.asked == ["up", "destroy db"]


def test_a_machine_that_can_t_be_deleted_is_told(tmp_path: Path) -> None:
    knife = Knife(Completed(1, "ERROR: no such instance\n"))
    machines = ProvidedMachines(
        FakeMachines([]), lambda name: {"name": name}, lambda: SERVER, tmp_path, runner=knife
    )
    with pytest.raises(
        MachineError, match="`knife ec2 server delete web01` failed: ERROR: no such"
    ):
        machines.destroy([WEB], print)
