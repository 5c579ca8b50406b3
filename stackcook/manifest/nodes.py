"""The nodes: the sections ``nodes``, ``clusters`` and ``options``, with ``stackcook: nodes``.

What is nearest to a node counts: ``stackcook: nodes``, its own options, its cluster, the
``node_defaults`` of its roles, then the section ``options``.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from stackcook.addresses import IPAddress
from stackcook.errors import Position
from stackcook.manifest.document import List, Scalar, Value
from stackcook.manifest.fields import LOGIN, FieldReader, Fields, suggest, take
from stackcook.manifest.hostsfile import Hosts
from stackcook.manifest.interfaces import with_interfaces
from stackcook.manifest.inventory import NO_EFFECT, VARIABLES, host_settings, run_lists
from stackcook.manifest.knifeoptions import NUMBER, KnifeOptions, parse, remedy_for
from stackcook.manifest.model import Group, MachineKind, Node, roles_in
from stackcook.manifest.nodesettings import ROLE_KEYS, NodeSettings, warn_without_effect
from stackcook.manifest.runlist import canonical, read_run_list
from stackcook.manifest.settings import Settings
from stackcook.ranges import RangeError, expand, is_range

KEYS = "run_list options name timeout additional_commands allow_create_failure".split()
PROVIDERS = (
    "bluebox clodo cs digital_ocean ec2 gandi google hp joyent kvm linode lxc openstack "
    "rackspace vagrant vcair vsphere"
).split()
WINDOWS = ("windows_ssh", "windows_winrm")
MOST_MACHINES = 10_000
LONGEST_TIMEOUT = 86_400  # seconds: a day
ENVIRONMENT = re.compile(r"[\w-]+", re.ASCII)

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII | re.IGNORECASE)
_NODE_NAME = re.compile(r"\w[\w.:-]*", re.ASCII)
_BAD_LABEL = re.compile(r"\.\.|[^.]{64}")  # looking it up would not even begin
_LITERAL = re.compile(r"\d+\.\d+\.\d+\.\d+|[0-9a-f:.]*:[0-9a-f:.]*", re.ASCII | re.IGNORECASE)

_ROLE_KEYS = [key for key in ROLE_KEYS if key != "interfaces"]  # these are read by themselves
_FILES = ("json_file", "secret_file", "gateway_key")
_NO_EFFECT = {
    "additional_commands": (
        "`deploy` does not run additional_commands",
        "run them yourself; `stackcook plan --format knife` prints them",
    ),
    "allow_create_failure": (
        "allow_create_failure has no effect",
        "remove it: failure_budget says how many nodes may fail",
    ),
}


@dataclass(frozen=True)
class _Kind:
    """What the words of an entry's key are; ``ranged`` are the hosts that come from a range."""

    hosts: tuple[str, ...] = ()
    provider: str | None = None
    count: int = 0
    ranged: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Entry:
    """An entry as it is written; ``keys`` are those that it has."""

    group: Group
    options_at: Position
    keys: Collection[str]
    ranged: frozenset[str]

    def within(self, range_: _Entry, number: int, host: str) -> _Entry:
        """This entry for one host of a range, which gives it what it doesn't say itself."""
        own, base = self.group, range_.group
        group = replace(
            base,
            at=own.at,
            hosts=(host,),
            numbers=(number,),
            run_list=own.run_list if "run_list" in self.keys else base.run_list,
            options=own.options.over(base.options),
            name=own.name or base.name,
            timeout=own.timeout or base.timeout,
            additional_commands=own.additional_commands or base.additional_commands,
        )
        options_at = self.options_at if "options" in self.keys else range_.options_at
        return replace(self, group=group, options_at=options_at)

    def only(self, hosts: tuple[tuple[int, str], ...]) -> _Entry:
        """This entry with some of its hosts, each with its number."""
        numbers, names = tuple(number for number, _ in hosts), tuple(host for _, host in hosts)
        return replace(self, group=replace(self.group, hosts=names, numbers=numbers))


