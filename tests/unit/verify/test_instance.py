"""The proof by instance over a cloud in memory: where the chain breaks; that nothing is left."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from stackcook.files import try_lock
from stackcook.verify.check import Check
from stackcook.verify.instance import guest, links, proof, resources
from stackcook.verify.instance.chain import Tools
from stackcook.verify.instance.proof import Proof, prove, waves
from stackcook.verify.openstack import Cloud, NoResponse
from stackcook.verify.placing import Placed, Service
from tests.fakecloud import FakeCloud, Refusal

UNITS = {
    "controller": ("nova-scheduler", "placement-api", "glance-api", "nova-novncproxy"),
    "compute1": ("nova-compute", "libvirtd", "ovn-controller", "neutron-ovn-metadata-agent"),
    "compute2": ("nova-compute", "libvirtd", "ovn-controller", "neutron-ovn-metadata-agent"),
}
NODES = tuple(
    Placed(name, "192.0.2.1", frozenset({name}), tuple(map(Service, units)), True)
    for name, units in UNITS.items()
)
CHAIN = list(links.LINKS)
ADVICE = {
    "Placement": "`openstack --os-cloud stackcook server list --all-projects --host compute1`",
    "console log": "the image `test` is that of the cookbook openstack-resources",
    "host key": "the image `test` is that of the cookbook openstack-resources",
    "floating IP": "(`ip route get 10.0.113.101`)",
    "taken": "leave it out of the attribute openstack.network.external.pool",
    "taken by SSH": "leave it out of the attribute openstack.network.external.pool",
    "traffic to outside": "the attribute openstack.network.external.gateway",
}
"""What helps more than the log of the service, by what is broken."""


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """A cloud with Cinder, and with two compute nodes in which instances boot."""
    cloud = FakeCloud(volumes=True)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        cloud.answer(mock)
        yield cloud


@pytest.fixture
def run(cloud: FakeCloud, tmp_path: Path) -> Any:
    def run(
        *,
        ready: Callable[[], object] = lambda: None,
        required: bool = False,
        limit: float = 0.0,
        nodes: tuple[Placed, ...] = NODES,
        advice: str = "",
    ) -> Proof:
        return prove(
            cloud.client,
            nodes,
            tmp_path / ".stackcook",
            required=required,
            limit=limit,
            advice=advice,
            ready=ready,
            tools=Tools(opener=cloud.login, ping=cloud.ping, open_console=cloud.vnc),
        )

    return run


def failures(found: Proof) -> list[Check]:
    return [check for check in found.checks if not check.ok]


def test_every_link_is_checked_on_every_compute_node(run: Any, cloud: FakeCloud) -> None:
    found = run()
    assert failures(found) == []
    mine = [check.name for check in found.checks if "compute2" not in f"{check.name}{check.node}"]
    on_controller = {"Placement", "scheduler", "image", "console URL"}
    assert mine == [
        f"instance on compute1: {link}" if link in on_controller else f"instance: {link}"
        for link in CHAIN
    ]
    assert {check.node for check in found.checks} == set(UNITS)
    assert set(cloud.logins) == {"compute1", "compute2"}
    (note,) = found.notes
    assert note == "instances answered on 10.0.113.101 (compute1), 10.0.113.102 (compute2)"


def test_networks_are_there_when_instances_can_boot(run: Any, cloud: FakeCloud) -> None:
    seen: list[tuple[int, ...]] = []
    kinds = ("networks", "ports", "flavors", "servers")
    found = run(ready=lambda: seen.append(tuple(len(cloud.kind(kind)) for kind in kinds)))
    assert failures(found) == []
    ((networks, ports, flavors, servers),) = seen
    assert networks and flavors and ports and not servers


def test_nothing_is_left_in_the_cloud_and_here(run: Any, cloud: FakeCloud, tmp_path: Path) -> None:
    run()
    assert cloud.names() == set()
    here = {path.name for path in (tmp_path / ".stackcook").iterdir()}
    assert here == {".gitignore", "verify.lock"}


@pytest.mark.parametrize(
    ("broken", "link", "node", "unit", "cause"),
    [
        ("Placement", "Placement", "controller", "placement-api", "MEMORY_MB: 88 free, 256 needed"),
        ("quota", "scheduler", "controller", "nova-scheduler", "Quota exceeded for instances"),
        ("scheduler", "scheduler", "controller", "nova-scheduler", "No valid host was found"),
        ("late", "scheduler", "controller", "nova-scheduler", "task state: scheduling"),
        ("image", "image", "controller", "glance-api", "Image i-test could not be found"),
        ("libvirt", "libvirt", "compute1", "nova-compute", "cannot limit core file size"),
        ("libvirt down", "libvirt", "compute1", "libvirtd", "hypervisor is broken"),
        ("port binding", "port binding", "compute1", "ovn-controller", "Binding failed for port"),
        ("port late", "port binding", "compute1", "ovn-controller", "port is connected"),
        ("console log", "console log", "compute1", "nova-compute", "Booting from Hard Disk..."),
        ("DHCP", "DHCP", "compute1", "ovn-controller", "got no address by DHCP"),
        (
            "metadata",
            "metadata",
            "compute1",
            "neutron-ovn-metadata-agent",
            "no metadata from 169.254.169.254",
        ),
        ("key", "key", "compute1", "neutron-ovn-metadata-agent", "no SSH key"),
        (
            "user data",
            "user data",
            "compute1",
            "neutron-ovn-metadata-agent",
            "the last line on its console is: test-image: ready",
        ),
        ("floating IP", "floating IP", "compute1", "ovn-controller", "connection refused"),
        ("taken", "floating IP", "compute1", "ovn-controller", "answers It works!, not the"),
        ("host key", "SSH", "compute1", "ovn-controller", "its console shows no SSH host key"),
        ("SSH", "SSH", "compute1", "ovn-controller", "no SSH response (timed out)"),
        ("taken by SSH", "SSH", "compute1", "ovn-controller", "reaches another machine (web)"),
        ("login", "SSH", "compute1", "ovn-controller", "login was refused"),
        (
            "traffic to outside",
            "traffic to outside",
            "compute1",
            "ovn-controller",
            "cannot ping the gateway 10.0.113.1: 1 packets transmitted, 0 received",
        ),
        (
            "tunnel",
            "tunnel",
            "compute1",
            "ovn-controller",
            "the instance on compute2 (192.168.231.102) cannot be reached through the tunnel: "
            "no answer to ping",
        ),
        ("security group", "security group", "compute1", "ovn-controller", "port 8080 is open"),
        ("open port", "security group", "compute1", "ovn-controller", ":8080/ responds"),
        ("ping", "security group", "compute1", "ovn-controller", "does not answer to ping"),
        ("attach", "volume", "compute1", "nova-compute", "did not attach it within 60 s"),
        ("disk", "volume", "compute1", "nova-compute", "it sees no such disk"),
        ("content", "volume", "compute1", "nova-compute", "reads '' from it, not 'written on"),
    ],
)
def test_a_break_is_named_and_ends_the_chain(
    run: Any, cloud: FakeCloud, broken: str, link: str, node: str, unit: str, cause: str
) -> None:
    cloud.broken[broken] = ("compute1",)
    found = run()
    (check,) = failures(found)
    where = "" if node == "compute1" else " on compute1"
    assert (check.name, check.node, check.unit) == (f"instance{where}: {link}", node, unit)
    assert cause in check.cause
    log = f"stackcook ssh {node} -- sudo journalctl -u {unit} -n 50"
    assert ADVICE.get(broken, log) in check.remedy
    mine = [c for c in found.checks if "compute2" not in f"{c.name}{c.node}"]
    assert [c.name.partition(": ")[2] for c in mine] == CHAIN[: CHAIN.index(link) + 1]
    skipped = ", ".join(CHAIN[CHAIN.index(link) + 1 :])
    expected = f"instance on compute1: not checked because {link} failed: {skipped}"
    assert (expected in found.notes) == bool(skipped)
    assert cloud.names() == set()


def test_a_slow_instance_can_be_given_more_time(run: Any, cloud: FakeCloud) -> None:
    for broken in ("late", "console log"):
        cloud.broken = {broken: ("compute1",)}
        (check,) = failures(run())
        assert "0 s, which `stackcook verify --patience` extends" in check.cause


def test_a_new_node_may_be_in_nova_before_it_is_in_placement(run: Any, cloud: FakeCloud) -> None:
    cloud.unreported = 3
    assert failures(run(limit=60)) == []
    assert cloud.unreported == 0


def test_without_inventory_nova_compute_is_to_blame(run: Any, cloud: FakeCloud) -> None:
    cloud.broken |= {"Placement": ("compute1",), "inventory": ("compute1",)}
    (check,) = failures(run())
    assert (check.name, check.node, check.unit) == (
        "instance: Placement",
        "compute1",
        "nova-compute",
    )
    assert check.remedy.endswith("-- sudo journalctl -u nova-compute -n 50`")


def test_a_volume_is_written_on_one_instance_and_read_on_the_next(
    run: Any, cloud: FakeCloud
) -> None:
    cloud.broken["fast detach"] = ("compute1",)
    assert failures(run()) == []
    path = "/servers/{}/os-volume_attachments"
    servers = [r.split("/")[2] for r in cloud.requests if r.endswith("os-volume_attachments")]
    assert len(set(servers)) == 2
    made = [r for r in cloud.requests if not r.startswith("GET")]
    attachments = [r for r in made if "os-volume_attachments" in r]
    volume = attachments[1].rpartition("/")[2]
    assert attachments == [
        f"{verb} {path.format(server)}{end}"
        for server in servers
        for verb, end in (("POST", ""), ("DELETE", f"/{volume}"))
    ]


def test_a_single_instance_gets_the_volume_twice(run: Any, cloud: FakeCloud) -> None:
    assert failures(run(nodes=NODES[:2])) == []
    assert sum(r.endswith("os-volume_attachments") for r in cloud.requests) == 2


def test_a_volume_that_cannot_be_created_is_no_fault_of_nova(run: Any, cloud: FakeCloud) -> None:
    cloud.broken["Cinder"] = ("controller",)
    (check,) = failures(run())
    assert (check.name, check.unit) == ("instance: volume", "cinder-volume")
    assert "did not create a volume within 60 s (status: error)" in check.cause
    assert cloud.names() == set()


def test_without_cinder_no_volume_is_attached(run: Any, cloud: FakeCloud) -> None:
    cloud.volumes = False
    found = run()
    assert failures(found) == []
    assert not any("volume" in request for request in cloud.requests)
    assert not any("volume" in check.name for check in found.checks)


def test_the_nodes_log_says_why_it_could_not_build_the_instance(
    cloud: FakeCloud, tmp_path: Path
) -> None:
    cloud.broken["scheduler"] = ("compute1",)
    asked: list[tuple[str, str]] = []

    def why(node: Placed, unit: str, word: str) -> str:
        assert word in cloud.kind("servers")
        asked.append((node.name, unit))
        return "12:10:48 nova.exception.PortBindingFailed: Binding failed for port 1"

    found = prove(
        cloud.client,
        NODES,
        tmp_path / ".stackcook",
        required=True,
        limit=0,
        tools=Tools(why, opener=cloud.login, ping=cloud.ping, open_console=cloud.vnc),
    )
    (check,) = failures(found)
    assert (check.name, check.node) == ("instance: port binding", "compute1")
    assert check.cause.startswith("12:10:48 nova.exception.PortBindingFailed: ")
    assert check.cause.endswith("There are not enough hosts available.")
    assert asked == [("compute1", "nova-compute")]


def test_an_api_that_is_silent_once_is_asked_again(
    run: Any, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent: list[str] = []
    read = Cloud.read

    def silent_once(self: Cloud, type_: str, path: str, **options: Any) -> Any:
        if path.startswith("/servers/") and not silent:
            silent.append(path)
            raise NoResponse("no response within 8 s")
        return read(self, type_, path, **options)

    monkeypatch.setattr(Cloud, "read", silent_once)
    assert failures(run(limit=60)) == [] and silent


def test_a_token_is_in_no_failure(run: Any, cloud: FakeCloud) -> None:
    cloud.broken["console URL"] = ("compute1",)
    check, _ = failures(run())
    assert check.name == "instance on compute1: console URL"
    assert check.cause == "http://10.0.116.10:6080/vnc_lite.html returned 404 Not Found"


def test_a_console_must_reach_its_instance(run: Any, cloud: FakeCloud) -> None:
    cloud.broken["VNC"] = ("compute2",)
    (check,) = failures(run())
    assert (check.name, check.unit) == ("instance on compute2: console URL", "nova-novncproxy")
    assert check.cause == "the WebSocket closed the connection"


@pytest.mark.parametrize(
    ("service", "link", "unit", "advice"),
    [
        ({"state": "down"}, "scheduler", "nova-compute", "-u nova-compute -n 50`"),
        (
            {"status": "disabled", "disabled_reason": "new disk"},
            "scheduler",
            "nova-compute",
            "compute service set --enable compute1 nova-compute`",
        ),
        (
            {"status": "disabled", "disabled_reason": "AUTO: Connection to libvirt lost: 1"},
            "libvirt",
            "libvirtd",
            "-u libvirtd -n 50`",
        ),
    ],
)
def test_nothing_is_booted_where_nova_boots_nothing(
    run: Any, cloud: FakeCloud, service: dict[str, str], link: str, unit: str, advice: str
) -> None:
    cloud.services["compute1"] = service
    (check,) = failures(run())
    assert (check.name, check.node, check.unit) == (f"instance: {link}", "compute1", unit)
    assert check.remedy.endswith(advice)
    assert cloud.requests.count("POST /servers") == 1


def test_a_compute_node_without_hypervisor_is_a_failure(run: Any, cloud: FakeCloud) -> None:
    cloud.computes = ("compute2",)
    (check,) = failures(run())
    assert (check.node, check.cause) == ("compute1", "Nova has no hypervisor of this node")


def test_a_peer_that_does_not_come_up_is_no_fault_of_the_tunnel(run: Any, cloud: FakeCloud) -> None:
    cloud.broken |= {"DHCP": ("compute1",), "tunnel": ("compute2",)}
    (check,) = failures(run())
    assert check.name == "instance: DHCP"


@pytest.mark.parametrize(
    ("external", "image", "missing"),
    [
        (False, True, "no external network"),
        (True, False, "no image `test`"),
        (False, False, "no external network and no image `test`"),
    ],
)
def test_what_the_cloud_lacks_is_a_note(
    run: Any, cloud: FakeCloud, external: bool, image: bool, missing: str
) -> None:
    cloud.external = external
    cloud.image = cloud.image if image else None
    assert run() == Proof(notes=(f"no instance was booted: the cloud has {missing}",))
    assert not any(request.startswith("POST") for request in cloud.requests)


def test_advice_is_given_where_there_is_no_external_network(run: Any, cloud: FakeCloud) -> None:
    cloud.image = None
    assert len(run(advice="set it").notes) == 1
    cloud.external = False
    assert run(advice="set it").notes[1] == "set it"


def test_an_instance_that_is_asked_for_needs_the_image(run: Any, cloud: FakeCloud) -> None:
    cloud.image = None
    (check,) = run(required=True).checks
    assert (check.ok, check.cause) == (False, "the cloud has no image `test`")
    assert "openstack.resources.images" in check.remedy


def test_without_external_network_the_rest_is_checked(run: Any, cloud: FakeCloud) -> None:
    cloud.external = False
    found = run(required=True)
    assert failures(found) == []
    links = {check.name.partition(": ")[2] for check in found.checks}
    assert set(CHAIN) - links == {"floating IP", "SSH", "traffic to outside", "volume"}
    assert found.notes == (
        "instances booted on compute1, compute2; floating IPs: not checked, as the cloud has no "
        "external network",
    )
    assert cloud.names() == set()


def test_one_compute_node_has_no_tunnel(run: Any, cloud: FakeCloud) -> None:
    found = run(nodes=NODES[:2])
    assert failures(found) == []
    assert "instance: tunnel" not in {check.name for check in found.checks}
    assert found.notes == ("an instance answered on 10.0.113.101 (compute1)",)


def test_a_cloud_without_compute_nodes_proves_nothing(run: Any, cloud: FakeCloud) -> None:
    assert run(nodes=NODES[:1]) == Proof()
    assert cloud.requests == []


def test_what_a_killed_run_has_left_is_deleted_first(
    run: Any, cloud: FakeCloud, tmp_path: Path
) -> None:
    found = resources.offer(cloud.client)
    ground = resources.create(cloud.client, found, "0ld", 2, "ssh-ed25519 AAAA")
    resources.connect(cloud.client, found.external, ground)
    (tmp_path / ".stackcook" / "verify").mkdir(parents=True)
    (tmp_path / ".stackcook" / "verify" / "id_ed25519").write_text("old")
    cloud.add("networks", {"name": "a user's own"})
    assert "stackcook-verify-0ld-2" in cloud.names()
    assert failures(run()) == []
    assert cloud.names() == {"a user's own"}


def test_a_leftover_is_a_failure_with_its_name(run: Any, cloud: FakeCloud) -> None:
    cloud.stuck.add("networks")
    (check,) = failures(run())
    assert check.name == "removal of the instances"
    assert "network stackcook-verify-" in check.cause
    assert check.cause.endswith("is in use")
    assert {name[:17] for name in cloud.names()} == {"stackcook-verify-"}


def test_servers_that_stay_are_told(run: Any, cloud: FakeCloud) -> None:
    cloud.stuck.add("servers")
    causes = [check.cause for check in failures(run())]
    assert any("server stackcook-verify-" in cause for cause in causes)


def test_what_cannot_be_created_is_one_failure(
    run: Any, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(kind: str, thing: Any) -> Any:
        if kind == "floatingips":
            raise Refusal(409, "No more IP addresses available on network ext.")
        return FakeCloud._made(cloud, kind, thing)

    monkeypatch.setattr(cloud, "_made", made)
    found = run()
    (check,) = failures(found)
    assert (check.name, check.node, found.notes) == ("instances", "", ())
    assert "No more IP addresses available on network ext." in check.cause
    assert cloud.names() == set()


def test_ctrl_c_removes_everything(run: Any, cloud: FakeCloud) -> None:
    cloud.broken["console log"] = ("compute1", "compute2")
    asked = threading.Event()

    def interrupt() -> None:
        if not asked.is_set():
            asked.set()
            raise KeyboardInterrupt

    cloud.interrupt = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(limit=60)
    assert cloud.names() == set()


def test_two_verifications_do_not_run_at_the_same_time(run: Any, tmp_path: Path) -> None:
    path = tmp_path / ".stackcook" / "verify.lock"
    path.parent.mkdir()
    with path.open("w") as file:
        assert try_lock(file)
        (check,) = run().checks
    assert check.cause == "another `stackcook verify` still runs after 0 s"
    assert failures(run()) == []


def test_waves_are_of_about_the_same_size() -> None:
    nodes = [Placed(str(number), "") for number in range(9)]
    assert [len(wave) for wave in waves(nodes)] == [5, 4]
    assert [len(wave) for wave in waves(nodes[:8])] == [8]


def test_many_nodes_are_proved_wave_by_wave(
    run: Any, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "waves", lambda nodes: [nodes[:1], nodes[1:]])
    found = run()
    assert failures(found) == []
    assert set(cloud.logins) == {"compute1", "compute2"}
    assert cloud.names() == set()


def test_the_network_of_the_instances_is_beside_the_external_one() -> None:
    assert str(resources.subnet_beside([{"cidr": "10.0.113.0/24"}])) == "192.168.231.0/24"
    assert str(resources.subnet_beside([{"cidr": "192.168.0.0/16"}])) == "10.231.231.0/24"


def test_the_flavor_is_as_large_as_the_image_needs() -> None:
    assert resources.flavor_size({}) == {"ram": 256, "disk": 1, "vcpus": 1}
    assert resources.flavor_size({"min_ram": 512, "min_disk": 3})["ram"] == 512


def test_the_script_is_valid_for_a_shell() -> None:
    script = guest.script([guest.Peer("stackcook-verify-1-2", "192.168.231.7")], "10.0.113.1", 60)
    done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert script.startswith("#!/bin/sh\n")
    assert "peer 192.168.231.7 stackcook-verify-1-2 &\n" in script
    assert "attempt outside ping -c 1 -W 3 10.0.113.1 &\n" in script


PROGRAMS = {
    "httpd": "",
    "ping": 'for address; do :; done; [ "$address" != 10.0.113.1 ] || { echo lost; exit 1; }',
    "wget": """for url; do :; done
