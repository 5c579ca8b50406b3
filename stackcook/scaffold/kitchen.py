"""The ``kitchen.local.yml`` with which Test Kitchen converges cookbooks on the nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stackcook.addresses import bracketed
from stackcook.bootstrap.converge import LOCK
from stackcook.manifest.model import Node
from stackcook.remote.base import Host
from stackcook.remote.openssh import proxy_command, to_node
from stackcook.scaffold.emit import Section, as_yaml

_HEAD = (
    "Written by `stackcook kitchen`: Test Kitchen merges it into kitchen.yml, and uses the nodes of"
    " the cloud as its platforms.",
    "It holds for this machine only; do not commit it.",
)
_PROVISIONER = {
    "name": "chef_infra",
    "product_name": "chef",
    "install_strategy": "skip",  # the nodes have a client
    "chef_client_path": "chef-client",  # as PATH finds it, not Chef's own package
    "chef_license": "accept-no-persist",  # accepted at the deploy; writes nothing to /etc/chef
}


def kitchen_yml(nodes: Sequence[tuple[Node, Host]], known_hosts: Path) -> str:
    """The file for nodes with the hosts as which SSH reaches them.

    Raises UsageError if an SSH key of the manifest is missing.
    """
    sections = [
        Section("driver", {"name": "proxy"}, ("`kitchen create` and `destroy` change nothing.",)),
        Section("transport", {"name": "ssh"}),
        Section("provisioner", _PROVISIONER),
        Section("platforms", [_platform(node, host, known_hosts) for node, host in nodes]),
    ]
    return as_yaml(_HEAD, sections).replace("<%", "<%%")  # Test Kitchen reads it as ERB


def _platform(node: Node, host: Host, known_hosts: Path) -> dict[str, Any]:
    address = str(node.address or host.address)
    own = {"node_name": node.name, "lockfile": LOCK}
    return {
        "name": node.name,
        "driver": {"host": address, "port": host.port},
        "transport": _transport(node, host, known_hosts),
        # root needs no sudo, which may not be installed
        "provisioner": {"client_rb": own, **({"sudo": False} if host.user == "root" else {})},
        # as each converge sets it; in local mode, nothing else does
        "attributes": {"openstack": {"address": str(node.address)}} if node.address else {},
    }


def _transport(node: Node, host: Host, known_hosts: Path) -> Mapping[str, Any]:
    """How Test Kitchen logs in: it checks no host keys, so it connects through an ssh that does.

    That ssh has a connection to the node already, on which it connects to the node itself.
    """
    through = to_node(host, node, known_hosts)
    itself = f"{bracketed(str(node.address or 'localhost'))}:{host.port}".replace("%", "%%")
    # a public key is for the agent, which Test Kitchen uses if there is no key file
    keys = [str(key) for key in host.keys if key.suffix != ".pub" and key.is_file()]
    return {
        "username": host.user,
        **({"ssh_key": keys} if keys else {}),
        "ssh_proxy_command": proxy_command(itself, through),
    }
