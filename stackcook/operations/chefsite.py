"""The Chef server of one manifest and the objects for it: all that an upload needs."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackcook.bootstrap import objects, providers
from stackcook.bundle.archive import Bundle
from stackcook.chef.checks.references import OwnServer
from stackcook.chef.loader.findings import Findings
from stackcook.chef.objects import certificates, databags, ha, keystonekeys
from stackcook.chef.objects.runlist import recipes_of
from stackcook.chef.repository.repository import Repository
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.chef.server.knife import write_config
from stackcook.chef.server.settings import find_chef_server
from stackcook.chef.sync.compare import Listing
from stackcook.chef.sync.upload import upload as upload_all
from stackcook.command import Say
from stackcook.errors import ChefServerError, InputError, Severity, UsageError, counted
from stackcook.machines.base import Machines
from stackcook.machines.factory import machines_for
from stackcook.machines.provided import ProvidedMachines
from stackcook.manifest.model import ChefServer, MachineKind, Manifest, Node
from stackcook.parallel import parallel_map
from stackcook.remote.base import Access
from stackcook.snapshot.store import Store, default_directory

if TYPE_CHECKING:  # hosts that are there already wait for no library of Vagrant's
    from stackcook.machines.vagrant import VagrantMachines


class ChefSite:
    """The parts of a ``Site`` that need neither SSH nor OpenStack: all that an upload needs.

    It is a class of its own so that an upload does not load their libraries. Parts are made when
    first used. ``bundle`` has the nodes' packages, if it is given.
    """

    def __init__(
        self, manifest: Manifest, access: Access = Access(), bundle: Bundle | None = None
    ) -> None:
        self._manifest = manifest
        self._access = access
        self.bundle = bundle

    @cached_property
    def machines(self) -> Machines:
        """The machines of the nodes."""
        machines = machines_for(self._manifest, self._access)
        if not self._provided:
            return machines
        return ProvidedMachines(machines, self._lookup, lambda: self.server, self._manifest.root)

    @property
    def lab(self) -> VagrantMachines | None:
        """The machines if they are this machine's containers, else None."""
        if self._manifest.machines is not MachineKind.VAGRANT or self._provided:
            return None
        from stackcook.machines.vagrant import VagrantMachines

        machines = self.machines
        if isinstance(machines, VagrantMachines) and machines.provider == "lxc":
            return machines
        return None

    @property
    def snapshots(self) -> Store | None:
        """Where this cloud's snapshots are; None if it can't have any.

        A snapshot has all of a cloud: containers, and the embedded Chef server.
        """
        if self.own_server is not None or self.lab is None:
            return None
        return Store(default_directory())

    @property
    def box_renewed(self) -> float:
        """When a box of the lab's machines was last built again (since the epoch); 0.0 if never."""
        return self.lab.box_renewed if self.lab else 0.0

    @cached_property
    def server(self) -> ChefServer:
        """The Chef server, started if it is the embedded one; knife's config.rb leads to it."""
        if self.own_server is None:
            return self.embedded.start()
        write_config(self._manifest.state, self.own_server)
        return self.own_server

    @cached_property
    def client(self) -> ChefClient:
        """The Chef server's client; creating it writes no files if the server is the user's."""
        return ChefClient(self.own_server or self.server)

    @cached_property
    def own_server(self) -> ChefServer | None:
        """The user's Chef server; None if the embedded one is used."""
        return find_chef_server(self._manifest)

    @property
    def running_server(self) -> ChefServer | None:
        """The user's Chef server, or the embedded one if it runs; inspects no machines."""
        return self.own_server or EmbeddedServer.running(self._manifest.state)

    @property
    def embedded(self) -> EmbeddedServer:
        """The embedded Chef server, running or not."""
        address = str(self.machines.server_address())
        return EmbeddedServer(self._manifest.state, address, self._manifest.server_port)

    @cached_property
    def _read(self) -> Repository:
        return Repository.read(self._manifest, self._find_server)

    def _find_server(self) -> OwnServer | None:
        """The user's own Chef server, for what the repository refers to and does not have."""
        if self.own_server is None:
            return None
        if not self.own_server.key.is_file():  # `plan` works without it
            return OwnServer(self.own_server.url)
        sections = ("cookbooks", "environments", "roles")
        return OwnServer(
            self.own_server.url, lambda: Listing.ask(self.client, sections, ()).by_kind()
        )

    @property
    def repository(self) -> Repository:
        """The Chef repository, read once; with the passwords that were generated later."""
        bags = databags.read_data_bags(
            self._manifest, Findings()
        )  # findings have been reported already
        return replace(self._read, data_bags=bags)

    @cached_property
    def _checked(self) -> str:
        found = self._read
        parts = (
            ("cookbook", found.cookbooks),
            ("role", found.roles),
            ("environment", found.environments),
        )
        return ", ".join(counted(len(there), noun) for noun, there in parts)

    @property
    def _provided(self) -> tuple[Node, ...]:
        """The nodes that a knife plugin creates, and Windows hosts, which knife bootstraps."""
        return tuple(node for node in self._manifest.nodes if node.provider)

    def _lookup(self, name: str) -> Mapping[str, Any] | None:
        """The Chef server's node object; None where there is none, or no server yet."""
        if name not in self.registered():
            return None
        found: Mapping[str, Any] = self.client.get(f"/nodes/{name}")
        return found

    def check(self) -> str:
        """Read the Chef repository, once."""
        return self._checked

    def check_providers(self) -> None:
        """Raise UsageError or InputError if a provider's machines cannot be bootstrapped."""
        made = [node for node in self._provided if node.provider not in providers.WINDOWS]
        if made and self.own_server is None:
            what = (
                f"{made[0].provider} machines cannot reach the embedded Chef server on this machine"
            )
            remedy = (
                "set `stackcook: chef_server`, or knife's config.rb, to a server that they "
                "can reach"
            )
            raise UsageError(what, where=made[0].name, remedy=remedy)
        if findings := providers.missing_plugins(self._manifest):
            raise InputError([replace(f, severity=Severity.ERROR) for f in findings])

    def digest(self) -> str:
        """The checksums of the manifest, of all that an upload sends, and of stackcook itself."""
        return self._read.digest(self._manifest)

    def recipes_to_prepare(self, nodes: Sequence[Node]) -> Mapping[str, tuple[str, ...]]:
        """Node → its recipes ``NAME_packages``, beside those of its run list."""
        return self._read.recipes_to_prepare(nodes)

    def in_turn(
        self, nodes: Sequence[Node], registered: Collection[str] = ()
    ) -> Mapping[str, tuple[str, ...]]:
        """Of ``nodes``, each controller that shares an address → all of its cloud, in order.

        In that order they converge. Of those in ``registered``, one that was the only controller
        until now is first. The Chef repository is read only if there are such.
        """
        if not self._manifest.virtual_addresses:
            return {}
        names = {node.name for node in nodes}
        roles = self._read.roles
        known = [name for cloud in ha.in_turn(self._manifest, roles) for name in cloud]
        single = self._single([name for name in known if name in registered])
        clouds = ha.in_turn(self._manifest, roles, single)
        limited = (tuple(name for name in cloud if name in names) for cloud in clouds)
        return {name: cloud for cloud in limited for name in cloud}

    def _single(self, names: Collection[str]) -> frozenset[str]:
        server = self.running_server
        if server is None or not names:
            return frozenset()
        with ChefClient(server) as client:
            return objects.single_databases(client, names)

    def prepare(self) -> None:
        """Create the network that the embedded Chef server listens on; the user's needs none."""
        if self.own_server is None:
            self.machines.prepare()

    def reach(self) -> None:
        """Check that the user's Chef server responds; call it before anything is written."""
        if self.own_server:
            self.client.get("/environments")

    def renewals(self) -> tuple[str, ...]:
        """What :meth:`secrets` would replace because it is due, for people; changes nothing."""
        now = time.time()
        keys = _rotations(self._keys_to_rotate(now))
        parts = [f"rotate {keys}"] if keys else []
        if certificates_due := certificates.due_soon(self._manifest, self._public_hosts, now):
            nodes = ", ".join(f"{node} ({why})" for node, why in certificates_due.items())
            parts.append(f"renew the certificates of {nodes}")
        return tuple(parts)

    def secrets(self) -> str:
        """Generate what is missing, certificates that are due, and Keystone's keys if due."""
        now = time.time()
        databags.ensure_passwords(self._manifest)
        done = counted(sum(map(len, self._manifest.passwords.values())), "password")
        keystonekeys.ensure_keys(self._manifest, now)
        items = self._keys_to_rotate(now)
        for item in items:
            keystonekeys.rotate(self._manifest, item, now)
        if items:
            done += f", {_rotations(items)} rotated"
        if self._manifest.tls is None:
            return done
        new = certificates.ensure_certificates(self._manifest, self._public_hosts, now)
        return f"{done}, {counted(len(self._manifest.nodes), 'certificate')} ({len(new)} new)"

    @property
    def _public_hosts(self) -> frozenset[str]:
        attributes = (*self._read.roles.values(), *self._read.environments.values())
        return certificates.public_hosts(attributes)

    def _keys_to_rotate(self, now: float) -> tuple[str, ...]:
        """The items of Keystone's keys that are due, if each node of their zone has them."""
        due = keystonekeys.due(self._manifest, now)
        if not due:
            return ()
        seen, manifest = self.check_ins(), self._manifest
        keystones = [node for node in manifest.nodes if self._has_keystone(node)]

        def ready(item: str) -> bool:
            zone = keystonekeys.zone_of(item)
            nodes = [node.name for node in keystones if manifest.zone_of(node) == zone]
            return keystonekeys.known(nodes, seen, due[item])

        return tuple(filter(ready, due))

    def _has_keystone(self, node: Node) -> bool:
        recipes = recipes_of(node.run_list, node.environment, self._read.roles)
        return ha.KEYSTONE in recipes

    def chef_server(self) -> str:
        """Start the embedded server, or check that the user's server responds."""
        self.client.get("/environments")
        return f"{self.server.url} ({'own' if self.own_server else 'embedded'})"

    def check_tls(self) -> None:
        """Raise UsageError if the manifest changes `tls` as controllers that are a cluster cannot.

        The Chef server has to run: it knows with which one they were deployed.
        """
        controllers = self.in_turn(self._manifest.nodes)
        found = filter(None, map(self._lookup, controllers))
        tls = self._manifest.tls
        ha.check_tls(found, tls is not None and tls.internal)

    def upload(self, say: Say) -> str:
        """Make the Chef server's objects equal to the repository's, and wait until it is saved."""
        result = upload_all(self.client, self.repository, on_event=say)
        if result.changed:
            self.settle()  # a server that is killed forgets its last second: all nodes need this
        return str(result)

    def registered(self) -> frozenset[str]:
        """The nodes that the Chef server knows; none if the embedded one isn't running."""
        server = self.running_server
        if server is None:
            return frozenset()
        with ChefClient(server) as client:
            return frozenset(client.get("/nodes"))

    def check_ins(self) -> Mapping[str, float]:
        """Node → the time of the last chef-client run that it has reported, since the epoch.

        Nodes that never reported one are left out; it is empty if no server runs or responds.
        """
        server = self.running_server
        if server is None:
            return {}
        try:
            with ChefClient(server) as client:
                return objects.check_ins(client)
        except ChefServerError:
            return {}  # the rest of the status does not need the server

    def unlisted(self) -> tuple[str, ...]:
        """The nodes of this cloud that the Chef server has, and the manifest has no more.

        It is empty if no server runs or responds.
        """
        server = self.running_server
        if server is None or not server.key.is_file():
            return ()
        try:
            with ChefClient(server) as client:
                found = objects.deployed(client)
        except ChefServerError:
            return ()  # a plan does not need them
        listed = {node.name for node in self._manifest.nodes}
        return tuple(
            name for name in sorted(found) if name not in listed and self.owns(found[name])
        )

    def owns(self, environment: str) -> bool:
        """Whether nodes of that environment are this cloud's, as far as the Chef server tells.

        The embedded one has no others.
        """
        mine = {node.environment for node in self._manifest.nodes}
        return self.own_server is None or environment in mine

    def outdated(self, nodes: Sequence[Node]) -> frozenset[str]:
        """The names of those that are registered with another run list, address and so on."""
        server = self.running_server
        if server is None or not nodes:
            return frozenset()
        with ChefClient(server) as client:
            return frozenset(node.name for node in objects.outdated(client, nodes))

    def set_run_lists(self, nodes: Sequence[Node]) -> str:
        """Set run lists, environments, policies and addresses of those that are registered."""
        changed = objects.outdated(self.client, nodes)
        parallel_map(lambda node: objects.synchronize(self.client, node), changed)
        if changed:
            self.settle()  # a server that is killed forgets its last second: all nodes search these
        return f"{counted(len(changed), 'node')} updated"

    def settle(self) -> None:
        """Wait until the embedded Chef server's data is on disk."""
        if not self.own_server:
            self.embedded.settle()


def _rotations(items: Sequence[str]) -> str:
    """Keystone's keys that are rotated, for people; empty if there are none."""
    names = {"fernet": "tokens", "credential": "credentials"}
    texts = []
    for item in items:
        zone = keystonekeys.zone_of(item)
        texts.append(names[keystonekeys.kind_of(item)] + (f" in {zone}" if zone else ""))
    return f"Keystone's keys of {' and '.join(texts)}" if texts else ""
