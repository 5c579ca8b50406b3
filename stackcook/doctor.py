"""The programs that stackcook needs on this machine; `stackcook setup` installs missing ones."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stackcook.command import Command, Runner, find_program
from stackcook.command import run as run_command
from stackcook.errors import UsageError
from stackcook.manifest.model import BootstrapKind, MachineKind, Manifest


@dataclass(frozen=True)
class Tool:
    """A program and what it is for.

    ``need`` is what it is needed for, see :func:`needs`; empty: for everything.
    """

    program: str
    purpose: str
    need: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """One requirement: ``found`` is where it is, or empty; then ``remedy`` installs it."""

    name: str
    purpose: str
    found: str
    remedy: str
    needed: bool = True


TOOLS = (
    Tool("ruby", "reads cookbooks and roles; runs knife"),
    Tool("knife", "bootstraps nodes", "knife"),
    Tool("berks", "resolves the cookbooks of a Berksfile", "berksfile"),
    Tool("librarian-chef", "resolves the cookbooks of a Cheffile", "cheffile"),
    Tool("git", "fetches cookbooks from git repositories", "resolver"),
    Tool("goiardi", "runs the embedded Chef server", "embedded"),
    Tool("ssh", "reads ~/.ssh/config, opens shells on nodes", "nodes"),
    Tool("ip", "creates the network of the lab", "lxc"),
    Tool("nft", "sets up NAT for the network of the lab", "lxc"),
    Tool("sysctl", "sets up IP forwarding for the network of the lab", "lxc"),
    Tool("sudo", "runs commands as root", "sudo"),
    Tool("vagrant", "creates machines", "vagrant"),
    Tool("lxc-create", "creates LXC containers as machines", "lxc"),
    Tool("lxcfs", "shows machines their own memory and CPUs", "lxc"),
    Tool("zstd", "packs snapshots for `snapshot export`", "lxc"),
    Tool("mmdebstrap", "builds the box of the machines", "lxc"),
)

LIBRARIES = {
    **{name: name for name in ("click", "cryptography", "jinja2", "paramiko", "requests", "rich")},
    "vagrant": "python-vagrant",
    "yaml": "PyYAML",
}
"""Each module, and the Python package that has it."""

SETUP = "stackcook setup"
"""The command that installs programs."""

PLUGINS = Path("/usr/share/vagrant-plugins/plugins.d")

CHECKOUT = Path(__file__).resolve().parents[1]
"""The directory of stackcook's source, if it runs from there."""


def needs(manifest: Manifest | None, *, embedded: bool) -> frozenset[str]:
    """What ``manifest`` needs tools for; everything if there is none.

    ``embedded`` says whether it uses the embedded Chef server.
    """
    root = {"sudo"} if os.geteuid() else set()
    if manifest is None:
        return frozenset({tool.need for tool in TOOLS} - {"sudo"} | root)
    cheffile = (manifest.root / "Cheffile").is_file()
    here = [node for node in manifest.nodes if not node.provider]
    vagrant = bool(here) and manifest.machines is MachineKind.VAGRANT
    lxc = vagrant and manifest.provider in (None, "lxc")
    knife = manifest.bootstrap is BootstrapKind.KNIFE and bool(here)
    found = {
        "": True,
        "knife": knife or bool(manifest.knife) or len(here) < len(manifest.nodes),
        "berksfile": manifest.berksfile is not None,
        "cheffile": cheffile,
        "resolver": cheffile or manifest.berksfile is not None,
        "embedded": embedded,
        "nodes": bool(manifest.nodes),
        "vagrant": vagrant,
        "lxc": lxc,
        "sudo": lxc and bool(root),
    }
    return frozenset(name for name, needed in found.items() if needed)


def diagnose(
    needed: Collection[str],
    tools: Iterable[Tool] = TOOLS,
    *,
    find: Callable[[str], Path] = find_program,
    run: Runner = run_command,
) -> tuple[Diagnosis, ...]:
    """Look for the tools, the Vagrant provider, the Python libraries and root access.

    ``needed`` comes from :func:`needs`.
    """
    return (
        *(_tool(tool, tool.need in needed, find) for tool in tools),
        _provider("lxc" in needed),
        _libraries(),
        _root("lxc" in needed, run),
    )


def _tool(tool: Tool, needed: bool, find: Callable[[str], Path]) -> Diagnosis:
    try:
        found = str(find(tool.program))
    except UsageError:
        found = ""
    return Diagnosis(tool.program, tool.purpose, found, SETUP, needed)


def _provider(needed: bool) -> Diagnosis:
    # Asking Vagrant itself takes seconds; plugins that a user installed are in the home directory.
    places = (PLUGINS / "vagrant-lxc.json", *(Path.home() / ".vagrant.d/gems").glob("*/gems/*lxc*"))
    found = next((str(place) for place in places if place.exists()), "")
    return Diagnosis("vagrant-lxc", "LXC provider for Vagrant", found, SETUP, needed)


def _libraries() -> Diagnosis:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    found = "" if missing else "all installed"
    what = f"missing: {', '.join(missing)}" if missing else "libraries of stackcook"
    packages = " ".join(LIBRARIES[name] for name in missing)
    if (CHECKOUT / "setup" / "python").is_file():
        remedy = f"make -C {shlex.quote(str(CHECKOUT))} setup"
    else:
        remedy = f"{shlex.quote(sys.executable)} -m pip install {packages}".rstrip()
    return Diagnosis("Python libraries", what, found, remedy)


def _root(needed: bool, run: Runner) -> Diagnosis:
    if os.geteuid() == 0:
        found = "running as root"
    else:
        try:
            allowed = run(Command((str(find_program("sudo")), "-n", "true"))).status == 0
        except UsageError:
            allowed = False
        found = "passwordless sudo" if allowed else ""
    remedy = "run stackcook as root, or set up passwordless sudo"
    return Diagnosis("root access", "creates network and machines", found, remedy, needed)
