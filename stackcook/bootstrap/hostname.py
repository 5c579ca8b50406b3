"""Gives a host the name of its node."""

from __future__ import annotations

import shlex

from stackcook.bootstrap.onnode import NodeTask
from stackcook.bootstrap.preflight import HostFacts
from stackcook.errors import NodeError

# hostnamectl needs D-Bus, which a small system lacks. In /etc/hosts, 127.0.1.1 is the host itself
# on Debian; its domain stays. A file that is mounted there can only be written into.
_SCRIPT = """\
set -eu
old=$(cat /proc/sys/kernel/hostname)
touch /etc/hosts
new_hosts=$(awk -v old="$old" -v new="$name" '
  $1 == "127.0.1.1" {
    for (i = 2; i <= NF; i++) {
      if ($i == old) $i = new
      else if (index($i, old ".") == 1) $i = new substr($i, length(old) + 1)
      if ($i == new) found = 1
    }
  }
  { print }
  END { if (!found) print "127.0.1.1 " new }' /etc/hosts)
printf '%s\\n' "$new_hosts" >/etc/hosts
printf '%s\\n' "$name" >/etc/hostname
hostname "$name"
"""


def set_hostname(task: NodeTask, facts: HostFacts | None) -> str:
    """Give the host its node's name, also in ``/etc/hosts``, unless its services know another.

    Raises NodeError if it cannot be set.
    """
    name = task.node.name
    was = facts.said.get("host", "") if facts else ""
    if facts and facts.ours:
        return f"kept {was}, as the node is in the cloud already"
    if was == name:
        return f"it is {name} already"
    lines: list[str] = []
    done = task.run_script(f"name={shlex.quote(name)}\n{_SCRIPT}", lines.append)
    if done.status:
        why = lines[-1] if lines else f"status {done.status}"
        remedy = f"set it yourself: hostnamectl set-hostname {name}"
        raise NodeError(f"cannot set the host's name ({why})", where=name, remedy=remedy)
    return f"{name}, was {was}" if was else name
