"""The step ``interfaces``: what Chef gets, and how a change is confirmed or has been undone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from stackcook.bootstrap.base import Registration
from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.command import Completed
from stackcook.errors import NodeError, Transient
from stackcook.manifest.model import Interface, InterfaceKind, Match, Route
from stackcook.remote.base import Host, Unreachable
from tests.unit.bootstrap.fakes import DEPLOY, ONE, Setting, Shell, steps

CARD = Interface("lan0", InterfaceKind.ETHERNET, Match(order=1))
BRIDGE = Interface(
    "br0",
    InterfaceKind.BRIDGE,
    interfaces=("lan0",),
    addresses=(ip_interface("10.0.115.10/24"),),
    gateway=ip_address("10.0.115.1"),
    routes=(Route("10.2.0.0/16", ip_address("10.0.115.2")),),
    mtu=1400,
)
NODE = replace(ONE, interfaces=(CARD, BRIDGE))


@dataclass
class Script(Shell):
    """The script of the cookbook, asked by new logins: a state, or an error, for each."""

    states: list[str | NodeError] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)

    def __call__(self, host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Script:
        self.opened.append(host)
        if isinstance(self.states[0], NodeError):
            raise self.states[0] if len(self.states) == 1 else self.states.pop(0)
        return self

    def _answer(self, command: str, stdin: str) -> tuple[str, Completed]:
        assert "/usr/local/sbin/openstack-host-network" in command
        self.verbs.append("confirm" if "confirm" in command else "state")
        state = self.states.pop(0)
        assert isinstance(state, str)
        return "script", Completed(0, f"{state}\n")


DOWN = Unreachable("no SSH response", where="one")


def perform(setting: Setting, *states: str | NodeError) -> tuple[str, Script]:
    """Perform the step; every second that it waits passes at once."""
    seconds = iter(range(10_000))
    script = Script(states=[*states])
    context = replace(
        setting.context, login=script, clock=lambda: float(next(seconds)), pause=lambda _: None
    )
    setting.shell.fit += "udev=yes\ncard enp1s0=52:54:00:00:00:01 0000:01:00.0 1000\n"
    chef = Bootstrap(context)
    chef.look(NODE, setting.host)
    found = chef.perform("interfaces", NODE, setting.host, DEPLOY, 300, print)
    assert isinstance(found, str)
    return found, script


@pytest.fixture
def known(setting: Setting) -> Iterator[Setting]:
    setting.register()
    yield setting


def test_it_comes_before_all_that_uses_the_network(setting: Setting) -> None:
    chef = Bootstrap(setting.context)
    new = [name for name, _ in steps(chef, NODE, setting.host)]
    assert new == ["install", "register", "interfaces", "converge"]
    old = [name for name, _ in steps(chef, NODE, setting.host, Registration.REGISTERED)]
    assert old == ["interfaces", "converge"]


def test_chef_gets_the_description_with_the_card_that_is_meant(known: Setting) -> None:
    perform(known, "none")
    script = known.shell.sent[-1]
    assert "--override-runlist 'recipe[openstack-host-network]'" in script
    given = re.search(r"printf %s '(\{.*\})' \|", script)
    assert given and json.loads(given[1])["openstack"]["host_network"]["interfaces"] == {
        "lan0": {"kind": "ethernet", "mac": "52:54:00:00:00:01"},
        "br0": {
            "kind": "bridge",
            "interfaces": ["lan0"],
            "mtu": 1400,
            "addresses": ["10.0.115.10/24"],
            "gateway": "10.0.115.1",
            "routes": [{"to": "10.2.0.0/16", "via": "10.0.115.2", "metric": None}],
        },
    }


def test_a_host_that_is_as_described_needs_no_confirmation(known: Setting) -> None:
    text, script = perform(known, "confirmed")
    assert text == "lan0, br0: as described" and script.verbs == ["state"]


def test_a_change_is_confirmed_by_a_login_that_began_after_it(known: Setting) -> None:
    text, script = perform(known, "staged", "switching", DOWN, "trying", "confirmed")
    assert text == "lan0, br0: changed"
    assert script.verbs == ["state", "state", "state", "confirm"]
    assert len(script.opened) == 5, "each of them is a new login"


def test_a_lost_connection_of_chef_is_no_failure(known: Setting) -> None:
    known.shell.fails["converge"] = Transient("the connection broke", where="one")
    text, _ = perform(known, DOWN, "trying", "confirmed")
    assert text == "lan0, br0: changed"


def test_it_is_one_if_nothing_has_changed(known: Setting) -> None:
    known.shell.fails["converge"] = Transient("the connection broke", where="one")
    with pytest.raises(Transient, match="the connection broke"):
        perform(known, "confirmed")
    with pytest.raises(Transient, match="the connection broke"):
        perform(known, "reverted nobody has confirmed it within 60 s")  # an earlier change


def test_a_failed_run_of_chef_is_reported_at_once(known: Setting) -> None:
    known.shell.converge = Completed(1, "RuntimeError: no network card has the MAC address\n")
    with pytest.raises(NodeError, match="no network card has the MAC address"):
        perform(known, "none")


def test_a_host_that_was_cut_off_has_gone_back(known: Setting) -> None:
    with pytest.raises(NodeError) as raised:
        perform(known, "switching", DOWN, DOWN, "reverted nobody has confirmed it within 60 s")
    assert raised.value.what == (
        "no new SSH login worked with the new interfaces, so the host has gone back to the old "
        "ones (no SSH response)"
    )
    assert "correct `interfaces`" in raised.value.remedy
    assert not isinstance(raised.value, Transient), "the same description would cut it off again"


def test_the_host_itself_may_find_the_fault(known: Setting) -> None:
    with pytest.raises(NodeError, match="gone back to the old ones: br0 has no address 10.0.115"):
        perform(known, "switching", "reverting", "reverted br0 has no address 10.0.115.10/24")


def test_a_host_that_stays_away_is_not_waited_for_without_end(known: Setting) -> None:
    what = "not known whether .* new interfaces .no SSH response.*; look at `ip address`"
    with pytest.raises(NodeError, match=what):
        perform(known, DOWN)
