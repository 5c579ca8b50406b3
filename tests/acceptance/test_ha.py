"""Three controllers with TLS everywhere: killed in turn, all killed, cut off, replaced."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from stackcook.machines.probe import listening
from stackcook.verify.clouds import demo_cloud
from tests.acceptance.conftest import there
from tests.answers import ssh_answers
from tests.labs import SUDO, Lab, as_root, log, prepared
from tests.started import Done, Started, command, environment
from tests.wire import clear_text, gaps, pinged

RANGE, EXTERNAL = "10.0.156", "10.0.157"
SHARED = f"{RANGE}.9"
CONTROLLERS = ("controller1", "controller2", "controller3")
COMPUTES = ("compute1", "compute2")
GAP = 10.0
"""Seconds that an API may be silent after the death of a controller."""

UNITS = (
    *("mariadb", "rabbitmq-server", "haproxy", "keepalived", "memcached", "ovn-northd", "apache2"),
    *("keystone", "glance-api", "placement-api", "neutron-api"),
    *("nova-api", "nova-conductor", "nova-scheduler", "nova-novncproxy"),
)
"""What a controller runs."""

BACK = 300.0
"""Seconds after which a cloud is back of which all controllers were killed."""

OPEN = {22, 80, 443, 13080}
"""SSH, Horizon and noVNC; all other open ports are of public endpoints."""


def with_controllers(document: dict[str, Any], number: int) -> None:
    """The manifest of one controller, or of three that share an address; two compute nodes."""
    role = "single-controller" if number == 1 else "ha-controller"
    roles = dict.fromkeys(CONTROLLERS[:number], role) | dict.fromkeys(COMPUTES, "single-compute")
    ceph = dict.fromkeys(CONTROLLERS, "role[ceph],")  # images are there whichever one is dead
    names = [next(iter(each)) for each in document["cookbooks"]]
    document["cookbooks"] = [{name: None} for name in dict.fromkeys([*names, "openstack-ha"])]
    listed = ("single-controller", "ha-controller", "single-compute", "ceph")
    document["roles"] = [{name: None} for name in listed]
    document["nodes"] = [
        {node: {"run_list": f"{ceph.get(node, '')}role[{role}]"}} for node, role in roles.items()
    ]
    settings = document["stackcook"]
    memory = {"single-compute": 2560}
    # the addresses of compute nodes are the same, with one controller or with three
    numbers = dict(zip((*CONTROLLERS, *COMPUTES), range(10, 15)))
    settings["nodes"] = {
        node: {
            "address": f"{RANGE}.{numbers[node]}",
            "memory": memory.get(role, 5120),
            "cpus": 2,
        }
        for node, role in roles.items()
    }
    settings |= {"stages": [role, "single-compute"], "tls": "all"}
    settings.pop("virtual_address", None)
    if number > 1:
        settings["virtual_address"] = SHARED


def write(lab: Lab, number: int) -> None:
    """Let the lab's manifest have so many controllers."""
    document = yaml.safe_load(lab.manifest.read_text())
    with_controllers(document, number)
    lab.manifest.write_text(yaml.safe_dump(document, sort_keys=False))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The cloud in the directory LAB, else one that the first test deploys."""
    if "LAB" in os.environ:
        yield there(Path(os.environ["LAB"]).resolve())
        return
    with prepared("sctha", RANGE, EXTERNAL, lambda document: with_controllers(document, 3)) as lab:
        yield lab


def deploy(lab: Lab) -> Done:
    done = try_deploy(lab)
    assert done.status == 0, done.err
    return done


def try_deploy(lab: Lab) -> Done:
    """A deploy that may fail: what was measured meanwhile is logged first."""
    return lab.stackcook("deploy", "--json", timeout=2 * 60 * 60)


def memory(lab: Lab) -> None:
    """Log how much memory each node uses."""
    for node in lab.read().nodes:
        used = lab.on(node.name, "free -m").out.splitlines()[1].split()[2]
        log.info("FIGURE %s uses %s MiB", node.name, used)


def container(lab: Lab, node: str) -> str:
    return f"{lab.name}-{node}"


def kill(lab: Lab, node: str) -> None:
    """SIGKILL to all that runs on a node."""
    log.info("killing %s", node)
    as_root("lxc-stop", "-k", "-n", container(lab, node))


def start(lab: Lab, node: str) -> None:
    as_root("lxc-start", "-n", container(lab, node))


def eventually_verified(lab: Lab, patience: float = 600.0) -> float:
    """Wait until a verification without instances passes; after how many seconds it did."""
    began = time.monotonic()
    while True:
        done = lab.stackcook("verify", "--no-instance", timeout=600)
        spent = time.monotonic() - began
        if done.status == 0:
            return spent
        assert spent < patience, done.out + done.err


def rejoined(lab: Lab, name: str) -> float:
    """Wait until a controller runs all its services again; after how many seconds it did."""
    began = time.monotonic()
    active = f"for unit in {' '.join(UNITS)}; do systemctl is-active --quiet $unit || exit; done"
    while lab.on(name, active).status:
        assert time.monotonic() - began < 600, f"{name} does not run all its services"
        time.sleep(5)  # it would be slower if it were asked more often
    return time.monotonic() - began


def having(lab: Lab) -> list[str]:
    """The controllers that have the shared address."""
    command = f"ip -o address show to {virtual(lab)}"
    return [name for name in CONTROLLERS if virtual(lab) in lab.on(name, command).out]


def virtual(lab: Lab) -> str:
    return str(lab.read().virtual_address)


def holder_last(lab: Lab) -> list[str]:
    """The controllers; the one that has the shared address is the last one."""
    (holder,) = having(lab)
    return [*(name for name in CONTROLLERS if name != holder), holder]


def successes(lines: Sequence[str]) -> int:
    return sum(": HTTP 2" in line for line in lines)


def after(number: int, lines: int = 0) -> Callable[[Sequence[str]], bool]:
    """Whether so many requests have succeeded beyond the first ``lines`` lines."""
    return lambda seen: successes(seen[lines:]) >= number


@contextmanager
def probing(lab: Lab) -> Iterator[tuple[Started, dict[str, Any]]]:
    """Probe all APIs meanwhile; afterwards, the mapping has what was seen."""
    seen: dict[str, Any] = {}
    argv = command(lab.manifest, "--json", "-vv", "probe", "--timeout", "8s")
    with Started(argv, cwd=lab.root, tell=log.debug, env=environment(), quiet=True) as probe:
        probe.wait_for(after(50))
        yield probe, seen
        so_far = len(probe.wait_for(lambda lines: True))
        probe.wait_for(after(200, so_far))  # it sees the cloud after the change, too
        probe.process.send_signal(signal.SIGTERM)
        seen.update(probe.ended(120).data)


def answering(lab: Lab) -> None:
    """Wait until Keystone and Neutron of the controllers that are left answer."""
    deadline = time.monotonic() + 120
    argv = ("openstack", "--os-cloud", "stackcook", "security", "group", "list")
    while lab.run(*argv, timeout=60).status:
        assert time.monotonic() < deadline, "no API answers"


def test_three_controllers_are_deployed_and_verified(lab: Lab) -> None:
    done = deploy(lab)
    verified = [step["text"] for step in done.data["steps"] if step["step"] == "verify"]
    assert "instances answered on" in verified[-1]
    log.info("FIGURE deployed in %s s", done.data["seconds"])
    memory(lab)


def test_again_nothing_is_updated(lab: Lab) -> None:
    before = started(lab)
    done = deploy(lab)
    assert set(done.updated.values()) == {0}
    assert started(lab) == before, "a service was restarted"
    log.info("FIGURE again in %s s", done.data["seconds"])


def started(lab: Lab) -> dict[str, str]:
    """Node → when its services were started."""
    show = "systemctl show --type=service --state=running -p Id -p ActiveEnterTimestamp"
    mine = 'grep -A1 -E "Id=(mariadb|rabbitmq|haproxy|keepalived|ovn|keystone|nova|neutron|glance)"'
    return {node.name: lab.on(node.name, f"{show} | {mine}").out for node in lab.read().nodes}


def test_each_controller_is_killed_in_turn(lab: Lab) -> None:
    missed = {}
    for name in holder_last(lab):
        with probing(lab) as (probe, seen):
            lines = len(probe.wait_for(lambda _: True))
            kill(lab, name)
            probe.wait_for(after(200, lines))
            start(lab, name)
            log.info("FIGURE %s runs all its services after %.0f s", name, rejoined(lab, name))
        longest = gaps(seen)
        log.info("FIGURE %s killed: longest gaps %s", name, longest)
        for api in seen["apis"]:
            log.info("FIGURE %s: p99 %s s, gaps %s", api["api"], api["p99"], api["gaps"])
        missed |= {(name, api): gap for api, gap in longest.items() if gap > GAP}
        log.info("FIGURE %s verified %.0f s later", name, eventually_verified(lab))
    assert missed == {}


def test_all_controllers_are_killed_and_one_command_brings_them_back(lab: Lab) -> None:
    for name in CONTROLLERS:
        kill(lab, name)
    began = time.monotonic()
    deploy(lab)
    spent = time.monotonic() - began
    log.info("FIGURE all three killed: back after %.0f s", spent)
    assert spent <= BACK


@contextmanager
def cut_off(lab: Lab, name: str) -> Iterator[None]:
    """Meanwhile, the bridge carries nothing between a controller and the others."""
    addresses = {node.name: str(node.address) for node in lab.read().nodes}
    others = ", ".join(addresses[each] for each in CONTROLLERS if each != name)
    rules = f"""
