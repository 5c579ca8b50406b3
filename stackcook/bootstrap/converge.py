"""One run of chef-client on a node that is registered, over SSH."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from stackcook.bootstrap import timer
from stackcook.bootstrap.base import ConvergeResult, Deploy
from stackcook.bootstrap.install import FIX_DPKG
from stackcook.bootstrap.objects import noticing_loss, passing, place, synchronize
from stackcook.bootstrap.onnode import BootstrapContext, NodeTask, failed
from stackcook.bootstrap.output import ChefOutput, Times
from stackcook.command import Say
from stackcook.manifest.model import Node

ATTRIBUTES = "/etc/chef/stackcook.json"
"""The file with the attributes of a converge, on the node."""

CONFIG = "/etc/chef/stackcook.rb"
"""The configuration of a converge: the node's own client.rb, and a report handler."""

GUID = "[ -s /etc/chef/chef_guid ] || rm -f /etc/chef/chef_guid"
"""Removes an empty chef_guid: a full disk leaves one, and every later chef-client fails on it."""

LOCK = "/var/chef/cache/chef-client-running.pid"
"""The file that a running chef-client has locked, on the node."""

# not while chef-client, started by the timer, uses dpkg
_FIX_DPKG = (
    f"mkdir -p {os.path.dirname(LOCK)}\n"
    f"flock --nonblock --close --conflict-exit-code 0 {LOCK} sh -c {shlex.quote(FIX_DPKG)}"
)


@cache
def run_config() -> str:
    """The content of CONFIG, in Ruby; the same for all nodes."""
    return Path(__file__).with_name("times.rb").read_text()


class Reader:
    """Reads the lines of a run; passes all but the report handler's on to ``say``."""

    def __init__(self, say: Say) -> None:
        self.output = ChefOutput()
        self.times = Times()
        self._say = say
        self._started = time.monotonic()

    def __call__(self, line: str) -> None:
        if not self.times.feed(line):
            self.output.feed(line)
            self._say(line)

    def result(self, node: Node, status: int) -> ConvergeResult:
        """What the run did. Raises NodeError, or Transient, if it failed."""
        output, seconds = self.output, time.monotonic() - self._started
        if status == 0 and output.finished:
            return ConvergeResult(*output.finished, seconds, output.changed, self.times.slowest)
        silent = f"chef-client exited before its run was complete (last line: {output.last})"
        raise failed(node, output, "" if status else silent)


def converge(task: NodeTask) -> ConvergeResult:
    """Update the node object from the manifest, then converge the whole run list.

    Raises NodeError; Lost if the Chef server no longer has the node.
    """
    client, node = task.context.client, task.node
    with noticing_loss(client, node):
        with passing(node):
            synchronize(client, node)
        # A run that began before, by the timer, saves the old run list at its end.
        own = {} if node.policy_name else {"run_list": place(node)["run_list"]}
        # Timers of different nodes do not wait for each other.
        wanted = None if node.name in task.context.in_turn else task.context.timer
        return _run(task, more=own, recipes=timer.script(wanted))


def prepare(task: NodeTask) -> str:
    """Converge only the node's recipes of the deploy; the node object is not saved.

    Raises what :func:`converge` does.
    """
    recipes = task.deploy.recipes[task.node.name]
    instead = ",".join(f"recipe[{recipe}]" for recipe in recipes)
    with noticing_loss(task.context.client, task.node):
        done = _run(task, "--override-runlist", instead)
    return f"{', '.join(recipes)}: {done.updated}/{done.total} resources updated"


def run_recipe(task: NodeTask, recipe: str, openstack: Mapping[str, Any]) -> ConvergeResult:
    """Converge only this recipe, with attributes below ``openstack`` that no other run gets.

    Raises what :func:`converge` does.
    """
    given = from_manifest(task.context, task.node).get("openstack", {})
    more = {"openstack": {**given, **openstack}}
    with noticing_loss(task.context.client, task.node):
        return _run(task, "--override-runlist", f"recipe[{recipe}]", more=more)


def attributes(context: BootstrapContext, node: Node, deploy: Deploy) -> dict[str, Any]:
    """What chef-client puts into the node object; it saves them only if the run succeeds."""
    return {**from_manifest(context, node), "stackcook": {"deploy": deploy.id}}


def from_manifest(context: BootstrapContext, node: Node) -> dict[str, Any]:
    """What recipes know from the manifest: address, networks, region, and the firewall."""
    given: dict[str, Any] = {"address": str(node.address)} if node.address else {}
    if not node.provider:
        given |= context.zones.get(node.environment, context.openstack)
        given |= {"firewall": context.firewall.attributes(node)} if context.firewall else {}
    return {"openstack": given} if given else {}


def command(node: Node, *extra: str) -> str:
    """The command line of chef-client, quoted for a shell."""
    place = () if node.policy_name else ("-E", node.environment)
    options = ("--run-lock-timeout", "600", "--no-color", "--force-formatter", "--format", "doc")
    return shlex.join(("chef-client", "-c", CONFIG, *place, "-j", ATTRIBUTES, *options, *extra))


def _run(
    task: NodeTask, *extra: str, more: Mapping[str, Any] = {}, recipes: str = ""
) -> ConvergeResult:
    """Run chef-client; ``more`` is added to the attributes, ``recipes`` sets ``"$@"``."""
    wanted = {**attributes(task.context, task.node, task.deploy), **more}
    given = shlex.quote(json.dumps(wanted))
    script = (
        "set -e; umask 077",
        # cat, unlike the shell, says so where the disk is full
        f"printf %s {given} | cat >{ATTRIBUTES}",
        f"printf %s {shlex.quote(run_config())} | cat >{CONFIG}",
        recipes,
        "umask 022",
        _FIX_DPKG,
        GUID,
        f'exec {command(task.node, *extra)} "$@"',
    )
    reader = Reader(task.say)
    done = task.run_script("\n".join(script), reader)
    return reader.result(task.node, done.status)
