"""The hardware of a host, as preflight.sh prints it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Disk:
    """A disk; ``size`` in bytes, ``rotates`` unless it is an SSD.

    ``health`` is what SMART says, such as ``PASSED``; empty if unknown.
    """

    name: str
    size: int
    rotates: bool
    model: str = ""
    health: str = ""


@dataclass(frozen=True)
class Hardware:
    """What a host is made of; texts are empty, and numbers 0, where the host does not say.

    ``virtual`` is what it runs in, such as ``kvm`` or ``lxc``; empty on bare metal.
    """

    model: str = ""
    cpu: str = ""
    cpus: int = 0
    sockets: int = 0
    cores: int = 0
    memory: int = 0
    """MiB."""
    virtual: str = ""
    kvm: bool = False
    disks: tuple[Disk, ...] = ()


def read_hardware(said: Mapping[str, str]) -> Hardware:
    """The hardware in the output of preflight.sh."""
    sockets, virtual = _number(said.get("cpu Socket(s)")), said.get("virtual", "")
    return Hardware(
        model=" ".join(said.get("model", "").split()),
        cpu=said.get("cpu Model name", ""),
        cpus=_number(said.get("cpus")),
        sockets=sockets,
        cores=sockets * _number(said.get("cpu Core(s) per socket")),
        memory=_number(said.get("total")) >> 10,
        virtual="" if virtual == "none" else virtual,
        kvm="kvm" in said,
        disks=tuple(
            _disk(key.removeprefix("disk "), value, said)
            for key, value in said.items()
            if key.startswith("disk ")
        ),
    )


def _disk(name: str, value: str, said: Mapping[str, str]) -> Disk:
    sectors, rotates, *model = value.split()
    health = said.get(f"health {name}", "").strip()
    return Disk(name, _number(sectors) * 512, rotates == "1", " ".join(model), health)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
