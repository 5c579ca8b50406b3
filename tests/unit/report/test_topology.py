"""The drawing of a cloud: which nodes and networks it shows, and that browsers can read it."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from stackcook.cli.main import cli
from stackcook.manifest.model import Manifest, Node, Position
from stackcook.report.topology import MOST, draw
from tests.output import data

SVG = "{http://www.w3.org/2000/svg}"


def node(number: int, role: str, name: str = "") -> Node:
    address = ip_address(f"10.0.112.{10 + number}")
    name = name or f"{role}{number}"
    return Node(name, Position(1, 1), run_list=(f"role[{role}]",), address=address)


def cloud(*nodes: Node, external: bool = True) -> Manifest:
    return Manifest(
        Path("infrastructure.yml"),
        "my <cloud>",
        nodes=nodes,
        network=IPv4Network("10.0.112.0/24"),
        external_network=IPv4Network("10.0.113.0/24") if external else None,
    )


def parsed(manifest: Manifest) -> tuple[list[str], ElementTree.Element]:
    """The texts of the drawing, and the drawing."""
    root = ElementTree.fromstring(draw(manifest))
    return [text.text or "" for text in root.iter(f"{SVG}text")], root


def test_it_shows_nodes_roles_addresses_and_networks() -> None:
    texts, root = parsed(cloud(node(0, "controller"), node(1, "compute"), node(2, "compute")))
    assert texts == [
        *("my <cloud>", "10.0.112.0/24", "10.0.113.0/24 (external)"),
        *("controller0", "10.0.112.10", "controller"),
        *("compute1", "10.0.112.11", "compute"),
        *("compute2", "10.0.112.12", "compute"),
    ]
    boxes = [box for box in root.iter(f"{SVG}rect") if box.get("class") == "node"]
    first, second, third = (int(box.get("y", "0")) for box in boxes)
    assert first < second == third, "each run list has rows of its own"


def test_everything_is_inside_the_picture_and_nothing_overlaps() -> None:
    _, root = parsed(cloud(*(node(number, "compute") for number in range(9))))
    width, height = int(root.get("width", "0")), int(root.get("height", "0"))
    places = set()
    for box in (box for box in root.iter(f"{SVG}rect") if box.get("class") == "node"):
        x, y, wide, high = (int(box.get(key, "0")) for key in ("x", "y", "width", "height"))
        assert 0 < x and x + wide < width and 0 < y and y + high < height
        places.add((x // wide, y))
    assert len(places) == 9


def test_without_an_external_network_there_is_one() -> None:
    texts, root = parsed(cloud(node(0, "controller"), external=False))
    assert "10.0.113.0/24 (external)" not in texts
    assert not [path for path in root.iter(f"{SVG}path") if path.get("class") == "external"]


def test_many_nodes_are_counted() -> None:
    texts, root = parsed(cloud(*(node(number, "compute") for number in range(80))))
    assert len([box for box in root.iter(f"{SVG}rect") if box.get("class") == "node"]) == MOST - 1
    assert texts[-1] == f"and {80 - MOST + 1} more nodes"


def test_a_long_name_is_cut_but_is_whole_in_the_tooltip() -> None:
    name = "compute-in-the-third-rack-on-the-left"
    texts, root = parsed(cloud(node(0, "compute", name)))
    assert name not in texts and any(text.startswith("compute-in-the-third") for text in texts)
    assert any((title.text or "").startswith(f"{name}\n") for title in root.iter(f"{SVG}title"))


def test_the_command_needs_only_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("infrastructure.yml").write_text("nodes: [one: {run_list: 'recipe[a]'}]\n")
    done = CliRunner(mix_stderr=False).invoke(cli, ["topology"])
    assert done.exit_code == 0, done.stderr
    assert ElementTree.fromstring(done.stdout).tag == f"{SVG}svg"
    done = CliRunner(mix_stderr=False).invoke(cli, ["topology", "--json"])
    assert data(done.stdout)["nodes"] == ["one"]
