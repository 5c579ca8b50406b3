"""What a container finds in /sys/devices/system/node: one NUMA node with its own memory and CPUs.

lxcfs does not replace these files, and libvirt takes the memory of a host from them: Nova would
place instances by the memory of the machine that runs the container.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write(directory: Path, memory: int, cpus: Sequence[int]) -> None:
    """Write the files for a container with ``memory`` MiB that runs on the CPUs ``cpus``.

    LXC mounts the directory into it. Their free memory is always all of it.
    """
    node = directory / "node0"
    node.mkdir(parents=True, exist_ok=True)
    size = f"{memory * 1024:>8} kB"
    files = {
        **dict.fromkeys(("online", "possible", "has_cpu", "has_memory", "has_normal_memory"), "0"),
        "node0/meminfo": f"Node 0 MemTotal:       {size}\nNode 0 MemFree:        {size}",
        "node0/cpulist": ",".join(map(str, cpus)),
        "node0/cpumap": _mask(cpus),
        "node0/distance": "10",
    }
    for name, text in files.items():
        (directory / name).write_text(f"{text}\n")
    for old in node.glob("cpu[0-9]*"):
        old.unlink()
    for cpu in cpus:
        (node / f"cpu{cpu}").symlink_to(f"../../cpu/cpu{cpu}")


def _mask(cpus: Sequence[int]) -> str:
    """The kernel's mask: groups of 32 bits in hexadecimal, the highest first."""
    bits = sum(1 << cpu for cpu in cpus)
    groups = range(max(cpus) // 32, -1, -1)
    return ",".join(f"{bits >> 32 * group & 0xFFFFFFFF:08x}" for group in groups)
