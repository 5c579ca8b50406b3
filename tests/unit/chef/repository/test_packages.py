"""The Debian packages that the recipes of a node name."""

from __future__ import annotations

from typing import Any

import pytest

from stackcook.chef.repository.packages import Packages
from stackcook.chef.repository.repository import Repository


def packages(make: Any, recipe: str, **more: str) -> Packages:
    """Those of a node whose role has the recipe app, which includes no other by itself."""
    files = {
        "cookbooks/app/metadata.json": '{"name": "app"}',
        "cookbooks/app/recipes/default.rb": recipe,
        "roles/web.json": '{"run_list": ["recipe[app]"]}',
        **{f"cookbooks/app/recipes/{name}.rb": text for name, text in more.items()},
    }
    manifest = make(files, cookbooks="app", roles="web", nodes={"web1": "role[web]"})
    found = Repository.read(manifest).packages(manifest.nodes)
    return found.get("web1", Packages())


@pytest.mark.parametrize(
    "recipe, names",
    [
        ("openstack_packages 'memcached'", "memcached"),
        ("openstack_packages 'x' do\n  packages %w(vim ntp)\nend", "ntp vim"),
        ("openstack_packages('x') { packages %w(g++) + (ceph ? %w(no) : []) }", "g++"),
        ("openstack_packages('x') { packages ['ntp', *more, \"no-#{z}\", 'vim'] }", "ntp vim"),
        ("openstack_packages 'x' do\n  packages node['packages']\nend", ""),
        ("if ceph?\n  openstack_packages 'no'\nend", ""),
        ("return if ceph?\nopenstack_packages 'no'", ""),
    ],
)
def test_those_of_openstack_packages(make: Any, recipe: str, names: str) -> None:
    assert packages(make, recipe) == Packages(tuple(names.split()))


@pytest.mark.parametrize(
    "recipe, names",
    [
        ("package 'ntp'", "ntp"),
        ("apt_package %w(vim ntp)", "ntp vim"),
        ("package 'ntp' do\n  action :install\nend", "ntp"),
        ("package 'x' do\n  package_name ['ntp', 'vim']\nend", "ntp vim"),
        ("package 'no' do\n  action :remove\nend", ""),
        ("package 'no' do\n  version '1.2'\nend", ""),
        ("package 'no' do\n  not_if { there? }\nend", ""),
        ("%w(no).each { |name| package name }", ""),
        ("package '/tmp/no.deb'", ""),
        ("package = 'no'\nputs package", ""),
    ],
)
def test_those_of_chefs_own_resources(make: Any, recipe: str, names: str) -> None:
    assert packages(make, recipe) == Packages((), tuple(names.split()))


def test_included_recipes_have_theirs(make: Any) -> None:
    recipe = """
        include_recipe 'app::one'
        include_recipe '::two'
        include_recipe 'app::three' if node['three']
    """
    one = "package 'ntp'\nopenstack_packages 'nova-api'\ninclude_recipe 'app'"
    two = "package 'nova-api'"
    found = packages(make, recipe, one=one, two=two, three="package 'no'")
    assert found == Packages(("nova-api",), ("ntp",))


def test_nodes_without_any_are_left_out(make: Any) -> None:
    manifest = make({}, nodes={"web1": "", "web2": "recipe[gone]"})
    repository, _ = Repository.inspect(manifest)
    assert repository.packages(manifest.nodes) == {}
