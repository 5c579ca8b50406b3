"""Objects in Swift outlive a stopped storage node, which gets what it has missed later."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest

from stackcook.verify.check import poll
from stackcook.verify.openstack import Cloud, request
from tests.labs import Lab

REPLICATION = 180.0
"""Seconds within which a node gets what it has missed; replicators look every 30 s."""

UNITS = (
    "systemctl list-units --plain --no-legend --state=active"
    " swift-account\\* swift-container\\* swift-object\\*"
)


@pytest.fixture
def container(cloud: Cloud) -> Iterator[str]:
    """The URL of a container, which is emptied and deleted afterwards."""
    url = f"{cloud.url('object-store')}/acceptance-{secrets.token_hex(4)}"
    send(cloud, "PUT", url)
    yield url
    for name in send(cloud, "GET", url).decode().split():
        send(cloud, "DELETE", f"{url}/{name}")
    send(cloud, "DELETE", url)


def send(cloud: Cloud, method: str, url: str, content: bytes = b"") -> bytes:
    headers = {"X-Auth-Token": cloud.token}
    response = request(method, url, headers=headers, data=content, timeout=60)
    assert response.status_code < 300, f"{method} {url}: {response.status_code} {response.text}"
    return bytes(response.content)


def test_objects_outlive_a_stopped_storage_node(lab: Lab, cloud: Cloud, container: str) -> None:
    storage = [n.name for n in lab.read().nodes if "role[object-storage]" in n.run_list]
    assert len(storage) > 1, "the lab has fewer than two nodes with role[object-storage]"
    stopped = storage[-1]
    before, meanwhile = secrets.token_bytes(100_000), secrets.token_bytes(100_000)
    send(cloud, "PUT", f"{container}/before", before)
    assert send(cloud, "GET", f"{container}/before") == before
    stored = files(lab, stopped)

    units = [line.split()[0] for line in lab.on(stopped, UNITS).out.splitlines()]
    assert "swift-object.service" in units
    assert lab.on(stopped, f"systemctl stop {' '.join(units)}").status == 0
    try:
        for _ in range(5):  # the proxy asks another node first each time
            assert send(cloud, "GET", f"{container}/before") == before
        send(cloud, "PUT", f"{container}/meanwhile", meanwhile)
        assert send(cloud, "GET", f"{container}/meanwhile") == meanwhile
        assert files(lab, stopped) == stored
    finally:
        assert lab.on(stopped, f"systemctl start {' '.join(units)}").status == 0
    deadline = time.monotonic() + REPLICATION
    assert poll(deadline, lambda: files(lab, stopped), lambda now: now > stored) == stored + 1
    assert lab.stackcook("verify", timeout=600).status == 0


def files(lab: Lab, node: str) -> int:
    """How many objects a node has."""
    return int(lab.on(node, "find /srv/node -name \\*.data | wc -l").out)