def read_nodes(
    reader: FieldReader, fields: Fields, settings: Settings, inventory: Hosts | None
) -> tuple[tuple[Node, ...], tuple[Group, ...], KnifeOptions, Mapping[str, NodeSettings]]:
    """The nodes, the entries that list them, the section ``options``, and some nodes' settings.

    These are the settings of the nodes in the inventory (None if it cannot be read), with those
    that ``stackcook: nodes`` has for them.
    """
    nodes = _NodeReader(reader, settings, inventory or Hosts())
    nodes.read(fields)
    every = with_interfaces(
        reader,
        nodes.nodes,
        {name: given.interfaces or () for name, given in settings.nodes.items()},
        {role: given.interfaces or () for role, given in settings.node_defaults.items()},
    )
    remedies: dict[Position, str] = {}  # one for all nodes of a range: looking for it takes time
    for name, given in settings.nodes.items():
        if name not in nodes.places and (inventory or not settings.inventory):
            if given.at not in remedies:
                remedy = suggest(name, nodes.places) if nodes.places else "list it under `nodes`"
                remedies[given.at] = remedy
            what = f'stackcook: nodes: unknown node "{name}"'
            reader.error(given.at, what, remedies[given.at])
    if settings.machines is MachineKind.VAGRANT:  # a warning says so
        every = tuple(nodes.nodes)
    return every, tuple(nodes.groups), nodes.common, nodes.given


def _note_broken(reader: FieldReader, at: Position, what: str, found: KnifeOptions) -> None:
    if found.broken:
        reader.error(at, f"{what}: {found.broken}", "quote the options as for a shell")


def _note_options(reader: FieldReader, at: Position, what: str, found: KnifeOptions) -> None:
    """Add findings for options that ``knife bootstrap`` rejects; plugins have their own options."""
    for fault in found.faults:
        reader.error(at, f"{what}: {fault}", "write it as for `knife bootstrap`")
    for flag in found.unknown:
        problem = f"{what}: unknown option {flag} of `knife bootstrap`"
        reader.warning(at, problem, remedy_for(flag))
    for place in found.stray:
        problem = f"{what}: a word {place} belongs to no option, and has no effect"
        reader.warning(at, problem, "begin options with `-`, and quote values with blanks")


