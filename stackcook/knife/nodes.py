"""Knife's commands for the sections ``nodes`` and ``clusters``: one entry at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stackcook.bootstrap.providers import WINDOWS, create_words, delete_words
from stackcook.knife.objects import line
from stackcook.manifest.knifeoptions import NUMBER, KnifeOptions
from stackcook.manifest.model import Group, Manifest, Node

_LOGIN = {
    "key": "-i",
    "gateway": "-G",
    "password": "-P",
    "port": "-p",
    "user": "-x",
    "--host-key-verify": "",
}
"""The options that ``knife ssh`` has, too, and how it spells them if not always alike."""


@dataclass(frozen=True)
class Machine:
    """A machine of an entry: its number from 1, its name at the provider, and its node."""

    number: int
    host: str
    node: Node


@dataclass(frozen=True)
class Entry:
    """An entry of the manifest, with those of its machines that are wanted.

    ``common`` are the options of all entries.
    """

    group: Group
    machines: tuple[Machine, ...]
    common: KnifeOptions

    @property
    def options(self) -> KnifeOptions:
        """All options that hold for the entry."""
        return self.group.all_options(self.common)

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
        """The node's name, with ``{{n}}``; empty if knife or its plugin chooses."""
        return self.group.name or self.options.one("name")

    @property
    def nameless(self) -> bool:
        """Whether the machines' names aren't known before they are made."""
        return self.cloud and not self.name and not self.group.hosts

    def command(self, machine: Machine) -> str:
        """The command that creates the machine, or bootstraps a host."""
        number = f"{machine.number:0{self._digits}}"
        return self._with_run_list(self._template(machine.host).replace(NUMBER, number))

    def in_parallel(self) -> str:
        """One command that creates all machines in parallel, with GNU parallel."""
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
        """The commands that delete the machine, then its node and client."""
        if self.cloud and self.group.provider:
            called = machine.host or machine.node.name
            yield line("knife", *delete_words(self.group.provider), called, "-y")
        yield from forget(machine.node)

    @property
    def _parts(self) -> tuple[KnifeOptions, ...]:
        """The entry's own options, its cluster's, the common ones: spiceweasel's order.

        Reversed where one overrides another: knife takes the last of a kind.
        """
        own, cluster = self.group.options, self.group.cluster_options
        parts = (own, cluster, self.common)
        return parts[::-1] if own.over(cluster).overrides(self.common) else parts

    @property
    def _options(self) -> str:
        """The options as written, and the name."""
        options = line(*(part.text for part in self._parts))
        name = self.group.name if self.group.provider != "google" else None
        return line(options, "-N", name) if name else options

    @property
    def _digits(self) -> int:
        return len(str(self.group.count)) + 1 if self.group.count else 1

    def _template(self, host: str) -> str:
        provider = self.group.provider
        if provider in WINDOWS:
            return line("knife bootstrap windows", WINDOWS[provider], host, self._options)
        if not provider:
            return line("knife bootstrap", host, self._options)
        called = host or self.name if provider == "google" else ""
        return line("knife", *create_words(provider), called, self._options)

    def _with_run_list(self, command: str) -> str:
        run_list = ",".join(self.group.run_list)
        return f"{command} -r '{run_list}'" if run_list else command

    def converge(self) -> Iterator[str]:
        """A command for each name to search for; one for all machines that share a pattern."""
        protocol = WINDOWS.get(self.group.provider or "", "ssh")
        login = (
            f"{_LOGIN[option.name] or option.flag} {option.written}"
            for part in self._parts
            for option in part.given
            if option.name in _LOGIN
        )
        words = (f"'{self._sudo}chef-client'", *login)
        for name in self._searched_names():
            yield line("knife", protocol, f"'{self._search(name)}'", *words)

    def _searched_names(self) -> list[str]:
        """Names and patterns; an empty one where only the run list finds the nodes."""
        google = self.group.provider == "google"  # whose names are arguments, not options
        given = self.options.one("name") if google else self.name
        if self.cloud and not given and (self.whole or self.nameless):
            return [""]
        if self.name and self.whole:
            return [self.name.replace(NUMBER, "*")]
        return [machine.node.name for machine in self.machines]

    @property
    def _sudo(self) -> str:
        """``sudo`` where it is asked for or the user isn't root; Windows has none."""
        user = self.options.one("user")
        wanted = user not in ("", "root") or self.options.last("--sudo")
        return "sudo " if wanted and self.group.provider not in WINDOWS else ""

    def _search(self, name: str) -> str:
        environment = self.options.one("environment")
        terms = [f"name:{name}"] if name else []
        terms += [f"chef_environment:{environment}"] if environment else []
        return " AND ".join((*terms, *map(_term, self.group.run_list)))


def _term(item: str) -> str:
    """An entry of a run list as the index holds it; one without a kind is a recipe."""
    kind, bracket, name = item.removesuffix("]").partition("[")
    return f"{kind}:{name}".replace("::", r"\:\:") if bracket else _term(f"recipe[{item}]")


def forget(node: Node) -> Iterator[str]:
    """The commands that delete a node and its client on the Chef server."""
    yield f"knife node delete {node.name} -y"
    yield f"knife client delete {node.name} -y"


def entries(manifest: Manifest, wanted: Collection[str] | None = None) -> Iterator[Entry]:
    """The entries that have a machine among ``wanted`` (all, if that is None)."""
    nodes = iter(manifest.nodes)  # the reader makes them of the groups, in their order
    for group in manifest.groups:
        unnamed = ((number, "") for number in range(1, group.count + 1))
        hosts = unnamed if group.count else group.numbered_hosts
        machines = (Machine(number, host, next(nodes)) for number, host in hosts)
        mine = tuple(m for m in machines if wanted is None or m.node.name in wanted)
        if mine:
            yield Entry(group, mine, manifest.options)
