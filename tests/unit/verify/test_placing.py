"""Which node runs what, asked of a Chef server whose search may lag behind its nodes."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from stackcook.errors import ChefServerError
from stackcook.manifest.model import Manifest
from stackcook.verify.placing import hostnames, placed

SEARCH = "/search/node?q=*:*&rows=2"


@pytest.fixture
def reported(chef: Any) -> Any:
    """The Chef server, once both nodes have reported d-2 and its search knows of it."""
    for node in chef.nodes.values():
        node["normal"] = {"stackcook": {"deploy": "d-2"}, "openstack": {"address": "10.0.116.9"}}
    chef.indexed = deepcopy(chef.nodes)
    return chef


def test_a_search_tells_as_much_as_the_nodes(manifest: Manifest, reported: Any) -> None:
    whole = placed(manifest, reported)
    assert reported.asked == ["/nodes", "/nodes/controller", "/nodes/compute1"]
    reported.asked.clear()
    assert placed(manifest, reported, deploy="d-2") == whole
    assert reported.asked == ["/nodes", SEARCH]
    assert [node.deploy for node in whole] == ["d-2", "d-2"]
    assert whole[1].service("nova-compute") and whole[1].converged


def test_where_the_manifest_has_no_address_both_tell_the_same(
    manifest: Manifest, reported: Any
) -> None:
    manifest = replace(manifest, nodes=tuple(replace(n, address=None) for n in manifest.nodes))
    found = placed(manifest, reported, deploy="d-2")
    assert [node.address for node in found] == ["10.0.116.9", "10.0.116.9"]
    assert placed(manifest, reported) == found


def test_of_a_range_of_internal_ports_both_ends_are_known(manifest: Manifest, chef: Any) -> None:
    services = chef.nodes["compute1"]["default"]["openstack"]["services"]
    services["nova-compute"]["internal_ports"] = ["5900-6079", 16514]
    service = placed(manifest, chef)[1].service("nova-compute")
    assert service and service.internal_ports == (5900, 6079, 16514)


def test_a_node_whose_index_lags_is_asked_for(manifest: Manifest, reported: Any) -> None:
    reported.indexed["compute1"]["normal"]["stackcook"]["deploy"] = "d-1"
    found = placed(manifest, reported, deploy="d-2")
    assert reported.asked == ["/nodes", SEARCH, "/nodes/compute1"]
    assert [node.deploy for node in found] == ["d-2", "d-2"]


def test_a_node_that_is_not_found_is_asked_for(manifest: Manifest, reported: Any) -> None:
    del reported.indexed["controller"]
    found = placed(manifest, reported, deploy="d-2")
    assert reported.asked == ["/nodes", SEARCH, "/nodes/controller"]
    assert [node.deploy for node in found] == ["d-2", "d-2"]


def test_a_node_that_is_gone_is_not_found(manifest: Manifest, reported: Any) -> None:
    """Even if the search still finds it."""
    del reported.nodes["controller"]
    found = placed(manifest, reported, deploy="d-2")
    assert [node.deploy for node in found] == ["", "d-2"]


def test_among_many_foreign_nodes_none_is_searched(manifest: Manifest, reported: Any) -> None:
    reported.nodes |= {f"foreign{number}": {} for number in range(3)}
    placed(manifest, reported, deploy="d-2")
    assert SEARCH not in reported.asked and "/nodes/controller" in reported.asked


@pytest.mark.parametrize("why", ["refused", "strange"])
def test_without_a_search_all_are_asked_for(manifest: Manifest, reported: Any, why: str) -> None:
    if why == "refused":
        reported.error = ChefServerError("no search for you")
    else:
        reported.post = lambda path, value: {"rows": None}
    found = placed(manifest, reported, deploy="d-2")
    assert reported.asked[-2:] == ["/nodes/controller", "/nodes/compute1"]
    assert [node.deploy for node in found] == ["d-2", "d-2"]


def test_host_names_are_those_of_the_manifest_s_nodes(manifest: Manifest, reported: Any) -> None:
    reported.nodes["controller"]["automatic"] = {"hostname": "SRV1", "fqdn": "srv1.example.com"}
    reported.nodes["compute1"]["automatic"] = {}
    reported.nodes["foreign"] = {"automatic": {"hostname": "debian"}}
    names = frozenset({"srv1", "srv1.example.com"})
    assert hostnames(manifest, reported) == {"controller": names}
