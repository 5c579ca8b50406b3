"""What users have in a cloud: what is lost when it is destroyed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackcook.verify.openstack import VOLUMES, Cloud

PAGE = 1000
"""Entries that are asked for at a time; the APIs answer in pages."""


@dataclass(frozen=True)
class Contents:
    """Names of running instances, each with its host, of volumes and of images."""

    instances: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    @classmethod
    def of_all(cls, clouds: Sequence[Contents]) -> Contents:
        """What several clouds have together."""
        return cls(
            tuple(name for each in clouds for name in each.instances),
            tuple(name for each in clouds for name in each.volumes),
            tuple(name for each in clouds for name in each.images),
        )

    def lines(self) -> Iterator[str]:
        """One line for each kind."""
        for kind, names in (
            ("running instances", self.instances),
            ("volumes", self.volumes),
            ("images", self.images),
        ):
            shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if names[20:] else "")
            yield f"{kind}: {shown or 'none'}"


def contents(cloud: Cloud) -> Contents:
    """Ask Nova, Cinder (if the cloud has it) and Glance. Raises VerifyError."""
    running = (each for each in servers(cloud) if each.get("status") == "ACTIVE")
    volumes = _all(cloud, VOLUMES, "/volumes/detail?all_tenants=1", "volumes")
    return Contents(
        tuple(f"{_name(each)} on {each.get('OS-EXT-SRV-ATTR:host')}" for each in running),
        tuple(map(_name, volumes)) if cloud.has(VOLUMES) else (),
        tuple(map(_name, _all(cloud, "image", "/v2/images?", "images"))),
    )


def servers(cloud: Cloud, host: str = "") -> Iterator[Mapping[str, Any]]:
    """The instances of all projects, or those on one host; raises VerifyError."""
    only = f"&host={host}" if host else ""
    return _all(cloud, "compute", f"/servers/detail?all_tenants=1{only}", "servers")


def _all(cloud: Cloud, type_: str, path: str, key: str) -> Iterator[Mapping[str, Any]]:
    marker = ""
    while True:
        page = cloud.read(type_, f"{path}&limit={PAGE}{marker}".replace("?&", "?")).get(key, ())
        yield from page
        if len(page) < PAGE:
            return
        marker = f"&marker={page[-1]['id']}"


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or entry.get("id"))
