"""What nodes have recorded, read from real Chef servers: by their search, and by the nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stackcook.chef.rest.client import ChefClient
from stackcook.manifest.model import Manifest, Node
from stackcook.verify.placing import Placed, Service, placed
from tests.contract.conftest import AT
from tests.contract.servers import wait

DEPLOY, BEFORE = "d-20261122T235501Z-1f0c", "d-20261121T101500Z-00aa"


def test_one_search_tells_as_much_as_each_node(manifest: Manifest, client: ChefClient) -> None:
    names = ("one", "two.lab", "three-3", "four")
    manifest = replace(manifest, nodes=tuple(Node(name, AT) for name in names))
    for name in names[:3]:
        client.post("/nodes", _node(name, BEFORE if name == "three-3" else DEPLOY))
    whole = placed(manifest, client)
    assert whole[1] == Placed(
        "two.lab",
        "10.0.117.9",
        frozenset(("two.lab", "two.lab.test")),
        (
            Service("nova-compute", (8774, 8775), ("/var/log/nova.log", "/var/log/nova-wsgi.log")),
            Service("ovn-controller"),
        ),
        converged=True,
        deploy=DEPLOY,
    )
    assert [node.deploy for node in whole] == [DEPLOY, DEPLOY, BEFORE, ""]
    asking = _Asking(client)

    def found() -> bool:  # the index may need its time
        asking.asked.clear()
        assert placed(manifest, asking, deploy=DEPLOY) == whole
        return len(asking.asked) == 3

    wait(found)
    assert asking.asked == ["/nodes", "/search/node?q=*:*&rows=3", "/nodes/three-3"]


class _Asking:
    """The client; it notes what is asked for."""

    def __init__(self, client: ChefClient) -> None:
        self._client = client
        self.asked: list[str] = []

    def get(self, path: str) -> Any:
        self.asked.append(path)
        return self._client.get(path)

    def post(self, path: str, value: Any) -> Any:
        self.asked.append(path)
        return self._client.post(path, value)


def _node(name: str, deploy: str) -> dict[str, Any]:
    """A node object as chef-client saves it."""
    services = {
        "nova-compute": {
            "ports": [8774, 8775],
            "log": ["/var/log/nova.log", "/var/log/nova-wsgi.log"],
        },
        "ovn-controller.service": {"ports": []},
    }
    return {
        "name": name,
        "chef_environment": "_default",
        "json_class": "Chef::Node",
        "chef_type": "node",
        "automatic": {"hostname": name, "fqdn": f"{name}.test", "ohai_time": 1795416121.07},
        "normal": {"stackcook": {"deploy": deploy}, "openstack": {"address": "10.0.117.9"}},
        "default": {"openstack": {"services": services}},
        "override": {},
        "run_list": [],
    }
