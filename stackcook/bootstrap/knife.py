"""Bootstraps nodes with real ``knife bootstrap``; later converges run over SSH."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from stackcook.bootstrap import install
from stackcook.bootstrap.base import ConvergeResult, Deploy, Look, Say
from stackcook.bootstrap.converge import Reader, address, attributes, converge, run_config
from stackcook.bootstrap.look import look
from stackcook.bootstrap.objects import forget
from stackcook.bootstrap.onnode import BootstrapContext
from stackcook.bootstrap.options import Options
from stackcook.bootstrap.output import Unwrapped
from stackcook.command import Command, CommandError, Runner, Secret, find_program, run
from stackcook.errors import NodeError
from stackcook.files import write_private
from stackcook.manifest.model import Node
from stackcook.remote.base import Host

TEMPLATE = Path(__file__).with_name("node.sh.erb")


@dataclass(frozen=True)
class KnifeBootstrap:
    """``knife bootstrap`` with our template, unless a node's options name another."""

    context: BootstrapContext
    runner: Runner = run

    def reach(self, node: Node, host: Host) -> None:
        """Log in; the connection stays open for all that follows."""
        with self.context.open(node, host):
            pass

    def look(self, node: Node, host: Host) -> Look:
        """Ask the server and the node, as :func:`~stackcook.bootstrap.look.look` does."""
        return look(self.context, node, host)

    def perform(
        self, step: str, node: Node, host: Host, deploy: Deploy, timeout: float, say: Say
    ) -> ConvergeResult:
        """Bootstrap the node by knife, or converge it over SSH."""
        if step == "bootstrap":
            return self._bootstrap(node, host, deploy, timeout, say)
        return converge(self.context, node, host, deploy, say, timeout)

    def interrupt(self) -> None:
        """Stop what runs on all nodes, and anything that starts later."""
        self.context.underway.end()

    def _bootstrap(
        self, node: Node, host: Host, deploy: Deploy, timeout: float, say: Say
    ) -> ConvergeResult:
        """Delete what an unfinished bootstrap left on the server, then run ``knife bootstrap``."""
        forget(self.context.client, node.name)
        reader, plain = Reader(say), Unwrapped(host.address)

        def read(said: str) -> None:
            if line := plain.feed(said):
                reader(line)

        command = self._command(node, host, deploy)
        try:
            with self.context.underway.noting() as note:
                done = self.runner(command, on_line=read, timeout=timeout, on_start=note)
        except CommandError as error:
            last = reader.output.last or "none"
            what = f"bootstrap did not finish within {timeout:g} s (last line: {last})"
            remedy = "check on the node what it is waiting for"
            raise NodeError(what, where=node.name, remedy=remedy) from error
        return reader.result(node, done.status)

    def _command(self, node: Node, host: Host, deploy: Deploy) -> Command:
        options = self.context.options(node)
        argv = [
            *(str(find_program("knife")), "bootstrap", host.address),
            *("-c", str(self._config(node, options)), "--no-color"),
            *("-N", node.name),
            *("-U", host.user, "-i", str(host.key)),
            *("--ssh-verify-host-key", "always"),
            *("-t", str(TEMPLATE), "--json-attribute-file", str(self._first_boot(node, options))),
        ]
        if node.policy_name:  # which has the run list, and knows no environments
            argv += ["--policy-name", node.policy_name, "--policy-group", str(node.policy_group)]
        else:
            argv += ["-E", node.environment, "-r", ",".join(node.run_list)]
        if host.port != 22:  # given as text, 22 would be looked for as [ADDRESS]:22 in known_hosts
            argv += ["-p", str(host.port)]
        if host.user != "root":
            argv.append("--sudo")
        if secret := self._secret(node):
            argv += ["--secret-file", str(secret)]
        argv += options.for_knife
        return Command(tuple(argv), env=self._environment(node, deploy), cwd=options.root)

    def _config(self, node: Node, options: Options) -> Path:
        """knife's settings; a password is in a file for this node only, never in argv."""
        common = self.context.state / "chef" / "config.rb"
        if not (password := options.one("password")):
            return common
        path = common.parent / "first-boot" / f"{node.name}.rb"
        pairs = (json.dumps(text).replace("#", "\\#") for text in (str(common), password))
        write_private(path, "from_file {}\nknife[:connection_password] = {}\n".format(*pairs))
        return path

    def _first_boot(self, node: Node, options: Options) -> Path:
        """The file with the attributes of the first boot.

        The deploy's id is not among them: what a bootstrap leaves does not depend on it.
        """
        path = self.context.state / "chef" / "first-boot" / f"{node.name}.json"
        write_private(path, json.dumps({**options.attributes(node.name), **address(node)}))
        return path

    def _secret(self, node: Node) -> Path | None:
        """The file with the secret that decrypts data bag items."""
        options = self.context.options(node)
        option = options.last("secret", "secret_file")
        if option is None or not option.value:
            return self.context.secret
        if option.name == "secret_file":
            return options.path(option.value)
        path = self.context.state / "chef" / "first-boot" / f"{node.name}.secret"
        write_private(path, f"{option.value}\n")
        return path

    def _environment(self, node: Node, deploy: Deploy) -> dict[str, str | Secret]:
        """The variables of our template, and a home directory in which knife verifies host keys.

        train gives net-ssh /dev/null as the user's known_hosts; only the *global* file can be
        named, and only in the ssh configuration of the home directory.
        """
        home, options = self.context.state / "chef" / "home", self.context.options(node)
        # Written whole: another node's knife may just be reading it.
        config = f'Host *\n  GlobalKnownHostsFile "{self.context.known_hosts}"\n'
        write_private(home / ".ssh" / "config", config)
        return {
            "HOME": str(home),
            "CHEF_LICENSE": os.environ.get("CHEF_LICENSE", "accept-silent"),
            # knife asks a licence service on the internet before anything else and goes on without
            # one: a port of this machine that refuses at once spares the wait for a time-out.
            "CHEF_LICENSE_SERVER": "http://127.0.0.1:9",
            "STACKCOOK_INSTALL": install.script(options),
            # knife gives the node object none of its attribute file: the first run brings them.
            "STACKCOOK_ATTRIBUTES": json.dumps(
                {**options.attributes(node.name), **attributes(node, deploy)}
            ),
            "STACKCOOK_CONFIG": run_config().rstrip(),
        }
