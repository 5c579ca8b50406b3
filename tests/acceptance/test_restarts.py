"""Changing an option restarts the service that reads it, once, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.labs import Lab

NODES = ("controller", "compute1", "compute2")


def invocations(lab: Lab) -> dict[tuple[str, str], str]:
    """(node, unit) → the ID that systemd gave to the unit's start, for all running services."""
    show = "systemctl show --property=Id,InvocationID --state=running \\*.service"
    found = {}
    for node in NODES:
        done = lab.on(node, show)
        assert done.status == 0, done.err
        for block in done.out.strip().split("\n\n"):
            unit = dict(line.split("=", 1) for line in block.splitlines())
            if "@" not in unit["Id"]:  # those of logins come and go
                found[node, unit["Id"]] = unit["InvocationID"]
    return found


@contextmanager
def option(lab: Lab, service: str, section: str, key: str, value: str) -> Iterator[None]:
    """Set an option of a service's configuration in the environment; put the file back after."""
    path = lab.root / "environments" / "lab.json"
    before = path.read_text()
    environment = json.loads(before)
    settings = environment["default_attributes"]["openstack"]
    for name in (service, "conf", section):
        settings = settings.setdefault(name, {})
    settings[key] = value
    path.write_text(json.dumps(environment))
    try:
        yield
    finally:
        path.write_text(before)


def deploy(lab: Lab) -> None:
    done = lab.stackcook("deploy", timeout=900)
    assert done.status == 0, done.err


def test_an_option_restarts_one_service_once(lab: Lab) -> None:
    deploy(lab)  # whatever was left to do
    before = invocations(lab)
    since = lab.on("controller", "date +%s").out.strip()
    try:
        with option(lab, "image", "DEFAULT", "max_header_line", "16385"):
            deploy(lab)
        after = invocations(lab)
        changed = {which for which in before if after.get(which) != before[which]}
        assert changed == {("controller", "glance-api.service")}
        asked = f"journalctl -u glance-api --since @{since} -o cat | grep -c ^Started"
        assert lab.on("controller", asked).out.strip() == "1"
    finally:
        deploy(lab)
