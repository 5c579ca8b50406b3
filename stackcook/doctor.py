"""What deploying from this machine takes, what of it is missing, and how to get that."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stackcook.command import Command, Run, find_program
from stackcook.command import run as run_command
from stackcook.errors import UsageError

SETUP = "make setup"


@dataclass(frozen=True)
class Tool:
    """A program and what it is for; ``package`` is Debian's, or empty if set-up's gems bring it."""

    program: str
    purpose: str
    package: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """One thing: ``found`` says where it is, or is empty; then ``remedy`` is what brings it."""

    name: str
    purpose: str
    found: str
    remedy: str


TOOLS = (
    Tool("ruby", "reads cookbooks and roles, runs knife", "ruby"),
    Tool("knife", "bootstraps nodes"),
    Tool("berks", "brings a Berksfile's cookbooks"),
    Tool("librarian-chef", "brings a Cheffile's cookbooks"),
    Tool("git", "brings cookbooks that lie in a git repository", "git"),
    Tool("goiardi", "is the embedded Chef server", "goiardi"),
    Tool("ssh", "opens shells on nodes", "openssh-client"),
    Tool("ssh-keygen", "makes the lab's login key", "openssh-client"),
    Tool("ip", "makes the lab's network", "iproute2"),
    Tool("nft", "lets the lab's machines reach out", "nftables"),
    Tool("sysctl", "lets the lab's machines reach out", "procps"),
    Tool("sudo", "runs what only root may", "sudo"),
    Tool("vagrant", "makes the lab's machines", "vagrant"),
    Tool("lxc-create", "makes them as containers", "lxc"),
    Tool("mmdebstrap", "builds their box", "mmdebstrap"),
)

LIBRARIES = ("click", "cryptography", "jinja2", "paramiko", "requests", "rich", "vagrant", "yaml")

PLUGINS = Path("/usr/share/vagrant-plugins/plugins.d")


def diagnose(
    tools: Iterable[Tool] = TOOLS,
    *,
    find: Callable[[str], Path] = find_program,
    run: Run = run_command,
) -> tuple[Diagnosis, ...]:
    """Look for the tools, Vagrant's provider, the Python libraries and the right to be root."""
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
        "vagrant-lxc", "lets Vagrant make containers", found, "apt-get install vagrant-lxc"
    )


def _libraries() -> Diagnosis:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    found = "" if missing else "all of them"
    what = f"lacks {', '.join(missing)}" if missing else "are what stackcook is built on"
    return Diagnosis("Python libraries", what, found, SETUP)


def _root(run: Run) -> Diagnosis:
    if os.geteuid() == 0:
        found = "this is root"
    else:
        try:
            allowed = run(Command((str(find_program("sudo")), "-n", "true"))).status == 0
        except UsageError:
            allowed = False
        found = "by sudo" if allowed else ""
    remedy = "run as root, or let sudo not ask for a password"
    return Diagnosis("root's rights", "make network and machines", found, remedy)
