"""Real knife on the same Chef server: its ``config.rb``, and the manifest's section ``knife``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from stackcook.command import Command, CommandError, Runner, find_program, run
from stackcook.errors import ChefServerError
from stackcook.files import write_private
from stackcook.manifest.model import ChefServer, Manifest

TIMEOUT = 3600.0
"""Seconds for one command."""

_CONFIG = """\
# Written by stackcook: your changes would be overwritten.
# knife -c .stackcook/chef/config.rb diff
require 'digest/md5' # knife's threads would load it, and Ruby cannot load it in two threads at once
state = File.expand_path('..', File.dirname(__FILE__))
root = File.dirname(state)

chef_server_url {url}
node_name {user}
client_key {key}
validation_key File.join(state, 'none.pem') # does not exist: this user registers the nodes

chef_repo_path root
data_bag_path [File.join(root, 'data_bags'), File.join(state, 'data_bags')]
environment_path [File.join(root, 'environments'), File.join(state, 'environments')]
repo_mode 'static' # nodes and clients are not in the repository
"""

PROXIES = (
    *(f"{scheme}_proxy{part}" for scheme in ("http", "https") for part in ("", "_user", "_pass")),
    "no_proxy",
)
"""knife's settings for the proxies of this machine."""

PROXIES_OF_NODES = tuple(
    f"bootstrap_{name}" for name in ("proxy", "proxy_user", "proxy_pass", "no_proxy")
)
"""knife's settings, below ``knife``, for the proxies that it writes to nodes."""

_DEFAULT_ENVIRONMENT = {"name": "_default", "description": "The default Chef environment"}
"""Every Chef server has it; the file keeps it out of what `knife diff` reports."""


def write_config(state: Path, server: ChefServer) -> Path:
    """Write ``chef/config.rb`` below the state directory; returns its path."""
    default = json.dumps(_DEFAULT_ENVIRONMENT, indent=2) + "\n"
    write_private(state / "environments" / "_default.json", default)
    path = state / "chef" / "config.rb"
    write_private(path, _config(state, server))
    return path


def _config(state: Path, server: ChefServer) -> str:
    """The text of ``config.rb``; a key below the state directory is named relative to it."""
    key = server.key.absolute()
    if key.is_relative_to(state.absolute()):
        shown = f"File.join(state, {ruby_string(str(key.relative_to(state.absolute())))})"
    else:
        shown = ruby_string(str(key))
    text = _CONFIG.format(url=ruby_string(server.url), user=ruby_string(server.user), key=shown)
    for name, value in server.proxies.items():
        setting = f"knife[:{name}] =" if name in PROXIES_OF_NODES else name
        text += f"{setting} {ruby_string(value)}\n"
    return text


def ruby_string(text: str) -> str:
    """A Ruby string literal in ASCII, so that it does not depend on the locale of who reads it."""

    def escaped(character: str) -> str:
        if character in '"\\#':
            return f"\\{character}"
        return character if " " <= character <= "~" else f"\\u{{{ord(character):x}}}"

    return f'"{"".join(map(escaped, text))}"'


def server_arguments(server: ChefServer) -> tuple[str, ...]:
    """The options that make knife use ``server``, whatever its own configuration says."""
    return ("--server-url", server.url, "-u", server.user, "-k", str(server.key))


def run_section(
    manifest: Manifest, server: ChefServer, say: Callable[[str], None], runner: Runner = run
) -> int:
    """Run the section's commands in order; returns how many.

    knife searches for its own configuration from the manifest's directory upward. Raises
    ChefServerError at the first command that fails: later ones may depend on it.
    """
    count = 0
    for name, words in _commands(manifest):
        shown = f"knife {name}"  # without its arguments, which may contain a password
        say(shown)
        argv = (str(find_program("knife")), *words, *server_arguments(server))
        remedy = "correct it in the section `knife`"
        try:
            done = runner(Command(argv, cwd=manifest.root), on_line=say, timeout=TIMEOUT)
        except CommandError as error:
            raise ChefServerError(error.what, where=shown, remedy=remedy) from error
        if done.status:
            what = f"exited with status {done.status}: {done.last}"
            raise ChefServerError(what, where=shown, remedy=remedy)
        count += 1
    return count


def _commands(manifest: Manifest) -> Iterator[tuple[str, tuple[str, ...]]]:
    for command in manifest.knife:
        for arguments in command.arguments or ("",):
            yield command.name, (*command.name.split(), *shlex.split(arguments))