table bridge {lab.name} {{
  chain forward {{
    type filter hook forward priority 0;
    ip saddr {addresses[name]} ip daddr {{ {others} }} drop
    ip daddr {addresses[name]} ip saddr {{ {others} }} drop
  }}
}}
"""
    subprocess.run([*SUDO, "nft", "-f", "-"], input=rules, text=True, check=True)
    log.info("%s is cut off", name)
    try:
        yield
    finally:
        as_root("nft", "delete", "table", "bridge", lab.name)


def test_a_controller_that_is_cut_off_cannot_write(lab: Lab) -> None:
    """Each side tries to write; the one that has the shared address is cut off."""
    *others, name = holder_last(lab)
    before, meanwhile = (f"cut-{secrets.token_hex(4)}" for _ in range(2))
    created(lab, before)
    with cut_off(lab, name):
        began = time.monotonic()
        created(lab, meanwhile, patience=120)
        log.info("FIGURE the majority writes %.0f s after the cut", time.monotonic() - began)
        assert refused(lab, name), "the minority accepts writes"
        assert not refused(lab, others[0])
    log.info("FIGURE healed after %.0f s", eventually_verified(lab))
    for each in CONTROLLERS:
        for project in (before, meanwhile):
            query = f'SELECT COUNT(*) FROM keystone.project WHERE name=\\"{project}\\"'
            assert lab.on(each, f'mariadb -N -e "{query}"').out.strip() == "1", each
    for project in (before, meanwhile):
        lab.run("openstack", "--os-cloud", "stackcook", "project", "delete", project)


def created(lab: Lab, project: str, patience: float = 0.0) -> None:
    """Create a project, as soon as that works."""
    deadline = time.monotonic() + patience
    argv = ("openstack", "--os-cloud", "stackcook", "project", "create", "--or-show", project)
    while (done := lab.run(*argv)).status and time.monotonic() < deadline:
        pass
    assert done.status == 0, done.err


def refused(lab: Lab, name: str) -> bool:
    """Whether the database of a controller does not accept a write within two minutes."""
    write = "CREATE DATABASE IF NOT EXISTS cut; DROP DATABASE cut"
    return lab.on(name, f'timeout 60 mariadb -e "{write}"').status != 0


def end_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - (1 << 22)))
        return opened.read()


@contextmanager
def captured(lab: Lab, file: Path) -> Iterator[None]:
    """Capture all packets of the lab's management network in a file."""
    file.parent.mkdir(exist_ok=True)
    argv = (*SUDO, "tshark", "-q", "-i", f"br-{lab.name}", "-w", str(file), "-F", "pcap")
    marker = f"marker-{secrets.token_hex(8)}".encode()
    with Started(argv, cwd=Path("/"), tell=log.info, env=environment()) as tshark:
        tshark.wait_for(lambda lines: any("Capturing on" in line for line in lines))
        yield
        as_root("chmod", "644", str(file))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            deadline = time.monotonic() + 60
            while marker not in end_of(file):  # it sees what is not encrypted
                assert time.monotonic() < deadline, "tshark has captured nothing"
                sock.sendto(marker, (f"{lab.range}.10", 9))
                time.sleep(0.5)
        tshark.process.send_signal(signal.SIGINT)
        tshark.ended(120)


