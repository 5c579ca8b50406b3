"""Messages of Debian's packages that are known to be harmless, each with the reason.

They are no finding of ``verify --logs``, and are not taken for the cause of another failure. A
message belongs here only if nothing that stackcook or its cookbooks configure could avoid it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A pattern that is searched in ``SOURCE: MESSAGE``, and why the message does no harm."""

    pattern: str
    reason: str


KNOWN = (
    Known(
        r"dmidecode",
        "libvirt asks for the machine's serial number, which a container or a virtual machine "
        "without SMBIOS does not have",
    ),
    Known(
        r"vif_plug_provider\|WARN",
        "ovn-controller looks for a plug-in for SmartNICs, which Debian does not package",
    ),
    Known(
        r"Exception ignored in: <function _after_fork .*AssertionError",
        "after a fork, Python 3.13 wants to know the main thread's number, which eventlet's green "
        "threads do not have; Python goes on without it",
    ),
)


def reason(message: str) -> str:
    """Why a message is harmless; ``""`` if it is not known."""
    return next((known.reason for known in KNOWN if re.search(known.pattern, message)), "")
