"""What preflight has found, as a page with the hosts' hardware, and as JUnit."""

from __future__ import annotations

import re
from ipaddress import ip_interface

import pytest

from stackcook.bootstrap import preflight
from stackcook.bootstrap.findings import KINDS, LOGIN, NodeFinding
from stackcook.bootstrap.needs import Need, Wanted
from stackcook.bootstrap.preflight import Inspected
from stackcook.manifest.model import Interface, InterfaceKind, Match
from stackcook.report import preflight as report
from stackcook.run.events import Findings
from tests.junit import clouds_of, validate

SAID = """\
host=one
release=Debian GNU/Linux 13 (trixie)
id=debian
version=13
arch=amd64
kernel=6.12.0-1-amd64
time=1003
model=Dell Inc.  PowerEdge R640 \

cpus=32
cpu Model name=Xeon <Gold> 5218
cpu Socket(s)=2
cpu Core(s) per socket=8
total=1048576
memory=900000
free /=9999999
free /var=9999999
device /=/dev/sda1
device /var=/dev/sda1
virtual=none
kvm=yes
udev=yes
disk sda=3750748848 0 Micron 5300
disk sdb=15628053168 1\x20
interfaces=eno1 eno2 lo
addresses=10.0.0.7
gateways=10.0.0.1 (eno1)
held=nova-compute\x20
time service=chrony
synchronized=yes
link eno1=1 9000 ixgbe
card eno1=52:54:00:00:00:01 0000:3b:00.0 10000 enp59s0
link eno2=0 1500 igb
card eno2=52:54:00:00:00:02 0000:3b:00.1 -1
"""
WANTED = Wanted(
    Need(3072, 2048, {"db": 3306}, computes=True, tunnels=True),
    {"nova": {"debian": ">= 13.0"}},
    address="10.0.0.7",
    interface="eno2",
    interfaces=(
        Interface(
            "lan0",
            InterfaceKind.ETHERNET,
            match=Match(speed=10000, order=1),
            addresses=(ip_interface("10.0.0.7/24"),),
        ),
        Interface("lan1", InterfaceKind.ETHERNET, match=Match(speed=10000, order=2)),
    ),
)


@pytest.fixture
def found() -> Findings:
    facts = preflight.read(SAID, "http://chef", 1000.0)
    one = Inspected(
        "one",
        preflight.judge("one", facts, WANTED),
        facts,
        WANTED,
        frozenset({*LOGIN, *preflight.checked(facts, WANTED)}),
    )
    two = Inspected(
        "two", (NodeFinding("unreachable", "two", "no <b>SSH</b>"),), checked=frozenset({"sudo"})
    )
    return Findings(1000.0, (one, two))


def test_the_page_has_the_hardware_of_each_host(found: Findings) -> None:
    facts = found.nodes[0].facts
    assert facts and dict(report.hardware(facts)) == {
        "hostname": "one",
        "model": "Dell Inc. PowerEdge R640",
        "virtualization": "none, with KVM",
        "CPU": "Xeon <Gold> 5218, 32 CPUs, 16 cores in 2 sockets",
        "memory": "1024 MiB",
        "system": "Debian GNU/Linux 13 (trixie), amd64",
        "kernel": "6.12.0-1-amd64",
        "addresses": "10.0.0.7",
        "gateway": "10.0.0.1 (eno1)",
        "clock": "+3 s to the Chef server's, synchronized, chrony",
        "packages held": "nova-compute",
    }
    renamed = facts.renamed("two")
    assert dict(report.hardware(renamed))["hostname"] == "one → two"
    page = report.page(found, "lab")
    text = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert "sda 1.9 TB SSD Micron 5300" in text and "sdb 8.0 TB rotating" in text
    card = "eno1, enp59s0 52:54:00:00:00:01 10000 Mbit/s 9000 ixgbe 0000:3b:00.0"
    assert card in text and "eno2 52:54:00:00:00:02 no link 1500 igb" in text


def test_the_page_says_what_the_node_needs_and_whether_it_is_met(found: Findings) -> None:
    rows = {row.name: (row.needed, row.has, row.level) for row in report.needed(found.nodes[0])}
    assert rows == {
        "release": ("debian >= 13.0", "Debian GNU/Linux 13 (trixie)", ""),
        "memory": ("2048 MiB", "1024 MiB", "error"),
        "disk space on /": ("3072 MiB", "9765 MiB free", ""),
        "disk space on /var": ("3072 MiB", "9765 MiB free", ""),
        "address": ("10.0.0.7", "10.0.0.7", ""),
        "interface of the external network": ("eno2", "there", ""),
        "network card lan0": ("with 10000 Mbit/s, number 1 of them", "eno1", ""),
        "network card lan1": (
            "with 10000 Mbit/s, number 2 of them",
            "it has only 1 of the 2 network cards with 10000 Mbit/s",
            "error",
        ),
        "KVM": ("for speed", "yes", ""),
        "free ports": ("TCP 3306, UDP 6081", "", ""),
    }


def test_the_page_is_one_file_and_escapes_what_hosts_say(found: Findings) -> None:
    page = report.page(found, "lab")
    assert "no &lt;b&gt;SSH&lt;/b&gt;" in page and "Xeon &lt;Gold&gt; 5218" in page
    assert not re.search(r"<(script|img|link|iframe)|(src|href)=.https?:|url\(", page)
    assert KINDS["memory"].remedy in page and KINDS["unreachable"].remedy in page
    assert 'href="#two"' in page and 'id="two"' in page
    assert "The host could not be inspected." in page


def test_junit_has_a_case_for_each_kind_on_each_host(found: Findings) -> None:
    root = validate(report.junit(found, "lab"))
    assert root.get("name") == "stackcook preflight of lab" and clouds_of(root) == {"lab"}
    assert [suite.get("name") for suite in root] == ["one", "two"]
    cases = {case.get("name"): case for case in root[0].iter("testcase")}
    assert set(cases) == set(KINDS)
    assert len(cases["disk-space"]) == 0 and cases["disk-space"].get("classname") == "preflight.one"
    failure = cases["memory"].find("failure")
    assert failure is not None
    assert failure.get("message") == "it has 1024 MiB of memory, but needs 2048 MiB"
    assert KINDS["memory"].remedy in (failure.text or "")
    (warning,) = cases["link"]
    assert (warning.tag, warning.get("message")) == ("skipped", "warning: eno2 has no link")
    (unasked,) = cases["tunnel"]
    assert unasked.get("message") == "not checked on this host"
    cases = {case.get("name"): case for case in root[1].iter("testcase")}
    assert cases["unreachable"].find("failure") is not None and len(cases["sudo"]) == 0
    (unknown,) = cases["memory"]
    assert unknown.get("message") == "the host could not be inspected"