def test_tempest_passes_and_nobody_can_read_along(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "capture" / "packets"
    with captured(lab, file):
        argv = ("--json", "verify", "--tempest", "smoke")
        done = lab.stackcook(*argv, timeout=3 * 60 * 60)
    bad = [test for test in done.data["tests"] if test["result"] in ("failed", "not run")]
    log.info("FIGURE Tempest: %s; captured %d MiB", done.data["counts"], file.stat().st_size >> 20)
    found = clear_text(file, lab.secrets())
    file.unlink()
    assert (done.status, bad, found) == (0, [], [])
    assert done.data["counts"]["passed"] > 50


def test_only_public_endpoints_and_ssh_are_open(lab: Lab) -> None:
    addresses = [virtual(lab), *(str(node.address) for node in lab.read().nodes)]
    places = [(address, port) for address in addresses for port in range(1, 65536)]
    rows = lab.openstack("endpoint", "list", "--interface", "public")
    public = {urlsplit(row["URL"]).port for row in rows}
    found = {port for _, port in listening(places, 2.0)}
    assert found - OPEN == public


@contextmanager
def instance(lab: Lab) -> Iterator[str]:
    """The floating IP of an instance of demo."""
    name = f"acceptance-{secrets.token_hex(3)}"

    def openstack(*argv: str) -> str:
        done = lab.run("openstack", "--os-cloud", demo_cloud(), *argv, timeout=300)
        assert done.status == 0, done.err
        return done.out.strip()

    only = ("-f", "value", "-c", "floating_ip_address")
    address = openstack("floating", "ip", "create", "public", *only)
    try:
        kind = ("--flavor", "m1.tiny", "--image", "test", "--network", "demo")
        openstack("server", "create", *kind, "--wait", name)
        openstack("server", "add", "floating", "ip", name, address)
        assert ssh_answers(address, patience=300)
        yield address
    finally:
        openstack("server", "delete", "--wait", name)
        openstack("floating", "ip", "delete", address)


def test_one_controller_becomes_three_and_one_of_them_is_replaced(lab: Lab) -> None:
    if "LAB" in os.environ:
        pytest.skip("it begins with a cloud of its own")
    done = lab.stackcook("destroy", "--yes", timeout=600)
    assert done.status == 0, done.err
    write(lab, 1)
    deploy(lab)
    with instance(lab) as address, pinged(address) as pings:
        write(lab, 3)
        with probing(lab) as (_, seen):
            done = try_deploy(lab)
        log.info("FIGURE one to three in %s s, gaps %s", done.data["seconds"], gaps(seen))
        log.info("FIGURE meanwhile %s", pings)
        assert done.status == 0, done.err
        name = holder_last(lab)[-1]
        kill(lab, name)
        as_root("lxc-destroy", "-f", "-n", container(lab, name))
        answering(lab)  # what a death costs, another test measures
        with probing(lab) as (_, seen):
            done = try_deploy(lab)
        log.info("FIGURE %s replaced in %s s, gaps %s", name, done.data["seconds"], gaps(seen))
        log.info("FIGURE until then %s", pings)
        assert done.status == 0, done.err
        assert {api: gap for api, gap in gaps(seen).items() if gap > GAP} == {}
        assert pings.longest <= GAP
    again = deploy(lab)
    assert set(again.updated.values()) == {0}
    memory(lab)


def test_nothing_is_left(lab: Lab) -> None:
    if "LAB" in os.environ:
        pytest.skip("the cloud in LAB is kept")
    done = lab.stackcook("destroy", "--yes", timeout=600)
    assert done.status == 0, done.err
    assert lab.leftovers() == []
