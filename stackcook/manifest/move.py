"""The manifest of an ephemeral cloud: another manifest with another name and other addresses."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

import yaml

from stackcook.errors import UsageError
from stackcook.manifest.model import MachineKind, Manifest

_NETWORKS = ("network", "external_network")
_HOW = "an ephemeral cloud needs LXC machines with addresses of their own"


def refuse_unmovable(manifest: Manifest) -> None:
    """Raise UsageError if the manifest cannot be deployed a second time at other addresses."""
    for what, remedy in _unmovable(manifest):
        raise UsageError(what, where=str(manifest.path), remedy=f"{remedy}: {_HOW}")


def _unmovable(manifest: Manifest) -> Iterator[tuple[str, str]]:
    if manifest.machines is MachineKind.SSH:
        yield "its machines exist already (`machines: ssh`)", "set `machines: vagrant`"
    if manifest.provider not in (None, "lxc"):
        yield f"its machines are made by {manifest.provider}", "set `provider: lxc`"
    if any(node.provider for node in manifest.nodes):
        yield "some nodes are made by a cloud provider", "use other nodes"
    if manifest.network is None:
        yield "it has no network", "set `network` in `stackcook:`"
    if manifest.chef_server:
        yield "it uses your own Chef server", "remove `chef_server`"
    if manifest.server_address:
        yield "its Chef server has a fixed address", "remove `server_address`"
    if manifest.server_port:
        yield "its Chef server has a fixed port", "remove `server_port`"
    if manifest.inventory:
        yield "its nodes come from an inventory", "list them in `nodes`"


def moved(text: str, manifest: Manifest, name: str, ranges: tuple[IPv4Network, ...]) -> str:
    """``text``, the manifest's, for a cloud ``name`` in ``ranges``: network, then external network.

    Each node keeps its place in the network; a deploy may begin with a snapshot of the original.
    Raises UsageError for an address that has no place.
    """
    loader: Any = yaml.SafeLoader(text)  # without annotations
    root = loader.get_single_node()
    assert isinstance(root, yaml.MappingNode) and manifest.network
    _write_out(root, loader)
    section = _value(root, "stackcook")
    assert isinstance(section, yaml.MappingNode)
    nodes = _value(section, "nodes")
    for _, settings in nodes.value if isinstance(nodes, yaml.MappingNode) else ():
        if isinstance(settings, yaml.MappingNode) and (address := _value(settings, "address")):
            _set(settings, "address", _address(address.value, manifest, ranges[0]))
    for owner, key in _virtual(section):
        value = _value(owner, key)
        if isinstance(value, yaml.ScalarNode):
            _set(owner, key, _address(value.value, manifest, ranges[0]))
    before = {"name": manifest.name}
    for key, new in zip(_NETWORKS, ranges):
        before[key] = str(getattr(manifest, key))
        _set(section, key, str(new))
    _set(section, "name", name)
    _set(section, "os_cloud", name)
    _set(section, "snapshots_of", before)
    return str(yaml.serialize(root, Dumper=yaml.SafeDumper))


def _virtual(section: yaml.MappingNode) -> list[tuple[yaml.MappingNode, str]]:
    """Where virtual addresses are: a mapping, and a key of it."""
    value = _value(section, "virtual_address")
    if isinstance(value, yaml.MappingNode):
        return [(value, zone.value) for zone, _ in value.value]
    return [(section, "virtual_address")]


def _write_out(node: yaml.Node, loader: Any) -> None:
    """Write `null` for a value that is not there, and what merge keys (`<<`) stand for.

    In `{a: }`, PyYAML would write `!!null ''`.
    """
    if isinstance(node, yaml.ScalarNode):
        if node.tag == "tag:yaml.org,2002:null":
            node.value = "null"
    elif isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)  # what is merged comes first, and what is there counts
        node.value = [*{key.value: (key, value) for key, value in node.value}.values()]
        for pair in node.value:
            for each in pair:
                _write_out(each, loader)
    else:
        for each in node.value:
            _write_out(each, loader)


def _address(text: str, manifest: Manifest, new: IPv4Network) -> str:
    old = manifest.network
    assert old
    try:
        address = IPv4Address(text.strip())
    except AddressValueError:  # several, such as 10.0.112.[11-90]
        first, bracket, rest = text.rpartition(".[")
        if bracket and old.prefixlen == 24 and str(old.network_address) == f"{first}.0":
            return f"{str(new.network_address).rpartition('.')[0]}.[{rest}"
    else:
        if address in old:
            return str(new.network_address + (int(address) - int(old.network_address)))
    remedy = f"use addresses of {old}; a range of them only in a /24"
    raise UsageError(f"cannot move the address {text}", where=str(manifest.path), remedy=remedy)


def _value(mapping: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in mapping.value if name.value == key), None)


def _set(mapping: yaml.MappingNode, key: str, value: str | dict[str, str]) -> None:
    new = yaml.SafeDumper(StringIO()).represent_data(value)
    pairs = [(name, value) for name, value in mapping.value if name.value != key]
    mapping.value = [*pairs, (yaml.ScalarNode("tag:yaml.org,2002:str", key), new)]
