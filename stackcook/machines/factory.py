"""Creates the :class:`~stackcook.machines.base.Machines` of a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from stackcook.machines.ssh import SshMachines
from stackcook.manifest.model import MachineKind, Manifest
from stackcook.remote.base import Access

if TYPE_CHECKING:  # `status` of hosts that are there already waits for no library of Vagrant's
    from stackcook.chef.repository.packages import Packages
    from stackcook.machines.vagrant import VagrantMachines

DEFAULT_NETWORK = IPv4Network("10.0.112.0/24")
"""The management network of a manifest that names none."""


def machines_for(manifest: Manifest, access: Access = Access()) -> SshMachines | VagrantMachines:
    """The machines of ``manifest``, by their kind; ``access`` is for existing hosts.

    Changes nothing. Raises UsageError if Vagrant can't create machines on this machine.
    """
    made_elsewhere = manifest.nodes and all(node.provider for node in manifest.nodes)
    if manifest.machines is MachineKind.SSH or made_elsewhere:
        return SshMachines(manifest, access=access)
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
    return VagrantMachines(
        manifest,
        network,
        choose_provider(manifest.provider),
        external=external,
        named_packages=lambda: named_packages(manifest),
    )


def named_packages(manifest: Manifest) -> Mapping[str, Packages]:
    """Node → the packages that its recipes name, for those nodes that Vagrant creates.

    What is wrong in the repository is left to those who use it.
    """
    from stackcook.chef.repository.repository import Repository

    repository, _ = Repository.inspect(manifest)
    return repository.packages(node for node in manifest.nodes if not node.provider)
