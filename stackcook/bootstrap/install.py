"""The shell script that installs the Chef client on a node; the same for knife and native."""

from __future__ import annotations

import shlex
from pathlib import Path

from stackcook import client
from stackcook.bootstrap.options import Options

FUNCTIONS = Path(__file__).with_name("install.sh")

FIX_DPKG = (
    '[ -z "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ] ||'
    " DEBIAN_FRONTEND=noninteractive dpkg --configure -a"
)
"""Completes what a killed dpkg has begun; until then apt refuses to install anything."""


def script(options: Options) -> str:
    """The script for a node with these options; it exits 0 once the client is installed."""
    install = options.one("install") or _from_gems(options.version)
    parts = (
        "set -eu",
        f"wanted={shlex.quote(options.version)}",
        FUNCTIONS.read_text(),
        options.one("preinstall"),
        # No function in front of ||: the shell would go on after the first thing that fails in it.
        f"if is_there; then :; else\n{FIX_DPKG}\n{install}\nfi",
    )
    return "\n".join(filter(None, parts)) + "\n"


def _from_gems(version: str) -> str:
    """How to install it: the locked gems, unless another version is wanted."""
    locked = client.gems()
    if not version or f"{locked['chef']}.".startswith(f"{version}."):
        gems = [f"{name}:{number}" for name, number in locked.items()]
        return f"from_gems --ignore-dependencies {shlex.join(gems)}"
    wanted = version if version.count(".") >= 2 else f"~>{version}.0"
    return f"from_gems {shlex.join((f'chef:{wanted}', f'chef-bin:{wanted}'))}"
