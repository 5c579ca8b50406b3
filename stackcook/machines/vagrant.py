"""Machines that Vagrant creates: LXC containers of stackcook's box, or virtual machines."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO, Any

from stackcook.cache import package_cache, packages
from stackcook.chef.repository.packages import Packages
from stackcook.command import Runner, Say, find_program
from stackcook.command import run as run_command
from stackcook.errors import MachineError, UsageError, one_line
from stackcook.files import lock, private_directory, try_lock, write_private
from stackcook.machines import lxcfs, numa
from stackcook.machines.base import ABSENT, RUNNING, STOPPED, STOPPING
from stackcook.machines.box import ORDINARY, Box, any_warm, renewals, warm_boxes
from stackcook.machines.layers import Layers
from stackcook.machines.lxc import Containers
from stackcook.machines.network import LabNetwork, external_attributes
from stackcook.manifest.model import Manifest, Node
from stackcook.parallel import parallel_map
from stackcook.remote import keys
from stackcook.remote.base import Host

HERE = Path(__file__).parent

_log = logging.getLogger(__name__)

DEBIAN_BOX = "cloud-image/debian-13"
"""The box of libvirt's and VirtualBox's machines."""

PROVIDERS = {"lxc": "lxc-create", "libvirt": "virsh", "virtualbox": "VBoxManage"}
"""Vagrant's providers, the preferred first, each with a program that it needs."""

EXTERNAL_INTERFACE = "eth1"
"""The interface of containers on the external network, by default. It has no address."""


SHUTDOWN = 120
"""Seconds in which a container must have shut down."""

_ADVICE = "For more information on the failure, enable detailed logging"
"""How the last paragraph of some of Vagrant's errors begins."""


