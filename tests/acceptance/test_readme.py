"""The README's quick start, word for word, on a fresh machine."""

from __future__ import annotations

import re
from ipaddress import IPv4Network

import pytest

from tests.acceptance.fresh import DEPLOY, VERIFIED, machine
from tests.pages import blocks, chapter, commands

NETWORK = IPv4Network("10.0.142.0/24")

TYPED = {"stackcook ssh controller": "hostname; exit\n", "stackcook destroy": "y\n"}
"""Command → what the user types, if it needs a terminal."""

SHOWN = {
    "make deploy": VERIFIED.pattern,
    "openstack --os-cloud stackcook compute service list": r"nova-compute +\| compute1 .* up ",
    "stackcook verify": r"answered on \S+ \(compute1\)\n\d+ checks in .*: all passed\n",
    "stackcook ssh controller": r"(?m)^controller\s*$",
    "stackcook destroy": "destroy done in ",
}
"""Command → what it prints."""


@pytest.mark.parametrize("user", ["root", "alice"])
def test_the_quick_start_ends_with_a_cloud(user: str) -> None:
    # `make test` is left out: it takes an hour. test_debian_package.py has the second block.
    [[deploy, _], _, [*uses, destroy]] = commands("README.md", "Quick start")
    [example, *_] = blocks(chapter("docs/python.md", "pytest"))
    with machine("readme", NETWORK) as fresh:
        if user != "root":
            fresh.add_user(user)
        fresh.clone(user)
        fresh.fill_cache(user)

        def run(command: str, timeout: float = 600) -> str:
            typed = TYPED.get(command, "")
            done = fresh.run(user, command, where="stackcook", typed=typed, timeout=timeout)
            said = done.out + done.err
            assert re.search(SHOWN.get(command, ""), said), said
            return said

        run(deploy, DEPLOY)
        for command in uses:
            run(command)
        (fresh.home(user) / "stackcook" / "test_cloud.py").write_text(example)
        assert "2 passed" in run(".venv/bin/python3 -m pytest test_cloud.py")
        run(destroy)
        assert run("sudo lxc-ls -1") == ""
