"""The programs that stackcook needs on this machine, and how to install missing ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stackcook.command import Command, Runner, find_program
from stackcook.command import run as run_command
from stackcook.errors import UsageError

SETUP = "make setup"


@dataclass(frozen=True)
class Tool:
    """A program and what it is for; ``package`` is Debian's; empty: `make setup` installs it."""

    program: str
    purpose: str
    package: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """One requirement: ``found`` is where it is, or empty; then ``remedy`` installs it."""

    name: str
    purpose: str
    found: str
    remedy: str


TOOLS = (
    Tool("ruby", "reads cookbooks and roles; runs knife", "ruby"),
    Tool("knife", "bootstraps nodes"),
    Tool("berks", "resolves the cookbooks of a Berksfile"),
    Tool("librarian-chef", "resolves the cookbooks of a Cheffile"),
    Tool("git", "fetches cookbooks from git repositories", "git"),
    Tool("goiardi", "runs the embedded Chef server", "goiardi"),
    Tool("ssh", "opens shells on nodes", "openssh-client"),
    Tool("ssh-keygen", "creates the SSH key of the lab", "openssh-client"),
    Tool("ip", "creates the network of the lab", "iproute2"),
    Tool("nft", "sets up NAT for the network of the lab", "nftables"),
    Tool("sysctl", "sets up IP forwarding for the network of the lab", "procps"),
    Tool("sudo", "runs commands as root", "sudo"),
    Tool("vagrant", "creates machines", "vagrant"),
    Tool("lxc-create", "creates LXC containers as machines", "lxc"),
    Tool("mmdebstrap", "builds the box of the machines", "mmdebstrap"),
)

LIBRARIES = ("click", "cryptography", "jinja2", "paramiko", "requests", "rich", "vagrant", "yaml")

PLUGINS = Path("/usr/share/vagrant-plugins/plugins.d")


def diagnose(
    tools: Iterable[Tool] = TOOLS,
    *,
    find: Callable[[str], Path] = find_program,
    run: Runner = run_command,
) -> tuple[Diagnosis, ...]:
    """Look for the tools, the Vagrant provider, the Python libraries and root access."""
    return (*(_tool(tool, find) for tool in tools), _provider(), _libraries(), _root(run))


def _tool(tool: Tool, find: Callable[[str], Path]) -> Diagnosis:
    try:
        found = str(find(tool.program))
    except UsageError:
        found = ""
    remedy = f"apt-get install {tool.package}" if tool.package else SETUP
    return Diagnosis(tool.program, tool.purpose, found, remedy)


def _provider() -> Diagnosis:
    # Asking Vagrant itself takes seconds; plugins that a user installed are in the home directory.
    places = (PLUGINS / "vagrant-lxc.json", *(Path.home() / ".vagrant.d/gems").glob("*/gems/*lxc*"))
    found = next((str(place) for place in places if place.exists()), "")
    return Diagnosis(
        "vagrant-lxc", "LXC provider for Vagrant", found, "apt-get install vagrant-lxc"
    )


def _libraries() -> Diagnosis:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    found = "" if missing else "all installed"
    what = f"missing: {', '.join(missing)}" if missing else "libraries of stackcook"
    return Diagnosis("Python libraries", what, found, SETUP)


def _root(run: Runner) -> Diagnosis:
    if os.geteuid() == 0:
        found = "running as root"
    else:
        try:
            allowed = run(Command((str(find_program("sudo")), "-n", "true"))).status == 0
        except UsageError:
            allowed = False
        found = "passwordless sudo" if allowed else ""
    remedy = "run stackcook as root, or set up passwordless sudo"
    return Diagnosis("root access", "creates network and machines", found, remedy)
