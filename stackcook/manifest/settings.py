"""The section ``stackcook``: machines, network, stages, Chef server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from stackcook.errors import Position
from stackcook.manifest import sections
from stackcook.manifest.budgets import failure_budget
from stackcook.manifest.document import List, Scalar, Value
from stackcook.manifest.model import (
    BootstrapKind,
    ChefServer,
    FailureBudget,
    MachineKind,
    Policy,
    Stage,
)
from stackcook.manifest.shapes import Fields, Shapes, suggest

PROVIDERS = ("lxc", "libvirt", "virtualbox")
LEAST_MEMORY = 512  # MiB; what a machine that only runs the Chef client needs

KEYS = (
    "name machines provider network nodes stages failure_budget bootstrap chef_server "
    "server_address passwords policy"
).split()
SEAT_KEYS = "address memory cpus user key port".split()
NAME = re.compile(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?")  # `br-NAME` is an interface: 15 bytes
POLICY_GROUP = re.compile(r"[\w.:-]{1,255}", re.ASCII)
_ROLE = re.compile(r"role\[(.*)\]")

T = TypeVar("T")


@dataclass(frozen=True)
class Seat:
    """What ``stackcook: nodes`` says of one node; ``None`` where it says nothing."""

    at: Position
    address: IPv4Address | None = None
    address_at: Position | None = None
    memory: int | None = None
    cpus: int | None = None
    user: str | None = None
    key: Path | None = None
    port: int | None = None


@dataclass(frozen=True)
class Settings:
    """The section ``stackcook``; ``at`` is its place, ``None`` where there is no such section.

    Without it the manifest is spiceweasel's, whose hosts are there already. ``passwords`` is None
    where nothing is said of them.
    """

    at: Position | None = None
    name: str = "stackcook"
    machines: MachineKind = MachineKind.SSH
    provider: str | None = None
    network: IPv4Network | None = None
    network_at: Position | None = None
    seats: Mapping[str, Seat] = field(default_factory=dict)
    stages: tuple[tuple[Scalar, ...], ...] = ()
    bootstrap: BootstrapKind = BootstrapKind.NATIVE
    failure_budget: tuple[FailureBudget, ...] = ()
    chef_server: ChefServer | None = None
    server_address: IPv4Address | None = None
    server_at: Position | None = None
    passwords: Mapping[str, tuple[str, ...]] | None = None
    policy: Policy | None = None


def read_settings(shapes: Shapes, section: Scalar, value: Value) -> Settings:
    """Read the section; what is wrong in it is noted and has its default."""
    fields = shapes.fields(value, "stackcook", KEYS)
    kinds = [kind.value for kind in MachineKind]
    bootstraps = [kind.value for kind in BootstrapKind]
    settings = Settings(
        at=section.at,
        name=_take(fields, "name", partial(_name, shapes)) or "stackcook",
        machines=MachineKind(
            _take(fields, "machines", partial(_choice, shapes, kinds)) or "vagrant"
        ),
        provider=_take(fields, "provider", partial(_choice, shapes, PROVIDERS)),
        network=_take(fields, "network", partial(_network, shapes)),
        network_at=_place(fields, "network"),
        seats=dict(_seats(shapes, fields)),
        stages=tuple(_stages(shapes, fields)),
        bootstrap=BootstrapKind(
            _take(fields, "bootstrap", partial(_choice, shapes, bootstraps)) or "native"
        ),
        failure_budget=_take(fields, "failure_budget", partial(failure_budget, shapes)) or (),
        chef_server=_take(fields, "chef_server", partial(_chef_server, shapes)),
        server_address=_take(fields, "server_address", partial(_address, shapes)),
        server_at=_place(fields, "server_address"),
        policy=_take(fields, "policy", partial(_policy, shapes)),
    )
    if "passwords" in fields:
        return replace(settings, passwords=sections.passwords(shapes, fields["passwords"][1]))
    return settings


def stage(roles: tuple[Scalar, ...]) -> Stage:
    """A stage, named for its roles."""
    names = tuple(role.text for role in roles)
    return Stage("+".join(names), names)


def _take(
    fields: Fields, key: str, take: Callable[[Value, str], T | None], what: str = "stackcook"
) -> T | None:
    """What ``take`` makes of a key's value; ``None`` where the key isn't there."""
    return take(fields[key][1], f"{what}: {key}") if key in fields else None


def _place(fields: Fields, key: str) -> Position | None:
    return fields[key][1].at if key in fields else None


def _name(shapes: Shapes, value: Value, what: str) -> str | None:
    name = shapes.text(value, what)
    if name and not NAME.fullmatch(name):
        remedy = "use at most 12 of a-z, 0-9 and `-`, the first a letter"
        shapes.error(value.at, f'{what} is "{name}"', remedy)
    return name


def _choice(shapes: Shapes, known: Collection[str], value: Value, what: str) -> str | None:
    text = shapes.text(value, what)
    if text is None or text in known:
        return text
    shapes.error(value.at, f'{what} is "{text}"', suggest(text, known))
    return None


def _address(shapes: Shapes, value: Value, what: str) -> IPv4Address | None:
    text = shapes.text(value, what)
    if text is None:
        return None
    try:
        return IPv4Address(text)
    except ValueError:
        shapes.error(value.at, f'{what} is "{text}"', "write an IPv4 address as 10.0.112.10")
        return None


def _network(shapes: Shapes, value: Value, what: str) -> IPv4Network | None:
    text = shapes.text(value, what)
    if text is None:
        return None
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        shapes.error(value.at, f'{what} is "{text}"', "write an IPv4 network as 10.0.112.0/24")
        return None
    if "/" not in text or IPv4Address(text.split("/")[0]) != network.network_address:
        remedy = "write its length" if "/" not in text else f"write {network}"
        shapes.error(value.at, f"{what}: {text} is an address in a network", remedy)
    return network


def _seats(shapes: Shapes, fields: Fields) -> Iterator[tuple[str, Seat]]:
    if "nodes" not in fields:
        return
    address = partial(_address, shapes)
    memory = partial(shapes.memory, least=LEAST_MEMORY)
    cpus = partial(shapes.number, least=1, most=1024)
    port = partial(shapes.number, least=1, most=65535)
    for name, body in shapes.mapping(fields["nodes"][1], "stackcook: nodes"):
        what = f"stackcook: nodes: {name.text}"
        keys = shapes.fields(body, what, SEAT_KEYS)
        yield name.text, Seat(
            at=name.at,
            address=_take(keys, "address", address, what),
            address_at=_place(keys, "address"),
            memory=_take(keys, "memory", memory, what),
            cpus=_take(keys, "cpus", cpus, what),
            user=_take(keys, "user", shapes.text, what),
            key=_take(keys, "key", shapes.file, what),
            port=_take(keys, "port", port, what),
        )


def _stages(shapes: Shapes, fields: Fields) -> Iterator[tuple[Scalar, ...]]:
    """Each stage's roles; ``role[NAME]`` is NAME, a role that an earlier stage has is noted."""
    if "stages" not in fields:
        return
    value = fields["stages"][1]
    lines: dict[str, int] = {}
    for entry in value.items if isinstance(value, List) else (value,):
        roles = []
        for role in shapes.texts(entry, "stackcook: stages"):
            match = _ROLE.fullmatch(role.text)
            name = match[1] if match else role.text
            if name in lines:
                what = f"stackcook: stages: {name} is there twice, first in line {lines[name]}"
                shapes.error(role.at, what, "keep one")
            else:
                lines[name] = role.at.line
                roles.append(role._replace(text=name))
        if roles:
            yield tuple(roles)


