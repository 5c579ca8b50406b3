"""Ephemeral clouds: any number from one manifest, each with a name and networks of its own.

    NAME/ephemeral.json       what it is; written first, it reserves the name and the networks
    NAME/infrastructure.yml   the manifest with this name and these networks
    NAME/.stackcook           its state, and so on: as for every other manifest
    NAME/*                    links to the files beside the original manifest: the Chef repository

A cloud is destroyed when it has expired; so a job that was killed leaves nothing for good. Who
destroys it locks ``ephemeral.json``: unlike the lock in ``.stackcook``, it is there to the end.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from stackcook.cache import data, packages
from stackcook.command import Runner
from stackcook.command import run as run_command
from stackcook.errors import UsageError
from stackcook.files import (
    DAMAGE,
    lock,
    private_directory,
    replacing,
    state_directory,
    try_lock,
    write_private,
)
from stackcook.machines.layers import Layers
from stackcook.machines.network import LabNetwork
from stackcook.manifest.document import as_yaml
from stackcook.manifest.model import Manifest
from stackcook.manifest.move import moved, refuse_unmovable
from stackcook.manifest.settings import NAME
from stackcook.nearest import nearest
from stackcook.run.lock import is_deployed

POOL = IPv4Network("10.64.0.0/13")
"""Where networks are taken from, unless the user says otherwise."""

TTL = 8 * 3600.0
"""Seconds that a cloud is kept, unless the user says otherwise."""

CONTENTS = "ephemeral.json"
MANIFEST = "infrastructure.yml"

_OWN = {".stackcook", ".vagrant", ".git", ".gitignore", "clouds.yaml", "Vagrantfile", CONTENTS}
"""What belongs to the deployment of the original manifest, not to the Chef repository."""


@dataclass(frozen=True)
class Ephemeral:
    """An ephemeral cloud in ``directory``; ``created`` and ``ttl`` are in seconds.

    ``source`` is the original manifest, ``networks`` are the management network and the external
    one, if there is one. If ``ephemeral.json`` cannot be read, ``damage`` says why; only that and
    the directory are known then, and the cloud does not expire.
    """

    directory: Path
    source: Path
    created: float
    ttl: float
    networks: tuple[IPv4Network, ...]
    damage: str = ""

    @property
    def name(self) -> str:
        """The cloud's name, also in clouds.yaml."""
        return self.directory.name

    @property
    def manifest(self) -> Path:
        """Its manifest."""
        return self.directory / MANIFEST

    @property
    def contents(self) -> Path:
        """The file that says what it is."""
        return self.directory / CONTENTS

    @property
    def state(self) -> Path:
        """The directory of its state, as :attr:`Manifest.state`."""
        return state_directory(self.manifest)

    @property
    def expires(self) -> float:
        """When it may be destroyed, in seconds since the epoch."""
        return self.created + self.ttl


def default_directory() -> Path:
    """``~/.local/share/stackcook/clouds``, or below ``XDG_DATA_HOME``."""
    return data() / "clouds"


def every(directory: Path) -> tuple[Ephemeral, ...]:
    """All ephemeral clouds, the oldest first."""
    read = (_read(path) for path in directory.glob(f"*/{CONTENTS}"))
    found = (cloud for cloud in read if not cloud.damage or cloud.contents.exists())
    return tuple(sorted(found, key=lambda cloud: cloud.created))


def find(directory: Path, name: str) -> Ephemeral:
    """The cloud of that name; raises UsageError that names a similar one."""
    clouds = {cloud.name: cloud for cloud in every(directory)}
    if name not in clouds:
        near = nearest(name, clouds)
        remedy = f"did you mean {near}?" if near else "run `stackcook ps` to see all clouds"
        raise UsageError(f"there is no ephemeral cloud {name}", remedy=remedy)
    return clouds[name]


def of(manifest: Path) -> Ephemeral | None:
    """The ephemeral cloud whose manifest this is, also if it has just been destroyed.

    None for every other manifest, such as that of a copy elsewhere, which is the user's.
    """
    path = manifest.absolute()
    if path.name != MANIFEST or path.parent.parent.resolve() != default_directory().resolve():
        return None
    contents = path.with_name(CONTENTS)
    return _read(contents) if contents.exists() or not path.exists() else None


def create(
    manifest: Manifest,
    directory: Path,
    ttl: float,
    now: float,
    *,
    name: str = "",
    pool: IPv4Network = POOL,
    begin: int | None = None,
    run: Runner = run_command,
) -> Ephemeral:
    """Reserve a name and networks, and write the directory of a new cloud of ``manifest``.

    The search for networks begins ``begin`` addresses into the pool, by default at a random place:
    other users' reservations are not known, so it is improbable that two choose the same network.
    Raises UsageError if the manifest's cloud can't be moved to other networks, if the name is in
    use or if the pool has no free network, and MachineError if this machine's routes can't be read.
    """
    refuse_unmovable(manifest)
    if name and not NAME.fullmatch(name):
        remedy = "use at most 12 of the characters a-z, 0-9 and `-`, and begin with a letter"
        raise UsageError(f"{name!r} cannot be the name of a cloud", where="--name", remedy=remedy)
    old = [net for net in (manifest.network, manifest.external_network) if net]
    private_directory(directory)
    with lock(directory / "lock"):
        others = every(directory)
        taken = {network for cloud in others for network in cloud.networks}
        taken |= LabNetwork("stackcook", pool, directory, run).others()
        begin = secrets.randbelow(pool.num_addresses) if begin is None else begin
        new = free_networks(pool, taken, [network.prefixlen for network in old], begin)
        name = name or _new_name(manifest.name, {path.name for path in directory.iterdir()})
        cloud = Ephemeral(directory / name, manifest.path.absolute(), now, ttl, new)
        if cloud.directory.exists() and not _is_left_over(cloud.directory):
            raise UsageError("there is such a cloud already", where=name, remedy="use another name")
        _write(cloud)
    try:
        for path in manifest.root.absolute().iterdir():
            if path.name not in {*_OWN, manifest.path.name}:
                (cloud.directory / path.name).symlink_to(path)
        text = as_yaml(manifest.path, manifest.path.read_bytes())
        text = moved(text, manifest, name, new)
        with replacing(cloud.manifest) as file:
            written = f"# Written by `stackcook up --ephemeral`, from {cloud.source}\n{text}"
            file.write(written.encode())
    except BaseException:
        remove(cloud)
        raise
    return cloud


