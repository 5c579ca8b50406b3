"""Follows one instance along the chain, from Placement to SSH and tunnel, until a link breaks."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from stackcook.command import Command, CommandError, Completed, find_program, run
from stackcook.errors import NodeError, UsageError, VerifyError
from stackcook.files import write_private
from stackcook.remote.base import Connect, Host, Unreachable
from stackcook.remote.ssh import connect
from stackcook.verify.check import Check, log_of, poll
from stackcook.verify.instance import guest, links, novnc, ovn
from stackcook.verify.instance.links import LINKS, Broken
from stackcook.verify.instance.resources import Ground, Offer, Prepared, flavor_size
from stackcook.verify.openstack import VOLUMES, Cloud, NoResponse, request, status
from stackcook.verify.placing import COMPUTE, Placed, running

GRACE = 30.0
"""Seconds after the boot for what takes a moment longer, such as a floating IP."""

_OWN_IMAGE = "check that the image `test` is that of the cookbook openstack-resources"

Why = Callable[[Placed, str, str], str]
"""Node, unit and word → the last error about this word in the unit's log, ``""`` if none."""


def ping(address: str) -> bool | None:
    """Whether ``address`` answers; None if this machine has no ``ping``."""
    try:
        program = str(find_program("ping"))
    except UsageError:
        return None
    try:
        return run(Command((program, "-c", "1", "-W", "2", address)), timeout=5).status == 0
    except CommandError:  # it took longer
        return False


@dataclass(frozen=True)
class Tools:
    """How instances and nodes are asked, and how they are reached.

    ``why`` is asked for the last error about something in the log of a node's unit, ``ask`` for
    what a command prints on a node. ``open_console`` opens a console at its URL.
    """

    why: Why = lambda node, unit, word: ""
    ask: ovn.Ask = lambda node, command: ""
    opener: Connect = connect
    ping: Callable[[str], bool | None] = ping
    open_console: Callable[[str], None] = novnc.connect


@dataclass(frozen=True)
class Setting:
    """What all instances that run at the same time share.

    ``nodes`` are all of the cloud; ``key`` is the private SSH key, in a directory for more files;
    ``limit`` is how many seconds an instance may take until it has run its user data.
    ``floating`` has each port's floating IP, once there are any; it is empty without an external
    network.
    """

    cloud: Cloud
    nodes: Sequence[Placed]
    found: Offer
    ground: Ground
    key: Path
    limit: float
    pause: Callable[[float], object]
    floating: Future[Mapping[str, str]]
    tools: Tools

    @property
    def grace(self) -> float:
        """Seconds for what an instance does once it has booted, if ``limit`` leaves fewer."""
        return min(GRACE, self.limit)


