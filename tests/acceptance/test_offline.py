"""A cloud from a bundle, in a network namespace that has no network but the lab's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.labs import SUDO, Lab, as_root, prepared
from tests.started import Done

NAMESPACE = "stackcook-offline"

MOUNT = """\
mount --rbind /sys/fs/cgroup /mnt
mount -t sysfs sysfs /sys
mount --rbind /mnt /sys/fs/cgroup
exec "$@"
"""
"""LXC looks for bridges in /sys, which belongs to a network namespace. `ip netns exec` mounts one
without cgroups."""


@dataclass
class OfflineLab(Lab):
    """A lab whose commands run in the namespace, with caches that are empty in the beginning."""

    caches: Path = Path()

    def run(self, *argv: str, timeout: float = 120, stdin: str = "") -> Done:
        within = ("nsenter", f"--net=/run/netns/{NAMESPACE}", "unshare", "--mount")
        enter = (*SUDO, *within, "sh", "-ec", MOUNT, "sh", "env")
        caches = (f"XDG_CACHE_HOME={self.caches}", f"VAGRANT_HOME={self.caches / 'vagrant'}")
        kept = (f"{name}={os.environ[name]}" for name in ("PATH", "HOME"))
        checkout = f"PYTHONPATH={Path(__file__).resolve().parents[2]}"
        return super().run(*enter, *caches, *kept, checkout, *argv, timeout=timeout, stdin=stdin)


@pytest.fixture
def namespace() -> Iterator[None]:
    """A network namespace in which nothing but loopback is up."""
    as_root("ip", "netns", "add", NAMESPACE)
    as_root("ip", "-n", NAMESPACE, "link", "set", "lo", "up")
    yield
    as_root("ip", "netns", "del", NAMESPACE)


def test_the_same_cloud_without_the_internet(namespace: None, tmp_path: Path) -> None:
    with prepared("scoffline", "10.0.134", "10.0.135") as lab:
        bundle = tmp_path / "cloud.tar"
        written = lab.stackcook("bundle", str(bundle), timeout=20 * 60)
        assert written.status == 0, written.err
        offline = OfflineLab(lab.root, lab.name, lab.range, lab.external, caches=tmp_path / "cache")
        assert "Network is unreachable" in offline.run("ping", "-c1", f"{lab.range}.10").err
        try:
            deployed = offline.stackcook("deploy", "--bundle", str(bundle), timeout=40 * 60)
            assert deployed.status == 0, deployed.err
            assert re.search(r"\d+ checks passed; an instance answered on ", deployed.err)
            again = offline.stackcook("--json", "deploy", "--bundle", str(bundle), timeout=20 * 60)
            assert again.status == 0, again.err
            assert set(again.updated.values()) == {0}
        finally:
            offline.stackcook("destroy", "--yes", timeout=600)
