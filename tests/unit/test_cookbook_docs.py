"""What our cookbooks say of their attributes and resources agrees with their Ruby."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

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
    "[String, Array]": "string or list",
    "Hash": "map",
    "Array": "list",
}


class Property(NamedTuple):
    """A property of a resource, with its default if that is a simple value."""

    name: str
    type: str
    default: Any
    required: bool


def properties(path: Path) -> Iterator[Property]:
    """The properties of the resource in a file, without internal ones."""
    text = re.sub(r",\n +", ", ", path.read_text())
    for line in re.findall(r"^property .*", text, re.MULTILINE):
        name, kind = re.findall(r"^property :(\w+), (\[.*?\]|\w+)", line)[0]
        default: Any = None
        if simple := re.search(
            r"default: (?:'(.*?)'|(\d+|true|false|\[\]|\{\})|%w\((.*?)\))", line
        ):
            string, literal, words = simple.groups()
            default = string or (json.loads(literal) if literal else (words or "").split())
        if "skip_docs: true" not in line:
            yield Property(name, TYPES[kind], default, "required:" in line)


def test_openstack_resources_declares_the_properties_of_its_resources() -> None:
    declared: dict[str, dict[str, tuple[str, Any]]] = {}
    for attribute in attributes_of("openstack-resources"):
        _, _, kind, _, name = attribute.name.split(".")
        if name != "test_image":  # the recipe's own
            shape = re.sub(" of .*", "", attribute.type)  # an Array is a `list of strings`
            declared.setdefault(kind, {})[name] = shape, attribute.default
    cookbook = COOKBOOKS / "openstack-resources"
    kinds = re.findall(
        r"'(\w+)' => :openstack_(\w+)", (cookbook / "libraries/declared.rb").read_text()
    )
    assert declared == {
        kind: {
            each.name: (each.type, each.default)
            for each in properties(cookbook / f"resources/{resource}.rb")
        }
        for kind, resource in kinds
    }


COMMON = COOKBOOKS / "openstack-common"


@pytest.mark.parametrize("path", sorted(COMMON.glob("resources/*.rb")), ids=lambda path: path.stem)
def test_the_readme_of_openstack_common_has_every_property(path: Path) -> None:
    readme = (COMMON / "README.md").read_text()
    section = readme.partition(f"### `openstack_{path.stem}`\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (?:\*\*)?`(\w+)`(?:\*\*)? \| (.*?) ?\| ", section, re.MULTILINE)
    found = {each.name: each for each in properties(path)}
    assert sorted(name for name, _ in rows) == sorted(found)
    for name, default in rows:
        wanted = found[name].default
        assert (default == "*required*") == found[name].required, name
        if wanted is not None:
            text = wanted if isinstance(wanted, str) else json.dumps(wanted)
            assert default == f"`{text}`", name
    actions = re.findall(r"^action :(\w+) do", path.read_text(), re.MULTILINE)
    assert re.findall(r"`:(\w+)`", section) == actions
