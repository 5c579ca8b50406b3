"""``verify`` finds each fault, names service, node and cause, and passes after the repair.

LAB=DIR runs it on a deployed cloud; each fault is repaired before the next one. A container cannot
change the clock: there, ``verify`` is shown another time.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.labs import Lab, log

WITHIN = 180.0
"""Seconds until a fault is found, or its repair: Nova and Neutron need more than a minute."""

Checks = list[dict[str, Any]]


@dataclass(frozen=True)
class Fault:
    """Shell scripts that break something on a node and repair it; both run as root.

    A failed check must be about the systemd unit ``unit``, or have this name, and its cause must
    match the pattern ``cause``. ``instance``: only an instance shows it.
    """

    name: str
    node: str
    unit: str
    cause: str
    breaks: str
    repairs: str
    instance: bool = False


def restart(unit: str) -> str:
    """Without waiting: with a wrong configuration, some units never finish their start."""
    return f"systemctl restart --no-block {unit}\n"


def edited(path: str, section: str, change: str, unit: str) -> tuple[str, str]:
    """Edit lines of one section of a file, with a command of sed, and restart the unit; undo it."""
    copy = f"{path}.before-fault"
    breaks = (
        f"cp -p {path} {copy}\n"
        f"sed -i '/^\\[{section}\\]/,/^\\[/ {change}' {path}\n"
        f"if cmp -s {path} {copy}; then exit 1; fi\n"
    )
    return breaks + restart(unit), f"mv {copy} {path}\n" + restart(unit)


PASSWORD = "s/^password *=.*/password = wrong/"
URL = r"s#://\([^:]*\):[^@]*@#://\1:wrong@#"
NOVA = "/etc/nova/nova.conf"
AGENT = "/etc/neutron/neutron_ovn_metadata_agent.ini"
DATE = "/usr/local/bin/date"
LOOP = "/run/systemd/system/nova-scheduler.service.d/fault.conf"
ANOTHER_PORT = r"s/\(ovn-remote=tcp:.*\):[0-9]*/\1:6649/"

FAULTS = (
    Fault(
        "wrong password in [database]",
        "controller",
        "keystone",
        "the database rejects the service's password",
        *edited("/etc/keystone/keystone.conf", "database", URL, "keystone"),
    ),
    Fault(
        "wrong password in [keystone_authtoken]",
        "controller",
        "glance-api",
        "Keystone rejects the service's password",
        *edited("/etc/glance/glance-api.conf", "keystone_authtoken", PASSWORD, "glance-api"),
    ),
    Fault(
        "wrong password in transport_url",
        "compute1",
        "nova-compute",
        "the message queue rejects the service's password",
        *edited(NOVA, "DEFAULT", URL, "nova-compute"),
    ),
    Fault(
        "wrong password in [placement] of a compute node",
        "compute1",
        "nova-compute",
        "Keystone rejects the service's password",
        *edited(NOVA, "placement", PASSWORD, "nova-compute"),
    ),
    Fault(
        "wrong password in [placement] of the scheduler",
        "controller",
        "nova-scheduler",
        "Keystone rejects the service's password",
        *edited(NOVA, "placement", PASSWORD, "nova-scheduler"),
        instance=True,
    ),
    Fault(
        "wrong password in [neutron]",
        "compute1",
        "nova-compute",
        "Keystone rejects the service's password|Unauthorized|requires authentication",
        *edited(NOVA, "neutron", PASSWORD, "nova-compute"),
        instance=True,
    ),
    Fault(
        "wrong secret of the metadata agent",
        "compute1",
        "neutron-ovn-metadata-agent",
        "the instance got no metadata",
        *edited(
            AGENT,
            "DEFAULT",
            "s/^metadata_proxy_shared_secret *=.*/metadata_proxy_shared_secret = wrong/",
            "neutron-ovn-metadata-agent",
        ),
        instance=True,
    ),
    Fault(
        "metadata proxy that cannot run",
        "compute1",
        "neutron-ovn-metadata-agent",
        "the instance got no metadata",
        "mount --bind /bin/false /usr/sbin/haproxy",
        "umount /usr/sbin/haproxy",
        instance=True,
    ),
    Fault(
        "full disk",
        "controller",
        "disk space",
        "the disk is full: /var/lib/glance/images has 0 MiB free",
        "mount -t tmpfs -o size=1m tmpfs /var/lib/glance/images\n"
        "head -c 2M /dev/zero >/var/lib/glance/images/zero || true",
        "umount /var/lib/glance/images",
    ),
    Fault(
        "clock that is behind",
        "compute1",
        "clock",
        "its clock is 36[0-9][0-9] s behind this machine's",
        f'printf \'#!/bin/sh\\nexec /usr/bin/date -d "1 hour ago" "$@"\\n\' >{DATE}\n'
        f"chmod 755 {DATE}",
        f"rm {DATE}",
    ),
    Fault(
        "OVN southbound database out of reach",
        "compute1",
        "OVN southbound connection",
        "no connection to OVN's southbound database at .*:6649",
        "remote=$(ovs-vsctl get Open_vSwitch . external-ids:ovn-remote)\n"
        'echo "$remote" >/run/ovn-remote.before-fault\n'
        "ovs-vsctl set Open_vSwitch . "
        f"$(echo external-ids:ovn-remote=$remote | tr -d '\"' | sed '{ANOTHER_PORT}')",
        "ovs-vsctl set Open_vSwitch . "
        "external-ids:ovn-remote=$(cat /run/ovn-remote.before-fault)\n"
        "rm /run/ovn-remote.before-fault",
    ),
    Fault(
        "user deleted in RabbitMQ",
        "controller",
        "rabbitmq-server",
        "the message queue at .* rejects user openstack",
        "rabbitmqctl -q delete_user openstack",
        "chef-client",
    ),
    Fault(
        "unreadable keys of Keystone",
        "controller",
        "keystone",
        "returned 500",
        "chmod 000 /etc/keystone/fernet-keys\n" + restart("keystone"),
        "chmod 700 /etc/keystone/fernet-keys\n" + restart("keystone"),
    ),
    Fault(
        "crash loop",
        "controller",
        "nova-scheduler",
        "it keeps exiting with status 1|it keeps crashing",
        f"mkdir -p $(dirname {LOOP})\n"
        "printf '[Unit]\\nStartLimitIntervalSec=0\\n[Service]\\nType=simple\\nExecStart=\\n"
        f"ExecStart=/bin/false\\nRestart=always\\nRestartSec=1\\n' >{LOOP}\n"
        "systemctl daemon-reload\n" + restart("nova-scheduler"),
        f"rm {LOOP}\nsystemctl daemon-reload\n" + restart("nova-scheduler"),
    ),
    Fault(
        "masked unit",
        "controller",
        "nova-novncproxy",
        "its systemd unit is masked",
        "systemctl stop nova-novncproxy\nsystemctl mask --runtime nova-novncproxy",
        "systemctl unmask --runtime nova-novncproxy\nsystemctl start nova-novncproxy",
    ),
    Fault(
        "database that hangs",
        "controller",
        "mariadb",
        "does not respond: no response within",
        "systemctl kill --signal=STOP mariadb",
        "systemctl kill --signal=CONT mariadb",
    ),
    Fault(
        "conductor that hangs",
        "controller",
        "nova-conductor",
        "Nova lists it as down",
        "systemctl kill --signal=STOP nova-conductor",
        "systemctl kill --signal=CONT nova-conductor",
    ),
)

STOPS = {"libvirtd": "libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket"}
"""What to stop besides the unit: libvirt's sockets would start it again."""


