"""Vagrant's machines as far as no machine is needed; tests/lab has the rest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import paramiko
import pytest

from stackcook.errors import MachineError, Position, UsageError
from stackcook.machines import factory, vagrant
from stackcook.machines.lxc import Containers
from stackcook.machines.network import LabNetwork
from stackcook.machines.ssh import SshMachines
from stackcook.machines.vagrant import VagrantMachines, choose_provider
from stackcook.manifest.model import MachineKind, Manifest, Node
from tests.contract.servers import wait
from tests.started import environment
from tests.unit.machines.fakes import FakeHost
from tests.unprivileged import unprivileged

NODES = tuple(
    Node(name, Position(1, 1), address=IPv4Address(f"10.9.0.{number}"))
    for number, name in enumerate(("one", "two", "three"), start=10)
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, to put programs into."""
    directory = tmp_path / "bin"
    directory.mkdir()
    real = vagrant.find_program

    def find(name: str) -> Path:
        if not (directory / name).exists():
            raise UsageError(f"{name} is not installed")
        return real(name)

    monkeypatch.setattr(vagrant, "find_program", find)
    return directory


def machines(root: Path, host: FakeHost) -> VagrantMachines:
    manifest = Manifest(root / "infrastructure.yml", "lab", nodes=NODES)
    network = LabNetwork("lab", IPv4Network("10.9.0.0/24"), root, host.run)
    return VagrantMachines(manifest, network, "lxc", host.run)


def with_external(root: Path, host: FakeHost, network: str = "10.9.1.0/24") -> VagrantMachines:
    key = root / ".stackcook" / "ssh" / "id_ed25519"
    key.parent.mkdir(parents=True, exist_ok=True)
    key.touch()
    inner = machines(root, host)
    external = LabNetwork("lab", IPv4Network(network), root, host.run, "external_network")
    return replace(inner, external=external)


def note(root: Path, *names: str) -> None:
    """What Vagrant notes of the containers that it made."""
    for name in names:
        path = root / ".vagrant" / "machines" / name / "lxc" / "id"
        path.parent.mkdir(parents=True)
        path.write_text(f"lab-{name}")


def test_states_need_both_the_container_and_vagrants_note(tmp_path: Path) -> None:
    note(tmp_path, "one", "two")
    host = FakeHost(containers={"lab-one": True, "lab-two": False, "lab-three": True})
    assert machines(tmp_path, host).states(NODES) == {
        "one": "running",
        "two": "stopped",
        "three": "absent",
    }


def test_restored_machines_replace_those_that_are_there(tmp_path: Path) -> None:
    note(tmp_path, "one")
    (tmp_path / ".vagrant/machines/one/lxc/box_meta").touch()
    host = FakeHost(containers={"lab-one": True, "lab-two": False})
    made = machines(tmp_path, host)
    made.restore(NODES[:2], Path("/snapshots/lab/nodes"))
    layers = str(vagrant.HERE / "layers.sh")
    for name in ("one", "two"):
        destroy = f"lxc-destroy --force --name lab-{name}"
        create = f"sh {layers} create lab-{name} /snapshots/lab/nodes/{name}"
        assert host.done.index(destroy) < host.done.index(create)
        known = tmp_path / ".vagrant" / "machines" / name / "lxc"
        assert [path.name for path in known.iterdir()] == ["id"]
        assert (known / "id").read_text() == f"lab-{name}"
    assert set(made.states(NODES[:2]).values()) == {"running", "stopped"}


