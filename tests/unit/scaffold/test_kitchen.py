"""``kitchen.local.yml``: how Test Kitchen reaches the nodes, and what it runs there."""

from __future__ import annotations

import shlex
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackcook.errors import UsageError
from stackcook.manifest.model import Node, Position
from stackcook.remote.base import Host, HostKeys
from stackcook.scaffold.kitchen import kitchen_yml

AT = Position(Path("infrastructure.yml"), 1, 1)
KNOWN_HOSTS = Path("/cloud/.stackcook/known_hosts")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    (tmp_path / "key").touch()
    return tmp_path / "key"


def platform(node: Node, host: Host) -> dict[str, Any]:
    (found,) = yaml.safe_load(kitchen_yml([(node, host)], KNOWN_HOSTS))["platforms"]
    return dict(found)


def ssh(found: dict[str, Any]) -> list[str]:
    return shlex.split(found["transport"]["ssh_proxy_command"])


def test_a_machine_of_the_lab(key: Path) -> None:
    node = Node("compute1", AT, address=ip_address("10.0.112.11"))
    found = platform(node, Host("compute1", "10.0.112.11", "vagrant", (key,)))
    assert found["name"] == found["provisioner"]["client_rb"]["node_name"] == "compute1"
    assert found["driver"] == {"host": "10.0.112.11", "port": 22}
    assert found["attributes"] == {"openstack": {"address": "10.0.112.11"}}
    assert found["transport"]["username"] == "vagrant"
    assert found["transport"]["ssh_key"] == [str(key)]
    assert "sudo" not in found["provisioner"]
    argv = ssh(found)
    assert argv[:3] == ["ssh", "-W", "10.0.112.11:22"]
    assert argv[-2:] == ["--", "10.0.112.11"]
    assert f'UserKnownHostsFile="{KNOWN_HOSTS}"' in argv
    assert "GlobalKnownHostsFile=/dev/null" in argv


def test_a_host_of_the_ssh_configuration(key: Path) -> None:
    gateway = Host("gateway jump", "10.0.0.1", "me", (), known_hosts=(key,))
    own = Host(
        *("web", "10.0.0.5", "root", ()),
        port=2222,
        gateway=gateway,
        known_hosts=(key,),
        host_keys=HostKeys.ASK,
    )
    found = platform(Node("web", AT), own)
    assert found["driver"] == {"host": "10.0.0.5", "port": 2222}
    assert found["provisioner"]["sudo"] is False
    assert found["attributes"] == {}
    assert "ssh_key" not in found["transport"]
    argv = ssh(found)
    assert argv[:3] == ["ssh", "-W", "localhost:2222"]
    assert argv[-2:] == ["--", "web"]
    assert "StrictHostKeyChecking=ask" in argv
    # Test Kitchen replaces tokens before ssh does
    (inner,) = (word for word in argv if word.startswith("ProxyCommand="))
    assert "'[%%h]:%%p'" in inner and inner.endswith("-- jump")


def test_it_connects_to_an_ipv6_address(key: Path) -> None:
    node = Node("web", AT, address=ip_address("fd00::5"))
    found = platform(node, Host("web", "fd00::5", "root", (key,)))
    assert found["driver"]["host"] == "fd00::5"
    assert ssh(found)[2] == "[fd00::5]:22"


def test_a_public_key_of_the_agent_is_no_key_file(key: Path, tmp_path: Path) -> None:
    (tmp_path / "agent.pub").touch()
    host = Host("web", "10.0.0.5", "root", (tmp_path / "agent.pub",), known_hosts=(key,))
    assert "ssh_key" not in platform(Node("web", AT), host)["transport"]


def test_a_path_that_looks_like_erb_stays_as_it_is(tmp_path: Path) -> None:
    key = tmp_path / "<%= raise %>"
    key.touch()
    text = kitchen_yml([(Node("web", AT), Host("web", "10.0.0.5", "root", (key,)))], KNOWN_HOSTS)
    assert "<%%= raise" in text and "<%=" not in text


def test_a_key_that_is_missing_is_an_error() -> None:
    host = Host("web", "10.0.0.5", "root", (Path("/nowhere/key"),))
    with pytest.raises(UsageError, match="SSH key not found: /nowhere/key"):
        kitchen_yml([(Node("web", AT), host)], KNOWN_HOSTS)
