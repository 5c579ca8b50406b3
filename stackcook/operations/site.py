"""Everything external that an operation needs: machines, Chef server, nodes, cloud."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from stackcook.bootstrap import firewall, objects
from stackcook.bootstrap.base import Deploy
from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.bootstrap.firewall import Firewall
from stackcook.bootstrap.needs import Wanted, wanted
from stackcook.bootstrap.objects import forget
from stackcook.bootstrap.onnode import BootstrapContext
from stackcook.bootstrap.record import Keep
from stackcook.chef.objects import databags, ha
from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.knife import run_section
from stackcook.command import Say
from stackcook.operations.chefsite import ChefSite
from stackcook.machines.base import ABSENT
from stackcook.machines.layers import Layers
from stackcook.operations.remove import Leaving
from stackcook.operations.sbom import DPKG
from stackcook.errors import (
    ChefServerError,
    NodeError,
    Position,
    UsageError,
    VerifyError,
    counted,
)
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.files import lock, private_directory, write_private
from stackcook.parallel import parallel_map
from stackcook.remote import hostkeys
from stackcook.remote.base import Host, Remote, as_root
from stackcook.remote.pool import Pool
from stackcook.remote.ready import User, make_ready
from stackcook.remote.ssh import connect, wait_for
from stackcook.run.forecast import remember
from stackcook.run.record import deploy_began
from stackcook.snapshot.store import (
    RESTORING,
    SavedNode,
    Start,
    explained,
    packages,
    restore_state,
    save_state,
)
from stackcook.verify import clouds, gate, horizon, openstack, smoke
from stackcook.verify import member as members
from stackcook.verify.check import Report, pointing_here
from stackcook.verify.contents import Contents, contents
from stackcook.verify.gate import Credentials
from stackcook.verify.member import Member
from stackcook.verify.openstack import Cloud, Endpoint
from stackcook.verify.placing import (
    DASHBOARD,
    KEYSTONE,
    Placed,
    beyond,
    hostnames,
    placed,
    reported,
    running,
    unreported,
)
from stackcook.verify.probe.client import Target
from stackcook.verify.tempest import run as tempest
from stackcook.verify.tempest.run import Request, Show, TempestReport

PATIENCE = 15.0
"""Seconds that a node may take to answer SSH: it may just be booting."""

NONE = Deploy("")
"""A deploy that covers no node."""


class Site(ChefSite):
    """One deployment's machines, Chef server and cloud; parts are made when first used.

    Methods that return a text say what they did in a few words. All raise StackcookErrors.
    """

    @cached_property
    def _verified(self) -> dict[str, tuple[Placed, ...]]:
        """The nodes of each zone as they were when they were verified, maybe in other threads."""
        return {}

    @cached_property
    def _bootstrap(self) -> Bootstrap:
        context = BootstrapContext(
            self.client,
            self.server,
            self._manifest.state,
            databags.ensure_passwords(self._manifest),
            self._attributes(),
            {zone: {**self._attributes(zone), "region": zone} for zone in self._manifest.zones},
            opener=self._connections,
            package=self._manifest.client,
            timer=self._manifest.timer,
            in_turn=self.in_turn(self._manifest.nodes),
            bundle=self.bundle,
            firewall=self._firewall,
        )
        hosts = self._manifest.machines is MachineKind.SSH
        return Bootstrap(context, self._manifest.bootstrap, hosts)

    def _attributes(self, zone: str = "") -> Mapping[str, Any]:
        """What all nodes of a cloud get below ``openstack``."""
        manifest = self._manifest.zone(zone)
        shared = ha.attributes(manifest, self._read.roles) if manifest.virtual_address else {}
        return {**self.machines.attributes(zone), **_tls(manifest), **shared}

    @cached_property
    def _firewall(self) -> Firewall:
        return Firewall.of(self._manifest, self._lookup)

    @cached_property
    def _connections(self) -> Pool:
        return Pool(partial(wait_for, patience=PATIENCE))

    def make_ready(self, user: User | None, only: Collection[str] = ()) -> None:
        """Let ``user`` unlock SSH keys and accept the keys of unknown hosts; of all nodes, or some.

        Does nothing without a user. Raises UsageError.
        """
        nodes = [n for n in self._manifest.nodes if not n.provider and (not only or n.name in only)]
        hosts = self.machines.hosts(nodes).values() if user else ()
        asked = [host for host in hosts if host.known_hosts]  # not the machines of a lab
        if user and asked:
            private_directory(self._manifest.state)
            make_ready(asked, self._manifest.state / "known_hosts", user)

    def connect(self, node: Node) -> Remote:
        """An SSH connection to a node: one that is open already, if there is one.

        Raises as :func:`wait_for` does.
        """
        host = self.machines.hosts([node])[node.name]
        return self._connections(host, self._manifest.state / "known_hosts")

    def close(self) -> None:
        """End the open SSH connections that are not in use."""
        self._connections.close()

    def forget_host_keys(self, nodes: Sequence[Node]) -> None:
        """Remove the recorded SSH host keys of these nodes."""
        for host in self.machines.hosts(nodes).values() if nodes else ():
            hostkeys.forget(host.alias, self._manifest.state / "known_hosts")

    def bootstrap(self) -> Bootstrap:
        """What bootstraps and converges nodes; the same object at every call."""
        return self._bootstrap

    def wanted(self, node: Node) -> Wanted:
        """What the host of a node must have, by the manifest and the Chef repository."""
        found = wanted(self._manifest, self._read, node)
        if self.bundle is None or node.provider:
            return found
        releases = frozenset(self.bundle.nodes.get(node.name, ()))
        return replace(found, releases=releases, bundle=self.bundle.room(node.name))

    def hostnames(self) -> Mapping[str, frozenset[str]]:
        """The host names that the Chef server knows of the manifest's nodes."""
        return hostnames(self._manifest, self.client)

    def let_in(self, nodes: Sequence[Node]) -> str:
        """Let ``nodes`` through the firewalls of the other nodes, which this run leaves out.

        What does not answer is named: it lets them in when it converges.
        """
        names = {node.name for node in nodes}
        recorded = firewall.recorded(self.client)
        missing = {
            node.name: self._firewall.missing(node, nodes, recorded[node.name])
            for node in self._manifest.nodes
            if node.name in recorded and node.name not in names
        }

        def let(node: Node) -> str:
            try:
                with self.connect(node) as on:
                    done = as_root(on, firewall.let_in(missing[node.name]), timeout=60)
            except NodeError as error:
                return f"{node.name} does not let them in: {error.what}"
            if done.status:
                return f"{node.name} does not let them in: {done.quoted}"
            # for chef-client, if the node's timer starts it before the next deploy
            path = f"/nodes/{node.name}"
            found = self.client.get(path)
            its = found["normal"].get("openstack", {}).get("firewall", {})
            if "nodes" in its:
                its["nodes"] = " ".join(sorted({*its["nodes"].split(), *missing[node.name]}))
                self.client.put(path, found)
            return f"{node.name} lets them in"

        said = parallel_map(let, [n for n in self._manifest.nodes if missing.get(n.name)])
        if said:
            self.settle()
        return "; ".join(said) or "nothing to do"

    def gate(self, nodes: Sequence[Node], deploy: Deploy) -> str:
        """Wait until the services of ``nodes`` answer, and those in the deploy have reported it.

        Raises VerifyError.
        """
        names = tuple(node.name for node in nodes)
        seen = placed(self._manifest, self.client, names, deploy.id)
        reported(seen, _theirs(nodes, deploy), deploy.id)
        hosts = self.machines.hosts(self._manifest.nodes)
        gate.answers(self._manifest, self.client, hosts, self.credentials, only=names)
        return f"the services on {', '.join(names)} respond"

    def knife(self, say: Say) -> str:
        """Run the section's commands, as the Chef server's user."""
        return counted(run_section(self._manifest, self.server, say), "command")

    def silent(self, nodes: Sequence[Node], deploy: Deploy) -> tuple[str, ...]:
        """Those of ``nodes`` whose node object has no record of ``deploy``."""
        names = [node.name for node in nodes]
        seen = placed(self._manifest, self.client, names, deploy.id)
        return unreported(seen, _theirs(nodes, deploy), deploy.id)

    def verify(
        self,
        patience: float = smoke.AFTER_DEPLOY,
        *,
        zone: str = "",
        without: Collection[str] = (),
        deploy: Deploy = NONE,
        instance: bool | None = None,
        logs: bool = False,
        horizon: bool = False,
        say: Say = lambda line: None,
    ) -> Report:
        """Check that the cloud works, or that of each zone, or only that of ``zone``.

        The nodes named in ``without`` are left out.

        After a ``deploy`` of some of the nodes, the others are left out, too, and a note says so.
        ``instance`` says whether to boot instances, None: as the manifest says. With ``logs``, the
        nodes' logs are checked since the last deploy began; with ``horizon``, Horizon is used in a
        browser. Writes ``clouds.yaml`` first, so that the user can inspect the cloud. Raises
        VerifyError if one of the others is in the deploy and has not reported it.
        """
        if (zones := self._manifest.zones) and not zone:

            def one(name: str) -> Report:
                return self.verify(
                    patience,
                    zone=name,
                    without=without,
                    deploy=deploy,
                    instance=instance,
                    logs=logs,
                    horizon=horizon,
                    say=lambda line: say(f"{name}: {line}"),
                )

            return Report.of_all(dict(zip(zones, parallel_map(one, zones))))
        manifest = self._manifest.zone(zone)
        seen = placed(manifest, self.client, deploy=deploy.id)
        self._verified[zone] = seen
        self._write_clouds(zone, seen)
        names = [node.name for node in manifest.nodes]
        others = beyond(names, seen, deploy.nodes, deploy.id) if deploy.nodes else ()
        without = {*without, *others}
        nodes = tuple(n for n in manifest.nodes if n.name not in without)
        reported(seen, _theirs(nodes, deploy), deploy.id)
        left_out = (node.names for node in seen if node.name in without)
        report = smoke.verify(
            replace(manifest, nodes=nodes),
            tuple(node for node in seen if node.name not in without),
            self.machines.hosts(nodes),
            self._credentials_of(zone),
            patience=patience,
            instance=manifest.verify_instance if instance is None else instance,
            horizon=horizon,
            known={*names}.union(*left_out),
            logs_since=deploy_began(self._manifest.state) if logs else None,
            say=say,
            opener=self._connections.by(connect),  # a node that is down isn't waited for
        )
        if others:
            which = others[0] if len(others) == 1 else f"{others[0]} and {len(others) - 1} more"
            note = f"not verified: {which}, which this deploy leaves out"
            report = replace(report, notes=(*report.notes, note))
        return report.of_zone(zone) if zone else report

    def _write_clouds(self, zone: str, seen: Sequence[Placed]) -> None:
        """Write the logins of a zone's cloud into ``clouds.yaml``, if a node runs Keystone."""
        keystones = running(seen, KEYSTONE)
        if not keystones:
            return
        manifest, credentials = self._manifest.zone(zone), self._credentials_of(zone)
        with lock(manifest.state / "clouds.lock"):
            clouds.write(
                manifest.root / "clouds.yaml",
                gate.auth_url(keystones[0]),
                credentials.admin,
                credentials.demo,
                manifest.os_cloud,
                region=manifest.region,
                region_of=manifest.region_of,
                zones=self._manifest.zones,
                ca=manifest.cacert,
            )

    def tempest(self, request: Request, show: Show) -> TempestReport:
        """Run Tempest's tests against the cloud; raises as :func:`tempest.run.run` does."""
        seen = placed(self._manifest, self.client)
        hosts = self.machines.hosts(self._manifest.nodes)
        deployment = tempest.Deployment(
            nodes=seen,
            hosts=hosts,
            state=self._manifest.cloud_state,
            known_hosts=self._manifest.state / "known_hosts",
            credentials=self.credentials,
            opener=self._connections.by(connect),
            region=self._manifest.region,
        )
        return tempest.run(deployment, request, show)

    def facts(self) -> Mapping[str, str]:
        """Horizon's URL, where the password is, and a command to try; empty without a cloud."""
        facts: dict[str, str] = {}
        clouds: list[str] = []
        for zone in self._manifest.zones or ("",):
            seen = self._seen(zone)
            for dashboard in running(seen, DASHBOARD)[:1]:
                facts[f"Horizon {zone}".strip()] = horizon.base(dashboard).removesuffix("horizon")
            if running(seen, KEYSTONE):
                clouds.append(self._manifest.zone(zone).os_cloud)
        if clouds:
            path = self._manifest.root / "clouds.yaml"
            facts["log in as"] = f"admin, domain Default; the password is in {path}"
            facts["try"] = f"openstack --os-cloud {clouds[0]} server list"
        return facts

    def _seen(self, zone: str = "") -> tuple[Placed, ...]:
        """The nodes of a zone, or of a manifest without zones, as the Chef server knows them."""
        return self._verified.get(zone) or placed(self._manifest.zone(zone), self.client)

    def give_back(self, node: Node, keep: Keep, timeout: float, say: Say) -> str:
        """Give the host of ``node`` back; says what stays there. Raises NodeError."""
        try:
            seen = placed(replace(self._manifest, nodes=(node,)), self.client)
            units = [service.unit for each in seen for service in each.services]
        except ChefServerError:  # the host's own record says more
            units = []
        host = self.machines.hosts([node])[node.name]
        return self.bootstrap().give_back(node, host, units, keep, timeout, say)

    def software(self) -> tuple[str, ...]:
        """What :data:`~stackcook.operations.sbom.DPKG` prints on each node. Raises NodeErrors."""

        def ask(host: Host) -> str:
            with self._connections(host, self._manifest.state / "known_hosts") as remote:
                done = remote.run(DPKG, timeout=60, apart=True)
            if done.status:
                what = f"cannot list its packages: {done.last}"
                remedy = f"check that `stackcook ssh {host.name} -- dpkg-query --list` works"
                raise NodeError(what, where=host.name, remedy=remedy)
            return done.output

        return tuple(parallel_map(ask, self.machines.hosts(self._manifest.nodes).values()))

    def contents(self) -> Contents:
        """What users have in the cloud, or in all zones. Raises VerifyError if one is silent."""
        zones = self._manifest.zones or ("",)
        return Contents.of_all([contents(self._signed_in(zone)) for zone in zones])

    def targets(self, zone: str = "") -> tuple[Target, ...]:
        """The cloud for ``probe``, or those of all zones, or of one.

        Of a zone that does not answer, only Keystone and Horizon are known. Raises VerifyError if
        none answers.
        """
        zones = (zone,) if zone else self._manifest.zones or ("",)
        targets = tuple(map(self._target, zones))
        silent = [target.silent for target in targets if target.silent]
        if len(silent) == len(targets):
            raise silent[0]
        return targets

    def _target(self, zone: str) -> Target:
        seen, silent = self._seen(zone), None
        dashboards = running(seen, DASHBOARD)
        try:
            cloud = self._signed_in(zone)
        except VerifyError as error:
            silent = error
            urls = [gate.auth_url(node) for node in running(seen, KEYSTONE)[:1] or seen[:1]]
            catalog = tuple(Endpoint("identity", "public", url) for url in urls)
            credentials = self._credentials_of(zone)
            cloud = Cloud("", catalog, credentials.os_cloud, ca=credentials.ca)
        return Target(
            zone or self._manifest.os_cloud,
            cloud,
            self.credentials.admin,
            horizon.base(dashboards[0]) if dashboards else "",
            silent,
        )

    def catalog(self) -> tuple[Endpoint, ...]:
        """Keystone's catalog. Raises VerifyError if the cloud does not answer."""
        return self._cloud.catalog

    @cached_property
    def _cloud(self) -> Cloud:
        """The only cloud, for its administrator: signed in once. Raises VerifyError."""
        if zones := self._manifest.zones:
            what = f"there are several clouds: the zones {', '.join(zones)}"
            raise VerifyError(what, remedy="choose one of them")
        return self._signed_in()

    def _signed_in(self, zone: str = "") -> Cloud:
        checks, cloud = gate.tokens(self._seen(zone), self._credentials_of(zone))
        if cloud is None:
            why = "; ".join(str(check) for check in checks) or "no node runs Keystone"
            raise VerifyError(why, remedy="run `stackcook verify`")
        return cloud

    def zone_of(self, name: str) -> str:
        """The zone of a node, by the manifest, else by the Chef server; empty if it has none."""
        if not self._manifest.zones:
            return ""
        if listed := self._manifest.node(name):
            return self._manifest.zone_of(listed)
        found = objects.find(self.client, f"/nodes/{name}") or {}
        place = str(found.get("chef_environment", ""))
        return place if place in self._manifest.zones else ""

    def leaving(self, name: str) -> Leaving:
        """What is known of a node that is to be removed, by the manifest and by the cloud."""
        listed = self._manifest.node(name)
        self._verified[""] = placed(self._manifest, self.client)
        found = objects.find(self.client, f"/nodes/{name}")
        node = listed or Node(name, Position(1, 1))
        (mine,) = placed(replace(self._manifest, nodes=(node,)), self.client)
        with pointing_here():
            member = members.find(self._cloud, openstack.survey(self._cloud), mine.names)
        state = ABSENT  # Vagrant knows only machines of the manifest
        if listed or self._manifest.machines is MachineKind.SSH:
            node = listed or replace(node, host=mine.address)
            state = self.machines.states([node])[name]
        registered = found is not None and (
            listed is not None or self.owns(found["chef_environment"])
        )
        return Leaving(
            node=node,
            listed=listed is not None,
            state=state,
            units=frozenset(service.unit for service in mine.services),
            registered=registered,
            member=member,
            os_cloud=self._manifest.os_cloud,
        )

    def disable(self, member: Member) -> str:
        """Disable nova-compute of a node."""
        members.disable(self._cloud, member)
        return ""

    def delete_instances(self, member: Member) -> str:
        """Delete all instances of a node."""
        members.delete_instances(self._cloud, member)
        return ", ".join(instance.name for instance in member.instances)

    def leave_nova(self, member: Member) -> str:
        """Delete a node from Nova and Placement."""
        members.leave_nova(self._cloud, member)
        return ""

    def leave_neutron(self, member: Member) -> str:
        """Delete a node from Neutron."""
        members.leave_neutron(self._cloud, member)
        return ""

    def forget_member(self, member: Member) -> str:
        """Delete a node from OVN and from Nova's cells, on the nodes that have these databases."""
        for unit, script in members.PLACES.items():
            names = [each.name for each in running(self._seen(), unit)]
            nodes = [node for node in self._manifest.nodes if node.name in names]
            self._delete_on(nodes, member, script(member))
        return ""

    def _delete_on(self, nodes: Sequence[Node], member: Member, script: str) -> None:
        """Run the script on the first of these nodes that answers; raises NodeError."""
        for number, node in enumerate(nodes, 1):
            try:
                with self.connect(node) as on:
                    done = as_root(on, script, timeout=120)
            except NodeError:
                if number == len(nodes):
                    raise
                continue  # another controller has these databases, too
            if done.status:
                what = f"cannot delete {', '.join(member.hosts)} ({done.quoted})"
                remedy = "run `stackcook verify`, correct what fails, and run the command again"
                raise NodeError(what, where=node.name, remedy=remedy)
            return

    def unregister(self, node: Node) -> str:
        """Delete one node and its client from the Chef server."""
        there = forget(self.client, node.name)
        self.settle()
        return "deleted" if there else "was not there"

    def forget(self, nodes: Sequence[Node]) -> str:
        """Delete nodes and clients from a user's server; the embedded one is deleted as a whole."""
        if self.own_server is None:
            return "nothing to do: they are deleted with the embedded Chef server"
        with ChefClient(self.own_server) as client:
            gone = [node.name for node in nodes if forget(client, node.name)]
        return f"deleted {', '.join(gone) or 'none'}"

    def stop_chef_server(self) -> str:
        """Stop the embedded server."""
        if self.own_server:
            return f"not stopped: {self.own_server.url} is your own server"
        return "stopped" if self.embedded.stop() else "was not running"

    def shut_down(self) -> None:
        """Shut down the machines of the lab, then stop the embedded Chef server."""
        assert self.lab
        self.lab.stop(self._manifest.nodes)
        self.embedded.stop()

    def copy(self, directory: Path) -> Mapping[str, SavedNode]:
        """Copy all machines and the state into the directory of a new snapshot."""
        assert self.lab
        container_of = self.lab.container

        def copy(node: Node) -> SavedNode:
            layer, container = directory / "nodes" / node.name, container_of(node)
            size = Layers().copy(container, layer)
            return SavedNode(container, size, packages(layer / "rootfs"))

        save_state(self._manifest.state, directory)
        nodes = self._manifest.nodes
        return {node.name: saved for node, saved in zip(nodes, parallel_map(copy, nodes))}

    def restore(self, start: Start) -> str:
        """Replace the machines and the state by those of a snapshot; the machines are stopped.

        If this is killed, ``RESTORING`` says that it has to be done again.
        """
        lab, store, state = self.lab, self.snapshots, self._manifest.state
        snapshot = start.snapshot
        assert lab and store
        with store.reading(), explained(state):
            if snapshot not in store.all():
                what, remedy = "the snapshot was removed or replaced meanwhile", "run it again"
                raise UsageError(what, where=snapshot.name, remedy=remedy)
            write_private(state / RESTORING, snapshot.name)
            self.embedded.stop()
            lab.restore(self._manifest.nodes, snapshot.layers)
            restore_state(snapshot.directory, state)
            hostkeys.move(start.moved, state / "known_hosts")
            self.embedded.remember(snapshot.port)
            (state / RESTORING).unlink()
        return f"{counted(len(snapshot.nodes), 'machine')} of {snapshot.name}"

    @property
    def port(self) -> int:
        """The port of the embedded Chef server."""
        return self.embedded.port

    def remove(self) -> str:
        """Remove ``.stackcook``, and our cloud from ``clouds.yaml``."""
        names = [self._manifest.zone(zone).os_cloud for zone in self._manifest.zones]
        clouds.remove(self._manifest.root / "clouds.yaml", self._manifest.os_cloud, *names)
        state = self._manifest.state
        remember(state)
        shutil.rmtree(state.resolve())
        if state.is_symlink():  # to a larger disk, perhaps
            state.unlink()
        return "removed"

    def _credentials_of(self, zone: str) -> Credentials:
        """Those of a zone's cloud: messages name it as clouds.yaml does."""
        return replace(self.credentials, os_cloud=self._manifest.zone(zone).os_cloud)

    @cached_property
    def credentials(self) -> Credentials:
        """The cloud's passwords; empty if the manifest has none."""
        bags = {**self._manifest.passwords}
        found = {
            (bag, item): databags.read_password(self._manifest, bag, item)
            for bag, items in bags.items()
            for item in items
        }
        return Credentials(
            admin=found.get(("user_passwords", "admin"), ""),
            queue=found.get(("user_passwords", "openstack"), ""),
            demo=found.get(("user_passwords", clouds.DEMO), ""),
            secrets=tuple(found.values()),
            os_cloud=self._manifest.os_cloud,
            ca=self._manifest.cacert,
        )


def _tls(manifest: Manifest) -> Mapping[str, Any]:
    """The attribute that turns TLS on; off as well, because nodes keep the attributes they had."""
    if manifest.tls:
        return {"tls": {"mode": "all" if manifest.tls.internal else "public"}}
    openstack = any(cookbook.name.startswith("openstack-") for cookbook in manifest.cookbooks)
    return {"tls": {"mode": "none"}} if openstack else {}


def _theirs(nodes: Iterable[Node], deploy: Deploy) -> tuple[str, ...]:
    """The nodes that record ``deploy``; a node that a provider's plugin bootstraps does not."""
    return tuple(n.name for n in nodes if n.name in deploy.nodes and not n.provider)