def test_another_deployment_s_containers_are_not_replaced(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    host = FakeHost(containers={"lab-two": True}, owners={"lab-two": other})
    with pytest.raises(MachineError, match=f"lab-two: .* belongs to {other}"):
        machines(tmp_path, host).restore(NODES, Path("/snapshots/lab/nodes"))
    assert host.done == []


def test_machines_that_were_being_shut_down_are_not_taken_for_running(tmp_path: Path) -> None:
    note(tmp_path, "one", "two")
    host = FakeHost(containers={"lab-one": True, "lab-two": True}, way="lo")
    made = machines(tmp_path, host)
    (tmp_path / ".stackcook").mkdir()
    (tmp_path / ".stackcook" / "stopping").touch()  # as a killed `snapshot save` leaves it
    made.up((), lambda line: None)
    stops = [done for done in host.done if done.startswith("lxc-stop")]
    wanted = [f"lxc-stop --nokill --timeout 120 --name lab-{name}" for name in ("one", "two")]
    assert sorted(stops) == wanted
    assert not (tmp_path / ".stackcook" / "stopping").exists()


def test_a_machine_that_does_not_shut_down_is_named(tmp_path: Path) -> None:
    note(tmp_path, "one")
    host = FakeHost(containers={"lab-one": True}, fails="lxc-stop")
    with pytest.raises(MachineError, match="lab-one: has not shut down within 120 s; run `sudo"):
        machines(tmp_path, host).stop(NODES[:1])


def test_a_lab_has_an_ssh_key_that_stays(tmp_path: Path) -> None:
    lab = machines(tmp_path, FakeHost())
    lab.prepare()
    key = lab.hosts(NODES)["one"].keys[0]
    assert key
    text = key.read_text()
    kind, public, *comment = key.with_suffix(".pub").read_text().split()
    assert (kind, comment) == ("ssh-ed25519", ["stackcook", "lab"])
    assert paramiko.Ed25519Key.from_private_key_file(str(key)).get_base64() == public
    assert {path.stat().st_mode & 0o777 for path in key.parent.iterdir()} == {0o600}
    lab.prepare()
    assert key.read_text() == text
    assert len(list(key.parent.iterdir())) == 2


def test_hosts_are_known_without_asking_vagrant(tmp_path: Path) -> None:
    host = machines(tmp_path, FakeHost()).hosts(NODES)["two"]
    assert (host.name, host.address, host.user) == ("two", "10.9.0.11", "vagrant")
    assert host.keys == (tmp_path / ".stackcook" / "ssh" / "id_ed25519",)


def test_what_a_killed_run_left_half_made_is_removed(tmp_path: Path) -> None:
    host = FakeHost(containers={"lab-one": False, "other-two": True})
    machines(tmp_path, host).destroy(NODES, print)
    assert "lxc-destroy --force --name lab-one" in host.done
    assert not any("other-two" in command for command in host.done)


def test_a_machine_that_is_gone_does_not_determine_the_box_of_the_next(tmp_path: Path) -> None:
    """Vagrant remembers the box of a container that was deleted without it."""
    remembered = tmp_path / ".vagrant" / "machines" / "one" / "lxc" / "box_meta"
    remembered.parent.mkdir(parents=True)
    remembered.write_text('{"name":"stackcook-trixie-old"}')
    machines(tmp_path, FakeHost())._remove(NODES)
    assert not remembered.parent.exists()


def test_the_container_of_a_node_that_was_renamed_does_not_outlive_the_cloud(
    tmp_path: Path,
) -> None:
    names = ("lab-one", "lab-old", "lab-two-three", "other-old")
    owners = {
        "lab-one": tmp_path,
        "lab-old": tmp_path,
        "lab-two-three": tmp_path / "theirs",
        "other-old": tmp_path,
    }
    host = FakeHost(containers=dict.fromkeys(names, True), owners=owners)
    machines(tmp_path, host).tear_down()
    destroyed = [done for done in host.done if done.startswith("lxc-destroy")]
    assert destroyed == ["lxc-destroy --force --name lab-old"]
    assert host.done.index(destroyed[0]) == 0  # before their network is gone


def test_a_renamed_node_does_not_share_its_address_with_the_old_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VagrantMachines, "provide", lambda *_: None)
    owners = {"lab-old": tmp_path, "lab-other": tmp_path, "lab-theirs": tmp_path / "theirs"}
    addresses = {"lab-old": "10.9.0.11", "lab-other": "10.9.0.99", "lab-theirs": "10.9.0.10"}
    containers = dict.fromkeys(owners, True)
    host = FakeHost(containers=containers, owners=owners, addresses=addresses)
    made = machines(tmp_path, host)
    made._refuse_shared_addresses([NODES[0], NODES[2]])
    with pytest.raises(MachineError) as error:
        made.up(NODES, print)
    assert str(error.value) == (
        "two: its address 10.9.0.11 is that of the container lab-old, whose node is not in the"
        " manifest any more; run `sudo lxc-destroy --force --name lab-old`, or use another address"
    )


def test_the_containers_of_another_checkout_are_left_alone(tmp_path: Path) -> None:
    (theirs := tmp_path / "theirs").mkdir()
    (ours := tmp_path / "ours").mkdir()
    host = FakeHost(containers={"lab-one": True}, owners={"lab-one": theirs})
    machines(ours, host).destroy(NODES, print)
    assert host.done == []
    with pytest.raises(
        MachineError,
        match=f"^lab-one: the container already exists and belongs to {theirs}; run `stackcook "
        f"-f {theirs}/infrastructure.yml destroy`",
    ):
        try:
            machines(ours, host)._refuse_foreign(NODES)
        except MachineError as error:
            raise MachineError(str(error)) from error
    theirs.rmdir()  # a checkout that is gone has no use for its machines
    machines(ours, host).destroy(NODES, print)
    assert host.done == ["lxc-destroy --force --name lab-one"]


