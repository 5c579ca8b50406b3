"""Each cookbook by its example, on one machine with Chef's client, and without stackcook."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from stackcook.command import Say
from stackcook.machines import factory
from stackcook.manifest.read import read
from stackcook.remote.base import Remote, sudo
from stackcook.remote.ssh import wait_for
from tests.labs import prepared
from tests.started import ROOT

ADDRESS = "10.0.127.10"
MEMORY = 6144

REPOSITORY = "/srv/chef"
CONVERGE = "chef-client -z -c examples/client.rb --chef-license accept-silent --no-color"

EXAMPLES = [
    f"openstack-{name}"
    for name in (
        *("memcached", "database", "messaging", "identity", "common", "placement"),
        *("image", "network", "compute", "dashboard", "resources"),
        *("object-storage", "ceph", "block-storage", "orchestration"),
    )
]
"""Every one is complete by itself; in this order, each adds a little to what is installed."""

SERVICES: dict[str, dict[str, int | None]] = {
    "openstack-memcached::controller": {"memcached": 11211},
    "openstack-database::controller": {"mariadb": 3306},
    "openstack-messaging::controller": {"rabbitmq-server": 5672},
    "openstack-identity::controller": {"keystone": 5000},
    "example-inventory::controller": {"inventory": 8099},
    "openstack-placement::controller": {"placement-api": 8778},
    "openstack-image::controller": {"glance-api": 9292},
    "openstack-network::controller": {
        "neutron-api": 9696,
        "neutron-ovn-maintenance-worker": None,
        "ovn-ovsdb-server-nb": 6641,
        "ovn-ovsdb-server-sb": 6642,
        "ovn-northd": None,
    },
    "openstack-network::compute": {
        "openvswitch-switch": None,
        "ovn-controller": None,
        "neutron-ovn-metadata-agent": None,
    },
    "openstack-compute::controller": {
        "nova-api": 8774,
        "nova-api-metadata": 8775,
        "nova-conductor": None,
        "nova-scheduler": None,
        "nova-novncproxy": 6080,
    },
    "openstack-compute::compute": {"libvirtd": None, "nova-compute": None},
    "openstack-dashboard::controller": {"apache2": 80},
    "openstack-resources::controller": {},
    "openstack-object-storage::proxy": {"swift-proxy": 8080, "swift-object-expirer": None},
    "openstack-object-storage::storage": {
        "rsync": 873,
        "swift-account": 6202,
        "swift-container": 6201,
        "swift-object": 6200,
    },
    "openstack-ceph::cluster": {"ceph-mon@one": 6789, "ceph-mgr@one": None, "ceph-osd@0": None},
    "openstack-block-storage::controller": {"cinder-api": 8776, "cinder-scheduler": None},
    "openstack-block-storage::volume": {"cinder-volume": None, "cinder-backup": None},
    "openstack-orchestration::controller": {"heat-api": 8004, "heat-engine": None},
}
"""Recipe → the units that it enables and starts, with the port at which each listens."""

CEPH = {3300, *range(6800, 7301)}
"""Other ports of Ceph's daemons; the manager and the OSDs take free ones of the range."""

SSH = ("0.0.0.0", 22), ("[::]", 22)

log = logging.getLogger("lab")


def one_node(document: dict[str, Any]) -> None:
    document["nodes"] = [{"one": {"run_list": "role[allinone]"}}]
    document["stackcook"]["nodes"] = {"one": {"memory": MEMORY, "cpus": 2}}
    document["stackcook"].pop("stages")


@pytest.fixture(scope="module")
def machine() -> Iterator[Remote]:
    """A machine with the cookbooks, the examples and passwords for them."""
    with prepared("sctcook", "10.0.127", None, one_node) as lab:
        manifest, findings = read(lab.manifest)
        assert manifest, findings
        machines = factory.vagrant_machines(manifest)
        machines.up(manifest.nodes, log.info)
        host = machines.hosts(manifest.nodes)["one"]
        with wait_for(host, manifest.state / "known_hosts", patience=60) as remote:
            unpack = f"mkdir -p {REPOSITORY} && base64 -d | tar -xz -C {REPOSITORY}"
            on(remote, unpack, stdin=packed())
            on(remote, f"{REPOSITORY}/examples/passwords")
            yield remote


