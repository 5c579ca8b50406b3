"""Knife's commands for the sections ``nodes`` and ``clusters``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stackcook.bootstrap.providers import WINDOWS, create_words, delete_words
from stackcook.knife.options import value
from stackcook.knife.parts import line
from stackcook.manifest.model import Group, Manifest, Node

NUMBER = "{{n}}"


@dataclass(frozen=True)
class Machine:
    """One machine of an entry: its number from 1, what its provider calls it, and its node."""

    number: int
    host: str
    node: Node


@dataclass(frozen=True)
class Entry:
    """An entry of the manifest, with those of its machines that are wanted.

    ``options`` are all that hold for it, ``run_list`` is as knife takes it.
    """

    group: Group
    machines: tuple[Machine, ...]
    options: str
    run_list: str

    @property
    def cloud(self) -> bool:
        """Whether a provider makes the machines."""
        return self.group.provider is not None and self.group.provider not in WINDOWS

    @property
    def whole(self) -> bool:
        """Whether all machines of the entry are wanted."""
        return len(self.machines) == (self.group.count or len(self.group.hosts))

    @property
    def name(self) -> str:
        """The node's name as written, with ``{{n}}``; empty if knife or its plugin chooses."""
        return value(self.options, "-N") or self.group.name or ""

    @property
    def nameless(self) -> bool:
        """Whether nobody knows yet what the machines will be called."""
        return self.cloud and not self.name and not self.group.hosts

    def command(self, machine: Machine) -> str:
        """What makes the machine, or brings a host under Chef."""
        return self._with_run_list(self._numbered(self._template(machine.host), machine.number))

    def in_parallel(self) -> str:
        """One command that makes all machines at once, by GNU parallel."""
        template = self._template("")
        if not self.whole:
            numbers = (f"{machine.number:0{self._digits}}" for machine in self.machines)
            source = line("printf '%s\\n'", *numbers)
        elif NUMBER in template:
            source = f"seq -f %0{self._digits}g {self.group.count}"
        else:
            source = f"seq {self.group.count}"
        command = self._with_run_list(template.replace(NUMBER, "{}"))
        return f"{source} | parallel -u -j 0 -v -- {command}"

    def deletion(self, machine: Machine) -> Iterator[str]:
        """What takes the machine away, then its node and client."""
        if self.cloud and self.group.provider:
            called = machine.host or machine.node.name
            yield line("knife", *delete_words(self.group.provider), called, "-y")
        yield from forget(machine.node)

    @property
    def _digits(self) -> int:
        return len(str(self.group.count)) + 1 if self.group.count else 1

    def _template(self, host: str) -> str:
        provider = self.group.provider
        if provider in WINDOWS:
            return line("knife bootstrap windows", WINDOWS[provider], host, self.options)
        if not provider:
            return line("knife bootstrap", host, self.options)
        called = host or self.name if provider == "google" else ""
        return line("knife", *create_words(provider), called, self.options)

    def _numbered(self, template: str, number: int) -> str:
        return template.replace(NUMBER, f"{number:0{self._digits}}")

    def _with_run_list(self, command: str) -> str:
        return f"{command} -r '{self.run_list}'" if self.run_list else command


def forget(node: Node) -> Iterator[str]:
    """What takes a node and its client off the Chef server."""
    yield f"knife node delete {node.name} -y"
    yield f"knife client delete {node.name} -y"


def entries(manifest: Manifest, wanted: Collection[str] | None = None) -> Iterator[Entry]:
    """The entries that have a machine among ``wanted`` (all, if that is None)."""
    nodes = iter(manifest.nodes)  # the reader makes them of the groups, in their order
    for group in manifest.groups:
        hosts = group.hosts if not group.count else [""] * group.count
        machines = (Machine(number, host, next(nodes)) for number, host in enumerate(hosts, 1))
        mine = tuple(m for m in machines if wanted is None or m.node.name in wanted)
        if mine:
            yield Entry(group, mine, _options(manifest, group), ",".join(group.run_list))


def _options(manifest: Manifest, group: Group) -> str:
    """The entry's own, its cluster's environment, its name, then the common ones."""
    environment = f"-E {group.cluster}" if group.cluster else ""
    options = line(group.options, environment, manifest.options)
    if group.name and group.provider != "google" and not value(options, "-N"):
        options = line(options, "-N", group.name)
    return options
