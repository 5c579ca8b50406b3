"""Checks of a node's machine: whether its clock is right, and whether a disk is full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stackcook.verify.check import Check, Checks

SKEW = 30.0
"""Seconds that a node's clock may differ from this machine's. Nova takes a service for dead whose
last report is 60 s old, and Keystone's tokens are not valid before the time they were issued."""

FREE = 64
"""MiB that must be free on each file system: a database or a log needs them within hours."""

DISKS = "df -lPk -x squashfs -x iso9660 -x devtmpfs -x efivarfs 2>/dev/null"
"""Shows the local file systems; what can't be written is left out."""

_OTHERS = ("/proc", "/sys", "/dev", "/run", "/tmp", "/boot")
"""File systems below these are small, and no service keeps data in them."""


def free_space(listed: Iterable[str]) -> dict[str, int]:
    """KiB free on each file system that services use, by mount point; raises ValueError.

    ``listed`` are the lines of :data:`DISKS`, without the heading.
    """
    found = {}
    for line in listed:
        *_, available, _, mount = line.split(None, 5)
        if not any(mount == other or mount.startswith(f"{other}/") for other in _OTHERS):
            found[mount] = int(available)
    return found


def checks(node: str, free: Mapping[str, int], ahead: float) -> Checks:
    """The checks of a node's disks and clock, which is ``ahead`` seconds of this machine's."""
    full = [f"{mount} has {kib >> 10} MiB free" for mount, kib in free.items() if kib >> 10 < FREE]
    disk = ""
    if full:
        disk = f"the disk is full: {', '.join(full)}, but services need {FREE} MiB"
    clock = ""
    if abs(ahead) > SKEW:
        way = "ahead of" if ahead > 0 else "behind"
        clock = (
            f"its clock is {abs(ahead):.0f} s {way} this machine's, but may differ by only "
            f"{SKEW:.0f} s"
        )
    find = f"find large files with `stackcook ssh {node} -- sudo du -xh / -t 100M`"
    synchronize = "install an NTP client such as chrony on the node, and check its servers"
    return (
        Check("disk space", node, not disk, disk, disk and find),
        Check("clock", node, not clock, clock, clock and synchronize),
    )
