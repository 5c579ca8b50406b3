"""Which recipes of a node need no other node."""

from __future__ import annotations

from pathlib import Path

from stackcook.chef.repository.prepare import recipes_to_prepare
from stackcook.chef.repository.repository import Repository
from stackcook.manifest.read import read

REPOSITORY = Path(__file__).parents[4]


def test_compute_nodes_of_this_repository_get_their_packages_ahead() -> None:
    manifest, _ = read(REPOSITORY / "infrastructure.yml")
    assert manifest
    found = recipes_to_prepare(Repository.read(manifest), manifest.nodes)
    packages = ("openstack-network::compute_packages", "openstack-compute::compute_packages")
    assert found == {"compute1": packages}
