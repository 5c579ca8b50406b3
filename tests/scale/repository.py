"""The Chef repository of the lab: one trivial role, as many nodes as there are machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.scale.machine import Machine

IN_A_LINE = 50
"""Names of nodes; a key of YAML's has at most 1024 characters."""

RECIPE = """\
directory '/etc/trivial'

file '/etc/trivial/node' do
  content "#{node.name} #{node['openstack']['address']} #{node.environment}\\n"
end
"""
FILES = {
    "environments/lab.json": '{"name": "lab"}',
    "roles/base.json": '{"name": "base", "run_list": ["recipe[trivial]"]}',
    "cookbooks/trivial/metadata.rb": "name 'trivial'\nversion '0.1.0'\n",
    "cookbooks/trivial/recipes/default.rb": RECIPE,
}


def write(
    root: Path, machines: Sequence[Machine], key: Path, settings: Mapping[str, Any] | None = None
) -> Path:
    """Write the repository below ``root``; gives the path of the manifest.

    ``settings`` are laid over the section ``stackcook``.
    """
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    names = [machine.name for machine in machines]
    entries = [" ".join(names[at : at + IN_A_LINE]) for at in range(0, len(names), IN_A_LINE)]
    document = {
        "cookbooks": [{"trivial": None}],
        "environments": [{"lab": None}],
        "roles": [{"base": None}],
        "options": "-E lab --ssh-verify-host-key accept_new",
        "nodes": [{entry: {"run_list": "role[base]"}} for entry in entries],
        "stackcook": {
            "name": "scale",
            "machines": "ssh",
            "passwords": {},
            "nodes": {
                machine.name: {
                    "address": str(machine.address),
                    "user": "vagrant",
                    "key": str(key),
                }
                for machine in machines
            },
            **(settings or {}),
        },
    }
    manifest = root / "infrastructure.yml"
    manifest.write_text(json.dumps(document, indent=1))  # which is YAML as well
    return manifest
