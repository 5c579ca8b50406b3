"""``status`` on a terminal: every node once, in the columns that there are, in colours."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from stackcook.report.format import ago
from stackcook.report.status import NodeStatus, render

NOW = 1_800_000_000.0
WHY = (
    "compute1: apt_package[nova-compute] (openstack-compute::compute line 12): E: Unable to locate"
    " package nova-compute; run `apt-get update` on it, and look at the mirror in"
    " /etc/apt/sources.list.d/openstack-2025.1-epoxy.sources"
)
NODES = [
    NodeStatus("controller", "10.0.112.10", "running", "verify", "done", NOW - 250, NOW - 30, "x"),
    NodeStatus(
        "compute1", "10.0.112.11", "unreachable", "converge", "failed", NOW - 9000, None, WHY
    ),
    NodeStatus("compute2", None, "absent"),
]


def lines(width: int, nodes: list[NodeStatus] = NODES) -> list[str]:
    return render(nodes, NOW, width).plain.splitlines()


def test_each_node_has_a_line_and_a_failed_one_its_cause() -> None:
    assert lines(90) == [
        "node        address      machine      step      result  when       check-in",
        "controller  10.0.112.10  running      verify    done    4 min ago  30 s ago",
        "compute1    10.0.112.11  unreachable  converge  failed  2 h ago    -",
        "    apt_package[nova-compute] (openstack-compute::compute line 12): E: Unable to locate",
        "    package nova-compute; run `apt-get update` on it, and look at the mirror in",
        "    /etc/apt/sources.list.d/openstack-2025.1-epoxy.sources",
        "compute2    -            absent       -         -       -          -",
        "run `stackcook logs NODE --failed` to see the output of a failed step",
    ]


@pytest.mark.parametrize("width", [70, 80, 120])
def test_it_fits(width: int) -> None:
    far = NodeStatus("storage-node-12", "2001:db8:1234:5678:9abc:def0:1234:5678", "running")
    shown = lines(width, [*NODES, far])
    assert max(map(len, shown)) <= width
    for node in (*NODES, far):
        assert sum(node.node in line for line in shown if not line.startswith("  ")) == 1
    assert any("2001:db8:" in line for line in shown) == (width == 120)


ZONES = [
    NodeStatus(
        f"{zone}-{name}",
        f"10.0.112.1{n}",
        "running",
        "verify",
        "done",
        NOW - 250,
        NOW - 1500,
        "",
        zone,
    )
    for zone in ("zone1", "zone2")
    for n, name in enumerate(("controller", "compute1"))
]
"""What `stackcook init --zones 2` writes."""


@pytest.mark.parametrize(
    "width, heads",
    [
        (60, "zone node machine step result when"),
        (80, "zone node machine step result when check-in"),
        (84, "zone node address machine step result when check-in"),
    ],
)
def test_it_fits_with_zones(width: int, heads: str) -> None:
    shown = lines(width, ZONES)
    assert max(map(len, shown)) <= width
    assert shown[0].split() == heads.split()
    assert [line.split()[:2] for line in shown[1:]] == [[node.zone, node.node] for node in ZONES]


@pytest.mark.parametrize("width", [60, 80])
def test_it_fits_with_zones_and_long_results(width: int) -> None:
    why = "compute9: its converge was interrupted"
    name = "zone2-compute9"
    hung = NodeStatus(name, "10.0.112.13", "unreachable", "give back", "interrupted", NOW, NOW, why)
    shown = lines(width, [*ZONES, replace(hung, zone="zone2")])
    assert max(map(len, shown)) <= width
    assert any("zone2-compute9" in line and "interrupted" in line for line in shown)


def test_no_hint_if_nothing_has_failed() -> None:
    assert len(lines(80, [NODES[0], NODES[2]])) == 3


def coloured(text: Text, **settings: bool) -> str:
    file = io.StringIO()
    Console(file=file, width=80, force_terminal=True, **settings).print(text, soft_wrap=True)
    return file.getvalue()


def test_results_have_colours_but_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = render(NODES, NOW, 80)
    shown = coloured(text)
    assert "\x1b[1;31mfailed" in shown and "\x1b[32mdone" in shown and "\x1b[33mabsent" in shown
    monkeypatch.setenv("NO_COLOR", "1")
    assert not any(f"\x1b[{code}" in coloured(text) for code in ("1;31", "32m", "33m"))


@pytest.mark.parametrize(
    "seconds, said",
    [(-5, "0 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (7199, "1 h ago"), (9e6, "104 d ago")],
)
def test_how_long_ago(seconds: float, said: str) -> None:
    assert ago(seconds) == said
