"""All clouds of this machine: ephemeral ones, and others by the containers that they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stackcook.api.ephemeral import Ephemeral, every
from stackcook.errors import UsageError
from stackcook.machines.base import ABSENT, RUNNING, STOPPED
from stackcook.machines.lxc import Containers
from stackcook.manifest.read import read
from stackcook.run.history import Run, runs


@dataclass(frozen=True)
class CloudHere:
    """A cloud whose manifest is in ``directory``; ``memory`` is what it uses, in bytes.

    ``containers`` are its machines, each with whether it runs. ``user`` owns the directory, empty
    if that is not known. ``began`` and ``expires`` are in seconds since the epoch, None if it is
    not known, or never. ``damage`` says why only its machines are known of an ephemeral cloud.
    """

    name: str
    directory: Path
    user: str
    containers: Mapping[str, bool]
    memory: int = 0
    began: float | None = None
    expires: float | None = None
    damage: str = ""

    @property
    def state(self) -> str:
        """Such as ``running`` or ``1 of 2 running``; ``absent`` without machines."""
        running = sum(self.containers.values())
        if not self.containers:
            return ABSENT
        if running in (0, len(self.containers)):
            return RUNNING if running else STOPPED
        return f"{running} of {len(self.containers)} running"


def clouds_here(ephemeral: Path, containers: Containers = Containers()) -> tuple[CloudHere, ...]:
    """All clouds, ephemeral ones of this user first; raises MachineError and UsageError."""
    own = every(ephemeral)
    there = containers.names()
    running = containers.names(running=True)
    machines: dict[Path, dict[str, bool]] = {cloud.directory: {} for cloud in own}
    for name in sorted(there):
        if owner := containers.owner(name):
            machines.setdefault(owner, {})[name] = name in running
    known = {cloud.directory: cloud for cloud in own}
    return tuple(
        _cloud(directory, names, known.get(directory), containers)
        for directory, names in machines.items()
    )


def _cloud(
    directory: Path, machines: Mapping[str, bool], own: Ephemeral | None, containers: Containers
) -> CloudHere:
    memory = sum(containers.memory(name) for name, running in machines.items() if running)
    user = _user(directory)
    if own and own.damage:
        return CloudHere(own.name, directory, user, machines, memory, damage=own.damage)
    if own:
        return CloudHere(own.name, directory, user, machines, memory, own.created, own.expires)
    recorded = _recorded(directory)
    name = _name(Path(recorded[-1].manifest)) if recorded else ""
    began = recorded[0].started if recorded else None
    return CloudHere(name or directory.name, directory, user, machines, memory, began)


def _user(directory: Path) -> str:
    """Who owns the directory, or, if it is hidden in another one, that one; empty if it is gone."""
    for path in (directory, *directory.parents):
        try:
            return path.owner()
        except PermissionError:
            continue
        except (OSError, KeyError):  # the directory is gone, or its user
            return ""
    return ""


def _recorded(directory: Path) -> tuple[Run, ...]:
    """The runs of a deployment; none if the record can't be read, such as another user's."""
    try:
        return runs(directory / ".stackcook")
    except (UsageError, PermissionError):
        return ()


def _name(path: Path) -> str:
    """The cloud's name in the manifest; empty if it can't be read."""
    manifest, _findings = read(path)
    return manifest.name if manifest else ""