@dataclass
class Chain:
    """One instance: where it is to run, how far it has come, and what was found.

    ``hypervisor`` is Nova's entry for the node, None if it has none. ``broken`` is the link that
    broke, ``up_at`` when its user data had run, ``unpinged`` if this machine has no ``ping``.
    """

    setting: Setting
    node: Placed
    prepared: Prepared
    hypervisor: Mapping[str, Any] | None
    peers: tuple[Chain, ...] = ()
    checks: list[Check] = field(default_factory=list)
    broken: str = ""
    up_at: float = 0.0
    unpinged: bool = False
    _server: str = ""
    _deadline: float = 0.0
    _console: guest.Console = guest.Console()
    _opened: Future[bool] = field(default_factory=Future)

    def follow(self) -> None:
        """Try link after link; what each has shown is in ``checks``."""
        for names, step in self._steps():
            if not self.attempt(names, step):
                return

    def attempt(self, names: Sequence[str], step: Callable[[], object]) -> bool:
        """Try some links at once; whether they hold is noted in ``checks``."""
        began = time.monotonic()
        try:
            step()
        except VerifyError as error:
            at = names.index(error.link) if isinstance(error, Broken) else 0
            self._note(names[:at], began)
            self._break(names[at], error, time.monotonic() - began)
            return False
        self._note(names, began)
        return True

    @property
    def unchecked(self) -> tuple[str, ...]:
        """The links after the one that broke."""
        names = [name for links, _ in self._steps() for name in links]
        if self.has_volume:
            names.append("volume")
        return tuple(names[names.index(self.broken) + 1 :]) if self.broken else ()

    @property
    def has_volume(self) -> bool:
        """Whether a volume is attached to it in the end: it takes Cinder, and SSH."""
        return self.setting.cloud.has(VOLUMES) and bool(self.floating)

    @property
    def floating(self) -> str:
        """Its floating IP, ``""`` if it gets none; waits for it."""
        made = self.setting.floating
        return "" if made.exception() else made.result().get(self.prepared.port, "")

    @property
    def server(self) -> str:
        """The path of the server below Nova's endpoint, ``""`` before it is created."""
        return self._server

    def ssh(self, command: str) -> Completed:
        """Run a command on the instance; raises NodeError."""
        address = self.floating
        known_hosts = self.setting.key.with_name(f"known_hosts-{self.prepared.name}")
        write_private(known_hosts, f"{address} {self._console.host_key}\n")
        host = Host(self.prepared.name, address, "root", (self.setting.key,))
        with self.setting.tools.opener(host, known_hosts, timeout=10) as remote:
            return remote.run(command, timeout=20)

    def _steps(self) -> Iterator[tuple[tuple[str, ...], Callable[[], None]]]:
        yield ("Placement",), self._placement
        yield ("scheduler", "image", "libvirt", "port binding"), self._boot
        yield ("console URL",), self._console_url
        yield ("console log",), lambda: self._expect("console log", _booting)
        yield ("DHCP",), self._dhcp
        yield ("metadata",), lambda: self._expect("metadata", self._metadata)
        yield ("key",), lambda: self._expect("key", guest.key)
        yield ("user data",), self._user_data
        if self.floating:
            yield ("floating IP",), self._floating
            yield ("SSH",), self._ssh
            if self.setting.found.gateway:
                yield ("traffic to outside",), self._outside
        if self.peers:
            yield ("tunnel",), self._tunnel
        if self.peers or self.floating:
            yield ("security group",), self._security_group

    def _note(self, names: Sequence[str], began: float) -> None:
        for name in names:
            spent = time.monotonic() - began
            self.checks.append(self._check(name, LINKS[name], True, seconds=spent))

    def _break(self, name: str, error: VerifyError, seconds: float) -> None:
        self.broken = name
        unit = error.unit if isinstance(error, Broken) else LINKS[name]
        check = self._check(name, unit, False, error.what, error.remedy, seconds)
        self.checks.append(check)

    def _check(
        self,
        link: str,
        unit: str,
        ok: bool,
        cause: str = "",
        remedy: str = "",
        seconds: float = 0.0,
    ) -> Check:
        """The check of a link, on the node that runs the unit behind it."""
        here = self.node
        if not here.service(unit):
            here = next(iter(running(self.setting.nodes, unit)), here)
        name = f"instance: {link}" if here is self.node else f"instance on {self.node.name}: {link}"
        remedy = remedy if ok else remedy or log_of(here, unit)
        return Check(name, here.name, ok, cause, remedy, seconds, unit)

    def _placement(self) -> None:
        if self.hypervisor is None:
            raise Broken("Placement", "Nova has no hypervisor of this node", unit=COMPUTE)
        provider, host = self.hypervisor["id"], self.hypervisor["service"]["host"]
        image = self.setting.found.image
        size = flavor_size(image or {})
        wanted = {"VCPU": size["vcpus"], "MEMORY_MB": size["ram"], "DISK_GB": size["disk"]}
        resources = ",".join(f"{name}:{amount}" for name, amount in wanted.items())
        path = f"/resource_providers/{provider}"
        cloud = self.setting.cloud

        def fits() -> bool:
            query = f"resources={resources}&in_tree={provider}"
            found = cloud.read("placement", f"/allocation_candidates?{query}", version="1.31")
            return bool(found["allocation_requests"])

        def offered() -> Mapping[str, Mapping[str, Any]]:
            found = cloud.find("placement", f"{path}/inventories") or {"inventories": {}}
            return cast(Mapping[str, Mapping[str, Any]], found["inventories"])

        if fits():
            return
        # A new nova-compute tells Nova of its node some seconds before it tells Placement.
        inventories = self._poll(offered, bool, time.monotonic() + self.setting.grace)
        if not inventories:
            what = "Placement has no inventory of this node: nova-compute has not reported it"
            raise Broken("Placement", what, unit=COMPUTE)
        if fits():
            return
        usages = cloud.read("placement", f"{path}/usages")["usages"]
        short = "; ".join(_short(wanted, inventories, usages))
        what = f"Placement has no room for an instance on this node ({short or 'unknown'})"
        listed = f"openstack --os-cloud {cloud.os_cloud} server list --all-projects --host {host}"
        remedy = f"delete instances on it; `{listed}` lists them" if short else ""
        raise Broken("Placement", what, remedy=remedy)

    def _boot(self) -> None:
        cloud, ground = self.setting.cloud, self.setting.ground
        assert self.hypervisor is not None
        host = self.hypervisor["service"]["host"]
        found = cloud.read("compute", f"/os-services?binary={COMPUTE}&host={host}")["services"]
        for service in found:
            if broken := links.disabled(service, cloud.os_cloud):
                raise broken
        peers = [guest.Peer(each.prepared.name, each.prepared.address) for each in self.peers]
        script = guest.script(peers, self.setting.found.gateway, int(self.setting.limit))
        server = {
            "name": self.prepared.name,
            "imageRef": ground.image,
            "flavorRef": ground.flavor,
            "key_name": ground.key,
            "networks": [{"port": self.prepared.port}],
            "user_data": b64encode(script.encode()).decode(),
            "hypervisor_hostname": self.hypervisor["hypervisor_hostname"],
        }
        self._deadline = time.monotonic() + self.setting.limit
        try:
            # As of 2.74 an administrator can ask for a host, and the scheduler still has its say.
            made = cloud.post("compute", "/servers", {"server": server}, version="2.74")
        except VerifyError as error:
            raise links.refused(error) from error
        self._server = f"/servers/{made['server']['id']}"
        now = self._poll(
            lambda: cloud.read("compute", self._server)["server"],
            lambda server: server["status"] in ("ACTIVE", "ERROR"),
        )
        if now["status"] == "ERROR":
            # If the node could not build it, only the node knows why.
            uuid = self._server.rpartition("/")[2]
            logged = self.setting.tools.why(self.node, COMPUTE, uuid)
            raise links.failed(now, (logged, *self._errors()))
        if now["status"] != "ACTIVE":
            port = cloud.read("network", f"/v2.0/ports/{self.prepared.port}")["port"]
            raise links.late(now, port, self.setting.limit)

    def _errors(self) -> list[str]:
        """What Nova's actions on the server say of their failures: the last lines of tracebacks."""
        cloud, path = self.setting.cloud, f"{self._server}/os-instance-actions"
        errors = []
        for action in cloud.read("compute", path)["instanceActions"]:
            one = cloud.read("compute", f"{path}/{action['request_id']}", version="2.51")
            for event in one["instanceAction"].get("events", ()):
                lines = (event.get("traceback") or "").strip().splitlines()
                errors += [" ".join(lines[-1].split())] if lines else []
        return errors

    def _read(self) -> guest.Console:
        """The console log, as far as there is one."""
        body: dict[str, Any] = {"os-getConsoleOutput": {}}
        said = self.setting.cloud.post("compute", f"{self._server}/action", body)
        self._console = guest.read_console(said["output"] or "")
        return self._console

    def _poll(
        self, look: Callable[[], Any], good: Callable[[Any], bool], deadline: float = 0.0
    ) -> Any:
        """As :func:`poll`, by default until the instance's own deadline.

        An API that does not respond is asked again until then.
        """

        def patiently() -> Any:
            try:
                return look()
            except NoResponse as error:
                return error

        def done(found: Any) -> bool:
            return not isinstance(found, NoResponse) and good(found)

        found = poll(deadline or self._deadline, patiently, done, self.setting.pause)
        if isinstance(found, NoResponse):
            raise found
        return found

    def _said(self, ask: Callable[[guest.Console], str | None]) -> str | None:
        """What the console says about something, as soon as it does; None if it never does."""

        def look() -> str | None:
            said = ask(self._console)  # Nova takes half a second to read it again
            return ask(self._read()) if said is None else said

        return cast(str | None, self._poll(look, lambda why: why is not None))

    def _expect(self, link: str, ask: Callable[[guest.Console], str | None]) -> None:
        """Read the console until it says how a link has ended."""
        why = self._said(ask)
        if why is None:
            last = self._console.last[:200]
            what = f"the last line on its console is: {last}" if last else "its console is empty"
            raise Broken(
                link,
                f"no result within {links.limit(self.setting.limit)}; {what}",
                remedy=_OWN_IMAGE if last and link == "console log" else "",
            )
        if why:
            raise Broken(link, why)

    def _dhcp(self) -> None:
        try:
            self._expect("DHCP", lambda console: guest.dhcp(console, self.prepared.address))
        except Broken as error:
            why = ovn.explain(
                self.prepared.port, self.node, self.setting.nodes, self.setting.tools.ask
            )
            raise Broken("DHCP", f"{error.what}; {why}" if why else error.what) from error

    def _metadata(self, console: guest.Console) -> str | None:
        return guest.metadata(console, self._server.rpartition("/")[2])

    def _user_data(self) -> None:
        self._expect("user data", guest.user_data)
        self.up_at = time.monotonic()
        self._deadline = max(self._deadline, self.up_at + self.setting.grace)

    def _console_url(self) -> None:
        body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
        path = f"{self._server}/remote-consoles"
        made = self.setting.cloud.post("compute", path, body, version="2.8")["remote_console"]
        url = str(made["url"])
        page = url.partition("?")[0]  # the rest is a token
        answer = request("GET", page, ca=self.setting.cloud.ca)
        if answer.status_code != 200:
            raise Broken("console URL", f"{page} returned {status(answer)}")
        self.setting.tools.open_console(url)

    def _floating(self) -> None:
        url = f"http://{self.floating}/instance-id"
        uuid = self._server.rpartition("/")[2]

        def look() -> Broken | None:
            try:
                answer = request("GET", url, timeout=5)
            except VerifyError as error:
                return Broken("floating IP", error.what, remedy=_reach(self.floating))
            text = str(answer.text).strip()
            if text == uuid:
                return None
            what = f"{url} answers {text[:60]}, not the instance {uuid}"
            return Broken("floating IP", what, remedy=_leave_out(self.floating))

        if broken := self._poll(look, lambda broken: broken is None):
            raise broken
        pool = ThreadPoolExecutor(1)
        self._opened = pool.submit(self._open)  # waits meanwhile
        pool.shutdown(wait=False)

    def _ssh(self) -> None:
        if not (self._console.host_key or self._read().host_key):
            raise Broken("SSH", "its console shows no SSH host key", remedy=_OWN_IMAGE)
        address, uuid = self.floating, self._server.rpartition("/")[2]

        def look() -> Broken | None:
            try:
                said = self.ssh("cat /var/www/instance-id").output.strip()
            except Unreachable as error:
                return Broken("SSH", error.what)
            except NodeError as error:
                raise Broken("SSH", error.what) from error
            if said == uuid:
                return None
            what = f"a login at {address} reaches another machine ({said})"
            return Broken("SSH", what, remedy=_leave_out(address))

        if broken := self._poll(look, lambda broken: broken is None):
            raise broken

    def _outside(self) -> None:
        gateway = self.setting.found.gateway
        why = self._said(lambda console: console.results.get(guest.OUTSIDE))
        if why != "":
            found = why or "no result"
            raise Broken(
                "traffic to outside",
                f"cannot ping the gateway {gateway}: {found}",
                remedy=f"check that {gateway}, the attribute openstack.network.external.gateway, is"
                " a router there which answers to ping",
            )

    def _tunnel(self) -> None:
        self._from_peers("tunnel", guest.tunnel, "cannot be reached through the tunnel")

    def _security_group(self) -> None:
        if self.peers:
            self._from_peers("security group", guest.closed, "is not protected")
        if not (address := self.floating):
            return
        answers = self.setting.tools.ping(address)
        self.unpinged = answers is None
        if answers is False:
            raise Broken(
                "security group", f"{address} does not answer to ping, though ICMP is open"
            )
        if self._opened.result():
            url = f"http://{address}:{guest.CLOSED_PORT}/"
            raise Broken("security group", f"{url} responds, though no rule opens this port")

    def _open(self) -> bool:
        """Whether the port without a rule responds; nothing should, for all the time."""
        try:
            request("GET", f"http://{self.floating}:{guest.CLOSED_PORT}/", timeout=3)
        except VerifyError:
            return False
        return True

    def _from_peers(self, link: str, name: Callable[[str], str], what: str) -> None:
        """Wait for what the script says of each peer; one that does not come up is left out."""
        grace = self.setting.grace

        def waits(peer: Chain) -> bool:
            why = self._console.results.get(name(peer.prepared.address))
            if peer.broken or why == "":
                return False
            if not peer.up_at:
                return True  # if it does not come up, it is no failure of this instance
            return why is None and time.monotonic() < max(peer.up_at, self.up_at) + grace

        def look() -> bool:
            self._read()
            return any(waits(peer) for peer in self.peers)

        far = time.monotonic() + self.setting.limit + grace  # each peer ends before that
        self._poll(look, lambda waiting: not waiting, far)
        for peer in self.peers:
            why = self._console.results.get(name(peer.prepared.address), "no result")
            if why and not peer.broken:
                where = f"the instance on {peer.node.name} ({peer.prepared.address})"
                raise Broken(link, f"{where} {what}: {why}")


def _booting(console: guest.Console) -> str | None:
    return "" if "booting" in console.image else None


def _reach(floating: str) -> str:
    """What to do if nothing answers at a floating IP."""
    return (
        f"check that this machine reaches the external network (`ip route get {floating}`), and "
        "that `external_interface` is the nodes' interface on it"
    )


def _leave_out(floating: str) -> str:
    """What to do if something else answers at a floating IP."""
    return (
        f"if another machine has {floating}, leave it out of the attribute "
        "openstack.network.external.pool"
    )


def _short(
    wanted: Mapping[str, int],
    inventories: Mapping[str, Mapping[str, Any]],
    usages: Mapping[str, int],
) -> Iterator[str]:
    """What Placement has not enough of on a node."""
    for name, amount in wanted.items():
        one = inventories.get(name, {"total": 0})
        offered = (one["total"] - one.get("reserved", 0)) * one.get("allocation_ratio", 1.0)
        free = int(offered) - usages.get(name, 0)
        if free < amount:
            yield f"{name}: {free} free, {amount} needed"