def test_the_containers_of_a_hidden_checkout_are_left_alone(tmp_path: Path) -> None:
    """Directories of other users, which have mode 0700, are not mistaken for deleted ones."""
    (theirs := tmp_path / "hidden" / "theirs").mkdir(parents=True)
    theirs.parent.chmod(0)
    containers = Containers(FakeHost(owners={"lab-one": theirs}).run)
    with unprivileged():
        found = containers.foreign("lab-one", tmp_path / "ours")
    theirs.parent.chmod(0o700)
    assert found == theirs


def test_a_container_that_stays_is_an_error(tmp_path: Path) -> None:
    host = FakeHost(containers={"lab-one": False}, fails="lxc-destroy")
    with pytest.raises(MachineError, match="lxc-destroy failed .no such luck."):
        machines(tmp_path, host).destroy(NODES, print)


@pytest.mark.parametrize(
    "network, start, end",
    [
        ("10.9.1.0/24", "10.9.1.100", "10.9.1.199"),
        ("10.9.2.0/23", "10.9.2.200", "10.9.3.143"),
        ("10.9.1.0/29", "10.9.1.3", "10.9.1.5"),
    ],
)
def test_nodes_get_the_external_network_as_attributes(
    tmp_path: Path, network: str, start: str, end: str
) -> None:
    made = with_external(tmp_path, FakeHost(), network)
    external = {
        "cidr": network,
        "gateway": network.replace("0/", "1/").partition("/")[0],
        "pool": {"start": start, "end": end},
    }
    assert made.attributes() == {
        "network": {"provider": {"interface": "eth1"}, "external": external}
    }
    # the name of a virtual machine's interface depends on its box
    virtual = replace(made, provider="libvirt")
    assert virtual.attributes() == {"network": {"external": external}}
    named = replace(virtual, manifest=replace(made.manifest, external_interface="ens6"))
    assert named.attributes()["network"]["provider"] == {"interface": "ens6"}
    assert machines(tmp_path, FakeHost()).attributes() == {}


def test_a_container_that_was_started_without_the_interface_is_refused(tmp_path: Path) -> None:
    note(tmp_path, "one", "two", "three")
    up = {"lab-one": True, "lab-two": True, "lab-three": False}
    host = FakeHost(way="lo", containers=up, second_links={"lab-one": "ex-lab"})
    with pytest.raises(MachineError) as caught:
        with_external(tmp_path, host).prepare()
    assert str(caught.value) == (
        "two: started without eth1, the interface on the external network; run"
        " `sudo lxc-stop lab-two`, then `stackcook deploy`, which starts it with the interface"
    )
    host.second_links["lab-two"] = "ex-lab"
    with_external(tmp_path, host).prepare()
    machines(tmp_path, host).prepare()  # without an external network, none is needed


def test_mac_addresses_stay_and_differ(tmp_path: Path) -> None:
    """A new one after each start is not reached until the neighbours have forgotten the old one."""
    found = [
        m for one in machines(tmp_path, FakeHost()).describe()["machines"] for m in one["macs"]
    ]
    again = [
        m for one in machines(tmp_path, FakeHost()).describe()["machines"] for m in one["macs"]
    ]
    assert found == again and len({*found}) == len(found)
    assert all(re.fullmatch("02(:[0-9a-f]{2}){5}", mac) for mac in found)


def test_containers_share_the_cpus_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = machines(tmp_path, FakeHost())
    sizes = (("one", 1), ("two", 2), ("three", 64))
    nodes = tuple(replace(n, cpus=cpus) for n, (_, cpus) in zip(NODES, sizes))
    made = replace(made, manifest=replace(made.manifest, nodes=nodes))
    # this process may not use all of them
    monkeypatch.setattr(vagrant.os, "sched_getaffinity", lambda pid: {4, 5, 7})
    found = {one["name"]: one["cpuset"] for one in made.describe()["machines"]}
    assert found == {"one": "4", "two": "5,7", "three": "4,5,7"}


