"""Node objects that are registered, and what the manifest says of them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from stackcook.bootstrap.objects import outdated, single_databases, synchronize
from stackcook.manifest.model import Node
from tests.unit.bootstrap.fakes import ONE, Setting


@pytest.mark.parametrize(
    "node, differs",
    [
        (ONE, False),
        (replace(ONE, run_list=("role[base]", "role[base]")), False),
        (replace(ONE, run_list=("role[base]", "role[web]")), True),
        (replace(ONE, run_list=()), True),
        (replace(ONE, environment="prod"), True),
        (replace(ONE, policy_name="web", policy_group="prod"), True),
        (replace(ONE, name="two"), False),  # it is not registered
    ],
)
def test_which_objects_differ(setting: Setting, node: Node, differs: bool) -> None:
    setting.register()
    assert outdated(setting.chef, [node]) == ((node,) if differs else ())


def test_attributes_stay_as_they_are(setting: Setting) -> None:
    setting.register()
    before = setting.chef.objects["/nodes/one"]
    before |= {level: {level: 1} for level in ("automatic", "default", "override")}
    wanted = replace(ONE, run_list=("role[web]",), environment="prod")
    synchronize(setting.chef, wanted)
    assert outdated(setting.chef, [wanted]) == ()
    assert setting.chef.objects["/nodes/one"] == {
        **before,
        "run_list": ["role[web]"],
        "chef_environment": "prod",
    }


def test_the_address_that_other_nodes_use_is_set(setting: Setting) -> None:
    setting.register()
    moved = replace(ONE, address=IPv4Address("10.64.7.10"))
    assert outdated(setting.chef, [moved]) == (moved,)
    synchronize(setting.chef, moved)
    expected = {"openstack": {"address": "10.64.7.10"}, "tags": ["a"]}
    assert setting.chef.objects["/nodes/one"]["normal"] == expected
    assert outdated(setting.chef, [moved]) == ()


def test_the_first_converge_saves_the_address(setting: Setting) -> None:
    setting.register()
    setting.chef.objects["/nodes/one"]["normal"] = {"tags": []}
    assert outdated(setting.chef, [ONE]) == ()


def test_an_object_that_is_right_is_not_written(setting: Setting) -> None:
    setting.register()
    setting.chef.put = lambda path, value: pytest.fail(f"PUT {path}")  # type: ignore
    synchronize(setting.chef, ONE)


@pytest.mark.parametrize(
    "default, single",
    [
        ({"services": {"mariadb": {}}}, True),
        ({"services": {"mariadb": {}}, "ha": {"galera": "a-uuid"}}, False),
        ({"services": {"nova-compute": {}}}, False),
        ({}, False),  # it has never converged
    ],
)
def test_which_node_has_databases_in_no_cluster(
    setting: Setting, default: dict[str, object], single: bool
) -> None:
    setting.register()
    setting.chef.objects["/nodes/one"]["default"] = {"openstack": default}
    assert single_databases(setting.chef, ["one", "missing"]) == ({"one"} if single else set())
