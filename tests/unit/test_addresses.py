"""IPv6 addresses wherever an address may stand."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackcook.addresses import address_or_name, bracketed, host_and_port
from stackcook.bootstrap.options import Options
from stackcook.bootstrap.preflight import command
from stackcook.machines.ssh import SshMachines
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.read import read
from stackcook.remote.base import Host


@pytest.mark.parametrize(
    "text, host, port",
    [
        ("jump", "jump", None),
        ("jump:2222", "jump", 2222),
        ("192.0.2.1:22", "192.0.2.1", 22),
        ("[2001:db8::1]:2222", "2001:db8::1", 2222),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("2001:db8::1", "2001:db8::1", None),
    ],
)
def test_host_and_port(text: str, host: str, port: int | None) -> None:
    assert host_and_port(text) == (host, port)
    reached = Options(parse(f"-G jump@{text}").given).reach(Host("n", "a", "u", (Path("k"),)))
    gateway = reached.gateway
    assert gateway and (gateway.user, gateway.address, gateway.port) == ("jump", host, port or 22)


@pytest.mark.parametrize(
    "text", ["", "jump:", "jump:x", "jump:70000", "[jump]:1", "[::1", "::1]:2"]
)
def test_what_is_no_host_and_port(text: str) -> None:
    with pytest.raises(ValueError):
        host_and_port(text)
    if text:
        (fault,) = parse(f"-G 'me@{text}'").faults
        assert fault.startswith(f'"me@{text}" is not a gateway')


@pytest.mark.parametrize("text", ["web", "web-1.example.com", "my_host", "1a.example", "a.b-c9"])
def test_host_names(text: str) -> None:
    assert address_or_name(text) == text


@pytest.mark.parametrize("text", ["10.0.0.1", "2001:db8::1", "fe80::1%eth0"])
def test_addresses(text: str) -> None:
    found = address_or_name(text)
    assert not isinstance(found, str) and str(found) == text


@pytest.mark.parametrize(
    "text",
    ["", "12", "10.0.0.256", "a.1", "a..b", "-a", "a.", "a b", "a:22", "me@a", "[::1]", "a" * 64],
)
def test_what_is_neither_address_nor_name(text: str) -> None:
    with pytest.raises(ValueError):
        address_or_name(text)


def test_brackets_only_around_ipv6() -> None:
    assert [bracketed(host) for host in ("::1", "a.example", "192.0.2.1")] == [
        "[::1]",
        "a.example",
        "192.0.2.1",
    ]


def test_known_hosts_and_the_preflight_name_it_as_openssh_and_bash_do() -> None:
    host = Host("n", "2001:db8::1", "u", (Path("k"),))
    assert host.alias == "2001:db8::1"
    assert Host("n", "2001:db8::1", "u", (Path("k"),), 2222).alias == "[2001:db8::1]:2222"
    assert command("http://[2001:db8::1]:4545", "n").startswith("set -- 2001:db8::1 4545 ")


@pytest.fixture
def port() -> Iterator[int]:
    """A port of ::1 at which something listens."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        yield server.getsockname()[1]


def test_a_host_with_an_ipv6_address(port: int, tmp_path: Path) -> None:
    path = tmp_path / "infrastructure.yml"
    (tmp_path / "key").touch()
    path.write_text(
        "nodes: [one, '2001:db8::2']\noptions: -i key\nstackcook:\n  machines: ssh\n"
        f"  nodes:\n    one: {{address: '::1', port: {port}}}\n"
    )
    manifest, findings = read(path)
    assert manifest and findings == ()
    machines, (one, two) = SshMachines(manifest), manifest.nodes
    assert machines.states([one]) == {"one": "running"}
    assert machines.hosts([one])["one"].address == "::1"
    assert str(two.address) == "2001:db8::2"
    assert str(machines.server_address()) == "::1"
    path.write_text(path.read_text() + "  server_address: '2001:db8::3'\n")
    manifest, findings = read(path)
    assert manifest and findings == () and str(manifest.server_address) == "2001:db8::3"
