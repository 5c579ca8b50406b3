"""Metadata in the form that knife sends."""

from __future__ import annotations

import pytest

from stackcook.chef.objects import metadata


def test_everything_unsaid_has_its_default() -> None:
    assert metadata.normalize({"name": "apt"}, []) == {
        "name": "apt",
        "description": "",
        "long_description": "",
        "maintainer": "",
        "maintainer_email": "",
        "license": "All rights reserved",
        "platforms": {},
        "dependencies": {},
        "providing": {},
        "recipes": {},
        "version": "0.0.0",
        "source_url": "",
        "issues_url": "",
        "privacy": False,
        "chef_versions": [],
        "ohai_versions": [],
        "gems": [],
        "eager_load_libraries": True,
    }


def test_recipes_are_listed_and_provided() -> None:
    data = metadata.normalize(
        {"name": "apt", "recipes": {"apt": "installs"}}, ["default", "cacher"]
    )
    assert data["recipes"] == {"apt": "installs", "apt::cacher": ""}
    assert data["providing"] == {"apt": ">= 0.0.0", "apt::cacher": ">= 0.0.0"}


def test_constraints_are_canonical() -> None:
    data = metadata.normalize(
        {
            "name": "apt",
            "version": "1.2",
            "dependencies": {"a": "1.0", "b": ">=2.0", "c": ["~> 1.1"], "d": [">1.0", "<2.0"]},
            "chef_versions": [["< 19", ">= 15.3"], ["12"]],
        },
        [],
    )
    assert data["version"] == "1.2.0"
    assert data["dependencies"] == {"a": "= 1.0", "b": ">= 2.0", "c": "~> 1.1", "d": ">= 0.0.0"}
    assert data["chef_versions"] == [["< 19", ">= 15.3"], ["= 12"]]


def test_constraints_have_the_form_that_all_servers_accept() -> None:
    given = {
        "platforms": {"debian": ">= 7", "freebsd": "~> 10.0-RELEASE-p3", "suse": "12"},
        "dependencies": {"a": ">=0.0", "b": "~> 0.0", "c": "~>1.2\n", "d": "= 0.5.0"},
    }
    data = metadata.normalize({"name": "apt", "chef_versions": [["~> 12-rc"]], **given}, [])
    assert data["platforms"] == {"debian": ">= 7.0", "freebsd": "~> 10.0.3", "suse": "= 12.0"}
    wanted = {"a": ">= 0.0.0", "b": "< 1.0.0", "c": "~> 1.2", "d": "= 0.5.0"}
    assert data["dependencies"] == wanted
    assert data["chef_versions"] == [["~> 12.pre.rc"]]


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        ({}, "no name"),
        ({"name": ""}, "no name"),
        ({"name": "a", "version": "1"}, 'version "1" is not of the form x.y.z'),
        ({"name": "a", "dependencies": {"b": "latest"}}, 'dependencies: b: "latest"'),
        ({"name": "a", "dependencies": ["b"]}, "dependencies is not a map"),
        ({"name": "a", "chef_versions": [["soon"]]}, '"soon"'),
    ],
)
def test_says_what_is_wrong(raw: dict, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        metadata.normalize(raw, [])


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [
        ("1.2.3", "= 1.2.3", True),
        ("1.2.3", "~> 1.2", True),
        ("1.9.0", "~> 1.2", True),
        ("2.0.0", "~> 1.2", False),
        ("1.2.9", "~> 1.2.3", True),
        ("1.3.0", "~> 1.2.3", False),
        ("1.2.2", "~> 1.2.3", False),
        ("1.10.0", "> 1.9.0", True),
        ("1.0.0", "< 1.0", False),
        ("1.0.0", "<= 1.0", True),
        ("0.1.0", ">= 0.0.0", True),
    ],
)
def test_constraints(found: str, wanted: str, fits: bool) -> None:
    assert metadata.satisfies(found, wanted) is fits
