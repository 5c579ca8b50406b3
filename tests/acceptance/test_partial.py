"""Deploying a part of the cloud leaves the rest as it was: keys, passwords, cells, rings, lists of
hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from tests.labs import Lab, as_root
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
