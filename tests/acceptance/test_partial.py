"""Deploying a part of the cloud leaves the rest as it was: keys, passwords, cells, rings, lists of
hosts."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import yaml

from stackcook.errors import VerifyError
from stackcook.verify.clouds import DEMO_CLOUD
from stackcook.verify.openstack import Cloud
from tests.answers import ssh_answers
from tests.labs import Lab, as_root, log
from tests.started import Done

KEPT = (
    "keystone nova neutron placement glance cinder heat swift ceph openvswitch libvirt mysql"
    " rabbitmq apache2 memcached.conf openstack-dashboard hosts"
)

SCRIPT = (
    f"cd /etc; find {KEPT} -type f 2>/dev/null | sort | xargs sha256sum;"
    " if command -v keystone-manage >/dev/null; then"
    " nova-manage cell_v2 list_cells --verbose; nova-manage cell_v2 list_hosts;"
    " rabbitmqctl -q list_users; fi"
)


def kept(lab: Lab, *nodes: str) -> dict[str, str]:
    """Node → checksums of its configuration and keys, and the cells that its database has."""
    found = {}
    for node in nodes:
        done = lab.on(node, SCRIPT)
        assert done.status == 0, done.err
        found[node] = done.out
    return found


def deployed(lab: Lab, *argv: str) -> Done:
    done = lab.stackcook("--json", "deploy", *argv, timeout=40 * 60)
    assert done.status == 0, done.err
    return done


@contextmanager
def without(lab: Lab, node: str) -> Iterator[None]:
    """Take a node out of the manifest."""
    before = lab.manifest.read_text()
    document = yaml.safe_load(before)
    document["nodes"] = [each for each in document["nodes"] if node not in each]
    del document["stackcook"]["nodes"][node]
    lab.manifest.write_text(yaml.safe_dump(document, sort_keys=False))
    try:
        yield
    finally:
        lab.manifest.write_text(before)


@pytest.mark.parametrize("limit", ["compute1", "controller", "role[single-compute]"])
def test_the_limit_to_some_nodes(lab: Lab, limit: str) -> None:
    before = kept(lab, "controller", "compute1", "compute2")
    done = deployed(lab, "--limit", limit)
    assert set(done.updated.values()) == {0}
    assert kept(lab, "controller", "compute1", "compute2") == before


def test_a_dead_host_among_the_others(lab: Lab) -> None:
    before = kept(lab, "controller", "compute1", "compute2")
    as_root("lxc-stop", "-k", "-n", f"{lab.name}-compute2")
    try:
        deployed(lab, "--limit", "controller", "--limit", "compute1")
        assert kept(lab, "controller", "compute1") == {
            node: before[node] for node in ("controller", "compute1")
        }
    finally:
        deployed(lab)
    assert kept(lab, "controller", "compute1", "compute2") == before


def test_a_node_that_the_manifest_no_longer_has(lab: Lab) -> None:
    before = kept(lab, "controller", "compute1", "compute2")
    with without(lab, "compute2"):
        done = lab.stackcook("deploy", timeout=40 * 60)
        assert done.status == 5, done.err
        assert "compute2" in done.err
        assert kept(lab, "controller", "compute1") == {
            node: before[node] for node in ("controller", "compute1")
        }
    assert kept(lab, "compute2") == {"compute2": before["compute2"]}


def openstack(lab: Lab, *argv: str) -> None:
    """Change something, as the user demo."""
    done = lab.run("openstack", "--os-cloud", DEMO_CLOUD, *argv, timeout=300)
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
    address = lab.run("openstack", "--os-cloud", DEMO_CLOUD, *new).out.strip()
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


def test_a_node_leaves_and_comes_back_while_an_instance_runs(
    lab: Lab, cloud: Cloud, elsewhere: str
) -> None:
    with asking(cloud, elsewhere) as failed:
        done = lab.stackcook("node", "remove", "compute2", "--yes", timeout=20 * 60)
        assert done.status == 0, done.err
        left = members(cloud)
        assert not any("compute2" in names for names in left.values()), left
        deployed(lab, "--limit", "compute2")
    assert failed == []
    assert all(names >= {"compute1", "compute2"} for names in members(cloud).values())
