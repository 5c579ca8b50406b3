"""Gives a node the Debian packages of a bundle, so that apt asks no mirror."""

from __future__ import annotations

import re
import shlex

from stackcook.bootstrap.onnode import NodeTask
from stackcook.bootstrap.preflight import BUNDLED, HostFacts
from stackcook.bundle.archive import stream
from stackcook.bundle.packages import release_file
from stackcook.errors import NodeError, counted
from stackcook.remote.base import as_root

DIRECTORY = "/var/lib/stackcook/bundle"
"""Where the packages are on the node, with their index."""

_LISTING = f"cd {DIRECTORY} 2>/dev/null && find . -name '*.deb' -exec sha256sum -- {{}} +"
_FIELDS = re.compile(r"^(?:Filename: \./(?P<name>\S+)|SHA256: (?P<sha256>\w+))$", re.MULTILINE)

# apt's own lists of sources stay as they are, and are not read.
_APT_CONF = f"""\
// Written by `stackcook deploy --bundle`: apt has only the packages of the bundle. To let it
// ask its mirrors again, remove this file.
Dir::Etc::SourceList "{DIRECTORY}/sources.list";
Dir::Etc::SourceParts "/dev/null";
"""
_SOURCES = f"deb [trusted=yes] file:{DIRECTORY} ./\n"

_UNPACK = f"""\
set -e; umask 022; mkdir -p {DIRECTORY}; cd {DIRECTORY}
tar -x --no-same-owner
sha256sum --check --quiet SHA256SUMS
find . -name '*.deb' | sed 's|^./||' | while IFS= read -r name; do
  grep -qF "  $name" SHA256SUMS || rm -f "$name"
done
cp apt.conf {BUNDLED}
apt-get -qq -o DPkg::Lock::Timeout=300 -o APT::Update::Error-Mode=any update
"""


def bring(task: NodeTask, facts: HostFacts | None) -> str:
    """Send the packages that the node lacks, and let apt use them alone.

    Raises NodeError if the bundle has none for the node's release, or they can't be sent.
    """
    context, name = task.context, task.node.name
    if context.bundle is None:
        return "there is no bundle"
    packages = context.bundle.packages(name, facts.debian if facts else "")
    index = context.bundle.index(packages)
    found = [match.groupdict() for match in _FIELDS.finditer(index)]
    names = [each["name"] for each in found if each["name"]]
    wanted = dict(zip(names, (each["sha256"] for each in found if each["sha256"])))
    with context.open(task.host) as remote, context.underway.noting() as note:
        note(remote.close)
        there = as_root(remote, _LISTING, timeout=task.timeout, apart=True).output
        here = {line[66:].removeprefix("./"): line[:64] for line in there.splitlines()}
        missing = {file: packages[file] for file in wanted if here.get(file) != wanted[file]}
        size = sum(path.stat().st_size for path in missing.values()) >> 20
        if missing:
            task.say(f"sending {counted(len(missing), 'package')} ({size} MB)")
        content = {
            **missing,
            "Packages": index,
            "Release": release_file(index),
            "SHA256SUMS": "".join(f"{sum}  {file}\n" for file, sum in wanted.items()),
            "sources.list": _SOURCES,
            "apt.conf": _APT_CONF,
        }
        command = f"sh -c {shlex.quote(_UNPACK)}"
        done = as_root(remote, command, content=stream(content), timeout=task.timeout)
    if done.status:
        what = f"cannot use the packages of the bundle ({done.quoted})"
        raise NodeError(what, where=name, remedy=f"free disk space for {DIRECTORY}")
    return f"{counted(len(wanted), 'package')}, {len(missing)} of them sent"
