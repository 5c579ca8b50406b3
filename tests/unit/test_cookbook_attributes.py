"""The attributes.yml of our cookbooks agrees with their attributes/*.rb, resources and pages."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stackcook.chef.checks.attributes import faults, tree
from stackcook.chef.objects.attributes import FILE, Attribute, read_attributes
from stackcook.report.attributes import page

COOKBOOKS = Path(__file__).parents[2] / "cookbooks"
NAMES = sorted(path.parents[1].name for path in COOKBOOKS.glob("*/attributes/default.rb"))

DEFAULTS = r"""
require 'json'
# Constants of Ohai and libraries are stubs here: what they compute is null.
class Module
  def const_missing(_name) = Stub
end
class Stub
  def self.method_missing(...) = nil
  def self.respond_to_missing?(...) = true
end
def level = Hash.new { |hash, key| hash[key] = level }
def default = ($default ||= level)
ARGV.each { |file| load file }
puts JSON.generate(default)
"""
"""Prints what attribute files set as ``default``."""


def attributes_of(cookbook: str) -> tuple[Attribute, ...]:
    found, findings = read_attributes(COOKBOOKS / cookbook / FILE)
    assert not findings
    return found


def defaults_of(cookbook: str) -> Mapping[str, Any]:
    files = sorted((COOKBOOKS / cookbook / "attributes").glob("*.rb"))
    ran = subprocess.run(
        ["ruby", "--disable=gems", "-e", DEFAULTS, *files], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    found: Mapping[str, Any] = json.loads(ran.stdout)
    return found


def at(defaults: Any, path: tuple[str, ...]) -> Any:
    """What the cookbook sets at this path; None if it sets nothing."""
    for key in path:
        defaults = defaults.get(key) if isinstance(defaults, dict) else None
    return defaults


@pytest.mark.parametrize("cookbook", NAMES)
def test_what_a_cookbook_sets_is_declared_with_the_same_default(cookbook: str) -> None:
    declared, defaults = attributes_of(cookbook), defaults_of(cookbook)
    assert [fault.what for fault in faults(tree(declared), defaults)] == []
    fixed = {path: each for each in declared for path in each.paths if "<" not in each.name}
    assert {path: at(defaults, path) for path in fixed} == {
        path: attribute.default for path, attribute in fixed.items()
    }


@pytest.mark.parametrize("cookbook", NAMES)
def test_the_page_is_up_to_date(cookbook: str) -> None:
    found = (COOKBOOKS / cookbook / "ATTRIBUTES.md").read_text()
    assert found == page(cookbook, attributes_of(cookbook)), "write it with `make docs`"


def test_every_service_has_its_endpoints() -> None:
    helpers = (COOKBOOKS / "openstack-common/libraries/helpers.rb").read_text()
    services = re.findall(r"^      '([\w-]+)' => \{ recipe:", helpers, re.MULTILINE)
    declared = tree(each for name in NAMES for each in attributes_of(name))
    here = {"host": "192.0.2.1", "port": 1}
    given = {"endpoints": {"internal": {name: here for name in services}}}
    assert len(services) > 12
    assert list(faults(declared, {"openstack": given})) == []


TYPES = {
    "String": "string",
    "Integer": "integer",
    "[true, false]": "boolean",
    "[String, false]": "string or false",
    "Hash": "map",
    "Array": "list",
}


def properties(kind: str) -> Iterator[tuple[str, str, Any]]:
    """The properties of a resource: name, type, and default if it is a simple value."""
    text = (COOKBOOKS / f"openstack-resources/resources/{kind}.rb").read_text()
    for line in re.findall(r"^property .*", re.sub(r",\n +", ", ", text), re.MULTILINE):
        name, kind = re.findall(r"^property :(\w+), (\[.*?\]|\w+)", line)[0]
        simple = re.search(r"default: (?:'(.*?)'|(\d+|true|false)|%w\((.*?)\))", line)
        default: Any = None
        if simple:
            text_, literal, words = simple.groups()
            default = text_ or (json.loads(literal) if literal else (words or "").split())
        if "skip_docs: true" not in line:
            yield name, TYPES[kind], default


def test_openstack_resources_declares_the_properties_of_its_resources() -> None:
    declared: dict[str, dict[str, tuple[str, Any]]] = {}
    for attribute in attributes_of("openstack-resources"):
        _, _, kind, _, name = attribute.name.split(".")
        if name != "test_image":  # of the recipe
            # `list of strings` where the resource has an Array
            declared.setdefault(kind, {})[name] = (
                re.sub(" of .*", "", attribute.type),
                attribute.default,
            )
    library = (COOKBOOKS / "openstack-resources/libraries/declared.rb").read_text()
    kinds = dict(re.findall(r"'(\w+)' => :openstack_(\w+)", library))
    assert declared == {
        kind: {name: (type_, default) for name, type_, default in properties(resource)}
        for kind, resource in kinds.items()
    }