class _NodeReader:
    """Reads the entries of ``nodes`` and ``clusters``; keeps what is looked up once for all.

    A name in ``stackcook: nodes`` is a host's even if a provider is called so, too.
    """

    def __init__(self, reader: FieldReader, settings: Settings, inventory: Hosts) -> None:
        self.reader = reader
        self.settings = settings
        self.inventory = inventory
        self.run_lists = run_lists(settings.inventory, inventory)
        self.given: dict[str, NodeSettings] = {}  # of the nodes in the inventory
        self.common = KnifeOptions()  # the section ``options``
        self.common_at: Position | None = None
        self.nodes: list[Node] = []
        self.groups: list[Group] = []
        self.places: dict[str, Position] = {}  # of each name
        self.hosts: set[str] = set()  # in the keys of the entries
        self._folded: dict[str, str] = {}  # each name by itself in lower case
        self._ineffective: dict[str, list[tuple[str, Position]]] = {}
        self._unnamed: Counter[str | None] = Counter()
        self._keys: dict[tuple[str, Position], Path | None] = {}

    def read(self, fields: Fields) -> None:
        """Read ``options``, the entries of ``nodes`` and ``clusters``, then the inventory."""
        if "options" in fields:
            value = fields["options"][1]
            self.common, self.common_at = parse(self.reader.words(value, "options")), value.at
            _note_broken(self.reader, value.at, "options", self.common)
            self._check_files(value.at, "options", self.common)
        if "nodes" in fields:
            self._entries(fields["nodes"][1], "nodes", None)
        if "clusters" in fields:
            self._clusters(fields["clusters"][1])
        for host, (run_list, at) in self.run_lists.items():
            if host not in self.places and host not in self.hosts:
                group = Group(self.inventory.names[host].at, (host,), run_list=run_list)
                self.groups.append(group)
                self._add_nodes(group, at, at)
        self._warn_ineffective()
        if self.common_at and any(node.provider is None for node in self.nodes):
            _note_options(self.reader, self.common_at, "options", self.common)

    def _clusters(self, value: Value) -> None:
        """Environment → list as in ``nodes``."""
        lines: dict[str, int] = {}
        for name, body in self.reader.entries(value, "clusters"):
            what = f"clusters: {name.text}"
            if not ENVIRONMENT.fullmatch(name.text):
                remedy = "use letters, digits, `_` and `-`: a cluster is an environment"
                self.reader.error(name.at, f'clusters: invalid name "{name.text}"', remedy)
            elif name.text in lines:
                twice = f"clusters: duplicate {name.text}, first on line {lines[name.text]}"
                self.reader.warning(name.at, twice, "list its nodes in the first one")
            elif _empty(body):
                self.reader.warning(name.at, f"{what} has no nodes", "list its nodes or remove it")
            lines.setdefault(name.text, name.at.line)
            self._entries(body, what, name.text)

    def _entries(self, value: Value, section: str, cluster: str | None) -> None:
        found = []
        for key, body in self.reader.entries(value, section):
            if kind := self._kind(key, section):
                found.append(self._entry(key, kind, body, f"{section}: {key.text}", cluster))
        for entry in _each_node_once(found):
            for part in self._with_run_lists(entry):
                self.groups.append(part.group)
                self._add_nodes(part.group, part.options_at, part.group.at)

    def _with_run_lists(self, entry: _Entry) -> Iterator[_Entry]:
        """The entry; without a run list, in parts that have those of the inventory.

        Adds a finding for a host that has another run list there.
        """
        group, source = entry.group, self.settings.inventory
        self.hosts.update(group.hosts)
        listed = {
            host: self.run_lists[host][0]
            for host in group.hosts
            if host in self.run_lists and not group.provider
        }
        if listed and not group.run_list:
            for run_list, some in groupby(group.numbered_hosts, lambda h: listed.get(h[1], ())):
                part = entry.only(tuple(some))
                yield replace(part, group=replace(part.group, run_list=run_list))
            return
        for host, run_list in listed.items():
            if [*map(canonical, run_list)] != [*map(canonical, group.run_list)]:
                what = f"node {host} has another run list than its groups in {source}"
                remedy = f"remove its run_list, or write {','.join(run_list)}"
                self.reader.error(group.at, what, remedy)
        yield entry

    def _entry(
        self, key: Scalar, kind: _Kind, body: Value, what: str, cluster: str | None
    ) -> _Entry:
        reader, fields = self.reader, self._body(body, what)
        options_at = fields["options"][1].at if "options" in fields else key.at
        timeout = partial(reader.number, least=1, most=LONGEST_TIMEOUT)
        commands = partial(reader.texts, example="COMMAND")
        run_list = partial(read_run_list, reader)
        take(fields, "allow_create_failure", reader.boolean, what)  # must only be well formed
        group = Group(
            at=key.at,
            hosts=kind.hosts,
            provider=kind.provider,
            count=kind.count,
            run_list=tuple(take(fields, "run_list", run_list, what) or ()),
            options=parse(take(fields, "options", reader.words, what) or ""),
            cluster=cluster,
            name=take(fields, "name", reader.text, what),
            timeout=take(fields, "timeout", timeout, what),
            additional_commands=tuple(
                command.text
                for command in take(fields, "additional_commands", commands, what) or ()
            ),
        )
        self._check(group, options_at, fields, what)
        return _Entry(group, options_at, fields, kind.ranged)

    def _body(self, body: Value, what: str) -> Fields:
        """What is below a key; adds a finding for a run list directly below it."""
        first = body.items[0] if isinstance(body, List) and body.items else body
        if isinstance(first, Scalar) and not first.null and "[" in first.text:
            self.reader.error(
                body.at, f"{what}: the run list has no key", "write `run_list:` before it"
            )
            return {}
        return self.reader.fields(body, what, KEYS)

    def _check(self, group: Group, at: Position, fields: Fields, what: str) -> None:
        """Add findings for keys and options that contradict each other or have no effect."""
        own, where = group.options, f"{what}: options"
        _note_broken(self.reader, at, where, own)
        self._check_files(at, where, own)
        environment = own.one("environment")
        if group.cluster and environment not in ("", group.cluster):
            problem = f"-E {environment} contradicts the cluster {group.cluster}"
            self.reader.error(
                at, f"{where}: {problem}", "remove -E: the cluster's name is the environment"
            )
        if not group.provider:
            _note_options(self.reader, at, where, own)
        for key, (problem, remedy) in _NO_EFFECT.items():
            if key in fields:
                self.reader.warning(fields[key][0].at, f"{what}: {problem}", remedy)

    def _check_files(self, at: Position, what: str, options: KnifeOptions) -> None:
        """Add findings for files that a bootstrap reads and that aren't there."""
        found = filter(None, map(options.last, _FILES))
        files = [(option.flag, option.value) for option in found]
        files += [("--hint", hint.partition("=")[2]) for hint in options.every("hint")]
        for flag, text in files:
            if text and NUMBER not in text:
                file = Scalar(text, *at)
                self.reader.file(file, f"{what}: {flag}", needed_by=LOGIN, private=True)

    def _kind(self, key: Scalar, section: str) -> _Kind | None:
        """What one key lists; ``None`` after adding a finding if it is wrong."""
        first, *rest = words = key.text.split()
        if len(words) == 1 and first in self.settings.nodes:
            return _Kind((first,))
        if first in PROVIDERS:
            return self._cloud(key, section, first, rest)
        if first in WINDOWS:
            if not rest:
                remedy = f"write `- {first} HOST:`"
                self.reader.error(key.at, f"{section}: {first} has no hosts", remedy)
            return self._hosts(key, section, rest, first) if rest else None
        if first.startswith("windows_") or first == "windows" and rest:
            meant = first if "_" in first else f"windows_{rest[0]}"
            what = f'{section}: unknown provider "{first}"'
            self.reader.error(key.at, what, suggest(meant, WINDOWS))
            return None
        if len(rest) == 1 and rest[0].isdigit():
            what = f'{section}: unknown provider "{first}" for {rest[0]} machines'
            self.reader.error(key.at, what, suggest(first, PROVIDERS, most=len(PROVIDERS)))
            return None
        return self._hosts(key, section, words)

    def _hosts(
        self, key: Scalar, section: str, words: list[str], provider: str | None = None
    ) -> _Kind | None:
        """Listed hosts, and those of ranges; None after adding a finding for a wrong range."""
        hosts: list[str] = []
        ranged: set[str] = set()
        for word in words:
            try:
                names = expand(word)
            except RangeError as error:
                self.reader.error(key.at, f"{section}: {error}", error.remedy)
                return None
            hosts += names
            if is_range(word):
                ranged.update(names)
        return _Kind(tuple(hosts), provider, ranged=frozenset(ranged))

    def _cloud(self, key: Scalar, section: str, provider: str, words: list[str]) -> _Kind | None:
        """A provider, and how many machines it is to make (by default one), or their names."""
        google = provider == "google"
        if google and words and not words[0].isdigit():
            return self._hosts(key, section, words, provider)
        number = words[0] if words else "" if google else "1"
        good = number.isascii() and number.isdigit() and len(number) < 9
        if len(words) < 2 and good and 1 <= int(number) <= MOST_MACHINES:
            return _Kind((), provider, int(number))
        remedy = f"write `- {provider} 3:`, with a number from 1 to {MOST_MACHINES}"
        if google:
            remedy += ", or the machines' names"
        what = f'{section}: "{key.text}" is not a provider with a number of machines'
        self.reader.error(key.at, what, remedy)
        return None

    def _add_nodes(self, group: Group, options_at: Position, at: Position) -> None:
        """Add the nodes of one entry; ``at`` is where their run list is."""
        options = group.all_options(self.common)
        self._check_policy(group, options_at, options)
        name = group.name or options.one("name")
        before = self._unnamed[group.provider]
        if not name:
            self._unnamed[group.provider] += group.count
        for called, host, number in machine_names(group, name, before):
            first = self._folded.setdefault(called.lower(), called)
            if first not in self.places:
                self.places[called] = group.at
                self._check_name(group, called, host)
                node = self._node(group, options_at, called, host, options.numbered(number))
                self.nodes.append(replace(node, at=at))
                continue
            place = self.places[first]
            line = f"line {place.line}"
            if place.path != group.at.path:
                line += f" of {self.reader.path.name}"
            what = f"duplicate node {called}, first on {line}"
            if called != first:
                what = f"node {called} differs only in case from {first} on {line}"
            if name and NUMBER not in name:  # so are all the others of this entry
                remedy = f"add {NUMBER}, which stands for the machine's number, to the name"
                self.reader.error(group.at, what, remedy)
                return
            self.reader.error(group.at, what, "give each node its own name")

    def _check_policy(self, entry: Group, at: Position, options: KnifeOptions) -> None:
        """Add findings for an incomplete policy, and for one with a run list or environment."""
        name, group = options.one("policy_name"), options.one("policy_group")
        if bool(name) != bool(group):
            given, other = ("name", "group") if name else ("group", "name")
            remedy = f"add --policy-{other} to the options"
            self.reader.error(at, f"--policy-{given} without --policy-{other}", remedy)
        if name and (entry.run_list or options.one("environment")):
            what = "a node with a policy cannot have a run list or an environment"
            self.reader.error(at, what, "remove them, or the policy")

    def _check_name(self, group: Group, name: str, host: str) -> None:
        if name.lower().partition(".")[0] == "localhost":
            what = f'a node cannot be called "{name}": on every machine, that is the machine itself'
            remedy = "use another name, for example with -N NAME in its options"
            self.reader.error(group.at, what, remedy)
        vagrant = not group.provider and self.settings.machines is MachineKind.VAGRANT
        if vagrant:
            if not _HOSTNAME.fullmatch(name):
                remedy = "use letters, digits and `-`, at most 63 between dots"
                self.reader.error(group.at, f'"{name}" is not a valid host name', remedy)
            return
        for word in dict.fromkeys((name, host or name)):
            if not _NODE_NAME.fullmatch(word):
                remedy = (
                    "use letters, digits, `_`, `-`, `.` and `:`, and begin with a letter, "
                    "digit or `_`"
                )
                if "@" in word:
                    remedy = "remove the user, and add `-x USER` to its options"
                what = f'"{word}" is not a valid node or host name'
                self.reader.error(group.at, what, remedy)
        if _BAD_LABEL.search(host):
            remedy = "use 1 to 63 characters between dots"
            self.reader.error(group.at, f'"{host}" is not a valid host name', remedy)

    def _node(
        self, group: Group, options_at: Position, name: str, host: str, options: KnifeOptions
    ) -> Node:
        own = self.settings.nodes.get(name) or NodeSettings(group.at)
        if place := self.inventory.names.get(host):
            self.given[name] = own = own.over(self._listed(group, name, place))
        given = own.over(self._defaults(group, name, own))
        provider, address = group.provider, given.address
        if isinstance(address, str):
            host, address = address, None
        address = address or _literal(host)
        user, key, port = given.user or options.one("user") or None, given.key, given.port
        port = port or options.port
        if provider:
            key = key or self._path(options.one("key"))
        elif self.settings.machines is MachineKind.SSH:
            key = key or self._key(group, options_at)
        else:
            user = key = port = None  # Vagrant's machines bring theirs
        node = Node(
            name=name,
            at=group.at,
            run_list=tuple(map(canonical, group.run_list)),
            environment=options.one("environment") or Node.environment,
            environment_at=(
                options_at if group.cluster or group.options.one("environment") else self.common_at
            ),
            address=address,
            memory=given.memory or Node.memory,
            cpus=given.cpus or Node.cpus,
            user=user,
            key=key,
            port=port,
            host_key=given.host_key or "",
            host=host,
            ssh_address=given.ssh_address,
            options=options,
            provider=provider,
            policy_name=options.one("policy_name") or None,
            policy_group=options.one("policy_group") or None,
            timeout=group.timeout,
        )
        if not provider and self.settings.machines is MachineKind.VAGRANT:
            self._check_vagrant(node, own)
        return node

    def _listed(self, group: Group, name: str, place: Scalar) -> NodeSettings:
        """What the inventory gives a node; its entry's own options are nearer."""
        variables = self.inventory.variables[place.text]
        for variable in NO_EFFECT.keys() & variables.keys():
            if variables[variable].text not in ("ssh", "smart", "paramiko"):
                self._ineffective.setdefault(variable, []).append((name, variables[variable].at))
        found = host_settings(self.reader, place, variables)
        return replace(found, **{key: None for key in VARIABLES if group.options.one(key)})

    def _warn_ineffective(self) -> None:
        """Add a warning for each variable of the inventory that would do something for Ansible."""
        for variable, ((name, at), *others) in sorted(self._ineffective.items()):
            nodes = f"{name} and {len(others)} more" if others else name
            what = f"node {nodes}: {variable} has no effect"
            self.reader.warning(at, what, NO_EFFECT[variable])

    def _defaults(self, group: Group, name: str, own: NodeSettings) -> NodeSettings:
        """What the node's roles give it, the first one first; its entry's own options are nearer.

        Adds a finding if two roles give the node different values.
        """
        found = nothing = NodeSettings(group.at)
        givers: dict[str, str] = {}  # of each key the role that gives it
        for role in roles_in(group.run_list) if self.settings.node_defaults else ():
            default = self.settings.node_defaults.get(role, nothing)
            for key in _ROLE_KEYS:
                value = getattr(default, key)
                if value is None or getattr(own, key) is not None or group.options.one(key):
                    continue
                giver = givers.setdefault(key, role)
                if giver == role:
                    found = replace(found, **{key: value})
                elif getattr(found, key) != value:
                    what = f"role[{giver}] and role[{role}] give node {name} different values"
                    self.reader.error(
                        default.places[key],
                        f"stackcook: node_defaults: {key}: {what}",
                        f"set `{key}` in `stackcook: nodes: {name}`",
                    )
        return found

    def _check_vagrant(self, node: Node, given: NodeSettings) -> None:
        at = given.places.get("address")
        if isinstance(given.address, (IPv6Address, str)):
            kind = "host name" if isinstance(given.address, str) else "IPv6 address"
            what = f"node {node.name}: Vagrant's machines cannot have the {kind} {given.address}"
            self.reader.error(at or given.at, what, "use an IPv4 address of the network")
        elif node.address is None and not at:
            remedy = f"set `address` in `stackcook: nodes: {node.name}`"
            self.reader.error(given.at, f"node {node.name} has no address", remedy)
        warn_without_effect(self.reader, given, f"stackcook: nodes: {node.name}", hosts=False)

    def _key(self, group: Group, at: Position) -> Path | None:
        """The SSH key of the options; each file is checked only once."""
        text, what = group.options.one("key"), f"node {group.hosts[0]}: "
        if not text and self.common_at:
            text, at, what = self.common.one("key"), self.common_at, "options: "
        place = (text, at)
        if place not in self._keys:
            file = partial(self.reader.file, needed_by=LOGIN, private=True)
            self._keys[place] = file(Scalar(text, *at), f"{what}key") if text else None
        return self._keys[place]

    def _path(self, text: str) -> Path | None:
        """A file that only knife reads."""
        return self.reader.path.parent / os.path.expanduser(text) if text else None


