"""The chain from Placement to an instance that answers: its links, and which one broke. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from stackcook.errors import VerifyError
from stackcook.verify.openstack import how_to_enable, why_disabled
from stackcook.verify.placing import COMPUTE, METADATA, OVN, PLACEMENT, SCHEDULER

LIBVIRT = "libvirtd"

LINKS: Mapping[str, str] = {
    "Placement": PLACEMENT,
    "scheduler": SCHEDULER,
    "image": "glance-api",
    "libvirt": COMPUTE,
    "port binding": OVN,
    "console URL": "nova-novncproxy",
    "console log": COMPUTE,
    "DHCP": OVN,
    "metadata": METADATA,
    "key": METADATA,
    "user data": METADATA,
    "floating IP": OVN,
    "SSH": OVN,
    "traffic to outside": OVN,
    "tunnel": OVN,
    "security group": OVN,
    "volume": COMPUTE,
}
"""The links in their order, and the systemd unit whose log tells most if one breaks."""

_CAUSES = (
    ("port binding", r"[Bb]inding failed|binding_failed|VirtualInterface|[Vv]irtual [Ii]nterface"),
    ("port binding", r"allocate the network|\bvif\b"),
    ("image", r"[Ii]mage\w* .*(not (be )?found|could not be|unacceptable|corrupt|checksum)"),
    ("image", r"ImageNotFound|ImageUnacceptable|ImageDownload|CorruptedImage|[Gg]lance"),
    ("libvirt", r"(?i)libvirt|hypervisor|qemu|internal error|no space left"),
    ("scheduler", r"No valid host|could not be found|[Qq]uota"),
)
"""What Nova says if a link breaks; the first that matches counts."""

_WAITING = {
    "networking": "port binding",
    "block_device_mapping": "image",
    "spawning": "libvirt",
}
"""What Nova is at, by the task state of a server that is being built."""


class Broken(VerifyError):
    """The chain broke at ``link``; ``unit`` is the systemd unit to blame."""

    def __init__(self, link: str, what: str, *, unit: str = "", remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.link = link
        self.unit = unit or LINKS[link]


def refused(error: VerifyError) -> Broken:
    """What broke if Nova does not even accept the instance."""
    return Broken(_link(error.what, "scheduler"), error.what)


def disabled(service: Mapping[str, Any], os_cloud: str) -> Broken | None:
    """What broke if Nova lets no instance onto a node, by the node's nova-compute in Nova.

    ``os_cloud`` is the cloud's name in clouds.yaml.
    """
    if service.get("state") != "up":
        return Broken("scheduler", f"Nova lists nova-compute as {service['state']}", unit=COMPUTE)
    if service.get("status") == "enabled":
        return None
    reason, remedy = why_disabled(service), how_to_enable(service, os_cloud)
    what = f"nova-compute is disabled in Nova ({reason})"
    if "libvirt" in reason:
        return Broken("libvirt", what, unit=LIBVIRT, remedy=remedy)
    return Broken("scheduler", what, unit=COMPUTE, remedy=remedy)


def failed(server: Mapping[str, Any], errors: Iterable[str]) -> Broken:
    """What broke if Nova gave up a server; ``errors`` are from the node's log and its actions."""
    fault = str((server.get("fault") or {}).get("message") or "Nova gives no reason")
    said = list(dict.fromkeys((*(text for text in errors if text), fault)))
    # The reason why the node could not start it is worth more than "No valid host was found".
    link = next((link for text in said if (link := _link(text, ""))), "")
    host = server.get("OS-EXT-SRV-ATTR:host")
    link = link or ("libvirt" if host else "scheduler")
    what = "; ".join(said)
    lost = link == "libvirt" and re.search(r"(?i)HypervisorUnavailable|connect", what)
    return Broken(link, what[:500], unit=LIBVIRT if lost else "")


def late(server: Mapping[str, Any], port: Mapping[str, Any], seconds: float) -> Broken:
    """What broke if a server is still not active after ``seconds``."""
    state = server.get("OS-EXT-STS:task_state") or "none"
    link = _WAITING.get(str(state), "scheduler")
    what = f"the instance is not active after {limit(seconds)} (task state: {state})"
    if port.get("binding:vif_type") == "binding_failed":
        return Broken("port binding", f"{what}: Neutron could not bind its port")
    if link == "libvirt" and port.get("status") == "DOWN":
        # It is only plugged once the image is there; in the end Nova waits for nothing else.
        what += ": Nova waits until its port is connected, which is still down"
        return Broken("port binding", what)
    return Broken(link, what)


def limit(seconds: float) -> str:
    """The time that an instance had, and the option that gives it more."""
    return f"{seconds:.0f} s, which `stackcook verify --patience` extends"


def _link(text: str, otherwise: str) -> str:
    return next((link for link, pattern in _CAUSES if re.search(pattern, text)), otherwise)
