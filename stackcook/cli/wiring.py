"""Puts the real parts together: what commands that touch the world work with."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from stackcook.bootstrap import providers
from stackcook.bootstrap.base import Bootstrap
from stackcook.bootstrap.knife import KnifeBootstrap, forget
from stackcook.bootstrap.provided import ProvidedBootstrap
from stackcook.chef import secrets
from stackcook.chef.client import ChefClient
from stackcook.chef.knife import run_section
from stackcook.chef.knifeconfig import write_config
from stackcook.chef.repository import Repository
from stackcook.chef.server import EmbeddedServer
from stackcook.chef.settings import find_chef_server
from stackcook.chef.upload import upload
from stackcook.deploy.steps import Say
from stackcook.machines.base import Machines
from stackcook.errors import InputError, UsageError
from stackcook.machines.factory import machines_for
from stackcook.machines.provided import ProvidedMachines
from stackcook.manifest.model import ChefServer, Manifest, Node
from stackcook.remote import wait_for
from stackcook.verify import clouds, gate, smoke
from stackcook.verify.check import Report
from stackcook.verify.gate import Credentials
from stackcook.verify.placing import DASHBOARD, KEYSTONE, Placed, placed, running

PATIENCE = 15.0
"""Seconds that a node may take to answer SSH: it may just be booting."""


class RealSite:
    """The :class:`~stackcook.deploy.site.Site` of one manifest; parts are made when first used."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    @cached_property
    def machines(self) -> Machines:
        """How the nodes' machines come up."""
        machines = machines_for(self._manifest)
        if not self._provided:
            return machines
        return ProvidedMachines(machines, self._lookup, lambda: self.server, self._manifest.root)

    @cached_property
    def server(self) -> ChefServer:
        """The Chef server, started if it is the embedded one; knife's config.rb leads to it."""
        if self.own_server is None:
            return self.embedded.start()
        write_config(self._manifest.state, self.own_server)
        return self.own_server

    @cached_property
    def client(self) -> ChefClient:
        """The Chef server's client."""
        return ChefClient(self.server)

    @cached_property
    def own_server(self) -> ChefServer | None:
        """The user's Chef server; None where the embedded one is it."""
        return find_chef_server(self._manifest)

    @property
    def embedded(self) -> EmbeddedServer:
        """The embedded Chef server, running or not."""
        return EmbeddedServer(self._manifest.state, str(self.machines.server_address()))

    @cached_property
    def _checked(self) -> str:
        found = Repository.read(self._manifest)
        made = [node for node in self._provided if node.provider not in providers.WINDOWS]
        if made and self.own_server is None:
            what = f"{made[0].provider}'s machines can't reach a Chef server on this machine"
            remedy = "name one that they reach in `stackcook: chef_server`, or in knife's config.rb"
            raise UsageError(what, where=made[0].name, remedy=remedy)
        if findings := providers.missing_plugins(self._manifest):
            raise InputError(findings)
        counts = (len(found.cookbooks), len(found.roles), len(found.environments))
        return "{} cookbooks, {} roles, {} environments".format(*counts)

    @cached_property
    def _knife(self) -> Bootstrap:
        knife = KnifeBootstrap(
            self.client,
            self.server.url,
            self._manifest.state,
            secrets.ensure(self._manifest),
            opener=partial(wait_for, patience=PATIENCE),
        )
        if not self._provided:
            return knife
        return ProvidedBootstrap(knife, self.client, self.server, self._manifest.root)

    @property
    def _provided(self) -> tuple[Node, ...]:
        """The nodes that a command of knife makes."""
        return tuple(node for node in self._manifest.nodes if node.provider)

    def _lookup(self, name: str) -> Mapping[str, Any] | None:
        """The Chef server's node object; None where there is none, or no server yet."""
        if name not in self.registered():
            return None
        found: Mapping[str, Any] = self.client.get(f"/nodes/{name}")
        return found

    def check(self) -> str:
        """Read the Chef repository, once; see that knife has the providers' plugins."""
        return self._checked

    def reach(self) -> None:
        """See that a Chef server of the user's answers; for use before anything is written."""
        if self.own_server:
            with ChefClient(self.own_server) as client:
                client.get("/environments")

    def secrets(self) -> str:
        """Generate the passwords that are missing."""
        secrets.ensure(self._manifest)
        return f"{sum(map(len, self._manifest.passwords.values()))} passwords"

    def chef_server(self) -> str:
        """Start the embedded server, or see that the user's answers."""
        self.client.get("/environments")
        return f"{self.server.url} ({'own' if self.own_server else 'embedded'})"

    def upload(self, say: Say) -> str:
        """Bring the Chef server's objects in step with the repository."""
        return str(upload(self.client, Repository.read(self._manifest), on_event=say))

    def bootstrap(self) -> Bootstrap:
        """knife's bootstrap."""
        return self._knife

    def gate(self, nodes: Sequence[Node]) -> str:
        """Wait for Keystone, Placement, the message queue and the database on ``nodes``."""
        names = tuple(node.name for node in nodes)
        hosts = self.machines.hosts(self._manifest.nodes)
        gate.answers(self._manifest, self.client, hosts, self.credentials, only=names)
        return f"the services on {', '.join(names)} answer"

    def knife(self, say: Say) -> str:
        """Run the section's commands, as the Chef server's user."""
        count = run_section(self._manifest, self.server, say)
        return f"{count} command{'s' * (count != 1)}"

    def verify(self, patience: float = smoke.AFTER_DEPLOY) -> Report:
        """The smoke check; writes ``clouds.yaml`` first, so that one can look for oneself."""
        for keystone in running(self._placed, KEYSTONE)[:1]:
            path = self._manifest.root / "clouds.yaml"
            clouds.write(path, gate.auth_url(keystone), self.credentials.admin)
        hosts = self.machines.hosts(self._manifest.nodes)
        return smoke.verify(self._manifest, self.client, hosts, self.credentials, patience=patience)

    def facts(self) -> Mapping[str, str]:
        """Where Horizon is, where the password is, what to try; nothing where there is no cloud."""
        facts = {
            "Horizon": f"http://{dashboard.address}/"
            for dashboard in running(self._placed, DASHBOARD)[:1]
        }
        if running(self._placed, KEYSTONE):
            path = self._manifest.root / "clouds.yaml"
            facts["log in as"] = f"admin, domain Default; the password is in {path}"
            facts["try"] = f"openstack --os-cloud {clouds.CLOUD} server list"
        return facts

    def registered(self) -> frozenset[str]:
        """The nodes that the Chef server knows; none where the embedded one isn't running."""
        if self.own_server is None and not self.embedded.status().running:
            return frozenset()
        with ChefClient(self.own_server or self.embedded.chef_server) as client:
            return frozenset(client.get("/nodes"))

    def settle(self) -> None:
        """See that the embedded Chef server's data is on disk."""
        if not self.own_server:
            self.embedded.settle()

    def forget(self, nodes: Sequence[Node]) -> str:
        """Delete nodes and clients from a user's server; the embedded one goes as a whole."""
        if self.own_server is None:
            return "gone with the embedded Chef server"
        with ChefClient(self.own_server) as client:
            gone = [node.name for node in nodes if forget(client, node.name)]
        return f"{', '.join(gone) or 'none'} deleted"

    def stop_chef_server(self) -> str:
        """Stop the embedded server."""
        if self.own_server:
            return f"{self.own_server.url} is left alone"
        return "stopped" if self.embedded.stop() else "was not running"

    def remove(self) -> str:
        """Remove ``.stackcook``, and our cloud from ``clouds.yaml``."""
        clouds.remove(self._manifest.root / "clouds.yaml")
        shutil.rmtree(self._manifest.state)
        return "removed"

    @property
    def _placed(self) -> tuple[Placed, ...]:
        return placed(self._manifest, self.client)

    @cached_property
    def credentials(self) -> Credentials:
        """The cloud's passwords; empty where the manifest has none."""
        bags = {**self._manifest.passwords}
        found = {
            (bag, item): secrets.read(self._manifest, bag, item)
            for bag, items in bags.items()
            for item in items
        }
        return Credentials(
            admin=found.get(("user_passwords", "admin"), ""),
            queue=found.get(("user_passwords", "openstack"), ""),
            secrets=tuple(found.values()),
        )
