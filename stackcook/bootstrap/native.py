"""The steps of a native bootstrap, over SSH; after each, any kind of bootstrap could continue."""

from __future__ import annotations

from stackcook.bootstrap import etc_chef, install, objects
from stackcook.bootstrap.converge import from_manifest
from stackcook.bootstrap.onnode import NodeTask, failed
from stackcook.bootstrap.output import ChefOutput
from stackcook.bootstrap.preflight import HostFacts
from stackcook.errors import NodeError


def install_client(task: NodeTask, facts: HostFacts | None) -> str:
    """Install the client in the version that is wanted, unless it is there."""
    options = task.context.options(task.node)
    if facts and facts.client and not options.version and not options.one("preinstall"):
        return "already installed"
    output, installed = ChefOutput(), False

    def read(line: str) -> None:
        nonlocal installed
        installed = True
        output.feed(line)
        task.say(line)

    if task.run_script(install.script(task, facts), read).status:
        raise failed(task.node, output)
    return "installed" if installed else "already installed"


def register(task: NodeTask) -> str:
    """Write ``/etc/chef``, and make the client with the node's public key, and the node."""
    context, node = task.context, task.node
    options, secret = context.options(node), context.secret_of(node)
    given = {**options.attributes(node.name), **from_manifest(context, node)}
    files = etc_chef.files(context.server, node, options, first_boot=given, secret=secret)
    lines: list[str] = []
    done = task.run_script(etc_chef.script(files), lines.append)
    key = done.output[max(0, done.output.find("-----BEGIN PUBLIC KEY")) :]
    if done.status or not key.startswith("-----BEGIN"):
        why = lines[-1] if lines else f"status {done.status}"
        what = f"cannot write {etc_chef.DIRECTORY} ({why})"
        remedy = f"check the space there: `stackcook ssh {node.name} -- df -h {etc_chef.DIRECTORY}`"
        raise NodeError(what, where=node.name, remedy=remedy)
    with objects.passing(node):
        objects.register(context.client, node, key, given, options.tags)
    return "registered"
