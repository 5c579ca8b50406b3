"""The options of knife bootstrap: which stackcook heeds itself, and for which it needs knife."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.bootstrap.options import Options, needs_knife, options_of
from stackcook.remote.base import Host
from tests.unit.bootstrap.fakes import ONE

HOST = Host("one", "10.0.115.10", "me", Path("/key"))


def options(text: str, root: Path = Path("/repo")) -> Options:
    return options_of(replace(ONE, options=text), root)


@pytest.mark.parametrize(
    "text, foreign",
    [
        ("", ()),
        ("-E lab -U me -x me -i key -p 2222 -N a --sudo -y -r role[x] --no-host-key-verify", ()),
        ("--tags a -j {} --hint ec2 --secret s --bootstrap-version 18 -G gate -P pw -V", ()),
        ("--policy-name=web --policy-group prod --bootstrap-proxy http://127.0.0.1:1", ()),
        ("-t mine.erb --tags a", ("-t",)),
        ("--bootstrap-template=mine.erb", ("--bootstrap-template",)),
        (
            "--bootstrap-vault-item a:b --tags x --su-user root",
            ("--bootstrap-vault-item", "--su-user"),
        ),
        ("--flavor 'm1 small' --winrm-ssl", ("--flavor", "--winrm-ssl")),
    ],
)
def test_what_only_knife_can(text: str, foreign: tuple[str, ...]) -> None:
    assert needs_knife(replace(ONE, options=text), Path("/repo")) == foreign


def test_what_is_nearest_to_the_node_comes_first_and_counts() -> None:
    found = options("--tags a,b --tags c --bootstrap-version 18.4 --bootstrap-version 17")
    assert (found.tags, found.version) == (("a", "b"), "18.4")


@pytest.mark.parametrize("text, version", [("latest", ""), ("v18.2.7", "18.2.7"), ("18", "18")])
def test_versions(text: str, version: str) -> None:
    assert options(f"--bootstrap-version {text}").version == version


def test_hints_and_attributes_are_read_beside_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"zone": "a"}')
    found = options("--hint ec2 --hint own=own.json --json-attribute-file own.json", tmp_path)
    assert found.hints("one") == {"ec2": {}, "own": {"zone": "a"}}
    assert found.attributes("one") == {"zone": "a"}


def test_a_secret_is_the_node_s_own_or_the_deployment_s(tmp_path: Path) -> None:
    (tmp_path / "common").write_text("everybody's\n")
    (tmp_path / "own").write_text(" mine \n")
    for text, secret in (("", "everybody's"), ("--secret-file own", "mine"), ("--secret x", "x")):
        found = options(text, tmp_path).secret("one", tmp_path / "common")
        assert found and found.reveal() == secret
    assert options("").secret("one", None) is None


def test_knife_gets_what_it_is_not_told_otherwise_once() -> None:
    text = "--tags a --tags b --hint x --hint y -t mine.erb --secret s -P pw -E lab --sudo -j {}"
    words = "--tags a --hint x --hint y -t mine.erb"
    assert options(text).for_knife == tuple(words.split())


def test_a_gateway_is_a_host_like_others() -> None:
    assert options("").reach(HOST) == HOST
    reached = options("-G gate").reach(HOST)
    assert reached.gateway == replace(HOST, name="gateway gate", address="gate")
