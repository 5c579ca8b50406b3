"""Volumes of Cinder: carried from instance to instance, backed up, restored; their keys private."""

from __future__ import annotations

import secrets
import time
from typing import Any


from stackcook.verify.check import poll
from stackcook.verify.openstack import VOLUMES, Cloud, Refused
from tests.labs import Lab

LIMIT = 180.0
"""Seconds that a volume or a backup may take."""


def settled(cloud: Cloud, kind: str, id: str) -> str:
    """The status of a volume or backup once nothing is going on; ``gone`` if it is no more."""

    def look() -> str:
        try:
            return str(cloud.read(VOLUMES, f"/{kind}s/{id}")[kind]["status"])
        except Refused as error:
            assert error.status == 404
            return "gone"

    return poll(time.monotonic() + LIMIT, look, lambda status: "ing" not in status)


def make(cloud: Cloud, kind: str, **wanted: Any) -> str:
    """Create a volume or a backup, and wait for it; its ID."""
    name = f"acceptance-{secrets.token_hex(4)}"
    id = str(cloud.post(VOLUMES, f"/{kind}s", {kind: {"name": name, **wanted}})[kind]["id"])
    assert settled(cloud, kind, id) == "available"
    return id


def test_a_volume_is_carried_to_an_instance_on_each_node(lab: Lab) -> None:
    done = lab.stackcook("--json", "verify", "--instance", timeout=900)
    checks = done.data["checks"]
    assert [check for check in checks if not check["ok"]] == []
    carried = {check["node"] for check in checks if check["name"] == "instance: volume"}
    assert carried == {"compute1", "compute2"}


def test_a_volume_is_backed_up_and_restored(cloud: Cloud) -> None:
    made = []
    try:
        made.append(("volume", make(cloud, "volume", size=1)))
        made.append(("backup", make(cloud, "backup", volume_id=made[0][1])))
        path = f"/backups/{made[1][1]}/restore"
        restored = cloud.post(VOLUMES, path, {"restore": {}})["restore"]["volume_id"]
        made.append(("volume", str(restored)))
        assert settled(cloud, "backup", made[1][1]) == "available"
        assert settled(cloud, "volume", str(restored)) == "available"
    finally:
        for kind, id in reversed(made):
            cloud.delete(VOLUMES, f"/{kind}s/{id}")
        for kind, id in made:
            assert settled(cloud, kind, id) == "gone"


def test_no_key_of_ceph_can_be_read_by_others(lab: Lab) -> None:
    find = "find /etc/ceph /etc/libvirt/secrets -name \\*.keyring -o -name \\*.base64"
    for node, keys in (("controller", 3), ("compute1", 1), ("compute2", 1)):
        found = lab.on(node, f"{find} 2>/dev/null").out.split()
        assert len(found) == keys
        assert lab.on(node, f"find {' '.join(found)} -perm /o+rwx").out == ""