def packed() -> str:
    """The repository's files below cookbooks/ and examples/ that git knows, as a tar in Base64."""
    git = "git ls-files --cached --others --exclude-standard cookbooks examples".split()
    files = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in files.splitlines():
            if (ROOT / name).exists():  # not deleted, and the deletion not committed
                tar.add(ROOT / name, name)
    return base64.encodebytes(buffer.getvalue()).decode()


def on(
    remote: Remote,
    script: str,
    *,
    stdin: str = "",
    on_line: Say | None = None,
    timeout: float = 120,
) -> str:
    """Run a shell script as root; returns what it prints. It must succeed."""
    done = remote.run(sudo(script), stdin=stdin, on_line=on_line, timeout=timeout)
    assert done.status == 0, done.output[-3000:]
    return done.output


def converge(remote: Remote, example: str) -> int:
    """Converge an example; returns how many resources were updated."""
    script = f"cd {REPOSITORY} && {CONVERGE} -j examples/{example}.json"
    output = on(remote, script, on_line=log.info, timeout=15 * 60)
    found = re.search(r"^Infra Phase complete, (\d+)/\d+ resources updated", output, re.MULTILINE)
    assert found, output[-3000:]
    return int(found[1])


def services(example: str) -> dict[str, int | None]:
    """The units that the recipes of an example run, with their ports."""
    run_list = json.loads((ROOT / "examples" / f"{example}.json").read_text())["run_list"]
    recipes = [entry.removeprefix("recipe[").removesuffix("]") for entry in run_list]
    return {unit: port for recipe in recipes for unit, port in SERVICES[recipe].items()}


def listeners(remote: Remote) -> set[tuple[str, int]]:
    """(address, port) of everything that other machines can reach, with TCP or UDP."""
    listed = on(remote, "ss --no-header --listening --tcp --udp --numeric").splitlines()
    split = (line.split()[4].rsplit(":", 1) for line in listed)
    local = re.compile(r"127\.|\[::1\]")
    return {(address, int(port)) for address, port in split if not local.match(address)}


def readable_secrets(remote: Remote) -> list[str]:
    """Files that any user can read, and arguments of processes, that contain a password."""
    bags = on(remote, f"cat {REPOSITORY}/examples/data_bags/*/*.json")
    passwords = re.findall(r'"([0-9a-f]{48})"', bags)
    on(remote, "umask 077 && cat >/root/passwords", stdin="\n".join(passwords) + "\n")
    on(remote, "install -m 0644 /root/passwords /srv/readable")  # one that the search must find
    nobody = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
    files = "find / /run /tmp /dev/shm -xdev -type f -readable -print0 2>/dev/null"
    search = "xargs -0 grep -lsFf /root/passwords -- /proc/[0-9]*/cmdline || :"
    found = set(on(remote, f"{nobody} {files} | {search}", timeout=300).splitlines())
    assert "/srv/readable" in found
    return sorted(found - {"/srv/readable"})


def test_there_is_an_example_for_each_cookbook() -> None:
    cookbooks = {path.parent.name for path in ROOT.glob("cookbooks/*/metadata.rb")}
    # one would cut off this machine (test_host_network.py), the other needs several nodes
    assert set(EXAMPLES) == cookbooks - {"openstack-host-network", "openstack-ha"}
    assert {path.stem for path in ROOT.glob("examples/*.json")} == set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(machine: Remote, example: str) -> None:
    converge(machine, example)

    wanted = services(example)
    # static: another unit starts it, as ovn-central does with ovn-northd
    for check, good in {"is-active": {"active"}, "is-enabled": {"enabled", "static"}}.items():
        states = machine.run(f"systemctl {check} {' '.join(wanted)}").output.split()
        bad = {unit: s for unit, s in zip(wanted, states, strict=True) if s not in good}
        assert bad == {}

    found = listeners(machine)
    assert {(ADDRESS, port) for port in wanted.values() if port} <= found
    ports = {port for units in SERVICES.values() for port in units.values() if port}
    assert found <= {*SSH, *((ADDRESS, port) for port in ports | CEPH)}

    assert readable_secrets(machine) == []

    assert converge(machine, example) == 0
