"""One manifest deploys to Vagrant machines and, with another ``machines``, to hosts."""

from __future__ import annotations

import re
from typing import Any

from tests.acceptance.ownhosts import OwnHosts
from tests.hosts import EXTERNAL, NETWORK, hosts
from tests.labs import prepared

SSH_CONFIG = """\
Host *
  User debian
  IdentityFile {key}
"""

ANSWERED = re.compile(r"checks passed; an instance answered on \S+ \(compute1\)")


def name_the_interface(document: dict[str, Any]) -> None:
    document["stackcook"]["external_interface"] = "eth1"


def test_on_vagrant_and_on_hosts() -> None:
    network, external = (str(each).rpartition(".")[0] for each in (NETWORK, EXTERNAL))
    with prepared("scsame", network, external, name_the_interface) as lab:
        deployed = lab.stackcook("deploy", timeout=40 * 60)
        assert deployed.status == 0 and ANSWERED.search(deployed.err), deployed.err
        assert lab.stackcook("destroy", "--yes", timeout=600).status == 0
        manifest = lab.manifest.read_text()
        lab.manifest.write_text(manifest.replace("machines: vagrant", "machines: ssh"))
        with hosts(2) as (plain, made):
            for host, name in zip(made, ("controller", "compute1")):
                host.run(f"hostname {name}; echo {name} >/etc/hostname")
            own = OwnHosts(lab.root, made)
            own.write_ssh(SSH_CONFIG.format(key=plain.key))
            deployed = own.stackcook("deploy", timeout=40 * 60)
            assert deployed.status == 0 and ANSWERED.search(deployed.err), deployed.err
            assert own.stackcook("destroy", "--yes", timeout=600).status == 0
        lab.manifest.write_text(manifest)
