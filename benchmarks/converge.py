#!/usr/bin/env python3
"""The first converge of a controller, compared with only installing its packages.

    python -m benchmarks.converge

Deploys a controller, then installs the packages that its converge installed on a second new
machine of the same size, in the same way: apt with the options of the cookbooks, no service
starts. If packages had to be downloaded, the deploy is repeated first. Then it converges the
controller again, with nothing to do. Exits 1 if a limit is exceeded.
"""

from __future__ import annotations

import re
import sys
import time
from typing import Any

from stackcook.cache import packages
from stackcook.machines.factory import vagrant_machines
from stackcook.manifest.read import read
from tests.labs import Lab, prepared

LIMIT = 1.15
"""Times as long as the installation that a first converge may take."""

IDLE_LIMIT = 12.0
"""Seconds that a converge with nothing to do may take."""

INSTALL = """\
printf "#!/bin/sh\\nexit 101\\n" > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
apt-get update -qq
apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 {packages}
"""


class Failed(Exception):
    """Something could not be measured."""


def main() -> int:
    """The command line."""
    with prepared("sctconv", "10.0.130", "10.0.131", two_nodes) as lab:
        try:
            return measure(lab)
        except Failed as error:
            print(error, file=sys.stderr)
            return 1


def two_nodes(document: dict[str, Any]) -> None:
    settings = document["stackcook"]
    document["nodes"].append({"bare": {}})
    settings["nodes"] = {
        name: {"memory": 8192, "cpus": 2} for name in ("controller", "compute1", "bare")
    }


def measure(lab: Lab) -> int:
    """Measure both ways, print the figures, and return the exit code."""
    first, downloaded = converge(lab)
    if downloaded:
        print(f"{downloaded} packages were downloaded: measuring again", flush=True)
        run(lab, "destroy", "--yes")
        first, downloaded = converge(lab)
    names = installed(lab)
    bare = install(lab, names)
    print(f"install {len(names)} packages, with dependencies   {bare:6.1f} s")
    print(f"first converge of the controller           {first:6.1f} s  {first / bare:.2f} times")
    run(lab, "converge", "controller")
    idle = step_seconds(lab, "converge")
    print(f"converge with nothing to do                {idle:6.1f} s")
    return 0 if first / bare <= LIMIT and idle <= IDLE_LIMIT else 1


def converge(lab: Lab) -> tuple[float, int]:
    """Deploy the controller: the seconds of its converge, and how many packages it downloaded."""
    before = set(packages().glob("*/*.deb"))
    run(lab, "deploy", "--limit", "controller")
    new = {path.name for path in packages().glob("*/*.deb")} - {path.name for path in before}
    return step_seconds(lab, "converge"), len(new)


def step_seconds(lab: Lab, step: str) -> float:
    """How long a step of the controller took in the last run."""
    (node,) = (n for n in run(lab, "report", "--json").data["nodes"] if n["node"] == "controller")
    return float(sum(each["seconds"] for each in node["steps"] if each["step"] == step))


def installed(lab: Lab) -> list[str]:
    """The packages that the controller's converge named to apt."""
    log = (lab.logs / "controller.log").read_text()
    found = re.findall(r"- install version \S+ of package (\S+)$", log, re.M)
    if not found:
        raise Failed(
            f"{lab.logs}/controller.log names no packages: was the controller made from a warm box?"
            " Delete it from ~/.cache/stackcook/boxes"
        )
    return found


def install(lab: Lab, names: list[str]) -> float:
    """Install packages on a machine that has none of them; the seconds it took."""
    manifest, findings = read(lab.manifest)
    if manifest is None:
        raise Failed("\n".join(map(str, findings)))
    bare = [node for node in manifest.nodes if node.name == "bare"]
    vagrant_machines(manifest).up(bare, print)
    began = time.monotonic()
    done = lab.on("bare", INSTALL.format(packages=" ".join(names)), timeout=1800)
    if done.status:
        raise Failed(f"apt-get failed: {done.err}")
    return time.monotonic() - began


def run(lab: Lab, *argv: str) -> Any:
    done = lab.stackcook(*argv, timeout=3600)
    if done.status:
        raise Failed(f"`stackcook {' '.join(argv)}` failed: {done.err}")
    return done


if __name__ == "__main__":
    sys.exit(main())