def verify(lab: Lab, *options: str) -> Checks:
    """The checks that fail."""
    done = lab.stackcook("--json", "verify", "--patience", "0", *options, timeout=900)
    assert done.status in (0, 5), done.err
    failures = [check for check in done.data["checks"] if not check["ok"]]
    assert (done.status == 5) == bool(failures)
    for check in failures:
        log.info("%(name)s on %(node)s [%(unit)s]: %(cause)s", check)
    return failures


def waited(lab: Lab, good: Callable[[Checks], Any], *options: str) -> Checks:
    """The failures as soon as they are ``good``, or those after WITHIN seconds."""
    deadline = time.monotonic() + WITHIN
    failures = verify(lab, *options)
    while not good(failures) and time.monotonic() < deadline:
        failures = verify(lab, *options)
    return failures


def run(lab: Lab, node: str, script: str) -> None:
    done = lab.on(node, "sh -ex", stdin=script, timeout=600)
    assert done.status == 0, (script, done.out, done.err)


@contextmanager
def broken(lab: Lab, fault: Fault) -> Iterator[None]:
    """Break it; in the end, repair it and wait until all is well."""
    try:
        run(lab, fault.node, fault.breaks)
        yield
    finally:
        run(lab, fault.node, fault.repairs)
        left = waited(lab, lambda failures: not failures, "--no-instance")
    assert left == []


def found(fault: Fault, failures: Checks) -> bool:
    return any(
        check["node"] == fault.node
        and fault.unit in (check["unit"], check["name"])
        and re.search(fault.cause, check["cause"])
        for check in failures
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found(lab: Lab, fault: Fault) -> None:
    assert waited(lab, lambda failures: not failures, "--no-instance") == []
    with broken(lab, fault):
        options = ("--instance",) if fault.instance else ("--no-instance",)
        failures = waited(lab, lambda failures: found(fault, failures), *options)
        assert found(fault, failures), json.dumps(failures, indent=1)


@pytest.mark.parametrize("node", ["controller", "compute1"])
def test_each_service_that_stops_is_found(lab: Lab, node: str) -> None:
    done = lab.stackcook("--json", "verify", "--no-instance")
    units = [c["name"] for c in done.data["checks"] if (c["node"], c["unit"]) == (node, c["name"])]
    assert done.status == 0 and len(units) > 5
    start = f"systemctl start {' '.join(units)}"  # others may stop with it
    for unit in units:
        stop = f"systemctl stop {STOPS.get(unit, unit)}"
        fault = Fault(f"{unit} stopped", node, unit, "it is inactive since", stop, start)
        with broken(lab, fault):
            failures = verify(lab, "--no-instance")
            assert found(fault, failures), json.dumps(failures, indent=1)
