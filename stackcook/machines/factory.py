"""Creates the :class:`~stackcook.machines.base.Machines` of a manifest."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from stackcook.machines.ssh import SshMachines
from stackcook.manifest.model import MachineKind, Manifest

if TYPE_CHECKING:  # `status` of hosts that are there already waits for no library of Vagrant's
    from stackcook.machines.vagrant import VagrantMachines

DEFAULT_NETWORK = IPv4Network("10.0.112.0/24")
"""The management network of a manifest that names none."""


def machines_for(manifest: Manifest) -> SshMachines | VagrantMachines:
    """The machines of ``manifest``, by their kind; changes nothing.

    Raises UsageError if Vagrant can't create machines on this machine.
    """
    made_elsewhere = manifest.nodes and all(node.provider for node in manifest.nodes)
    if manifest.machines is MachineKind.SSH or made_elsewhere:
        return SshMachines(manifest)
    return vagrant_machines(manifest)


def vagrant_machines(manifest: Manifest) -> VagrantMachines:
    """Vagrant's machines; raises UsageError if Vagrant can't create machines on this machine."""
    from stackcook.machines.network import LabNetwork
    from stackcook.machines.vagrant import VagrantMachines, choose_provider

    name, root = manifest.name, manifest.root
    network = LabNetwork(name, manifest.network or DEFAULT_NETWORK, root)
    external = None
    if manifest.external_network:
        external = LabNetwork(name, manifest.external_network, root, key="external_network")
    provider = choose_provider(manifest.provider)
    return VagrantMachines(manifest, network, provider, external=external)
