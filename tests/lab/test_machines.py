"""Real machines: brought up, reached, found again, taken away without a trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.cache import cache
from stackcook.errors import MachineError
from stackcook.machines import factory, vagrant
from stackcook.machines.box import warm_boxes
from stackcook.machines.network import LabNetwork
from stackcook.manifest.model import Manifest
from stackcook.manifest.read import read
from stackcook.remote.base import Remote, sudo
from stackcook.remote.ssh import wait_for

NAME = "sctm"
RANGE = "10.0.114.0/24"
EXTERNAL = "10.0.125.0/24"
MANIFEST = f"""\
nodes:
- one:
- two:
stackcook:
  name: {NAME}
  machines: vagrant
  provider: lxc
  network: {RANGE}
  external_network: {EXTERNAL}
  nodes:
    one: {{address: 10.0.114.10, memory: 512, cpus: 1}}
    two: {{address: 10.0.114.11, memory: 512, cpus: 1}}
"""
SUDO = () if os.geteuid() == 0 else ("sudo", "-n")


def output(*argv: str) -> str:
    return subprocess.run([*SUDO, *argv], capture_output=True, text=True, check=True).stdout


def traces() -> dict[str, list[str]]:
    """What of this test's lab this machine knows."""
    asked = {
        "containers": output("lxc-ls", "-1"),
        "links": output("ip", "-o", "link"),
        "routes": output("ip", "route", "show", "table", "all"),
        "tables": output("nft", "list", "tables"),
    }
    ranges = ("10.0.114.", "10.0.125.")
    words = (f"{NAME}-", f"br-{NAME}:", f"ex-{NAME}:", *ranges, f"stackcook-{NAME}")
    return {
        kind: [line for line in text.splitlines() if any(word in line for word in words)]
        for kind, text in asked.items()
    }


@pytest.fixture()
def manifest() -> Iterator[Manifest]:
    """The manifest, in a directory that is always the same: what a crashed run left is known."""
    root = cache() / "lab" / NAME
    clear(root)
    root.mkdir(parents=True)
    (root / "Vagrantfile").write_text(f"load '{vagrant.HERE}/Vagrantfile'\n")
    (root / "infrastructure.yml").write_text(MANIFEST)
    found, findings = read(root / "infrastructure.yml")
    assert found is not None, findings
    yield found
    clear(root)


def clear(root: Path) -> None:
    for name in output("lxc-ls", "-1").split():
        if name.startswith(f"{NAME}-"):
            output("lxc-destroy", "--force", "--name", name)
    if (root / "infrastructure.yml").exists():
        found, _ = read(root / "infrastructure.yml")
        assert found is not None
        factory.machines_for(found).tear_down()
    shutil.rmtree(root, ignore_errors=True)


def typed(manifest: Manifest, *argv: str) -> str:
    """What somebody gets who types a Vagrant command beside the manifest."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["vagrant", *argv],
        cwd=manifest.root,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def external_interface(remote: Remote) -> list[str]:
    """The state and the IPv4 addresses of a machine's second interface."""
    shown = "cat /sys/class/net/eth1/operstate; ip -4 -brief address show eth1"
    return remote.run(shown).output.split()


def sizes(remote: Remote) -> list[str]:
    """The memory in KiB (also as libvirt finds it), and the number of CPUs that programs see."""
    files = "/proc/meminfo /sys/devices/system/node/node*/meminfo"
    memory = f"awk '/MemTotal/ {{ print $(NF - 1) }}' {files}"
    return remote.run(f"{memory}; nproc; grep -c ^processor /proc/cpuinfo").output.split()


def test_machines_come_up_and_go(manifest: Manifest, tmp_path: Path) -> None:
    machines = factory.vagrant_machines(manifest)
    lines: list[str] = []
    assert machines.states(manifest.nodes) == {"one": "absent", "two": "absent"}

    # Half a machine, as a killed run leaves it, is in nobody's way.
    output("lxc-create", "--name", f"{NAME}-two", "--template", "none")
    machines.up(manifest.nodes, lines.append)
    assert machines.states(manifest.nodes) == {"one": "running", "two": "running"}
    assert any("one" in line for line in lines)

    hosts = machines.hosts(manifest.nodes)
    for name, address in (("one", "10.0.114.10"), ("two", "10.0.114.11")):
        assert hosts[name].address == address
        with wait_for(hosts[name], manifest.state / "known_hosts", patience=30) as remote:
            asked = "hostname; hostname --all-fqdns; systemctl is-system-running --wait; id -u"
            said = remote.run(sudo(asked)).output.split()
            assert (said[0], said[-2], said[-1]) == (name, "running", "0")
            assert remote.run("command -v chef-client && test -c /dev/net/tun").status == 0
            assert remote.run(sudo("apt-get update -qq")).status == 0
            assert external_interface(remote) == ["up"]
            assert sizes(remote) == ["524288", "524288", "1", "1"]
    assert str(machines.server_address()) == "10.0.114.1"

    stopped = hosts["one"]
    output("lxc-stop", "--kill", "--name", f"{NAME}-one")
    assert machines.states(manifest.nodes) == {"one": "stopped", "two": "running"}
    said = typed(manifest, "status")
    assert "one                       stopped (lxc)" in said
    assert "two                       running (lxc)" in said
    machines.up(manifest.nodes, lines.append)
    with wait_for(stopped, manifest.state / "known_hosts", patience=30) as remote:
        assert remote.run("hostname").output == "one\n"  # and its host key is the one recorded
        assert external_interface(remote) == ["up"]
    assert typed(manifest, "ssh", "two", "-c", "hostname").strip() == "two"

    # A second checkout of the same manifest neither takes nor destroys them.
    other = factory.vagrant_machines(replace(manifest, path=tmp_path / "infrastructure.yml"))
    with pytest.raises(MachineError, match=f"{manifest.root}"):
        other.up(manifest.nodes, lines.append)
    other.destroy(manifest.nodes, lines.append)
    other.tear_down()
    assert machines.states(manifest.nodes) == {"one": "running", "two": "running"}

    known = len(lines)
    machines.up(manifest.nodes, lines.append)
    assert lines[known:] == []

    machines.destroy(manifest.nodes, lines.append)
    assert machines.states(manifest.nodes) == {"one": "absent", "two": "absent"}
    machines.tear_down()
    assert traces() == {"containers": [], "links": [], "routes": [], "tables": []}
    machines.destroy(manifest.nodes, lines.append)
    machines.tear_down()