def test_both_networks_come_and_go(tmp_path: Path) -> None:
    host = FakeHost(way="lo")
    made = with_external(tmp_path, host)
    made.prepare()
    added = [done for done in host.done if done.startswith("ip link add")]
    assert added == ["ip link add br-lab type bridge", "ip link add ex-lab type bridge"]

    for manifest_has_it in (True, False):
        bridges = (("br-lab", "10.9.0.1"), ("ex-lab", "10.9.1.1"))
        host.links = [
            {
                "ifname": name,
                "ifalias": str(tmp_path),
                "addr_info": [{"local": address, "prefixlen": 24}],
            }
            for name, address in bridges
        ]
        host.done.clear()
        replace(made, external=made.external if manifest_has_it else None).tear_down()
        deleted = [done for done in host.done if done.startswith("ip link delete")]
        assert deleted == ["ip link delete br-lab", "ip link delete ex-lab"]


def test_the_server_listens_at_the_bridge(tmp_path: Path) -> None:
    assert str(machines(tmp_path, FakeHost()).server_address()) == "10.9.0.1"


def test_the_first_provider_that_works_is_taken(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        UsageError, match="Vagrant has no usable provider on this machine; run `stackcook doctor`"
    ):
        choose_provider(None)
    for program in ("VBoxManage", "lxc-create"):
        (programs / program).write_text("#!/bin/sh\n")
        (programs / program).chmod(0o755)
        monkeypatch.setenv("PATH", str(programs))
    assert choose_provider(None) == "lxc"
    assert choose_provider("virtualbox") == "virtualbox"
    with pytest.raises(UsageError, match="Vagrant cannot use libvirt on this machine"):
        choose_provider("libvirt")


def test_the_kind_decides(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "infrastructure.yml", "lab", machines=MachineKind.SSH)
    assert isinstance(factory.machines_for(manifest), SshMachines)


def test_the_cause_is_the_last_thing_that_vagrant_said() -> None:
    said = "There was trouble.\n\nStdout: much\n\nThe container is\nbroken.\n\n"
    assert vagrant._cause(said) == "The container is broken."
    advice = (
        "For more information on the failure, enable detailed logging by setting the environment"
        " variable VAGRANT_LOG\nto DEBUG.\n"
    )
    assert vagrant._cause(said + advice) == "The container is broken."


SLOW_VAGRANT = """\
#!/bin/sh
cd "$(dirname "$0")"
echo "$1 begins" >>log
[ "$1" != status ] || echo 1,one,state,poweroff
[ "$1" != up ] || until [ -e continue ]; do sleep 0.05; done
echo "$1 ends" >>log
"""

UP = """\
import sys
from pathlib import Path
from tests.unit.machines.test_vagrant import NODES, with_libvirt
with_libvirt(Path(sys.argv[1])).up(NODES[:1], print)
"""


def with_libvirt(root: Path) -> VagrantMachines:
    return replace(machines(root, FakeHost()), provider="libvirt")


def test_no_two_deployments_share_vagrant_s_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "vagrant"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nreadlink -e "$VAGRANT_CWD/Vagrantfile" >>"$VAGRANT_CWD/read"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    for name in ("first", "second"):
        root = tmp_path / name
        root.mkdir()
        for _ in range(2):
            with_libvirt(root).states(NODES)
        read = (root / ".stackcook" / "vagrant" / "read").read_text()
        assert read == f"{vagrant.HERE / 'Vagrantfile'}\n" * 2


def test_vagrant_that_a_killed_command_has_left_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program, log = tmp_path / "bin" / "vagrant", tmp_path / "bin" / "log"
    program.parent.mkdir()
    program.write_text(SLOW_VAGRANT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)

    def logged(line: str) -> bool:
        return log.exists() and line in log.read_text()

    argv = [sys.executable, "-c", UP, str(tmp_path)]
    with subprocess.Popen(argv, env=environment()) as killed:
        wait(lambda: logged("up begins"))
        killed.kill()
    states = with_libvirt(tmp_path).states(NODES)  # which need not wait
    assert states["one"] == "stopped"
    made = with_libvirt(tmp_path)
    next_one = threading.Thread(target=made.destroy, args=(NODES[:1], print))
    next_one.start()
    try:
        wait(lambda: "lab: waiting for Vagrant to end" in caplog.text)
    finally:
        (program.parent / "continue").touch()
        next_one.join(60)
    changes = [line for line in log.read_text().splitlines() if "status" not in line]
    assert changes == ["up begins", "up ends", "destroy begins", "destroy ends"]
    caplog.clear()
    made.destroy(NODES[:1], print)
    assert "waiting" not in caplog.text