@contextmanager
def removed_unless_deployed(cloud: Ephemeral | None) -> Iterator[None]:
    """After an error within the block, delete the new cloud's directory if no deploy has begun."""
    try:
        yield
    except BaseException:
        if cloud and not is_deployed(cloud.state):
            remove(cloud)
        raise


@contextmanager
def held(cloud: Ephemeral) -> Iterator[bool]:
    """Let nobody else destroy the cloud meanwhile; false if somebody has destroyed it already.

    Waits for a command that is just destroying it.
    """
    try:
        file = cloud.contents.open("r+")
    except FileNotFoundError:
        yield False
        return
    with file:
        try_lock(file, wait=True)
        yield os.fstat(file.fileno()).st_nlink > 0


def remove(cloud: Ephemeral) -> None:
    """Delete the directory of a cloud that has no machines, if it is still there."""
    with held(cloud) as there:
        if there:
            delete(cloud)


def delete(cloud: Ephemeral, nodes: Iterable[str] = ()) -> None:
    """Delete the directory of a destroyed cloud, and the packages that its machines had cached.

    Call it while the cloud is ``held``. ``ephemeral.json`` goes last: whatever interrupts this, the
    cloud is still listed.
    """
    Layers().delete(
        *(path for node in nodes if (path := packages() / f"{cloud.name}-{node}").exists())
    )
    for path in cloud.directory.iterdir():
        if path.name == CONTENTS:
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(cloud.directory)


def free_networks(
    pool: IPv4Network, taken: Iterable[IPv4Network], lengths: Iterable[int], begin: int
) -> tuple[IPv4Network, ...]:
    """Networks of the pool with these prefix lengths, which overlap none of ``taken``. Pure.

    They are the first ones from ``begin``, a number of addresses into the pool; after its last
    network comes its first. Raises UsageError if there are not enough.
    """
    used, found = [*taken], []
    for length in lengths:
        try:
            candidates = _subnets(pool, length, begin)
            new = next(each for each in candidates if not any(map(each.overlaps, used)))
        except StopIteration:
            remedy = "use another --pool, or run `stackcook ps` to see which clouds are there"
            raise UsageError(f"no /{length} is free", where=str(pool), remedy=remedy) from None
        used.append(new)
        found.append(new)
    return tuple(found)


def _subnets(pool: IPv4Network, length: int, begin: int) -> Iterator[IPv4Network]:
    """The pool's networks of that prefix length, from that with address number ``begin``."""
    size = 1 << (32 - length)
    for first in range(0, pool.num_addresses - size + 1, size):
        address = (begin // size * size + first) % pool.num_addresses
        yield IPv4Network((int(pool.network_address) + address, length))


def _new_name(base: str, taken: set[str]) -> str:
    """``BASE-1f0c``, at most 12 characters, as the names of bridges end with it."""
    while True:
        name = f"{base[:7].rstrip('-')}-{secrets.token_hex(2)}"
        if name not in taken:
            return name


def _is_left_over(directory: Path) -> bool:
    """Whether it has nothing, or half an ``ephemeral.json``: a killed command has left it."""
    if not directory.is_dir():
        return False
    return all(path.name.startswith(f".{CONTENTS}.") for path in directory.iterdir())


def _write(cloud: Ephemeral) -> None:
    described = {
        "source": str(cloud.source),
        "created": cloud.created,
        "ttl": cloud.ttl,
        "networks": [str(network) for network in cloud.networks],
    }
    write_private(cloud.directory / CONTENTS, f"{json.dumps(described, indent=1)}\n")


def _read(path: Path) -> Ephemeral:
    try:
        found = json.loads(path.read_text())
        networks = tuple(IPv4Network(network) for network in found["networks"])
        source, created, ttl = Path(found["source"]), float(found["created"]), float(found["ttl"])
        time.gmtime(created + ttl)  # raises if that is no time
        return Ephemeral(path.parent, source, created, ttl, networks)
    except DAMAGE as error:
        damage = f"{CONTENTS} cannot be read ({error})"
        return Ephemeral(path.parent, path.parent / MANIFEST, 0.0, math.inf, (), damage)


def expired(clouds: Iterable[Ephemeral], now: float) -> Iterator[Ephemeral]:
    """Those whose time is over."""
    return (cloud for cloud in clouds if cloud.expires <= now)
