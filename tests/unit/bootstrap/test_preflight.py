"""What is looked up on a node before anything is changed, by a real shell, and what it means."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.bootstrap import preflight
from stackcook.bootstrap.hardware import Disk
from stackcook.bootstrap.needs import Device, Need, Wanted

URL = "http://10.0.115.1:4545"
GOOD = (
    "uid=0\nid=debian\nversion=13\nrelease=Debian GNU/Linux 13 (trixie)\nhost=one\ntime=5000\n"
    "memory=2097152\nfree /=4194304\nfree /var=4194304\nserver=reached\n"
)


WANTED = Wanted(
    need=Need(2048, 1024, {"dashboard": 80, "db": 3306}, computes=True, tunnels=True),
    platforms={"nova": {"debian": ">= 13.0"}, "any": {"debian": ">= 12.0", "ubuntu": ">= 24.04"}},
    address="10.0.0.7",
    interface="eth1",
)
HOST = GOOD + (
    "total=2097152\ndevice /=/dev/a\ndevice /var=/dev/a\ncpus=2\ninterfaces=eth0 eth1 lo \n"
    "addresses=10.0.0.7 fd00::7 \nkvm=yes\ntun=yes\nopenvswitch=yes\n"
    'listen tcp 127.0.0.1:80=users:(("other",pid=7,fd=3))\nlisten udp 0.0.0.0:68=\n'
    "mirror mirror.example.org 80=reached\n"
)


def problems(
    output: str, now: float = 5000.0, *, installs: bool = True, wanted: Wanted = Wanted()
) -> list[tuple[str, str]]:
    facts = preflight.read(output, URL, now, installs=installs)
    return [(found.id, found.what) for found in preflight.judge("one", facts, wanted)]


def test_a_host_that_suits_its_node_has_no_findings() -> None:
    assert problems(HOST, wanted=WANTED) == []


@pytest.mark.parametrize(
    "old, new, id, problem",
    [
        ("free /=4194304", "free /=2000000", "disk-space", "/ has 1953 MiB free, but needs 2048"),
        ("total=2097152", "total=300000", "memory", "it has 292 MiB of memory, but needs 1024 MiB"),
        ("version=13", "version=12", "release", "is not supported by nova: only debian >= 13.0"),
        ("org 80=reached", "org 80=refused", "mirror", "mirror.example.org, port 80 (refused)"),
        ("org 80=reached", "org 80=the name does not resolve", "dns", "mirror mirror.example.org"),
        ("cpus=", "lock=apt (PID 9)\ncpus=", "apt-lock", "apt (PID 9) holds the lock"),
        ("10.0.0.7 fd", "192.168.1.2 fd", "address", "no interface has 10.0.0.7, only 192.168.1.2"),
        ("eth0 eth1", "eth0 ens4", "interface", "it has no interface eth1, only eth0, ens4"),
        ("127.0.0.1:80", "*:80", "port", "TCP port 80, for dashboard, is taken by other (PID 7)"),
        ("127.0.0.1:80", "[::]:80", "port", "TCP port 80"),
        ("127.0.0.1:80", "10.0.0.7%eth0:3306", "port", "TCP port 3306, for db"),
        ("0.0.0.0:68", "0.0.0.0:6081", "port", "UDP port 6081, for tunnels, is taken by the kern"),
        ("kvm=yes\n", "", "kvm", "no /dev/kvm"),
        ("tun=yes\n", "", "kernel", "no /dev/net/tun"),
        ("openvswitch=yes\n", "", "kernel", "no module openvswitch"),
        (
            "cpus=",
            "chef server=https://chef.example.com\nchef node=db7\ncpus=",
            "leftover",
            "it is db7 on the Chef server https://chef.example.com",
        ),
        ("cpus=", "compute id=1f0c\ncpus=", "leftover", "Nova's compute_id is 1f0c"),
        ("cpus=", "domains=web,mail\ncpus=", "leftover", "virtual machines of its own: web,mail"),
        ("cpus=", "databases=nova\ncpus=", "leftover", "databases of another cloud: nova"),
        ("cpus=", "firewall=ufw\ncpus=", "firewall", "needs TCP 80, TCP 3306, UDP 6081"),
        ("cpus=", "card eth1=2 - -1\nlink eth1=0 1500 \ncpus=", "link", "eth1 has no link"),
        ("cpus=", "disk sda=9 0\nhealth sda=FAILED!\ncpus=", "disk-health", "sda: FAILED!"),
        ("cpus=", "device /var/log=/dev/b\nfree /var/log=9\ncpus=", "disk-space", "/var/log has 0"),
        ("cpus=", "named=?\ncpus=", "hostname-lookup", "resolves to ?, which no interface has"),
        ("cpus=", "named=\ncpus=", "hostname-lookup", "its own name one does not resolve"),
        (
            "cpus=",
            "named=127.0.1.1 10.0.0.9 fe80::1\ncpus=",
            "hostname-lookup",
            "to 10.0.0.9, which",
        ),
    ],
)
def test_what_the_node_s_recipes_miss(old: str, new: str, id: str, problem: str) -> None:
    assert old in HOST
    ((found, what),) = problems(HOST.replace(old, new), wanted=WANTED)
    assert found == id and problem in what


@pytest.mark.parametrize(
    "line",
    [
        "named=127.0.1.1 10.0.0.7 fe80::1%eth0",
        "synchronized=no\ntime service=chrony",
        "synchronized=no\ncontainer=yes",
        "synchronized=",
        "host=my_host\nours=yes",
        "card eth1=2 - -1\nlink eth1=- 1500 ",
        "card eth5=2 - -1\nlink eth5=0 1500 ",
        "databases=\ndomains=",
        "disk sda=9 0\nhealth sda=PASSED",
        "disk sda=- -",
        "card veth7= - -",
        "device /var/log=/dev/a\nfree /var/log=9",
    ],
)
def test_what_is_no_finding(line: str) -> None:
    assert problems(f"{HOST}{line}\n", wanted=WANTED) == []


def test_what_was_looked_for_is_known() -> None:
    facts = preflight.read(HOST, URL, 5000.0)
    every = preflight.checked(facts, WANTED)
    assert {"memory", "port", "leftover", "kvm", "clock"} <= every
    known = preflight.checked(preflight.read(f"{HOST}ours=yes\n", URL, 5000.0), WANTED)
    assert every - known == {"memory", "dns", "mirror", "port", "firewall", "leftover", "disk"}
    assert "kvm" not in preflight.checked(facts, replace(WANTED, lab=True))


def test_two_file_systems_share_what_is_needed() -> None:
    two = HOST.replace("device /var=/dev/a", "device /var=/dev/b")
    assert problems(two.replace("free /=4194304", "free /=2000000"), wanted=WANTED) == []


def test_packages_that_apt_holds() -> None:
    wanted = replace(WANTED, packages=frozenset({"nova-compute", "haproxy"}))
    held = f"{HOST}held=linux-image-amd64 nova-compute:amd64 \n"
    what = "apt holds nova-compute, which the node's recipes install"
    assert problems(held, wanted=wanted) == [("held-packages", what)]
    assert problems(held, wanted=WANTED) == []


DISKS = (
    "block /dev/sda=disk||gpt|\nblock /dev/sda1=part|ext4|gpt|/\nblock /dev/sda2=part||gpt|\n"
    "block /dev/sdb=disk|||\nblock /dev/sdc=disk|xfs||/srv/node/c\nblock /dev/sdd=disk|||/mnt\n"
    "alias /dev/disk/by-id/x=/dev/sdb\n"
)


@pytest.mark.parametrize(
    "device, what",
    [
        (Device("/dev/sdb", "Cinder"), ""),
        (Device("/dev/sda2", "Cinder"), ""),
        (Device("/dev/disk/by-id/x", "Swift", "xfs"), ""),
        (Device("/dev/sdc", "Swift", "xfs"), ""),
        (Device("/dev/sdc", "Cinder"), "/dev/sdc, for Cinder, is not empty (xfs, mounted at /srv"),
        (Device("/dev/sda", "Cinder"), "/dev/sda, for Cinder, is not empty (gpt)"),
        (
            Device("/dev/sda1", "Swift", "xfs"),
            "/dev/sda1, for Swift, is not empty (ext4, mounted at",
        ),
        (
            Device("/dev/sdd", "Cinder"),
            "/dev/sdd, for Cinder, is not empty (a file system, mounted",
        ),
        (Device("/dev/sdz", "Swift"), "it has no /dev/sdz, for Swift"),
        (Device("/dev/disk/by-id/y", "Swift"), "it has no /dev/disk/by-id/y, for Swift"),
    ],
)
def test_disks_for_storage(device: Device, what: str) -> None:
    wanted = replace(WANTED, devices=(device,))
    found = problems(HOST + DISKS, wanted=wanted)
    assert [id for id, _ in found] == ["disk"] * bool(what)
    assert all(said.startswith(what) for _, said in found)
    assert problems(HOST, wanted=wanted) == [], "the host does not say"
    assert problems(f"{HOST}{DISKS}ours=yes\n", wanted=wanted) == []


def test_a_volume_group_that_is_there_needs_no_disks() -> None:
    wanted = replace(WANTED, devices=(Device("/dev/sda", "Cinder", group="volumes"),))
    assert problems(f"{HOST}{DISKS}volume groups= a volumes \n", wanted=wanted) == []


def test_the_packages_of_a_bundle_need_room_in_var() -> None:
    wanted = replace(WANTED, bundle=2500)
    found = [what for _, what in problems(HOST, wanted=wanted)]
    assert found == [f"{place} has 4096 MiB free, but needs 4548 MiB" for place in ("/", "/var")]
    two = HOST.replace("device /var=/dev/a", "device /var=/dev/b")
    two = two.replace("free /=4194304", "free /=1100000")
    assert problems(two, wanted=wanted) == []
    two = two.replace("free /var=4194304", "free /var=3000000")
    assert [what[:4] for _, what in problems(two, wanted=wanted)] == ["/var"]
    assert problems(f"{HOST}ours=yes\n", wanted=wanted) == []


def test_a_node_that_is_there_already_is_not_asked_for_what_only_a_new_one_needs() -> None:
    host = HOST.replace("127.0.0.1:80", "*:80").replace("org 80=reached", "org 80=refused")
    host = host.replace("total=2097152", "total=1000").replace("free /=4194304", "free /=1100000")
    host += f"chef server={URL}\nchef node=one\ncompute id=1\n"
    assert problems(f"{host}ours=yes\n", wanted=WANTED) == []
    found = {id for id, _ in problems(host, wanted=WANTED)}
    assert found == {"port", "mirror", "memory", "disk-space", "leftover"}


def test_a_machine_of_ours_may_have_served_any_chef_server_and_needs_no_kvm() -> None:
    host = HOST.replace("kvm=yes\n", "chef server=http://old\n").replace("127.0.0.1:80", "*:80")
    assert problems(host, wanted=replace(WANTED, lab=True)) == []


def test_mirrors_matter_only_where_packages_are_known_to_be_needed() -> None:
    host = HOST.replace("org 80=reached", "org 80=refused")
    assert [id for id, _ in problems(host)] == ["mirror"], "the client is missing"
    assert problems(f"{host}client=yes\n") == []
    assert [id for id, _ in problems(f"{host}client=yes\n", wanted=WANTED)] == ["mirror"]
    own = preflight.read(host, URL, 5000.0, installs=False)
    assert preflight.judge("one", own) == (), "the client is the user's own"


def test_a_bundle_has_the_packages_of_the_host_s_release() -> None:
    host = preflight.read(f"{GOOD}codename=trixie\narch=arm64\n", URL, 5000.0)
    assert preflight.judge("one", host, Wanted(releases=frozenset({"trixie-arm64"}))) == ()
    (found,) = preflight.judge("one", host, Wanted(releases=frozenset({"trixie-amd64"})))
    what = "the bundle has no packages of this node for trixie-arm64, only for trixie-amd64"
    assert (found.id, found.what) == ("release", what)
    assert preflight.command(URL, "a", bundled=True).startswith(
        f"set -- 10.0.115.1 4545 {URL} a bundled\n"
    )


def test_what_a_host_does_not_say_is_not_held_against_it() -> None:
    assert problems(GOOD, wanted=WANTED) == []


def test_a_fit_node_is_told_in_a_few_words() -> None:
    assert problems(GOOD, 5100.0) == []
    wanted = "Debian GNU/Linux 13 (trixie), 2048 MiB of memory and 4096 MiB of disk free"
    assert str(preflight.read(GOOD, URL, 5100.0)) == wanted


@pytest.mark.parametrize(
    "old, new, id, problem",
    [
        ("/var=4194304", "/var=1000", "disk-space", "/var has 0 MiB free, but needs 1024 MiB"),
        ("time=5000", "time=5601", "clock", "its clock is 10 min ahead of the Chef server's"),
        ("time=5000", "time=200", "clock", "its clock is 80 min behind the Chef server's"),
        (
            "=reached",
            "=no response within 5 s",
            "chef-server",
            f"it cannot reach the Chef server at {URL} (no response",
        ),
        (
            "version=13",
            "version=11",
            "release",
            "the Chef client cannot be installed on Debian GNU/Linux 13 (trixie), only on "
            "Debian 12",
        ),
        ("id=debian", "id=fedora", "release", "the Chef client cannot be installed on"),
        ("host=one", "host=localhost", "hostname", 'its hostname must not be "localhost"'),
        ("host=one", "host=my_host", "hostname", 'its hostname must not be "my_host"'),
        ("host=one", "host=one\ninit=sh", "systemd", "its PID 1 is sh, not systemd"),
        ("host=one", "host=one\nsynchronized=no", "time-service", "no time service runs on it"),
    ],
)
def test_what_has_to_be_put_right(old: str, new: str, id: str, problem: str) -> None:
    ((found, what),) = problems(GOOD.replace(old, new))
    assert found == id and problem in what


@pytest.mark.parametrize("line", ["memory=much", "free /=", "time=now"])
def test_output_that_is_cut_off_or_garbled_is_an_error(line: str) -> None:
    with pytest.raises(ValueError):
        preflight.read(f"{GOOD}{line}\n", URL, 5000.0)


def test_any_system_will_do_where_the_client_is_or_the_user_installs_it() -> None:
    other = GOOD.replace("id=debian", "id=fedora")
    assert problems(f"{other}client=yes\n") == [] == problems(other, installs=False)


@pytest.mark.parametrize("kind, version", [("debian", ""), ("debian", "12"), ("ubuntu", "24.04")])
def test_releases_whose_ruby_runs_the_client(kind: str, version: str) -> None:
    assert problems(GOOD.replace("id=debian", f"id={kind}").replace("=13", f"={version}")) == []


def said_by_a_shell(url: str, root: Path | None = None, path: str = "") -> dict[str, str]:
    """What the script prints; its files are below ``root``, its programs first in ``path``."""
    command = preflight.command(url, "one")
    for name in ("/etc/", "/var/lib/", "/proc/locks", "/dev/", "/sys/", "/run/") if root else ():
        command = command.replace(name, f"{root}{name}")
    command = command.replace(f"{root}/dev/tcp", "/dev/tcp").replace(
        f"{root}/dev/null", "/dev/null"
    )
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True, env=environment
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_a_real_shell_answers_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        lines = said_by_a_shell(f"http://127.0.0.1:{port}/organizations/x")
    assert lines["server"] == "reached"
    assert abs(int(lines["time"]) - time.time()) < 60
    for name in ("memory", "total", "cpus", "free /", "free /var"):
        assert int(lines[name]) > 0
    assert {"uid", "id", "version", "release", "host", "device /"} <= lines.keys()
    assert "lo" in lines["interfaces"].split()
    assert said_by_a_shell(f"http://127.0.0.1:{port}")["server"] == "Connection refused"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The root of a host of another cloud, whose apt is locked by the test."""
    files = {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n',
        "etc/chef/client.rb": "chef_server_url 'http://other/organizations/a'\nnode_name 'b'\n",
        "etc/apt/sources.list": "# deb http://no/\ndeb http://127.0.0.1:1/debian trixie main\n",
        "etc/apt/sources.list.d/a.sources": "Types: deb\nURIs: https://me:x@[::1]:2/debian\n",
        "var/lib/nova/compute_id": "1f0c\n",
        "var/lib/dpkg/lock-frontend": "",
        "sys/class/net/eth7/address": "52:54:00:00:00:01\n",
        "sys/class/net/eth7/mtu": "9000\n",
        "sys/class/net/eth7/speed": "10000\n",
        "sys/class/net/eth7/carrier": "1\n",
        "sys/class/net/eth7/device/driver": "",
        "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
        "sys/class/dmi/id/product_name": "PowerEdge R640\n",
        "sys/block/sda/size": "1000\n",
        "sys/block/sda/queue/rotational": "1\n",
        "sys/block/sda/device/model": "Micron  \n",
        "sys/block/loop0/size": "1000\n",
        "etc/libvirt/qemu/web.xml": "",
        "etc/libvirt/qemu/networks/default.xml": "",
        "var/lib/mysql/keystone/x": "",
        "var/lib/mysql/wordpress/x": "",
        "etc/ufw/ufw.conf": "ENABLED=yes\n",
        "dev/net/tun": "",
    }
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inode = (tmp_path / "root/var/lib/dpkg/lock-frontend").stat().st_ino
    lock = f"1: POSIX  ADVISORY  WRITE {os.getpid()} 08:01:{inode} 0 EOF\n"
    (tmp_path / "root/proc").mkdir()
    (tmp_path / "root/proc/locks").write_text(f"1: FLOCK  ADVISORY  WRITE 1 0:1:{inode}\n{lock}")
    programs = {
        "ss": "echo 'tcp LISTEN 0 128 *:80 *:* users:((\"nginx\",pid=5,fd=6))'",
        "hostname": "echo '10.9.8.7 '",
        "apt-config": "exit 0",
        "modprobe": "exit 1",
        "getent": 'test "$2" != nowhere.test && echo 127.0.1.1',
        "dpkg": "test $1 = --get-selections || exec echo amd64;"
        " printf 'nova-api\\tinstall\\nnova-compute\\thold\\n'",
        "systemctl": 'test "$3" = chrony',
        "timedatectl": "echo yes",
        "smartctl": "echo 'SMART overall-health self-assessment test result: PASSED'",
        "systemd-detect-virt": "test $# = 0 && echo kvm",
        "lscpu": "echo 'Model name:  Xeon'; echo '  Socket(s):  2'",
    }
    (tmp_path / "bin").mkdir()
    for name, does in programs.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    return tmp_path


