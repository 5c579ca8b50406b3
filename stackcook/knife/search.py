"""``knife ssh`` and ``knife winrm``: the Chef client once more on the nodes that a search finds."""

from __future__ import annotations

from collections.abc import Iterator

from stackcook.bootstrap.providers import WINDOWS
from stackcook.knife.nodes import NUMBER, Entry
from stackcook.knife.options import known, value
from stackcook.knife.parts import line

_LOGIN = ("-i", "-G", "-P", "-p", "-x", "--no-host-key-verify")


def converge(entry: Entry) -> Iterator[str]:
    """A command for each name to look for; one for all machines that share a pattern."""
    protocol = WINDOWS.get(entry.group.provider or "", "ssh")
    options = [f"{flag} {text}".rstrip() for flag, text in known(entry.options) if flag in _LOGIN]
    for name in _names(entry):
        command = f"'{_sudo(entry)}chef-client'"
        yield line("knife", protocol, f"'{_search(entry, name)}'", command, *options)


def _names(entry: Entry) -> list[str]:
    """Names and patterns; an empty one where only the run list tells which nodes these are."""
    if entry.cloud and not value(entry.options, "-N") and (entry.whole or entry.nameless):
        return [""]
    if entry.name and entry.whole:
        return [entry.name.replace(NUMBER, "*")]
    return [machine.node.name for machine in entry.machines]


def _sudo(entry: Entry) -> str:
    """``sudo`` if it is asked for, and for every user but root; Windows has none."""
    if entry.group.provider in WINDOWS:
        return ""
    found = [*known(entry.options)]
    others = [user for flag, user in found if flag == "-x" and user != "root"]
    return "sudo " if others or ("--sudo", "") in found else ""


def _search(entry: Entry, name: str) -> str:
    environment = value(entry.options, "-E")
    terms = [f"name:{name}"] if name else []
    terms += [f"chef_environment:{environment}"] if environment else []
    return " AND ".join((*terms, *map(_term, entry.group.run_list)))


def _term(item: str) -> str:
    """An entry of a run list as the index holds it; one without a kind is a recipe."""
    kind, bracket, name = item.removesuffix("]").partition("[")
    return f"{kind}:{name}".replace("::", r"\:\:") if bracket else _term(f"recipe[{item}]")