def _each_node_once(entries: Sequence[_Entry]) -> Iterator[_Entry]:
    """The entries; a host of a range that also has an entry of its own is only in that one."""
    own = {
        (entry.group.provider, host)
        for entry in entries
        for host in entry.group.hosts
        if host not in entry.ranged
    }
    again = {
        (entry.group.provider, host): (entry, number)
        for entry in entries[::-1]
        for number, host in entry.group.numbered_hosts
        if host in entry.ranged and (entry.group.provider, host) in own
    }
    for entry in entries:
        provider = entry.group.provider
        hosts = entry.group.numbered_hosts
        if not any((provider, host) in again for _, host in hosts):
            yield entry
            continue
        rest = tuple(each for each in hosts if (provider, each[1]) not in again)
        if rest:
            yield entry.only(rest)
        for _, host in hosts:
            if host not in entry.ranged and (found := again.get((provider, host))):
                yield entry.within(*found, host)


def _empty(value: Value) -> bool:
    return isinstance(value, Scalar) and value.null or isinstance(value, List) and not value.items


def machine_names(group: Group, name: str, before: int) -> Iterator[tuple[str, str, str]]:
    """Name, host and number of each machine of an entry, as spiceweasel numbers them.

    A cloud's numbers have one digit more than their count, those of listed hosts have no zeros.
    ``before`` is how many machines without a name the entries before have of that cloud.
    """
    if group.count:
        digits = len(str(group.count)) + 1
        for number in range(1, group.count + 1):
            shown = f"{number:0{digits}}"
            unnamed = f"{group.provider}-{before + number:0{digits}}"
            yield name.replace(NUMBER, shown) if name else unnamed, "", shown
    else:
        for place, host in group.numbered_hosts:
            shown = str(place)
            host = host.replace(NUMBER, shown)
            yield name.replace(NUMBER, shown) if name else host, host, shown


def _literal(host: str) -> IPAddress | None:
    """The address of a node that is listed by its address."""
    if not _LITERAL.fullmatch(host):
        return None
    try:
        return ip_address(host)
    except ValueError:
        return None