def said_by(host: Path, url: str = "http://127.0.0.1:1") -> dict[str, str]:
    return said_by_a_shell(url, host / "root", str(host / "bin"))


def test_the_script_finds_ports_mirrors_locks_and_another_cloud(host: Path) -> None:
    lines = said_by(host)
    assert lines["release"] == "Debian 12"
    assert lines["listen tcp *:80"] == 'users:(("nginx",pid=5,fd=6))'
    assert lines["addresses"].split() == ["10.9.8.7"] and lines["interfaces"].split() == ["eth7"]
    assert lines["mirror 127.0.0.1 1"] == "Connection refused"
    assert lines["mirror ::1 2"] not in ("reached", "")
    assert "mirror no 80" not in lines
    assert lines["lock"].endswith(f"(PID {os.getpid()})")
    assert lines["chef server"] == "http://other/organizations/a" and lines["chef node"] == "b"
    assert lines["compute id"] == "1f0c" and lines["tun"] == "yes"
    assert not {"kvm", "openvswitch", "ours"} & lines.keys()


def test_the_script_describes_the_hardware(host: Path) -> None:
    facts = preflight.read("\n".join(f"{k}={v}" for k, v in said_by(host).items()), URL, 0.0)
    hardware, (card,) = facts.hardware, facts.cards
    assert hardware.model == "Dell Inc. PowerEdge R640" and hardware.cpu == "Xeon"
    assert hardware.sockets == 2 and hardware.virtual == "kvm" and hardware.memory > 0
    assert hardware.disks == (Disk("sda", 512000, True, "Micron", "PASSED"),)
    assert (card.mac, card.speed, card.link, card.mtu) == ("52:54:00:00:00:01", 10000, True, 9000)
    assert facts.said["held"].split() == ["nova-compute"]