def test_a_machine_of_a_warm_box(manifest: Manifest) -> None:
    app = manifest.root / "cookbooks" / "app"
    (app / "recipes").mkdir(parents=True)
    (app / "metadata.json").write_text('{"name": "app"}')
    (app / "recipes" / "default.rb").write_text(
        "openstack_packages 'x' do\n  packages %w(memcached open-iscsi)\nend\n"
        "package %w(uuid-runtime not-in-debian)\n"
    )
    (manifest.root / "infrastructure.yml").write_text(
        "cookbooks: [app: ]\n" + MANIFEST.replace("- one:", "- one: {run_list: 'recipe[app]'}")
    )
    found, findings = read(manifest.root / "infrastructure.yml")
    assert found is not None, findings
    lines: list[str] = []
    (box,) = warm_boxes(factory.named_packages(found))
    machines = factory.vagrant_machines(found)
    try:
        with box.locked():
            box.build(lines.append, again=True)
        machines.add_boxes([box], lines.append)
        assert box.added()
        machines.up(found.nodes, lines.append)
        units = "memcached.service uuidd.socket stackcook-first-boot.service"
        host = machines.hosts(found.nodes)["one"]
        with wait_for(host, found.state / "known_hosts", patience=30) as remote:
            assert remote.run("systemctl is-system-running --wait").output == "running\n"
            # it does not start before it is configured; the other one has the usual start
            assert remote.run(sudo("systemctl daemon-reload")).status == 0
            asked = f"systemctl is-active {units}; systemctl is-enabled {units}"
            said = remote.run(f"{{ {asked}; }} 2>&1").output.split("\n")
            assert said[:3] == ["inactive", "active", "inactive"]
            assert said[3:6] == ["enabled", "enabled", "not-found"]
            # open-iscsi needs udev, which systemd starts without a link in /etc
            assert remote.run("systemctl is-active systemd-udevd").output == "inactive\n"
            initiator = remote.run(sudo("tail -n 1 /etc/iscsi/initiatorname.iscsi")).output
            assert initiator.startswith("InitiatorName=iqn.")
            identity = remote.run("cat /etc/machine-id").output
            assert len(identity.strip()) == 32
            assert remote.run("test -e /usr/sbin/policy-rc.d").status == 1
        host = machines.hosts(found.nodes)["two"]
        with wait_for(host, found.state / "known_hosts", patience=30) as remote:
            assert remote.run("test -e /usr/bin/memcached").status == 1
            assert remote.run("cat /etc/machine-id").output != identity
    finally:
        machines.destroy(found.nodes, lines.append)
        machines.tear_down()
        shutil.rmtree(box.path.parent, ignore_errors=True)
        subprocess.run(["vagrant", "box", "remove", "--force", box.name], capture_output=True)


def test_a_packet_to_the_lab_never_leaves_another_way(manifest: Manifest) -> None:
    machines = factory.vagrant_machines(manifest)
    assert machines.external
    for network in (machines.network, machines.external):
        address = str(network.address + 9)
        network.up()
        try:
            output("ip", "link", "delete", network.bridge)
            asked = subprocess.run(["ip", "route", "get", address], capture_output=True, text=True)
            assert "unreachable" in asked.stderr or "No route to host" in asked.stderr
            network.up()
            assert f"dev {network.bridge}" in output("ip", "route", "get", address)
        finally:
            network.down()
        assert not any(traces().values())


def test_a_range_that_somebody_holds_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    network = factory.vagrant_machines(manifest).network
    network.up()
    try:
        before = traces()
        for other in (
            LabNetwork(f"{NAME}2", network.network, tmp_path),
            LabNetwork(NAME, network.network, tmp_path),
        ):
            remedy = f"run `stackcook -f {manifest.root}/infrastructure.yml destroy`"
            with pytest.raises(MachineError, match=remedy):
                other.up()
            other.down()
        assert traces() == before
    finally:
        network.down()
