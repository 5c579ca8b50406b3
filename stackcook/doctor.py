"""The programs that stackcook needs on this machine, and how to install missing ones."""

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

_GEMS = "apt-get install ruby-dev build-essential libffi-dev libarchive13 && gem install"
"""Installs a gem and what it takes to build it."""


@dataclass(frozen=True)
class Tool:
    """A program and what it is for.

    ``package`` is Debian's; ``gem`` is the gem, with its version, where Debian has no package.
    ``need`` is what it is needed for, see :func:`needs`; empty: for everything.
    """

    program: str
    purpose: str
    package: str = ""
    need: str = ""
    gem: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """One requirement: ``found`` is where it is, or empty; then ``remedy`` installs it."""

    name: str
    purpose: str
    found: str
    remedy: str
    needed: bool = True


TOOLS = (
    Tool("ruby", "reads cookbooks and roles; runs knife", "ruby"),
    Tool("knife", "bootstraps nodes", need="knife", gem="knife -v '~> 18'"),
    Tool(
        "berks",
        "resolves the cookbooks of a Berksfile",
        need="berksfile",
        gem="berkshelf -v '~> 8'",
    ),
    Tool(
        "librarian-chef",
        "resolves the cookbooks of a Cheffile",
        need="cheffile",
        gem="librarian-chef",
    ),
    Tool("git", "fetches cookbooks from git repositories", "git", "resolver"),
    Tool("goiardi", "runs the embedded Chef server", "goiardi", "embedded"),
    Tool("ssh", "reads ~/.ssh/config, opens shells on nodes", "openssh-client", "nodes"),
    Tool("ip", "creates the network of the lab", "iproute2", "lxc"),
    Tool("nft", "sets up NAT for the network of the lab", "nftables", "lxc"),
    Tool("sysctl", "sets up IP forwarding for the network of the lab", "procps", "lxc"),
    Tool("sudo", "runs commands as root", "sudo", "sudo"),
    Tool("vagrant", "creates machines", "vagrant", "vagrant"),
    Tool("lxc-create", "creates LXC containers as machines", "lxc", "lxc"),
    Tool("lxcfs", "shows machines their own memory and CPUs", "lxcfs", "lxc"),
    Tool("zstd", "packs snapshots for `snapshot export`", "zstd", "lxc"),
    Tool("mmdebstrap", "builds the box of the machines", "mmdebstrap", "lxc"),
)

LIBRARIES = {
    **{name: name for name in ("click", "cryptography", "jinja2", "paramiko", "requests", "rich")},
    "vagrant": "python-vagrant",
    "yaml": "PyYAML",
}
"""Each module, and the Python package that has it."""

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
    if tool.package:
        remedy = _as_root(f"apt-get install {tool.package}")
    else:
        remedy = _setup() or _as_root(f"{_GEMS} {tool.gem}")
    return Diagnosis(tool.program, tool.purpose, found, remedy, needed)


def _setup() -> str:
    """The command that installs gems and libraries in a checkout of stackcook; else empty."""
    if not (CHECKOUT / "setup" / "gems").is_file():
        return ""
    here = Path.cwd() == CHECKOUT
    return "make setup" if here else f"make -C {shlex.quote(str(CHECKOUT))} setup"


def _as_root(command: str) -> str:
    return command if os.geteuid() == 0 else f"sudo {command.replace('&& ', '&& sudo ')}"


def _provider(needed: bool) -> Diagnosis:
    # Asking Vagrant itself takes seconds; plugins that a user installed are in the home directory.
    places = (PLUGINS / "vagrant-lxc.json", *(Path.home() / ".vagrant.d/gems").glob("*/gems/*lxc*"))
    found = next((str(place) for place in places if place.exists()), "")
    remedy = _as_root("apt-get install vagrant-lxc")
    return Diagnosis("vagrant-lxc", "LXC provider for Vagrant", found, remedy, needed)


def _libraries() -> Diagnosis:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    found = "" if missing else "all installed"
    what = f"missing: {', '.join(missing)}" if missing else "libraries of stackcook"
    packages = " ".join(LIBRARIES[name] for name in missing)
    remedy = _setup() or f"{shlex.quote(sys.executable)} -m pip install {packages}".rstrip()
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
