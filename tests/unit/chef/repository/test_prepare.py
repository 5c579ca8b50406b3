"""Which recipes of a node need no other node."""

from __future__ import annotations

from pathlib import Path

from stackcook.chef.repository.repository import Repository
from stackcook.manifest.read import read

REPOSITORY = Path(__file__).parents[4]


def test_compute_nodes_of_this_repository_install_packages_early() -> None:
    manifest, _ = read(REPOSITORY / "infrastructure.yml")
    assert manifest
    found = Repository.read(manifest).recipes_to_prepare(manifest.nodes)
    packages = ("openstack-network::compute_packages", "openstack-compute::compute_packages")
    assert found == {"compute1": packages}