case "$url" in
http://*:8080/) [ "$url" = http://192.168.231.9:8080/ ] ;;
http://192.168.231.9/much) echo short ;;
*/much) head -c 100000 /dev/zero ;;
*) echo "hello from stackcook-verify-1-2 (a-1)" ;;
esac""",
}
"""What the script calls; 10.0.113.1 does not answer, and 192.168.231.9 is not as it should be."""


def test_the_script_prints_what_it_finds(tmp_path: Path) -> None:
    for name, text in PROGRAMS.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    peers = [
        guest.Peer("stackcook-verify-1-2", "192.168.231.7"),
        guest.Peer("stackcook-verify-1-3", "192.168.231.8"),
        guest.Peer("stackcook-verify-1-2", "192.168.231.9"),
    ]
    script = guest.script(peers, "10.0.113.1", 0).replace("/var/www", str(tmp_path))
    done = subprocess.run(
        ["sh"],
        input=script,
        text=True,
        capture_output=True,
        timeout=60,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert guest.read_console(done.stdout).results == {
        "user-data": "",
        "outside": "lost",
        "tunnel 192.168.231.7": "",
        "closed 192.168.231.7": "",
        "tunnel 192.168.231.8": "another instance answers: hello from stackcook-verify-1-2 (a-1)",
        "tunnel 192.168.231.9": "only 6 of 100000 bytes arrived",
    }
    assert (tmp_path / "results").read_text().count("\n") == 6


def test_a_console_is_read_although_the_kernel_prints_in_between() -> None:
    console = guest.read_console(
        "test-image: dhcp 10.9.9.9 gateway 10.9.9.1\r\n"
        "\x1b[0mtest-image: booting\r\n[  1.0] clock\x00 test-image: dhcp 10.1.1.5 gateway x\r\n"
        "stackcook-verify: tunnel 10.1.1.6 failed no answer to HTTP\r\n"
        "stackcook-verify: outside ok\r\n\r\n"
    )
    assert guest.dhcp(console, "10.1.1.5") == ""
    assert guest.dhcp(console, "10.1.1.9") == "DHCP gave it 10.1.1.5, but its port 10.1.1.9"
    assert guest.metadata(console, "u") is None and guest.key(console) is None
    assert console.results == {"tunnel 10.1.1.6": "no answer to HTTP", "outside": ""}
    assert console.last == "stackcook-verify: outside ok"


def test_metadata_of_another_instance_is_an_error() -> None:
    console = guest.read_console("test-image: metadata 1234 name\n")
    assert guest.metadata(console, "1234") == ""
    said = guest.metadata(console, "5678")
    assert said == "it got the metadata of another instance, 1234"
