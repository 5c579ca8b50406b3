"""Snapshots without containers: their files are ordinary ones of the user's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackcook.machines.layers import Layers
from stackcook.snapshot.store import SavedNode, Snapshot, Store

NOW = 1_800_000_000.0


@dataclass(frozen=True)
class FakeLayers(Layers):
    """``roots`` are the root file systems of containers, ``busy`` what is still being written."""

    roots: dict[str, str] = field(default_factory=dict)
    busy: set[Path] = field(default_factory=set)

    def used(self) -> Mapping[str, str]:
        return self.roots

    def sync(self, directory: Path) -> None:
        assert directory.is_dir()

    def delete(self, *directories: Path) -> None:
        for directory in set(directories) - self.busy:
            shutil.rmtree(directory)


def store_in(directory: Path) -> Store:
    """A store without snapshots."""
    return Store(directory / "snapshots", FakeLayers())


def saved(store: Store, name: str = "lab", *, shape: str = "", digest: str = "") -> Snapshot:
    """Save a snapshot of two nodes, as of now."""
    with store.new(name) as directory:
        for node in ("controller", "compute1"):
            root = directory / "nodes" / node / "rootfs"
            root.mkdir(parents=True)
            (root / "hostname").write_text(node)
        (directory / "state").mkdir()
        (directory / "state" / "secret").write_text("s3cret")
        nodes = {"controller": SavedNode("lab-controller", 2, {"nova-api": "1"})}
        nodes["compute1"] = SavedNode("lab-compute1", 1)
        snapshot = Snapshot(
            *(directory, name, "lab", NOW, digest, "d-1", shape, "1", "box", 4545, nodes)
        )
        store.complete(snapshot)
    return snapshot
