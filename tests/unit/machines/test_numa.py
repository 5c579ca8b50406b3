"""The files of /sys/devices/system/node for a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.machines import numa


def test_one_node_with_the_memory_and_the_cpus(tmp_path: Path) -> None:
    numa.write(tmp_path, 512, [0, 1])
    numa.write(tmp_path, 2048, [1])  # its size in the manifest has changed
    assert (tmp_path / "online").read_text() == "0\n"
    node = tmp_path / "node0"
    assert (node / "meminfo").read_text().splitlines()[0].split() == [
        *("Node", "0", "MemTotal:", "2097152", "kB")
    ]
    assert (node / "cpulist").read_text() == "1\n"
    links = {link.name: str(link.readlink()) for link in node.iterdir() if link.is_symlink()}
    assert links == {"cpu1": "../../cpu/cpu1"}


@pytest.mark.parametrize(
    "cpus, mask",
    [([0], "00000001"), ([0, 1, 5], "00000023"), ([31, 32], "00000001,80000000")],
)
def test_the_mask_of_cpus(tmp_path: Path, cpus: list[int], mask: str) -> None:
    numa.write(tmp_path, 512, cpus)
    assert (tmp_path / "node0" / "cpumap").read_text() == f"{mask}\n"