@dataclass(frozen=True)
class VagrantMachines:
    """The machines of a manifest whose kind is ``vagrant``.

    ``external`` is the network of ``external_network``, None if the manifest has none.
    ``named_packages`` gives each node's packages; it is called only if there are warm boxes.
    """

    manifest: Manifest
    network: LabNetwork
    provider: str
    run: Runner = run_command
    external: LabNetwork | None = None
    named_packages: Callable[[], Mapping[str, Packages]] = dict

    def describe(self) -> dict[str, Any]:
        """All that the Vagrantfile needs, as JSON; memory is in MiB."""
        network, cpusets = self.network.network, self._cpusets()
        return {
            "name": self.manifest.name,
            "provider": self.provider,
            "box": ORDINARY.name if self.provider == "lxc" else DEBIAN_BOX,
            "network": str(network),
            "prefix": network.prefixlen,
            "netmask": str(network.netmask),
            "gateway": str(self.network.address),
            "bridge": self.network.bridge,
            "external_network": self.external
            and {
                "network": str(self.external.network),
                "netmask": str(self.external.network.netmask),
                "gateway": str(self.external.address),
                "bridge": self.external.bridge,
                "interface": self._external_interface,
            },
            "key": str(self._key),
            "machines": [
                {
                    "name": node.name,
                    "address": str(node.address),
                    "memory": node.memory,
                    "cpus": node.cpus,
                    "box": self._boxes[node.name].name if self.provider == "lxc" else DEBIAN_BOX,
                    "macs": [_mac(f"{self.container(node)} {link}") for link in range(2)],
                    "cpuset": ",".join(map(str, cpusets[node.name])),
                    "numa": str(self._numa(node)),
                    "container": self.container(node),
                    "packages": str(packages() / self.container(node)),
                }
                for node in self.manifest.nodes
                if node.address and not node.provider
            ],
        }

    def prepare(self) -> None:
        """Create the lab's networks and SSH key; libvirt and VirtualBox have their own.

        Raises MachineError if a running container has no interface on the external network.
        """
        private_directory(self.manifest.root / ".vagrant")
        if self.provider != "lxc":
            return
        private_directory(self.manifest.state)
        # `vagrant up` calls this for every machine at the same time.
        with lock(self.manifest.state / "machines.lock"):
            self.network.up()
            if self.external:
                self.external.up()
            self._make_key()
        addresses = (node.address for node in self.manifest.nodes)
        self.network.guard(a for a in addresses if isinstance(a, IPv4Address))
        if self.external:
            self._refuse_unlinked(self.external)

    def provide(self, on_line: Say) -> None:
        """Create all that ``vagrant up`` needs: network, SSH key, box, package caches, lxcfs."""
        self.prepare()
        if self.provider != "lxc":
            return
        if why := lxcfs.start(self.run):
            what = "machines see this machine's memory and CPUs, because lxcfs does not run"
            _log.warning("warning: %s: %s", what, why)
        cpusets, running = self._cpusets(), self._containers.names(running=True)
        for node in self.manifest.nodes:
            package_cache(self.container(node))
            if self.container(node) not in running:  # a running one keeps its size
                numa.write(self._numa(node), node.memory, cpusets[node.name])
        states = self.states(self.manifest.nodes)
        absent = [name for name, state in states.items() if state == ABSENT]
        self.add_boxes(dict.fromkeys(self._boxes[name] for name in absent), on_line)

    def add_boxes(self, boxes: Iterable[Box], on_line: Say) -> None:
        """Build the boxes that are missing, and tell Vagrant of those that it does not know."""
        for box in boxes:
            if not box.added():
                with box.locked():
                    self._add_box(box, on_line)

    def up(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Start ``nodes``, in parallel if the provider can."""
        self._wait_for_vagrant()
        if self._stopping.exists():
            self.stop(self.manifest.nodes)
            self._stopping.unlink()
        self.provide(on_line)
        states = self.states(nodes)
        if self.provider == "lxc":
            absent = [node for node in nodes if states[node.name] == ABSENT]
            self._refuse_foreign(absent)
            self._refuse_shared_addresses(absent)
            self._remove(absent)
        if down := [node for node in nodes if states[node.name] != RUNNING]:
            with self._vagrant(on_line, "up") as vagrant:
                for line in vagrant.up(
                    vm_name=_names(down),
                    provider=self.provider,
                    no_provision=True,
                    stream_output=True,
                ):
                    on_line(line.rstrip())

    def hosts(self, nodes: Sequence[Node]) -> Mapping[str, Host]:
        """How SSH reaches each node: for LXC by the manifest, else as Vagrant says."""
        if self.provider == "lxc":
            return {
                node.name: Host(node.name, str(node.address), "vagrant", (self._key,))
                for node in nodes
            }
        with self._vagrant(None, "ssh-config") as vagrant:
            return {node.name: _host(node, vagrant.conf(vm_name=node.name)) for node in nodes}

    def states(self, nodes: Sequence[Node]) -> Mapping[str, str]:
        """What ``vagrant status`` says; for LXC the same without Vagrant, which takes seconds."""
        if self.provider == "lxc":
            there, running = self._containers.names(), self._containers.names(running=True)
            return {node.name: self._lxc_state(node, there, running) for node in nodes}
        with self._vagrant(None, "status") as vagrant:
            said = {status.name: status.state for status in vagrant.status()}
        return {node.name: _state(said.get(node.name)) for node in nodes}

    def destroy(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Delete ``nodes`` without shutting them down."""
        self._wait_for_vagrant()
        there = [node for node, state in zip(nodes, self.states(nodes).values()) if state != ABSENT]
        if self.provider == "lxc":
            for node in there:
                self._containers.kill(self.container(node))
        if there:
            with self._vagrant(on_line, "destroy") as vagrant:
                vagrant.destroy(vm_name=_names(there))
        if self.provider == "lxc":
            self._remove(nodes)

    def stop(self, nodes: Sequence[Node]) -> None:
        """Shut containers down, all at the same time; raises MachineError if one takes too long.

        If this process is killed, they go on shutting down; :meth:`up` waits for that.
        """
        write_private(self._stopping, "")
        parallel_map(lambda node: self._containers.stop(self.container(node), SHUTDOWN), nodes)

    def restore(self, nodes: Sequence[Node], layers: Path) -> None:
        """Replace the containers of ``nodes`` by new ones on the copies in ``layers``/NODE.

        They are stopped. Raises MachineError if one belongs to another deployment.
        """
        self._wait_for_vagrant()
        self._refuse_foreign(nodes)

        def renew(node: Node) -> None:
            self._remove([node])
            Layers(self.run).create(self.container(node), layers / node.name)
            # All that Vagrant has to know: the rest it finds out, or writes at the next start.
            known = self._vagrants(node)
            if known.exists():
                shutil.rmtree(known)
            write_private(known / "id", self.container(node))

        parallel_map(renew, nodes)

    def server_address(self) -> IPv4Address:
        """The first address of the lab's network, which is this machine's."""
        return self.network.address

    def attributes(self, zone: str = "") -> Mapping[str, Any]:
        """The external network for the cookbooks: openstack.network.provider and .external.

        The name of a virtual machine's interface depends on its box: it is known only if the
        manifest has it.
        """
        if self.external is None:
            return {}
        share = self.manifest.share(zone)
        return external_attributes(self.external.network, self._external_interface, share)

    @property
    def _external_interface(self) -> str | None:
        default = EXTERNAL_INTERFACE if self.provider == "lxc" else None
        return self.manifest.external_interface or default

    def tear_down(self) -> None:
        """Remove the lab's networks, and the containers of nodes that are not in the manifest.

        An external network that the manifest no longer has is removed, too.
        """
        if self.provider == "lxc":
            for name in self._unlisted():
                self._containers.destroy(name)
            self.network.down()
            no_longer = replace(self.network, key="external_network").as_found()
            if external := self.external or no_longer:
                external.down()

    @property
    def _key(self) -> Path:
        return self.manifest.state / "ssh" / "id_ed25519"

    @property
    def _stopping(self) -> Path:
        return self.manifest.state / STOPPING

    @property
    def _containers(self) -> Containers:
        return Containers(self.run)

    def _lxc_state(self, node: Node, there: Set[str], running: Set[str]) -> str:
        """A container exists if Vagrant has recorded that it made it for this manifest."""
        if self.container(node) not in there or not (self._vagrants(node) / "id").exists():
            return ABSENT
        return RUNNING if self.container(node) in running else STOPPED

    def container(self, node: Node) -> str:
        """The name of a node's container."""
        return f"{self.manifest.name}-{node.name}"

    def _unlisted(self) -> Iterator[str]:
        """The containers of this deployment whose nodes are not in the manifest any more."""
        listed = {self.container(node) for node in self.manifest.nodes}
        for name in sorted(self._containers.names() - listed):
            if name.startswith(f"{self.manifest.name}-"):
                if self._containers.owner(name) == self.manifest.root:
                    yield name

    def _vagrants(self, node: Node) -> Path:
        """The directory of what Vagrant knows of a node's container."""
        return self.manifest.root / ".vagrant" / "machines" / node.name / "lxc"

    def _cpusets(self) -> dict[str, list[int]]:
        """Node → the numbers of the CPUs that its container runs on.

        Unlike a limit of CPU time, these are what the container's programs count. The nodes'
        CPUs follow one another, so that all of this machine's are used.
        """
        here = sorted(os.sched_getaffinity(0))
        found: dict[str, list[int]] = {}
        first = 0
        for node in self.manifest.nodes:
            count = min(node.cpus, len(here))
            mine = (here[(first + number) % len(here)] for number in range(count))
            found[node.name] = sorted(mine)
            first += count
        return found

    def _numa(self, node: Node) -> Path:
        return self.manifest.state / "numa" / node.name

    def _make_key(self) -> None:
        """Create the SSH key of this deployment, both files or none."""
        if self._key.exists():
            return
        new = self._key.with_suffix(".new")
        public = keys.create(new)
        write_private(self._key.with_suffix(".pub"), f"{public} stackcook {self.manifest.name}\n")
        new.replace(self._key)

    @cached_property
    def _boxes(self) -> Mapping[str, Box]:
        """Node → its box: the warm one with its packages if that was built."""
        warm = warm_boxes(self.named_packages()) if any_warm() else {}
        built = {node: box for box, nodes in warm.items() if box.path.exists() for node in nodes}
        return {node.name: built.get(node.name, ORDINARY) for node in self.manifest.nodes}

    @property
    def box_renewed(self) -> float:
        """When one of the boxes was last built again (since the epoch); 0.0 if none ever was."""
        found = renewals()  # mostly none: then it need not be known which boxes these are
        boxes = self._boxes.values() if found else ()
        return max((found.get(box.key, 0.0) for box in boxes), default=0.0)

    def _add_box(self, box: Box, on_line: Say) -> None:
        path = box.build(on_line)
        if not box.added():
            on_line("adding the box to Vagrant")
            with self._vagrant(on_line, "box add") as vagrant:
                vagrant.box_add(box.name, str(path), provider="lxc", force=True)

    def _refuse_foreign(self, nodes: Sequence[Node]) -> None:
        there = self._containers.names()
        for name in (self.container(node) for node in nodes):
            if name in there and (owner := self._containers.foreign(name, self.manifest.root)):
                manifest = shlex.quote(f"{owner}/infrastructure.yml")
                destroy = f"run `stackcook -f {manifest} destroy`"
                raise MachineError(
                    f"the container already exists and belongs to {owner}",
                    where=name,
                    remedy=f"{destroy}, or use another `name` in this manifest",
                )

    def _refuse_shared_addresses(self, nodes: Sequence[Node]) -> None:
        """Raise MachineError if the container of a node that is not in the manifest has an address.

        After a node was renamed, the old container would answer at the address of the new one.
        """
        wanted = {str(node.address): node.name for node in nodes}
        for name in self._unlisted():
            if node := wanted.get(address := self._containers.address(name)):
                raise MachineError(
                    f"its address {address} is that of the container {name}, whose node is not in"
                    " the manifest any more",
                    where=node,
                    remedy=f"run `sudo lxc-destroy --force --name {name}`, or use another address",
                )

    def _refuse_unlinked(self, external: LabNetwork) -> None:
        """Raise MachineError for containers that were started before the manifest had the key."""
        states = self.states(self.manifest.nodes)
        names = [
            name
            for name, state in states.items()
            if state == RUNNING
            and self._containers.link(f"{self.manifest.name}-{name}", 1) != external.bridge
        ]
        if names:
            stop = " && ".join(f"sudo lxc-stop {self.manifest.name}-{name}" for name in names)
            interface = self._external_interface
            raise MachineError(
                f"started without {interface}, the interface on the external network",
                where=", ".join(names),
                remedy=f"run `{stop}`, then `stackcook deploy`, which starts it with the interface",
            )

    def _remove(self, nodes: Sequence[Node]) -> None:
        """Delete containers that Vagrant doesn't know: a killed run left them incomplete.

        And what Vagrant knows of those that are gone, or it would use their old box again.
        """
        there = self._containers.names()
        for node in nodes:
            name, known = self.container(node), self._vagrants(node)
            if name in there and not self._containers.foreign(name, self.manifest.root):
                self._containers.destroy(name)
            if known.exists():
                shutil.rmtree(known)

    @cached_property
    def _environment(self) -> dict[str, str]:
        """Vagrant's: which manifest, where its state is, and no gems but its own."""
        foreign = {"GEM_HOME", "GEM_PATH", "RUBYOPT", "RUBYLIB", "BUNDLE_GEMFILE"}
        own = {name: value for name, value in os.environ.items() if name not in foreign}
        return {
            **own,
            "STACKCOOK_COMMAND": shlex.join((sys.executable, "-m", "stackcook")),
            "STACKCOOK_MANIFEST": str(self.manifest.path),
            "VAGRANT_DOTFILE_PATH": str(self.manifest.root / ".vagrant"),
            "VAGRANT_CWD": str(self._directory),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
        }

    def _wait_for_vagrant(self) -> None:
        """Wait until Vagrant has ended, which a killed command may have left running.

        It would go on creating machines, and lets no other Vagrant change them meanwhile.
        """
        if self._lock.exists():
            with self._alone():
                pass

    @contextmanager
    def _alone(self) -> Iterator[IO[str]]:
        """A locked file for Vagrant's stderr.

        The lock belongs to the open file, which Vagrant inherits. So if this process is killed, it
        is locked until Vagrant has ended, too.
        """
        private_directory(self._lock.parent)
        with self._lock.open("a+") as file:
            if not try_lock(file):
                what = "waiting for Vagrant to end, which a command that was killed had started"
                _log.warning("%s: %s", self.manifest.name, what)
                try_lock(file, wait=True)
            file.truncate(0)
            yield file

    @property
    def _lock(self) -> Path:
        return self.manifest.state / "vagrant.lock"

    @property
    def _directory(self) -> Path:
        """Where Vagrant runs: beside the manifest, if users can run `vagrant` there.

        No two deployments may share it. Vagrant's index of all machines knows them by name and
        directory: of two with the same, one "is locked" while the other starts.
        """
        root = self.manifest.root
        return root if (root / "Vagrantfile").exists() else self.manifest.state / "vagrant"

    def _link_vagrantfile(self) -> None:
        """Link stackcook's own Vagrantfile, whose place changes with an upgrade."""
        if self._directory != self.manifest.root:
            link = private_directory(self._directory) / "Vagrantfile"
            link.unlink(missing_ok=True)
            link.symlink_to(HERE / "Vagrantfile")

    @contextmanager
    def _vagrant(self, on_line: Say | None, doing: str) -> Iterator[Any]:
        """python-vagrant; a failure becomes MachineError with the end of Vagrant's output."""
        find_program("vagrant")
        self._link_vagrantfile()
        import vagrant  # its import writes to stderr where there is no Vagrant

        file: AbstractContextManager[IO[str]]
        if doing in ("up", "destroy"):
            file = self._alone()
        else:
            file = tempfile.TemporaryFile("w+")
        with file as stderr:
            make: Any = vagrant.Vagrant  # without annotations
            try:
                yield make(
                    root=str(self._directory),
                    env=self._environment,
                    err_cm=lambda: nullcontext(stderr),
                )
            except subprocess.CalledProcessError as error:
                stderr.seek(0)
                said = stderr.read()
                _log.info("`vagrant %s` failed: %s", doing, said)
                if on_line:
                    for line in said.splitlines():
                        on_line(line)
                raise MachineError(
                    f"`vagrant {doing}` failed ({_cause(said) or f'status {error.returncode}'})",
                    where=self.manifest.name,
                    remedy=f"read all that it said in {self.manifest.state}/logs/stackcook.log",
                ) from error


def choose_provider(named: str | None) -> str:
    """The provider named, else the first that is usable here; raises UsageError if none is."""
    for name, program in PROVIDERS.items():
        if named in (None, name):
            try:
                find_program(program)
            except UsageError:
                continue
            if name != "libvirt" or os.access("/dev/kvm", os.W_OK) or named:
                return name
    raise UsageError(
        f"Vagrant cannot use {named} on this machine"
        if named
        else "Vagrant has no usable provider on this machine",
        remedy="run `stackcook doctor` to see how to install one",
    )


def _mac(interface: str) -> str:
    """A MAC address for an interface, always the same for the same name.

    The kernel's would be random, and udev on the machine replaces a random one a second after the
    start. Who had asked for the address before then waits for up to a minute.
    """
    digest = hashlib.sha256(interface.encode()).digest()[:5]
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest))  # 02: locally administered


def _names(nodes: Sequence[Node]) -> str:
    """The pattern that makes Vagrant select exactly these machines, in parallel."""
    return f"/^({'|'.join(re.escape(node.name) for node in nodes)})$/"


def _state(said: str | None) -> str:
    if said in (None, "not_created"):
        return ABSENT
    return RUNNING if said == "running" else STOPPED


def _host(node: Node, conf: Mapping[str, str]) -> Host:
    try:
        key = Path(conf["IdentityFile"].strip('"'))
        return Host(node.name, conf["HostName"], conf["User"], (key,), int(conf["Port"]))
    except (KeyError, ValueError) as error:
        what = f"cannot read the output of `vagrant ssh-config` ({one_line(str(dict(conf)))})"
        remedy = f"run `vagrant ssh-config {node.name}` to see more"
        raise MachineError(what, where=node.name, remedy=remedy) from error


def _cause(stderr: str) -> str:
    """The last paragraph of Vagrant's output that is about the failure, as one line."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", stderr.strip())]
    about = [part for part in paragraphs if part and not part.startswith(_ADVICE)]
    return about[-1][:300] if about else ""