def _chef_server(shapes: Shapes, value: Value, what: str) -> ChefServer | None:
    fields = shapes.fields(value, what, ("url", "user", "key", "ca_file"))
    missing = [key for key in ("url", "user", "key") if key not in fields]
    if missing:
        remedy = "give its url, the user's name there and that user's key"
        shapes.error(value.at, f"{what} has no {' and no '.join(missing)}", remedy)
    url = _take(fields, "url", partial(_url, shapes), what)
    user = _take(fields, "user", shapes.text, what)
    key = _take(fields, "key", shapes.file, what)
    authorities = _take(fields, "ca_file", shapes.file, what)
    return ChefServer(url, user, key, authorities) if url and user and key else None


def _policy(shapes: Shapes, value: Value, what: str) -> Policy | None:
    fields = shapes.fields(value, what, ("lock", "group"))
    for key, remedy in (("lock", "`lock: Policyfile.lock.json`"), ("group", "`group: lab`")):
        if key not in fields:
            shapes.error(value.at, f"{what} has no {key}", f"write {remedy}")
    lock = _take(fields, "lock", shapes.file, what)
    group = _take(fields, "group", shapes.text, what)
    if group and not POLICY_GROUP.fullmatch(group):
        remedy = "use letters, digits, `_`, `-`, `.` and `:`"
        shapes.error(fields["group"][1].at, f'{what}: group is "{group}"', remedy)
    return Policy(lock, group, value.at) if lock and group and os.path.isfile(lock) else None


def _url(shapes: Shapes, value: Value, what: str) -> str | None:
    text = shapes.text(value, what)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, half a pair of brackets
        good = False
    if good and not re.search(r"\s", text):
        return text.rstrip("/")
    remedy = "write it as https://chef.example.com/organizations/ORGANISATION"
    shapes.error(value.at, f'{what} is "{text}"', remedy)
    return None
