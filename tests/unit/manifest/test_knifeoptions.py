"""The options of knife bootstrap as values: what each means, and which of several counts."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackcook.manifest.knifeoptions import KnifeOptions, Option, parse

COMMON = parse("-P common -x debian --hint a -t common.erb --node-verify-api-cert")


@pytest.mark.parametrize(
    "text, option",
    [
        ("-x me", Option("-x", "user", "me", "me", ("-x", "me"))),
        ("-xme", Option("-x", "user", "me", "me", ("-xme",))),
        ("--ssh-user='my self'", Option("--ssh-user", "user", "my self", "'my self'", ())),
        ("'-xmy self'", Option("-x", "user", "my self", "'my self'", ())),
        ("-P -secret", Option("-P", "password", "-secret", "-secret", ("-P", "-secret"))),
        ("--sudo", Option("--sudo", "--sudo", "true", "", ("--sudo",))),
        ("-VV", Option("-V", "-V", "true", "", ("-VV",))),
        ("--flavor m1 small", Option("--flavor", "--flavor", "m1", "m1", ())),
        ("stray", Option("", "", "stray", "stray", ("stray",))),
    ],
)
def test_one_option(text: str, option: Option) -> None:
    words = option.words or tuple(shlex.split(text))
    assert parse(text).given == (option._replace(words=words),)


def test_a_value_that_is_missing_is_not_taken_from_the_next_option() -> None:
    found = parse("-E --sudo -x -i key")
    assert (found.one("environment"), found.one("user"), found.one("key")) == ("", "", "key")
    assert found.faults == ("-E has no value", "-x has no value")


def test_the_last_counts_as_in_knife() -> None:
    found = parse("-P a --connection-password=b --tags a,b --tags c --bootstrap-version 18")
    assert (found.one("password"), found.tags, found.version) == ("b", ("c",), "18")
    both = parse("--node-verify-api-cert --no-node-verify-api-cert")
    assert both.verify_api_cert == "false"


def test_the_nearest_counts_and_hints_add_up() -> None:
    found = parse("-P first -P own --hint b").over(COMMON)
    assert (found.one("password"), found.one("user")) == ("own", "debian")
    assert found.every("hint") == ("a", "b")
    assert found.text == f"{COMMON.text} -P first -P own --hint b"
    assert parse("").over(COMMON) is COMMON


@pytest.mark.parametrize(
    "own, overrides",
    [
        ("-P own", True),
        ("--ssh-password own", True),
        ("--bootstrap-template own.erb", True),
        ("--no-node-verify-api-cert", True),
        ("-x", True),
        ("-P common --hint b -N x --node-verify-api-cert", False),
    ],
)
def test_what_overrides(own: str, overrides: bool) -> None:
    assert parse(own).overrides(COMMON) == overrides


def test_a_text_that_is_broken_gives_nothing() -> None:
    found = parse("-x 'me")
    assert found == KnifeOptions(text="-x 'me", broken="no closing quotation")
    assert found.over(COMMON) is COMMON


@pytest.mark.parametrize("text, version", [("latest", ""), ("v18.2.7", "18.2.7"), ("18", "18")])
def test_versions(text: str, version: str) -> None:
    assert parse(f"--bootstrap-version {text}").version == version


@pytest.mark.parametrize(
    "text, flags",
    [
        ("", ()),
        ("-E lab -U me -x me -i key -p 2222 -N a --sudo -y -r role[x] --no-host-key-verify", ()),
        ("--tags a -j {} --hint ec2 --secret s --bootstrap-version 18 -G gate -P pw -V", ()),
        ("--policy-name=web --policy-group prod --bootstrap-proxy http://127.0.0.1:1", ()),
        ("--bootstrap-install-command ./install --bootstrap-url http://127.0.0.1/install", ()),
        ("-t mine.erb --tags a", ("-t",)),
        ("--bootstrap-template=mine.erb", ("--bootstrap-template",)),
        (
            "--bootstrap-vault-item a:b --tags x --su-user root",
            ("--bootstrap-vault-item", "--su-user"),
        ),
        ("--flavor 'm1 small' --winrm-ssl", ("--flavor", "--winrm-ssl")),
    ],
)
def test_what_only_knife_can(text: str, flags: tuple[str, ...]) -> None:
    assert parse(text).knife_only == flags


def test_what_is_passed_on_to_knife() -> None:
    text = "--tags a --hint x --hint y -t mine.erb --secret s -P pw -E lab --sudo -j {} stray"
    assert parse(text).for_knife == tuple("--tags a --hint x --hint y -t mine.erb".split())


@given(st.text(alphabet="-xE=aä '\"\\\t\n{n}"))
def test_no_word_is_lost(text: str) -> None:
    found = parse(text)
    if not found.broken:
        assert [word for option in found.given for word in option.words] == shlex.split(text)
        assert all(shlex.split(o.written) == [o.value] for o in found.given if o.written)
