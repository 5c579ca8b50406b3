"""Bootstraps nodes with real ``knife bootstrap``; later converges run over SSH."""

from __future__ import annotations

import json
import os
from pathlib import Path

from stackcook.addresses import bracketed
from stackcook.bootstrap import install
from stackcook.bootstrap.base import ConvergeResult
from stackcook.bootstrap.converge import Reader, attributes, from_manifest, run_config
from stackcook.bootstrap.objects import forget
from stackcook.bootstrap.onnode import BootstrapContext, NodeTask
from stackcook.bootstrap.options import Options
from stackcook.bootstrap.output import Unwrapped
from stackcook.bootstrap.preflight import HostFacts
from stackcook.chef.server.knife import ruby_string
from stackcook.command import Command, CommandError, find_program
from stackcook.errors import NodeError
from stackcook.files import write_private
from stackcook.manifest.knifeoptions import SUDO_PASSWORD
from stackcook.manifest.model import Node
from stackcook.remote.base import Host
from stackcook.remote.hostkeys import adopt

TEMPLATE = Path(__file__).with_name("node.sh.erb")


def bootstrap(task: NodeTask, facts: HostFacts | None) -> ConvergeResult:
    """Delete what an unfinished bootstrap left on the server, then run ``knife bootstrap``.

    It gets our template, unless the node's options name another. ``facts`` are those of the node.
    """
    context, node = task.context, task.node
    own_template = context.options(node).last("--bootstrap-template")
    installing = "" if own_template else install.script(task, facts)
    forget(context.client, node.name)
    reader, plain = Reader(task.say), Unwrapped(task.host.address)

    def read(said: str) -> None:
        if line := plain.feed(said):
            reader(line)

    command = _command(task, installing)
    try:
        with context.underway.noting() as note:
            done = context.runner(command, on_line=read, timeout=task.timeout, on_start=note)
    except CommandError as error:
        last = reader.output.last or "none"
        what = f"bootstrap did not finish within {task.timeout:g} s (last line: {last})"
        remedy = "check on the node what it is waiting for"
        raise NodeError(what, where=node.name, remedy=remedy) from error
    return reader.result(node, done.status)


def _command(task: NodeTask, installing: str) -> Command:
    context, node, host = task.context, task.node, task.host
    options = context.options(node)
    argv = [
        *(str(find_program("knife")), "bootstrap", host.address),
        *("-c", str(_config(context, node, host)), "--no-color"),
        *("-N", node.name),
        *("-U", host.user),
        *(word for key in _keys(host) for word in ("-i", str(key))),
        *("--ssh-verify-host-key", "always"),
        *("-t", str(TEMPLATE), "--json-attribute-file", str(_first_boot(context, node, options))),
    ]
    if node.policy_name:  # which has the run list, and knows no environments
        argv += ["--policy-name", node.policy_name, "--policy-group", str(node.policy_group)]
    else:
        argv += ["-E", node.environment, "-r", ",".join(node.run_list)]
    if host.port != 22:  # given as text, 22 would be looked for as [ADDRESS]:22 in known_hosts
        argv += ["-p", str(host.port)]
    if host.user != "root":
        argv.append("--sudo")
        if host.become and not options.last(SUDO_PASSWORD):
            argv.append("--use-sudo-password")
    if host.gateway and not options.one("gateway"):  # of OpenSSH's configuration
        gateway = host.gateway
        argv += ["-G", f"{gateway.user}@{bracketed(gateway.address)}:{gateway.port}"]
    adopt(host, context.known_hosts)
    if secret := _secret(context, node):
        argv += ["--secret-file", str(secret)]
    argv += options.for_knife
    return Command(tuple(argv), env=_environment(task, installing), cwd=options.root)


def _keys(host: Host) -> tuple[Path, ...]:
    """The keys for knife, which rejects files that don't exist where a password would do."""
    return tuple(key for key in host.keys if key.is_file() or not host.password)


def _config(context: BootstrapContext, node: Node, host: Host) -> Path:
    """knife's settings; a password is in a file for this node only, never in argv."""
    common = context.state / "chef" / "config.rb"
    password = host.become or host.password
    if password is None:
        return common
    path = common.parent / "first-boot" / f"{node.name}.rb"
    pairs = map(ruby_string, (str(common), password.reveal()))
    write_private(path, "from_file {}\nknife[:connection_password] = {}\n".format(*pairs))
    return path


def _first_boot(context: BootstrapContext, node: Node, options: Options) -> Path:
    """The file with the attributes of the first boot.

    The deploy's id is not among them: what a bootstrap leaves does not depend on it.
    """
    path = context.state / "chef" / "first-boot" / f"{node.name}.json"
    given = {**options.attributes(node.name), **from_manifest(context, node)}
    write_private(path, json.dumps(given))
    return path


def _secret(context: BootstrapContext, node: Node) -> Path | None:
    """The file with the secret that decrypts data bag items."""
    options = context.options(node)
    option = options.last("secret", "secret_file")
    if option is None or not option.value:
        return context.secret
    if option.name == "secret_file":
        return options.path(option.value)
    path = context.state / "chef" / "first-boot" / f"{node.name}.secret"
    write_private(path, f"{option.value}\n")
    return path


def _environment(task: NodeTask, installing: str) -> dict[str, str]:
    """The variables of our template, and a home directory in which knife verifies host keys.

    train gives net-ssh /dev/null as the user's known_hosts; only the *global* file can be
    named, and only in the ssh configuration of the home directory.
    """
    context, node = task.context, task.node
    home, options = context.state / "chef" / "home", context.options(node)
    # Written whole: another node's knife may just be reading it.
    config = f'Host *\n  GlobalKnownHostsFile "{context.known_hosts}"\n'
    write_private(home / ".ssh" / "config", config)
    return {
        "HOME": str(home),
        "CHEF_LICENSE": os.environ.get("CHEF_LICENSE", "accept-silent"),
        # knife asks a licence service on the internet before anything else and goes on without
        # one: a port of this machine that refuses at once spares the wait for a time-out.
        "CHEF_LICENSE_SERVER": "http://127.0.0.1:9",
        # not a Secret: each of its lines, such as `fi`, would be masked in what knife prints
        "STACKCOOK_INSTALL": installing,
        # knife gives the node object none of its attribute file: the first run brings them.
        "STACKCOOK_ATTRIBUTES": json.dumps(
            {**options.attributes(node.name), **attributes(context, node, task.deploy)}
        ),
        "STACKCOOK_CONFIG": run_config().rstrip(),
    }
