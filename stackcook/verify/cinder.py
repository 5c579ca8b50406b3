"""Checks Cinder: its services, and a small volume from its creation to its deletion."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator

from stackcook.errors import VerifyError
from stackcook.verify import trial
from stackcook.verify.check import Check, Checks, poll, timed, until_good
from stackcook.verify.openstack import VOLUMES, Cloud
from stackcook.verify.placing import CINDER, CINDER_VOLUME, Placed, running
from stackcook.verify.trial import LIMIT, Pause, is_abandoned

PREFIX = "stackcook-check-"
"""Not that of the instances: their cleanup deletes volumes, too, and may run beside this check."""


def checks(
    cloud: Cloud, nodes: Iterable[Placed], deadline: float, pause: Pause = time.sleep
) -> Checks:
    """The checks of the services, and of a volume; none if the cloud has no Cinder.

    ``deadline`` is the time of :func:`time.monotonic` until which services may still come up.
    """
    if not cloud.has(VOLUMES):
        return ()
    nodes = tuple(nodes)
    placed = [(node, unit) for unit in CINDER for node in running(nodes, unit)]

    def look() -> Checks:
        return tuple(
            timed(f"{unit} in Cinder", node.name, unit, lambda: _service(cloud, node, unit))
            for node, unit in placed
        )

    found = until_good(deadline, look, pause)
    on = next(iter(running(nodes, CINDER_VOLUME)), None)
    return *found, *_volume(cloud, on.name if on else "", pause)


def status(cloud: Cloud, volume: str) -> str:
    """A volume's status, by its ID; ``deleted`` if it is gone. Raises VerifyError."""
    found = cloud.find(VOLUMES, f"/volumes/{volume}")
    return "deleted" if found is None else str(found["volume"]["status"])


def create(cloud: Cloud, name: str, pause: Pause) -> str:
    """Create a volume of 1 GiB, and wait until it can be used; its ID. Raises VerifyError."""
    wanted = {"volume": {"name": name, "size": 1}}
    volume = str(cloud.post(VOLUMES, "/volumes", wanted)["volume"]["id"])
    found = settled(cloud, volume, ("creating", "downloading"), pause)
    if found != "available":
        raise VerifyError(f"Cinder did not create a volume within {LIMIT:.0f} s (status: {found})")
    return volume


def settled(cloud: Cloud, volume: str, passing: tuple[str, ...], pause: Pause) -> str:
    """A volume's status once it is none of ``passing``, or after LIMIT seconds; VerifyError."""
    return poll(
        time.monotonic() + LIMIT,
        lambda: status(cloud, volume),
        lambda now: now not in passing,
        pause,
    )


def _service(cloud: Cloud, node: Placed, unit: str) -> None:
    """Raise VerifyError unless the service on the node is up."""
    listed = cloud.read(VOLUMES, f"/os-services?binary={unit}")["services"]
    # The host of cinder-volume is HOST@BACKEND.
    mine = [each for each in listed if node.is_called(str(each["host"]).partition("@")[0])]
    if not mine:
        raise VerifyError("Cinder does not list it")
    for each in mine:
        if each["state"] != "up" or each["status"] != "enabled":
            states = f"{each['state']}, {each['status']}"
            client = f"openstack --os-cloud {cloud.os_cloud} volume service set"
            enable = f"enable it with `{client} --enable {each['host']} {unit}`"
            raise VerifyError(
                f"Cinder lists {each['host']} as {states}",
                remedy=enable if each["state"] == "up" else "",
            )


def _volume(cloud: Cloud, node: str, pause: Pause) -> Iterator[Check]:
    name = PREFIX + secrets.token_hex(3)
    return trial.checks(
        "volume",
        node,
        CINDER_VOLUME,
        lambda: create(cloud, name, pause),
        lambda: _delete(cloud, name, pause),
    )


def _delete(cloud: Cloud, name: str, pause: Pause) -> None:
    """Delete the volume, and those that killed verifications have left."""
    listed = cloud.read(VOLUMES, "/volumes/detail?all_tenants=true")["volumes"]
    ours = [
        str(each["id"])
        for each in listed
        if each["name"] == name or is_abandoned(str(each["name"]), PREFIX, str(each["created_at"]))
    ]
    for volume in ours:
        cloud.delete(VOLUMES, f"/volumes/{volume}")
    for volume in ours:
        found = settled(cloud, volume, ("deleting",), pause)
        if found != "deleted":
            what = f"Cinder has not deleted volume {volume} within {LIMIT:.0f} s (status: {found})"
            raise VerifyError(what)
