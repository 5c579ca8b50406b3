"""The shell script that sees that a node has the Chef client; the same for knife and native."""

from __future__ import annotations

import shlex
from pathlib import Path

from stackcook.bootstrap.options import Options

FUNCTIONS = Path(__file__).with_name("install.sh")
_MACHINES = Path(__file__).parents[1] / "machines"
QUICK = _MACHINES / "quick.sh"
LOCKS = (_MACHINES / "client.lock", _MACHINES / "quick.lock")
"""The Chef client's gems, and those that let it start fast: "name version" a line, in order."""

HEAL = (
    '[ -z "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ] ||'
    " DEBIAN_FRONTEND=noninteractive dpkg --configure -a"
)
"""Ends what a dpkg that was killed has begun; until then apt refuses everything."""


def script(options: Options) -> str:
    """The script for a node with these options; it ends with 0 when the client is there."""
    install = options.one("install") or _from_gems(options.version)
    parts = (
        "set -eu",
        f"wanted={shlex.quote(options.version)}",
        FUNCTIONS.read_text(),
        QUICK.read_text(),
        options.one("preinstall"),
        # No function in front of ||: the shell would go on after the first thing that fails in it.
        f"if is_there; then :; else\n{HEAL}\n{install}\nfi",
    )
    return "\n".join(filter(None, parts)) + "\n"


def _from_gems(version: str) -> str:
    """How to install it: the locked gems, unless another version is wanted."""
    lines = (line for lock in LOCKS for line in lock.read_text().splitlines())
    words = (line.split("#")[0].split() for line in lines)
    locked = {pair[0]: pair[1] for pair in words if pair}
    if not version or f"{locked['chef']}.".startswith(f"{version}."):
        gems = [f"{name}:{number}" for name, number in locked.items()]
        return f"from_gems --ignore-dependencies {shlex.join(gems)}\nquick_client"
    wanted = version if version.count(".") >= 2 else f"~>{version}.0"
    return f"from_gems {shlex.join((f'chef:{wanted}', f'chef-bin:{wanted}'))}"
