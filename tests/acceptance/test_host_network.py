"""Networks of hosts: bridges and addresses on containers, a bond and a VLAN on QEMU guests."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackcook.cache import cache
from tests.acceptance.guests import Guest, guests
from tests.acceptance.hosts import GATEWAY, NETWORK, Container, Host, networked
from tests.started import ROOT, Done, Started, command, environment

COOKBOOK = "openstack-host-network"


def deploy(hosts: Sequence[Host], interfaces: dict[str, Any]) -> Done:
    """Deploy hosts that have no role but the interfaces, each with an address from the ranges."""
    root = hosts[0].directory
    if not (root / "cookbooks").exists():
        shutil.copytree(ROOT / "cookbooks" / COOKBOOK, root / "cookbooks" / COOKBOOK)
        (root / "roles").mkdir()
        (root / "roles" / "base.json").write_text('{"name": "base", "run_list": []}')
    manifest = root / "infrastructure.yml"
    document = {
        "cookbooks": [{COOKBOOK: None}],
        "roles": [{"base": None}],
        "nodes": [{host.name: {"run_list": "role[base]"}} for host in hosts],
        "stackcook": {
            "machines": "ssh",
            "passwords": {},
            "nodes": {host.name: {"address": host.address} for host in hosts},
            "node_defaults": {
                "role[base]": {
                    "user": "root",
                    "key": str(root / "key"),
                    "interfaces": interfaces,
                }
            },
        },
    }
    manifest.write_text(yaml.safe_dump(document))
    return stackcook(root, "deploy", "--accept-new-host-keys")


def stackcook(root: Path, *argv: str) -> Done:
    """Run the command on the manifest in ``root``."""
    env = environment(CHEF_LICENSE="accept-silent")
    whole = command(root / "infrastructure.yml", *argv)
    return Started(whole, cwd=root, tell=print, env=env).ended(2400)


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Container]]:
    """One host that systemd-networkd configures, and one that ifupdown does."""
    with networked(cache() / "lab" / "hostnet", ("networkd", "ifupdown")) as made:
        yield made
        stackcook(made[0].directory, "server", "stop")


BRIDGED = {
    "ethernets": {"eth0": None, "eth1": {"addresses": f"{NETWORK}.[21-22]/32", "mtu": 1400}},
    "bridges": {
        "br-mgmt": {
            "interfaces": "eth0",
            "addresses": [f"{NETWORK}.[11-12]/24", "fd00:131::[11-12]/64"],
            "gateway": GATEWAY,
            "routes": [{"to": "10.0.139.0/24", "via": f"{NETWORK}.2"}],
        }
    },
}


def test_a_bridge_takes_over_the_address(hosts: list[Container]) -> None:
    done = deploy(hosts, BRIDGED)
    assert done.status == 0, done.err
    for host in hosts:
        assert host.addresses() == {
            "br-mgmt": {f"{host.address}/24", f"fd00:131::{host.number}/64"},
            "eth1": {f"{NETWORK}.{host.number + 10}/32"},
        }
        routes = host.run("ip route show")
        assert f"default via {GATEWAY} dev br-mgmt" in routes
        assert f"10.0.139.0/24 via {NETWORK}.2 dev br-mgmt" in routes
        assert "mtu 1400" in host.run("ip link show eth1")
        assert "master br-mgmt" in host.run("ip link show eth0")


def test_a_second_deploy_changes_nothing(hosts: list[Container]) -> None:
    before = [host.run("stat -c %Y.%n /var/lib/openstack-host-network/state") for host in hosts]
    done = deploy(hosts, BRIDGED)
    assert done.status == 0, done.err
    after = [host.run("stat -c %Y.%n /var/lib/openstack-host-network/state") for host in hosts]
    assert before == after


def test_a_host_that_is_cut_off_goes_back(hosts: list[Container]) -> None:
    wrong = {**BRIDGED, "bridges": {"br-mgmt": {**BRIDGED["bridges"]["br-mgmt"]}}}
    del wrong["bridges"]["br-mgmt"]["interfaces"]
    began = time.monotonic()
    done = deploy(hosts, wrong)
    assert done.status == 4
    for host in hosts:
        host.answers(patience=1)
        assert f"{host.name}: no new SSH login worked with the new interfaces" in done.err
        assert "master br-mgmt" in host.run("ip link show eth0")
    assert time.monotonic() - began < 150, "90 s, and the time of the deploy"


def test_a_restart_keeps_the_interfaces(hosts: list[Container]) -> None:
    for host in hosts:
        before = host.addresses()
        host.restart()
        assert host.addresses() == before


def test_a_host_gets_back_what_it_had(hosts: list[Container]) -> None:
    for host in hosts:
        host.run("openstack-host-network restore")
        host.has_state("trying")
        host.run("openstack-host-network confirm")
        assert host.addresses() == {"eth0": {f"{host.address}/24"}}
        assert f"default via {GATEWAY} dev eth0" in host.run("ip route show")
        assert host.run("ls /sys/class/net").split() == ["eth0", "eth1", "lo"]
        assert (
            host.run("find /etc -name '*host-network*' -not -name '*.service' -not -name '*.timer'")
            == ""
        )
        host.answers()


def bonded(count: int) -> dict[str, Any]:
    """The interfaces of ``count`` guests: a bond of both cards, and a VLAN on top."""
    last = 30 + count
    return {
        "ethernets": {
            "lan0": {"match": {"order": 1}},
            "lan1": {"match": {"name": "en*", "order": 2}},
        },
        "bonds": {
            "bond0": {
                "interfaces": ["lan0", "lan1"],
                "mode": "active-backup",
                "addresses": f"{NETWORK}.[31-{last}]/24",
                "gateway": GATEWAY,
            }
        },
        "vlans": {"storage": {"id": 100, "link": "bond0", "addresses": f"10.0.139.[31-{last}]/24"}},
    }


def is_bonded(guest: Host) -> None:
    """Assert that a guest is as :func:`bonded` describes it."""
    assert guest.addresses() == {
        "bond0": {f"{guest.address}/24"},
        "storage": {f"10.0.139.{guest.number}/24"},
    }
    bond = guest.run("cat /proc/net/bonding/bond0")
    assert "Mode: fault-tolerance (active-backup)" in bond
    assert "Slave Interface: lan0" in bond and "Slave Interface: lan1" in bond
    assert "vlan protocol 802.1Q id 100" in guest.run("ip -d link show storage")


def test_a_bond_with_a_vlan_is_the_same_on_guests_with_other_card_names() -> None:
    made = [
        Guest("hostnet-guest1", 31, cache() / "lab" / "hostnet-guests", (4, 5)),
        Guest("hostnet-guest2", 32, cache() / "lab" / "hostnet-guests", (6, 9)),
    ]
    with guests(made[0].directory, made):
        names = [guest.run("ls /sys/class/net") for guest in made]
        assert names[0] != names[1]
        done = deploy(made, bonded(2))
        assert done.status == 0, done.err
        for guest in made:
            is_bonded(guest)
        made[0].run("ping -c 3 -W 5 10.0.139.32")
        made[0].run("ip link set lan0 down; ping -c 3 -W 5 10.0.139.32; ip link set lan0 up")
        made[0].run("systemctl reboot")
        made[0].silent()
        made[0].answers(patience=400)
        is_bonded(made[0])
        stackcook(made[0].directory, "server", "stop")
