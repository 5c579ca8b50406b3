"""Bootstrap and converge by knife: what is asked of it, of the server and of the node."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from stackcook.bootstrap.base import Registration
from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.bootstrap.findings import of_error
from stackcook.bootstrap.onnode import Underway
from stackcook.bootstrap.preflight import judge
from stackcook.command import Completed
from stackcook.errors import NodeError
from stackcook.manifest.model import BootstrapKind
from stackcook.remote.base import Host
from stackcook.remote import hostkeys
from stackcook.remote.login import translated
from tests.unit.bootstrap.fakes import DONE, ONE, Setting, again, steps, take


@pytest.fixture
def chef(setting: Setting) -> Bootstrap:
    return Bootstrap(setting.context, BootstrapKind.KNIFE)


def test_a_node_that_nobody_knows_is_new(setting: Setting, chef: Bootstrap) -> None:
    assert chef.look(ONE, setting.host).registration is Registration.NEW


def test_a_node_that_logs_in_is_known_by_one_command(setting: Setting, chef: Bootstrap) -> None:
    setting.register()
    assert chef.look(ONE, setting.host).registration is Registration.REGISTERED
    assert len(setting.shell.asked) == 1


def test_a_key_is_the_same_however_a_library_writes_it(setting: Setting, chef: Bootstrap) -> None:
    setting.register()
    client = setting.chef.objects["/clients/one"]
    head, *middle, foot = client["public_key"].strip().splitlines()
    client["public_key"] = "\n".join((head, "".join(middle), foot))
    assert chef.look(ONE, setting.host).registration is Registration.REGISTERED
    client["public_key"] = ""
    setting.shell.login = setting.shell.login.partition("-----BEGIN")[0]
    assert chef.look(ONE, setting.host).registration is Registration.PARTIAL


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.register(url="http://10.9.9.9:4545"),
        lambda s: s.register(secret="another"),
        lambda s: s.register(own_key=False),
        lambda s: (s.register(), setattr(s.shell, "login", "")),
        lambda s: (s.register(), s.chef.objects.pop("/nodes/one")),
        lambda s: (s.register(), s.chef.objects.pop("/clients/one")),
    ],
    ids=["other server", "other secret", "other key", "fresh machine", "no node", "no client"],
)
def test_what_can_not_log_in_is_half_made(
    setting: Setting, chef: Bootstrap, change: Callable[[Setting], object]
) -> None:
    change(setting)
    assert chef.look(ONE, setting.host).registration is Registration.PARTIAL


@pytest.mark.parametrize("own_key", [True, False])
def test_a_host_with_the_key_of_its_node_is_ours_whatever_the_servers_url_is_now(
    setting: Setting, chef: Bootstrap, own_key: bool
) -> None:
    setting.register(url="http://10.9.9.9:4545", own_key=own_key)
    setting.shell.fit += "chef server=http://10.9.9.9:4545\nchef node=one\n"
    facts = chef.look(ONE, setting.host).facts
    assert facts and facts.ours is own_key
    found = [each.id for each in judge("one", facts)]
    assert found == ([] if own_key else ["leftover"])


def test_a_user_who_can_not_become_root_is_named(setting: Setting, chef: Bootstrap) -> None:
    setting.register()
    setting.shell.fit = "sudo: a password is required\n"
    with pytest.raises(
        NodeError, match="vagrant cannot become root with sudo .*password is required"
    ) as failed:
        chef.look(ONE, setting.host)
    assert of_error(failed.value, "one").id == "sudo"


def test_a_host_with_another_key_and_one_that_is_silent_are_told_apart(
    setting: Setting, tmp_path: Path
) -> None:
    known, found = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    hostkeys.record(setting.host.alias, known, tmp_path / "known_hosts")
    with pytest.raises(NodeError) as failed:
        hostkeys.check(setting.host, found, tmp_path / "known_hosts")
    assert of_error(failed.value, "one").id == "host-key"
    with pytest.raises(NodeError) as failed, translated(setting.host):
        raise ConnectionRefusedError()
    assert of_error(failed.value, "one").id == "unreachable"


def test_knife_gets_all_by_file_and_verifies_our_host_keys(
    setting: Setting, chef: Bootstrap
) -> None:
    setting.register(own_key=False)
    lines: list[str] = []
    result = take(chef, ONE, setting.host, lines.append)
    assert (result.updated, result.total) == (1, 2)
    assert lines == [DONE.strip()]
    assert setting.chef.objects == {}, "what a half-made node left is gone"
    command = setting.knife.command
    assert command
    line = " ".join(command.argv)
    assert "knife bootstrap 10.0.115.10" in line
    assert "-N one -U vagrant -i /key" in line and "-E lab -r role[base]" in line
    assert "--ssh-verify-host-key always" in line
    assert "--sudo" in line and "s3" not in line
    assert "-p" not in command.argv, "22 as text is looked for as [ADDRESS]:22"
    attributes = command.argv[command.argv.index("--json-attribute-file") + 1]
    assert json.loads(Path(attributes).read_text()) == {
        "openstack": {"address": "10.0.115.10"}
    }, "the node itself says that a run of this deploy was good"
    assert json.loads(str(command.env["STACKCOOK_ATTRIBUTES"])) == {
        "openstack": {"address": "10.0.115.10"},
        "stackcook": {"deploy": "d-1"},
    }
    config = Path(str(command.env["HOME"])) / ".ssh" / "config"
    assert f'GlobalKnownHostsFile "{setting.state}/known_hosts"' in config.read_text()


def test_a_node_of_the_lab_gets_the_external_network(setting: Setting) -> None:
    setting.openstack = {"network": {"external": {"cidr": "10.0.113.0/24"}}}
    take(Bootstrap(setting.context, BootstrapKind.KNIFE), ONE, setting.host)
    wanted = {"openstack": {"address": "10.0.115.10", **setting.openstack}}
    command = setting.knife.command
    assert command
    file = command.argv[command.argv.index("--json-attribute-file") + 1]
    assert json.loads(Path(file).read_text()) == wanted
    first_run = json.loads(str(command.env["STACKCOOK_ATTRIBUTES"]))
    assert first_run == {**wanted, "stackcook": {"deploy": "d-1"}}


def test_a_policy_stands_for_run_list_and_environment(setting: Setting, chef: Bootstrap) -> None:
    node = replace(ONE, policy_name="web", policy_group="prod", run_list=())
    take(chef, node, setting.host)
    assert setting.knife.command
    line = " ".join(setting.knife.command.argv)
    assert "--policy-name web --policy-group prod" in line
    assert " -E " not in line and " -r " not in line
    setting.chef.objects["/nodes/one"] = {"run_list": ["role[base]"]}
    again(chef, node, setting.host)
    there = setting.chef.objects["/nodes/one"]
    assert (there["policy_name"], there["policy_group"]) == ("web", "prod")
    assert " -E " not in setting.shell.sent[-1]


def test_a_node_s_lines_come_out_of_knife_s_packets(setting: Setting, chef: Bootstrap) -> None:
    packets = ["Connecting to 10.0.115.10", " [10.0.115.10]   ", "", " [10.0.115.10] - one", "two"]
    setting.knife.done = Completed(0, "\n".join([*packets, f" [10.0.115.10] {DONE}"]))
    lines: list[str] = []
    take(chef, ONE, setting.host, lines.append)
    assert lines == ["Connecting to 10.0.115.10", "  - one", "two", DONE.strip()]


def test_root_needs_no_sudo_and_other_ports_are_said(setting: Setting, chef: Bootstrap) -> None:
    host = Host("one", "10.0.115.10", "root", (Path("/key"),), 2222)
    take(chef, ONE, host)
    assert setting.knife.command
    assert "--sudo" not in setting.knife.command.argv
    assert ("-p", "2222") == setting.knife.command.argv[-4:-2]


@pytest.mark.parametrize(
    "status, output, why",
    [
        (1, "ERROR: Train::Transports::SSHFailed: x\n", "one: Train::Transports::SSHFailed: x;"),
        (0, "WARN: nothing to do\n", "exited before its run was complete"),
    ],
)
def test_success_takes_status_and_chef_s_own_word(
    setting: Setting, chef: Bootstrap, status: int, output: str, why: str
) -> None:
    setting.knife.done = Completed(status, output)
    with pytest.raises(NodeError, match=why):
        take(chef, ONE, setting.host)


def test_converging_leaves_a_node_that_is_in_step_alone(setting: Setting, chef: Bootstrap) -> None:
    setting.register()
    before = json.dumps(setting.chef.objects)
    result = again(chef, ONE, setting.host)
    assert (result.updated, result.total) == (1, 2)
    assert json.dumps(setting.chef.objects) == before
    assert " -E lab " in setting.shell.sent[-1]


def test_a_node_that_the_server_has_lost_is_told_with_what_helps(
    setting: Setting, chef: Bootstrap
) -> None:
    ((_, converge),) = steps(chef, ONE, setting.host, Registration.REGISTERED)
    with pytest.raises(
        NodeError, match="^one: the Chef server no longer has this node; run `stackcook deploy`"
    ):
        converge(print)


def test_converging_brings_run_list_environment_and_address_in_step(
    setting: Setting, chef: Bootstrap
) -> None:
    setting.register()
    old = setting.chef.objects["/nodes/one"]
    setting.chef.objects["/nodes/one"] = {**old, "run_list": ["role[old]"], "normal": {}}
    again(chef, ONE, setting.host)
    new = setting.chef.objects["/nodes/one"]
    assert new["run_list"] == ["role[base]"]
    sent = {"openstack": {"address": "10.0.115.10"}, "stackcook": {"deploy": "d-1"}}
    sent |= {"run_list": ["role[base]"]}  # a run that the timer has begun may save the old one
    assert json.dumps(sent) in setting.shell.sent[-1]
    assert new["normal"] == {}, "the node itself says what a good run was"


def test_a_failed_recipe_is_one_line(setting: Setting, chef: Bootstrap) -> None:
    setting.register()
    text = (Path(__file__).parent / "broken.txt").read_text()
    setting.shell.converge = Completed(1, text)
    with pytest.raises(NodeError) as failed:
        again(chef, ONE, setting.host)
    assert str(failed.value) == (
        "one: Error executing action `run` on resource 'execute[boom]'"
        " (trivial/recipes/broken.rb:1): it is broken;"
        " run `stackcook logs one --failed` to see more"
    )


def test_an_interrupt_ends_what_runs_and_what_begins_later_but_not_what_is_over() -> None:
    underway, ended = Underway(), list[str]()
    with underway.noting() as note:
        note(lambda: ended.append("over"))
    with underway.noting() as note:
        note(lambda: ended.append("running"))
        underway.end()
        note(lambda: ended.append("later"))
    assert ended == ["running", "later"]
