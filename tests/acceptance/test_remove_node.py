"""A compute node leaves a running cloud and comes back, while an instance runs on another one."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from stackcook.errors import VerifyError
from stackcook.verify.clouds import demo_cloud
from stackcook.verify.openstack import Cloud
from tests.acceptance.conftest import given_or_deployed
from tests.answers import ssh_answers
from tests.labs import Lab, log


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A cloud whose two compute nodes are nothing else: the one in LAB, else one deployed here."""
    yield from given_or_deployed("sctnode", with_two_compute_nodes)


def with_two_compute_nodes(document: dict[str, Any]) -> None:
    nodes = document["stackcook"]["nodes"]
    nodes["compute2"] = dict(nodes["compute1"])
    document["nodes"].append({"compute2": {"run_list": "role[single-compute]"}})


def openstack(lab: Lab, *argv: str) -> None:
    """Change something, as the user demo."""
    done = lab.run("openstack", "--os-cloud", demo_cloud(), *argv, timeout=300)
    assert done.status == 0, done.err


@contextmanager
def scheduled_elsewhere(cloud: Cloud, host: str) -> Iterator[None]:
    """Meanwhile, no new instance gets to ``host``."""
    (service,) = (
        each
        for each in cloud.read("compute", "/os-services", version="2.53")["services"]
        if each["host"] == host and each["binary"] == "nova-compute"
    )

    def put(status: str) -> None:
        path = f"/os-services/{service['id']}"
        cloud.call("PUT", "compute", path, {"status": status}, version="2.53")

    put("disabled")
    try:
        yield
    finally:
        put("enabled")


@pytest.fixture
def elsewhere(lab: Lab, cloud: Cloud) -> Iterator[str]:
    """The floating IP of an instance of demo that runs on compute1."""
    name = f"acceptance-{secrets.token_hex(3)}"
    new = ("floating", "ip", "create", "public", "-f", "value", "-c", "floating_ip_address")
    address = lab.run("openstack", "--os-cloud", demo_cloud(), *new).out.strip()
    try:
        with scheduled_elsewhere(cloud, "compute2"):
            flavor, network = ("--flavor", "m1.tiny"), ("--network", "demo")
            openstack(lab, "server", "create", *flavor, "--image", "test", *network, "--wait", name)
        openstack(lab, "server", "add", "floating", "ip", name, address)
        assert ssh_answers(address, patience=180)
        yield address
    finally:
        openstack(lab, "server", "delete", "--wait", name)
        openstack(lab, "floating", "ip", "delete", address)


REQUESTS = (
    ("compute", "/servers?all_tenants=1"),
    ("compute", "/os-hypervisors"),
    ("compute", "/os-services"),
    ("placement", "/resource_providers"),
    ("network", "/v2.0/ports"),
    ("network", "/v2.0/agents"),
    ("image", "/v2/images"),
)


@contextmanager
def asking(cloud: Cloud, address: str) -> Iterator[list[str]]:
    """Ask every API and the instance's SSH server again and again; yields what failed."""
    failed: list[str] = []
    rounds = 0
    ended = threading.Event()

    def fail(what: str) -> None:
        log.info("failed: %s", what)
        failed.append(what)

    def ask() -> None:
        nonlocal rounds
        while not ended.wait(1):
            rounds += 1
            for service, path in REQUESTS:
                try:
                    cloud.read(service, path)
                except VerifyError as error:
                    fail(str(error))
            if not ssh_answers(address, patience=5):
                fail(f"the instance at {address} does not answer")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield failed
    finally:
        ended.set()
        thread.join()
        log.info("asked %d times, %d failures", rounds, len(failed))


def members(cloud: Cloud) -> Mapping[str, set[str]]:
    """The names of the compute nodes that each service knows."""
    services = cloud.read("compute", "/os-services")["services"]
    hypervisors = cloud.read("compute", "/os-hypervisors")["hypervisors"]
    providers = cloud.read("placement", "/resource_providers")["resource_providers"]
    agents = cloud.read("network", "/v2.0/agents")["agents"]
    return {
        "services": {each["host"] for each in services if each["binary"] == "nova-compute"},
        "hypervisors": {each["hypervisor_hostname"] for each in hypervisors},
        "providers": {each["name"] for each in providers},
        "agents": {each["host"] for each in agents},
    }


def test_no_request_fails_while_a_node_leaves_and_comes_back(
    lab: Lab, cloud: Cloud, elsewhere: str
) -> None:
    with asking(cloud, elsewhere) as failed:
        done = lab.stackcook("node", "remove", "compute2", "--yes", timeout=20 * 60)
        assert done.status == 0, done.err
        left = members(cloud)
        assert not any("compute2" in names for names in left.values()), left
        done = lab.stackcook("deploy", "--limit", "compute2", timeout=40 * 60)
        assert done.status == 0, done.err
    assert failed == []
    assert all(names >= {"compute1", "compute2"} for names in members(cloud).values())
