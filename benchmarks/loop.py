"""What people do without stackcook: ``knife bootstrap`` in a loop, one node after the other."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.scale.machine import Machine
from tests.scale.measure import Measured, measured

ROOT = Path(__file__).resolve().parents[1]

_SCRIPT = """\
set -e
while read -r name address; do
  knife bootstrap "$address" -N "$name" -c {config} -U vagrant -i {key} --sudo \\
    --ssh-verify-host-key never --bootstrap-install-command : -E lab -r 'role[base]' \\
    -j '{{"openstack": {{"address": "'"$address"'"}}}}' </dev/null
done <<'NODES'
{nodes}
NODES
"""


class Failed(Exception):
    """What was to be measured did not do its work; its last words."""


def loop(
    manifest: Path, machines: Sequence[Machine], key: Path, knife: Path, log: Path
) -> Measured:
    """Put the objects on the embedded Chef server, then run and measure the loop.

    ``knife`` is the directory of the program. Chef's licence service is answered at once, the
    client is on the nodes already, and knife finds all that it needs: it is the loop at its best.
    Raises Failed.
    """
    root = manifest.parent
    for command in (("server", "start"), ("upload",)):
        argv = (sys.executable, "-m", "stackcook", "-f", str(manifest), *command)
        done = measured(*argv, cwd=root, env={"PYTHONPATH": str(ROOT)})
        if done.status:
            raise Failed(done.output)
    script = _SCRIPT.format(
        config=shlex.quote(str(root / ".stackcook/chef/config.rb")),
        key=shlex.quote(str(key)),
        nodes="\n".join(f"{machine.name} {machine.address}" for machine in machines),
    )
    home = root / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    environment = {
        "HOME": str(home),
        "PATH": f"{knife}:/usr/bin:/bin",
        "CHEF_LICENSE": "accept-silent",
        "CHEF_LICENSE_SERVER": "http://127.0.0.1:9",
    }
    return measured("/bin/bash", "-c", script, cwd=root, env=environment, log=log)
