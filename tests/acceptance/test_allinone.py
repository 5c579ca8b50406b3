"""A whole cloud on one node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.labs import Lab, prepared

MEMORY = 8192


def one_node(document: dict[str, Any]) -> None:
    document["nodes"] = [{"all": {"run_list": "role[allinone]"}}]
    document["stackcook"]["nodes"] = {"all": {"memory": MEMORY, "cpus": 2}}
    document["stackcook"].pop("stages")


@pytest.fixture
def allinone() -> Iterator[Lab]:
    with prepared("sctaio", "10.0.128", "10.0.129", one_node) as lab:
        yield lab


def test_a_cloud_on_one_node_boots_an_instance(allinone: Lab) -> None:
    done = allinone.stackcook("deploy", timeout=30 * 60)
    assert done.status == 0
    assert "an instance answered on" in done.out + done.err

    (hypervisor,) = allinone.openstack("hypervisor", "list", "--long")
    assert (hypervisor["vCPUs"], hypervisor["Memory MB"]) == (2, MEMORY)

    # as libvirt's tap, when Open vSwitch has set its flags back
    left_down = """ovs-vsctl --no-wait add-port br-int tap-test && ip tuntap add tap-test mode tap
    up="ip -o link show tap-test up | grep -q tap-test"
    timeout 20 sh -c "until $up; do sleep 0.2; done"; up=$?
    ip tuntap del tap-test mode tap; ovs-vsctl del-port br-int tap-test; exit $up"""
    assert allinone.on("all", left_down).status == 0

    again = allinone.stackcook("--json", "deploy", timeout=600)
    assert again.status == 0
    assert again.updated == {"all": 0}
