"""What other machines can connect to: this machine is none of the cloud's nodes."""

from __future__ import annotations

from urllib.parse import urlsplit

from stackcook.machines.probe import listening
from stackcook.verify.openstack import Cloud
from tests.labs import Lab

HORIZON, NOVNC, SSH = 80, 6080, 22


def test_only_public_endpoints_and_ssh_are_open(lab: Lab, cloud: Cloud) -> None:
    addresses = [str(node.address) for node in lab.read().nodes]
    places = [(address, port) for address in addresses for port in range(1, 65536)]
    public = {urlsplit(each.url).port for each in cloud.catalog if each.interface == "public"}
    found = {port for _, port in listening(places, 2.0)}
    assert found - {HORIZON, NOVNC, SSH} == public


def test_the_firewall_comes_back_with_the_node_and_after_a_flush(lab: Lab) -> None:
    address = f"{lab.range}.10"
    assert lab.on("controller", "nft flush ruleset").status == 0
    assert listening([(address, 3306)], 2.0), "nothing was filtered"
    assert lab.on("controller", "systemctl restart openstack-firewall").status == 0
    assert not listening([(address, 3306)], 2.0)