def test_the_script_finds_what_is_in_the_way(host: Path) -> None:
    lines = said_by(host)
    assert lines["domains"] == "web" and lines["databases"] == "keystone"
    assert lines["firewall"] == "ufw" and lines["named"].split() == ["127.0.1.1"]
    assert lines["time service"] == "chrony" and lines["synchronized"] == "yes"
    assert lines["init"] and "container" not in lines
    (host / "root/run/systemd/system").mkdir(parents=True)
    assert "init" not in said_by(host)


def test_the_script_knows_a_client_of_this_server(host: Path) -> None:
    (host / "root/etc/chef/client.rb").write_text('chef_server_url "http://127.0.0.1:1/"\n')
    lines = said_by(host)
    assert lines["ours"] == "yes" and lines["server"] == "Connection refused"
    assert not any(name.startswith("mirror") for name in lines)


def test_the_script_says_which_name_does_not_resolve(host: Path) -> None:
    (host / "root/etc/apt/sources.list").write_text("deb http://nowhere.test/debian trixie main\n")
    assert said_by(host)["mirror nowhere.test 80"] == preflight.NO_NAME
    assert said_by(host, "http://nowhere.test:1")["server"] == preflight.NO_NAME


def test_the_script_asks_the_proxy_of_apt_instead_of_mirrors(host: Path) -> None:
    config = host / "bin/apt-config"
    config.write_text("#!/bin/sh\necho 'Acquire::http::Proxy \"http://127.0.0.1:3/\";'\n")
    lines = said_by(host)
    assert [name for name in lines if name.startswith("mirror")] == ["mirror 127.0.0.1 3"]
    config.write_text("#!/bin/sh\necho 'Acquire::http::Proxy-Auto-Detect \"/bin/x\";'\n")
    assert not any(name.startswith("mirror") for name in said_by(host))


def test_behind_a_proxy_the_server_is_not_asked() -> None:
    assert preflight.command(URL, "a", proxied=True).startswith(f"set -- '' '' {URL} a\n")
    command = preflight.command("https://chef.example.com/x", "a")
    assert command.startswith("set -- chef.example.com 443 https://chef.example.com/x a\n")
